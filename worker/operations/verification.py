"""Verification: compares what the facts say with what Dynamics holds. It only reads.

Records are read a page of contacts at a time, many in one request. What one of our application
users made in the same time and no contact calls for is found by asking each table for it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import inf
from typing import Any, Final

from pipelines.action import Change, Reading, Verb
from pipelines.age import KEPT_S
from pipelines.agenda import Agenda
from pipelines.contact import Contact
from pipelines.expectation import Expectation, Expected, Finding, compare, given_up, unwritten
from pipelines.identity import record_id, timeline_id
from pipelines.outcome import Done, Missing, Refusal
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from pipelines.snapshot import snapshot
from pipelines.step import CreateStep
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Request
from worker.moments import text_of
from worker.operations.record_reader import REQUEST_S, RecordReader, Row, at_once
from worker.operations.verified import ALWAYS, OWED, UNEXPECTED, UNSURE, Line, Period, Verified
from worker.stores.protocol import ContactStore


#: Contacts whose records are compared together.
CONTACTS_AT_ONCE: Final = 50

#: What nobody made for a contact, and yet belongs to one: an annotation with what came too late.
_LATE_NOTE: Final = "Came after the record was closed"

#: Called with how many contacts were compared, and how many there are.
OnProgress = Callable[[int, int], None]


class Known:
    """Which records belong to a contact: eight bytes for each, however many contacts there are.

    Of 64 bits of a hash: that one of a million records is taken for another's is less likely than
    one in ten million.
    """

    def __init__(self) -> None:
        self._marks = array("Q")
        self._sorted = True

    def add(self, records: Iterable[str]) -> None:
        """Note records by their addresses."""
        self._marks.extend(map(_mark, records))
        self._sorted = False

    def __contains__(self, record: str) -> bool:
        if not self._sorted:
            self._marks = array("Q", sorted(self._marks))
            self._sorted = True
        mark = _mark(record)
        at = bisect_left(self._marks, mark)
        return at < len(self._marks) and self._marks[at] == mark


def _mark(record: str) -> int:
    return int.from_bytes(blake2b(record.encode(), digest_size=8).digest())


@dataclass(slots=True)
class Verification:
    """Verifies contacts against one environment.

    Attributes:
        performer: Asks what lookups find, and nothing else.
        pipelines: What is to be done for contacts.
        terms: Under which terms.
        users: Who we are and have been: ids of application users, lower case.
        result: What was found so far.
        seen: From the first to the last moment of the contacts so far.
    """

    performer: Performer
    pipelines: Sequence[Pipeline]
    terms: Terms
    users: frozenset[str]
    result: Verified
    seen: Period = ALWAYS
    _known: Known = field(default_factory=Known)

    @property
    def _reader(self) -> RecordReader:
        return RecordReader(self.performer.dynamics, self.performer.tables)

    async def compare(self, contacts: Iterable[Contact], due: Container[str] = ()) -> None:
        """Compare the records of these contacts; of those that are due, work is still owed.

        Raises:
            ConfigError: A table cannot be read.
            DynamicsError: Dynamics does not answer.
        """
        contacts = list(contacts)
        found = await at_once([self._expected(contact) for contact in contacts])
        expected = [one for records, _ in found for one in records]
        rows = await self._reader.read(expected)
        self.result.contacts += len(contacts)
        self.result.expected += len(expected)
        for contact, (records, lines) in zip(contacts, found, strict=True):
            for line in lines:
                self.result.add(line)
            for one in records:
                self._judge(contact, one, rows.get(one.record), owed=contact.id in due)

    def _judge(self, contact: Contact, one: Expected, row: Row | None, *, owed: bool) -> None:
        found = compare(one, row, self.users)
        if found.finding is Finding.RIGHT:
            self.result.counts[Finding.RIGHT.value] += 1
            return
        parked = one.record in contact.parked
        waits = owed and not parked and found.finding is not Finding.EDITED
        finding = OWED if waits else found.finding.value
        why = "parked" if parked else ""
        self.result.add(Line(finding, one.record, contact.id, found.columns, why))

    async def _expected(self, contact: Contact) -> tuple[list[Expected], list[Line]]:
        """The records that a contact's facts call for, and what is to be said beside them."""
        bare, book, lines = unwritten(contact), Expectation(contact), []
        seen = snapshot(bare, self.terms.constants, self.terms.files)
        self._note(contact, [at for at in seen.reached.values() if at])
        agenda = Agenda(bare, lambda: plan(bare, self.pipelines, inf, self.terms, seen).actions)
        while agenda.actions:
            action = agenda.actions[0]
            # One that is adopted is not to be made; if it is there, some of it is to be changed.
            adopted = isinstance(action, Change) and action.verb is Verb.ADOPT
            if isinstance(action, Reading) or adopted:
                outcome = await self.performer.perform(action, timeout_s=REQUEST_S)
                if isinstance(outcome, Refusal) and not (adopted and isinstance(outcome, Missing)):
                    why = f"{outcome.parked.status} {outcome.parked.code}".strip()
                    lines.append(Line(UNSURE, action.place, contact.id, why=why))
                agenda.settle(outcome)
            elif isinstance(action, Change):
                book.add(action)
                agenda.settle(Done(await self._answer(action)))
            else:
                raise TypeError(f"a replay plans no {type(action).__name__}")
        deleted, why = Finding.DELETED.value, "let go of"
        lines += [Line(deleted, known.name, contact.id, why=why) for known in given_up(contact)]
        return list(book.records.values()), lines

    async def _answer(self, change: Change) -> Mapping[str, Any]:
        """What later steps name of a record's answer, read from the record itself."""
        if change.verb is not Verb.CREATE or not change.returning:
            return {}
        return await self._reader.row(Request("GET", change.record)) or {}

    # --- what nobody calls for ---

    def _note(self, contact: Contact, moments: Sequence[str]) -> None:
        """Note when a contact was, and what may be there of it, called for now or not."""
        if moments:
            since = min([self.seen.since or moments[0], *moments])
            self.seen = Period(since, max(self.seen.until, *moments))
        own = {
            f"{step.table.set}({record_id(contact.id, pipeline.name, step.name)})"
            for pipeline, step in self._creating()
        }
        flows = {  # from inside a contact flow
            f"{step.table.set}({timeline_id(contact.id, step.table.logical)})"
            for _, step in self._creating()
        }
        self._known.add(contact.ledger.keys() | own | flows)

    def _creating(self) -> Iterator[tuple[Pipeline, CreateStep]]:
        for pipeline in self.pipelines:
            for step in pipeline.steps:
                if isinstance(step, CreateStep):
                    yield pipeline, step

    async def find_unexpected(self, period: Period) -> None:
        """Find what one of our users made in the period and no contact calls for.

        Raises:
            ConfigError: A table cannot be read.
            DynamicsError: Dynamics does not answer.
        """
        self.result.period = period
        for entity_set in sorted({step.table.set for _, step in self._creating()}):
            async for record, row in self._reader.made(entity_set, self.users, period):
                if record not in self._known and row.get("subject") != _LATE_NOTE:
                    self.result.add(Line(UNEXPECTED, record))


async def verify_store(
    store: ContactStore,
    verification: Verification,
    sample: int | None = None,
    due: Container[str] | None = None,
    on_progress: OnProgress | None = None,
) -> None:
    """Verify the contacts of a store, all of them or so many spread over them.

    Args:
        store: The state. It is not changed.
        verification: Compares.
        sample: About how many; None: all.
        due: Those to which work is still owed; None: as the store says.
        on_progress: Is told after each page of contacts.

    Raises:
        ConfigError: A table cannot be read.
        DynamicsError: Dynamics does not answer.
        StoreUnavailable: The store does not answer.
    """
    total = (await store.counts(0.0)).contacts if sample or on_progress else 0
    skip = max(1, -(-total // sample)) if sample else 1
    after, seen = "", 0
    while ids := await store.ids(after, CONTACTS_AT_ONCE):
        chosen = [one for at, one in enumerate(ids, seen) if at % skip == 0]
        seen += len(ids)
        entries = await store.load(chosen)
        heard_of = [e.contact for e in entries if not e.unreadable and e.contact.heard_of]
        for entry in entries:
            if entry.unreadable:
                verification.result.add(Line(UNSURE, "", entry.contact.id, why=entry.unreadable))
        owed = {e.contact.id for e in entries if e.due_at is not None} if due is None else due
        await verification.compare(heard_of, owed)
        if on_progress is not None:
            on_progress(seen, total)
        after = ids[-1]


def period_of(asked: Period, seen: Period, now: float, *, archived: bool) -> Period:
    """In which time records are looked for that no contact calls for.

    An archive is of its own time. A state has all contacts for whom something was made in the last
    ``KEPT_S``; what was made before may be of one that has expired since.

    Args:
        asked: As it was asked for.
        seen: From the first to the last moment of the contacts.
        now: When the verification began (s since 1970).
        archived: Whether the contacts are an archive's.
    """
    since = seen.since if archived else max(seen.since, text_of(now - KEPT_S))
    until = seen.until if archived else text_of(now)
    return Period(asked.since or since, asked.until or until)
