"""Parked writes: those that Dynamics refused for good, and contacts that a bug keeps waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from pipelines import ledger
from pipelines.contact import Contact, Parked
from worker.clock import Clock
from worker.stores.protocol import ContactStore, FaultNote, Saved


#: How many contacts are read from a store at a time.
PAGE = 200

#: In place of a record: the whole contact is set aside, because of a bug of ours.
FAULT = "fault"


@dataclass(frozen=True, slots=True)
class ParkedWrite:
    """One parked write of one contact; ``place`` is its record or step, or ``FAULT``."""

    contact_id: str
    place: str
    parked: Parked


async def parked_writes(store: ContactStore) -> AsyncIterator[ParkedWrite]:
    """Every parked write, and every contact that a bug of ours keeps waiting, by contact."""
    after = ""
    while ids := await store.parked(after, PAGE):
        for entry in await store.load(ids):
            if entry.fault is not None:
                yield ParkedWrite(entry.contact.id, FAULT, _as_parked(entry.fault))
            for place, parked in sorted(entry.contact.parked.items()):
                yield ParkedWrite(entry.contact.id, place, parked)
        after = ids[-1]


def matches(write: ParkedWrite, contact_ids: Iterable[str], step: str) -> bool:
    """Whether a parked write is meant: one of these contacts (none: any), and that step (if any).

    A step is named as ``STEP4`` or ``phonecall/STEP4``.
    """
    wanted = {contact_id.lower() for contact_id in contact_ids}
    names = {*write.parked.steps, *(path.rpartition("/")[2] for path in write.parked.steps)}
    return (not wanted or write.contact_id in wanted) and (not step or step in names)


def _as_parked(note: FaultNote) -> Parked:
    """A fault as it stands in lists."""
    then = "parked; another release tries it" if note.parked else "tried again by itself"
    text = f"{note.what}; tries: {note.tries}; {then}; seen by {', '.join(note.tried)}"
    return Parked(steps=[], at=note.since, status=None, code="", request={}, answer=text)


async def retry_parked(store: ContactStore, write: ParkedWrite, clock: Clock | None = None) -> None:
    """Let the worker try again, rendering anew from the facts."""
    clock = clock or Clock()
    if write.place == FAULT:
        await _put_back(store, write.contact_id, clock.wall())
        return
    await _change(store, write.contact_id, lambda c: c.parked.pop(write.place, None), clock)


async def drop_parked(store: ContactStore, write: ParkedWrite) -> None:
    """Drop a parked write: its record gets no more writes.

    After a fault: the contact waits for its next message.
    """
    if write.place == FAULT:
        await _put_back(store, write.contact_id, None)
        return
    await _change(store, write.contact_id, lambda c: ledger.drop(c, write.place), Clock())


async def _put_back(store: ContactStore, contact_id: str, due_at: float | None) -> None:
    """Take the note of a fault off a contact, which may be one that cannot be read."""
    while True:
        [entry] = await store.load([contact_id])
        if not entry.version or await store.put_back(contact_id, entry.version, due_at, None):
            return


async def _change(
    store: ContactStore,
    contact_id: str,
    change: Callable[[Contact], object],
    clock: Clock,
) -> None:
    while True:
        (entry,) = await store.load([contact_id])
        if not entry.version:
            return  # it was forgotten meanwhile
        change(entry.contact)
        entry.due_at = clock.wall()
        if await store.save([entry]) != [Saved.CONFLICT]:
            return
