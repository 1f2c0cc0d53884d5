"""What an operator does: list, retry or drop what is parked or quarantined, show a contact."""

from __future__ import annotations

import math

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines import ledger
from pipelines.action import Action, Change, WriteBack
from pipelines.contact import UNKNOWN, Contact, Parked
from pipelines.conversation import no_conversation
from pipelines.decode.arrival import AHEAD
from pipelines.effect import Effect
from pipelines.fact import Fact
from pipelines.lifecycle import milestones, phase
from pipelines.pipeline import Pipeline
from pipelines.plan import Plan, Terms, plan
from pipelines.step import OpenStep
from pipelines.view import view
from worker.clock import Clock
from worker.engine.ingest import NEWER, Ingest
from worker.errors import ConfigError
from worker.faults import fault_of
from worker.sources.protocol import Message
from worker.stores import open_store
from worker.stores.protocol import ContactStore, Entry, FaultNote, Quarantined, Saved


#: How many entries are read from a store at a time; messages may have megabytes.
PAGE = 200
MESSAGES_PAGE = 20


#: In place of a record: the whole contact is set aside, because of a bug of ours.
FAULT = "fault"


@dataclass(slots=True)
class Group:
    """What is set aside for one reason: how many, since when (s), and what the first one says."""

    count: int = 0
    at: float = math.inf
    first: str = ""

    def add(self, at: float, says: str) -> None:
        """Count one more."""
        self.count += 1
        if at < self.at:
            self.at, self.first = at, says


@dataclass(frozen=True, slots=True)
class ParkedWrite:
    """One parked write of one contact; ``place`` is its record or step, or ``FAULT``."""

    contact_id: str
    place: str
    parked: Parked


def file_of(spec: str) -> Path | None:
    """The file of a ``sqlite:PATH`` store; None for any other."""
    kind, _, path = spec.partition(":")
    return Path(path) if kind == "sqlite" and path else None


@asynccontextmanager
async def opened(spec: str) -> AsyncIterator[ContactStore]:
    """The store that is there, for the time of one command; none is made.

    Raises:
        ConfigError: There is no such store.
    """
    if spec == "memory":
        raise ConfigError("state in memory ends with its process; name a file: sqlite:PATH")
    if (path := file_of(spec)) is not None and not path.exists():
        raise ConfigError(f"{path}: there is no state yet; is --state, or the setting, right?")
    store = open_store(spec)
    try:
        yield store
    finally:
        await store.close()


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


async def quarantined(store: ContactStore) -> AsyncIterator[Quarantined]:
    """Every quarantined message, by id."""
    after = ""
    while page := await store.quarantined(after, MESSAGES_PAGE):
        for item in page:
            yield item
        after = page[-1].id


async def retry_quarantined(store: ContactStore, ingest: Ingest, item: Quarantined) -> bool:
    """Take a quarantined message in again; whether it could be used this time.

    One that was dated too long after its arrival is not tried: its arrival is not kept.
    """
    if item.reason == AHEAD.reason:
        return False
    before = ingest.tally.quarantined
    await ingest.handle([Message(item.body, item.origin)])
    if ingest.tally.quarantined > before:
        return False
    await store.release([item.id])
    return True


async def retry_newer(store: ContactStore, ingest: Ingest) -> None:
    """Take in again what an older release set aside for this one."""
    async for item in quarantined(store):
        if item.reason == NEWER:
            await retry_quarantined(store, ingest, item)


async def contact_entry(store: ContactStore, contact_id: str) -> Entry:
    """A stored contact.

    Raises:
        ConfigError: The store has none of this id.
    """
    (entry,) = await store.load([contact_id.strip().lower()])
    if not entry.version:
        raise ConfigError(f"the store knows no contact {contact_id}")
    return entry


def shown(entry: Entry, pipelines: Iterable[Pipeline], terms: Terms, now: float) -> dict[str, Any]:
    """One contact: what came in, what is acknowledged, what is still to be sent, and why.

    Holds personal data: it is for an operator's screen.
    """
    contact = entry.contact
    fault = {"fault": entry.fault} if entry.fault else {}
    if entry.unreadable:
        return {"contact": contact.id, "unreadable": entry.unreadable} | fault
    aside = ""
    try:
        aside = no_conversation(view(contact))
        planned = plan(contact, pipelines, now, terms)
    except Exception as error:  # noqa: BLE001 - the bug is shown, not raised
        planned = Plan(waiting={"every step": str(fault_of(error))})
    return fault | {
        "contact": contact.id,
        **({"no_conversation": f"it is one of the {aside}"} if aside else {}),
        "phase": phase(contact),
        "milestones": milestones(contact),
        "facts": {register: _dated(fact) for register, fact in sorted(contact.facts.items())},
        "records": {
            name: {
                "state": record.state,
                "acknowledged": sorted(c for c, d in record.columns.items() if d != UNKNOWN),
                "unsure": sorted(c for c, d in record.columns.items() if d == UNKNOWN),
            }
            for name, record in sorted(contact.ledger.items())
        },
        "lookups": contact.lookups,
        "effects": _effects(entry, pipelines, terms, now),
        "owed": [_owed(action) for action in planned.actions],
        "waiting": planned.waiting,
        "parked": {
            place: {"status": p.status, "code": p.code, "answer": p.answer, "request": p.request}
            for place, p in sorted(contact.parked.items())
        },
        "due_at": entry.due_at,
        "claimed_until": entry.claimed_until or None,
    }


def _effects(
    entry: Entry, pipelines: Iterable[Pipeline], terms: Terms, now: float
) -> dict[str, dict[str, str]]:
    """What came of each page and write-back, when and why; or what a page still waits for."""
    contact, found = entry.contact, {}
    try:
        live = plan(contact, pipelines, now, replace(terms, live=True))
    except Exception:  # noqa: BLE001 - the bug is shown with the plan
        live = Plan()
    pages = [step.path for one in pipelines for step in one.steps if isinstance(step, OpenStep)]
    for path in pages:
        if reason := live.waiting.get(path) or live.pending.get(path):
            found[path] = {"state": "waiting", "when": "", "why": f"it waits {reason}"}
    for path, text in contact.effects.items():
        effect = Effect.read(text)
        found[path] = {"state": effect.state, "when": effect.when, "why": effect.why}
    for path, expired in live.expired.items():  # nothing has made it due since
        effect = expired.judged(entry.due_at or now, now)
        found[path] = {"state": effect.state, "when": "", "why": effect.why}
    return dict(sorted(found.items()))


def _owed(action: Action) -> dict[str, Any]:
    columns: Mapping[str, Any] = {}
    match action:
        case Change():
            columns = action.columns
        case WriteBack():
            columns = action.attributes
    return {"what": action.kind, "steps": action.steps, "to": action.place, "columns": columns}


def _dated(fact: Fact) -> str:
    """A fact's version, without the archive's name that may follow: it may be a person's."""
    return fact.version.partition(" ")[0]
