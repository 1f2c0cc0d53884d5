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
from worker.operations.cause import BUG, Cause, cause_of
from worker.stores.protocol import ContactStore, Entry, FaultNote, Saved


#: How many contacts are read from a store at a time.
PAGE = 200

#: In place of a record: the whole contact is set aside, because of a bug of ours.
FAULT = "fault"

_TRIES = "; tries: "


@dataclass(frozen=True, slots=True)
class ParkedWrite:
    """One parked write of one contact; ``place`` is its record or step, or ``FAULT``."""

    contact_id: str
    place: str
    parked: Parked

    @property
    def cause(self) -> Cause:
        """Why it is parked."""
        if self.place == FAULT:
            return Cause("", BUG, "", self.parked.answer.partition(_TRIES)[0])
        return cause_of(self.place, self.parked)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which parked writes are meant; what is empty does not restrict them.

    Attributes:
        contact_ids: Of these contacts.
        step: Of this step, as ``STEP4`` or ``phonecall/STEP4``.
        code: With this HTTP status or code of Dataverse's; ``bug`` for bugs of ours.
        since: Parked from then on (s since 1970).
    """

    contact_ids: frozenset[str] = frozenset()
    step: str = ""
    code: str = ""
    since: float = 0.0

    def takes(self, write: ParkedWrite) -> bool:
        """Whether a parked write is meant."""
        return (
            (not self.contact_ids or write.contact_id in self.contact_ids)
            and (not self.step or self.step in names(write.parked.steps))
            and (not self.code or self.code.lower() in write.cause.codes)
            and write.parked.at >= self.since
        )


def names(steps: Iterable[str]) -> set[str]:
    """How steps may be called: ``STEP4`` or ``phonecall/STEP4``."""
    return {name for path in steps for name in (path, path.rpartition("/")[2])}


async def parked_writes(
    store: ContactStore, contact_ids: Iterable[str] = ()
) -> AsyncIterator[ParkedWrite]:
    """Every parked write, and every contact that a bug of ours keeps waiting, by contact.

    Args:
        store: The state.
        contact_ids: Only those of these contacts; empty: of all.
    """
    if wanted := sorted(contact_ids):
        for entry in await store.load(wanted):
            for write in _of_entry(entry):
                yield write
        return
    after = ""
    while ids := await store.parked(after, PAGE):
        for entry in await store.load(ids):
            for write in _of_entry(entry):
                yield write
        after = ids[-1]


def _of_entry(entry: Entry) -> Iterable[ParkedWrite]:
    contact_id = entry.contact.id
    if (note := entry.fault) is not None:
        yield ParkedWrite(contact_id, FAULT, _as_parked(note))
    for place, parked in sorted(entry.contact.parked.items()):
        yield ParkedWrite(contact_id, place, parked)


def _as_parked(note: FaultNote) -> Parked:
    """A fault as it stands in lists."""
    then = "parked; another release tries it" if note.parked else "tried again by itself"
    text = f"{note.what}; {then}{_TRIES}{note.tries}; seen by {', '.join(note.tried)}"
    return Parked(steps=[], at=note.since, status=None, code=BUG, request={}, answer=text)


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
