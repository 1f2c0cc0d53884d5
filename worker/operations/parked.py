"""Parked writes: those that Dynamics refused for good, and contacts that a bug keeps waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from pipelines import ledger
from pipelines.contact import Contact, Parked
from pipelines.happening import by_operator
from pipelines.history import note
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


async def retry_parked(
    store: ContactStore,
    write: ParkedWrite,
    clock: Clock | None = None,
    *,
    by: str = "",
    why: str = "",
) -> None:
    """Let the worker try again, rendering anew from the facts.

    Args:
        store: Where the contact is kept.
        write: What is parked.
        clock: Time.
        by: Who does it: a system user.
        why: The reason given. Both are kept in the contact's history.
    """
    clock = clock or Clock()
    noted = partial(_noted, "retried", write, clock, by=by, why=why)

    def retry(contact: Contact) -> None:
        contact.parked.pop(write.place, None)
        noted(contact)

    if write.place == FAULT:
        await _free(store, write.contact_id, noted, clock.wall)
    else:
        await _change(store, write.contact_id, retry, clock)


async def drop_parked(
    store: ContactStore,
    write: ParkedWrite,
    clock: Clock | None = None,
    *,
    by: str = "",
    why: str = "",
) -> None:
    """Drop a parked write: its record gets no more writes.

    After a fault: the contact waits for its next message. Arguments as of ``retry_parked``.
    """
    clock = clock or Clock()
    noted = partial(_noted, "dropped", write, clock, by=by, why=why)

    def drop(contact: Contact) -> None:
        ledger.drop(contact, write.place)
        noted(contact)

    if write.place == FAULT:
        await _free(store, write.contact_id, noted, lambda: None)
    else:
        await _change(store, write.contact_id, drop, clock)


def _noted(
    what: str, write: ParkedWrite, clock: Clock, contact: Contact, *, by: str, why: str
) -> None:
    """Note in the contact's history what is done to it."""
    place = "" if write.place == FAULT else write.place
    told = by_operator(what, place, write.parked.steps, clock.wall(), by=by, why=why)
    note(contact.history, told)


async def _free(
    store: ContactStore,
    contact_id: str,
    noted: Callable[[Contact], None],
    due_at: Callable[[], float | None],
) -> None:
    """Take the note of a fault off a contact, which may be one that cannot be read or saved."""
    while True:
        [entry] = await store.load([contact_id])
        if not entry.version:
            return
        if not entry.unreadable:
            noted(entry.contact)
            freed = replace(entry, fault=None, due_at=due_at(), claim="", claimed_until=0.0)
            if await store.save([freed]) == [Saved.SAVED]:
                return
        if await store.put_back(contact_id, entry.version, due_at(), None):
            return


async def _change(
    store: ContactStore,
    contact_id: str,
    change: Callable[[Contact], None],
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
