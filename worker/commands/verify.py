"""Verify: compares what the facts say with what Dynamics holds. It only reads.

Contacts come from a state, or from an archive that is taken in for this run. Their records are read
a page of contacts at a time, many in one request. What one of our application users made in the
same time and no contact calls for is found by asking each table for it.
"""

from __future__ import annotations

import asyncio
import time

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any

import orjson

from pipelines.action import Change, Reading, Verb
from pipelines.agenda import Agenda
from pipelines.contact import Contact
from pipelines.entity import is_party_list
from pipelines.expectation import (
    Expectation,
    Expected,
    Finding,
    compare,
    given_up,
    unwritten,
)
from pipelines.identity import record_id
from pipelines.odata import GUID
from pipelines.outcome import Done, Refusal
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from pipelines.snapshot import snapshot
from pipelines.step import CreateStep
from worker.clock import Clock
from worker.commands import replay
from worker.commands.target import Target, opened
from worker.dynamics.binding import Binding
from worker.dynamics.errors import Missing
from worker.dynamics.lookup import make_lookups
from worker.dynamics.metadata import Metadata
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Dynamics, Request
from worker.dynamics.requests import ANNOTATIONS, request_for
from worker.dynamics.users import Users
from worker.engine.remembered_steps import recall_steps
from worker.moments import text_of
from worker.operations.state import opened as opened_state
from worker.settings import Settings
from worker.stores.protocol import ContactStore
from worker.stores.restoration import Keeper


#: Contacts whose records are compared together, and records that one request reads.
CONTACTS_AT_ONCE = 50
RECORDS_AT_ONCE = 20

#: How long one request may take in all its tries (s).
REQUEST_S = 60.0

#: What nobody made for a contact, and yet belongs to one: an annotation with what came too late.
_LATE_NOTE = "Came after the record was closed"

_PER_PAGE = 1000

#: In place of a finding: the worker has not come to it yet.
OWED = "owed"


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which records were made: UTC seconds, the end excluded; "": open."""

    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A record that is not as it should be, without a value of it.

    Attributes:
        finding: See ``Finding``; or ``unexpected``, or ``unsure``.
        record: Its address; of what is unsure, the step.
        contact_id: The contact that calls for it; "" of what is unexpected.
        columns: Those that differ.
        why: More about it.
    """

    finding: str
    record: str
    contact_id: str = ""
    columns: tuple[str, ...] = ()
    why: str = ""


@dataclass(slots=True)
class Verified:
    """What a verification found.

    Attributes:
        target: The environment that was asked.
        state: Where the facts came from.
        contacts: Contacts looked at.
        expected: Records that their facts call for.
        counts: How many are ``right``, ``missing`` and so on.
        lines: All that are not right, in order.
    """

    target: str
    state: str
    contacts: int = 0
    expected: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    lines: list[Line] = field(default_factory=list)

    def add(self, line: Line) -> None:
        """Count a record that is not right, and list it."""
        self.counts[line.finding] += 1
        self.lines.append(line)

    @property
    def clean(self) -> bool:
        """Whether nothing failed: what a person edited or deleted on purpose does not."""
        fine = {Finding.RIGHT.value, Finding.EDITED.value, OWED}
        return not self.counts.keys() - fine

    def texts(self) -> Iterator[str]:
        """The result in lines: what was compared, how many of which, and each that is not right."""
        yield f"verified {self.state} against {self.target}"
        yield f"{self.contacts:,} contacts, {self.expected:,} records expected"
        for finding, count in self.counts.items():
            yield f"{count:>9,} {finding}"
        for line in self.lines:
            of = f" of contact {line.contact_id}" if line.contact_id else ""
            more = ", ".join([*line.columns, *([line.why] if line.why else [])])
            yield f"{line.finding} {line.record}{of}{f': {more}' if more else ''}"

    def to_json(self) -> bytes:
        """The result as one JSON object."""
        return orjson.dumps(asdict(self) | {"clean": self.clean}, option=orjson.OPT_INDENT_2)


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies contacts against one environment.

    Attributes:
        performer: Asks what lookups find, and nothing else.
        pipelines: What is to be done for contacts.
        terms: Under which terms.
        users: Who we are and have been: ids of application users, lower case.
        result: What was found so far.
    """

    performer: Performer
    pipelines: Sequence[Pipeline]
    terms: Terms
    users: frozenset[str]
    result: Verified
    _known: set[str] = field(default_factory=set)
    _moments: set[str] = field(default_factory=set)

    @property
    def period(self) -> Period:
        """From the first to the last moment of the contacts so far."""
        return Period(min(self._moments, default=""), max(self._moments, default=""))

    @property
    def _dynamics(self) -> Dynamics:
        return self.performer.dynamics

    async def compare(self, contacts: Iterable[Contact], due: Container[str] = ()) -> None:
        """Compare the records of these contacts; of those that are due, work is still owed."""
        expected: list[Expected] = []
        parked: set[str] = set()
        for contact in contacts:
            self.result.contacts += 1
            parked |= contact.parked.keys()
            self._note_known(contact)
            expected += await self._expected(contact)
        self.result.expected += len(expected)
        rows = await self._read(expected)
        for one in expected:
            found = compare(one, rows.get(one.record), self.users)
            if found.finding is Finding.RIGHT:
                self.result.counts[Finding.RIGHT.value] += 1
                continue
            owed = one.contact_id in due and found.finding is not Finding.EDITED
            finding = OWED if owed and one.record not in parked else found.finding.value
            why = "parked" if one.record in parked else ""
            self.result.add(Line(finding, one.record, one.contact_id, found.columns, why))

    def _note_known(self, contact: Contact) -> None:
        """Note what may be there of a contact, whether or not its facts call for it now."""
        self._known.update(contact.ledger)
        self._known.update(
            f"{step.table.set}({record_id(contact.id, pipeline.name, step.name)})"
            for pipeline in self.pipelines
            for step in pipeline.steps
            if isinstance(step, CreateStep)
        )

    async def _expected(self, contact: Contact) -> list[Expected]:
        """The records that a contact's facts call for."""
        bare, book = unwritten(contact), Expectation(contact)
        seen = snapshot(bare, self.terms.constants, self.terms.files)
        self._moments.update(at for at in seen.reached.values() if at)
        agenda = Agenda(bare, lambda: plan(bare, self.pipelines, inf, self.terms, seen).actions)
        while agenda.actions:
            action = agenda.actions[0]
            if isinstance(action, Reading):
                outcome = await self.performer.perform(action, timeout_s=REQUEST_S)
                if isinstance(outcome, Refusal):
                    why = f"{outcome.parked.status} {outcome.parked.code}".strip()
                    self.result.add(Line("unsure", action.step, contact.id, why=why))
                agenda.settle(outcome)
            elif isinstance(action, Change):
                book.add(action)
                agenda.settle(Done(await self._answer(action)))
            else:
                raise TypeError(f"a replay plans no {type(action).__name__}")
        for known in given_up(contact):
            self.result.add(Line(Finding.DELETED.value, known.name, contact.id, why="let go of"))
        return list(book.records.values())

    async def _answer(self, change: Change) -> Mapping[str, Any]:
        """What later steps name of a record's answer, read from the record itself."""
        if change.verb is not Verb.CREATE or not change.returning:
            return {}
        return await self._row(Request("GET", change.record)) or {}

    async def _row(self, request: Request) -> Mapping[str, Any] | None:
        try:
            return (await self._dynamics.send(request, timeout_s=REQUEST_S)).body
        except Missing:
            return None

    # --- what is there ---

    async def _read(self, expected: Iterable[Expected]) -> dict[str, Mapping[str, Any]]:
        """The rows that are there, by address."""
        rows: dict[str, Mapping[str, Any]] = {}
        together: defaultdict[tuple[str, tuple[str, ...]], list[Expected]] = defaultdict(list)
        alone = []
        for one in expected:
            if one.ours and GUID.fullmatch(one.look.key) and not one.look.partition:
                lists = tuple(sorted(filter(is_party_list, one.columns)))
                together[one.look.entity, lists].append(one)
            else:
                alone.append(one)
        async with asyncio.TaskGroup() as group:
            for (entity_set, lists), some in together.items():
                for page in _pages(some, RECORDS_AT_ONCE):
                    group.create_task(self._read_page(entity_set, lists, page, rows))
            for one in alone:
                group.create_task(self._read_one(one, rows))
        return rows

    async def _read_page(
        self,
        entity_set: str,
        lists: Sequence[str],
        page: Sequence[Expected],
        rows: dict[str, Mapping[str, Any]],
    ) -> None:
        table = await self.performer.tables.learn(entity_set)
        either = " or ".join(f"{table.key} eq {one.look.key}" for one in page)
        expand = f"&$expand={','.join(lists)}" if lists else ""
        request = Request("GET", f"{entity_set}?$filter={_quoted(either)}{expand}", ANNOTATIONS)
        answer = await self._dynamics.send(request, timeout_s=REQUEST_S)
        for row in answer.body.get("value", ()):
            rows[f"{entity_set}({str(row[table.key]).lower()})"] = row

    async def _read_one(self, one: Expected, rows: dict[str, Mapping[str, Any]]) -> None:
        row = await self._row(request_for(one.look))
        if row is not None:
            rows[one.record] = row

    async def find_unexpected(self, period: Period) -> None:
        """Find what one of our users made in the period and no contact calls for."""
        sets = {
            step.table.set
            for pipeline in self.pipelines
            for step in pipeline.steps
            if isinstance(step, CreateStep)
        }
        for entity_set in sorted(sets):
            async for record, row in self._made(entity_set, period):
                if record not in self._known and row.get("subject") != _LATE_NOTE:
                    self.result.add(Line("unexpected", record))

    async def _made(
        self, entity_set: str, period: Period
    ) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """The records of a table that we made in the period."""
        table = await self.performer.tables.learn(entity_set)
        by = " or ".join(f"_createdby_value eq {user}" for user in sorted(self.users))
        limits = [f"({by})"]
        limits += [f"createdon ge {period.since}"] if period.since else []
        limits += [f"createdon lt {period.until}"] if period.until else []
        columns = [table.key, *(["subject"] if entity_set == "annotations" else [])]
        path = f"{entity_set}?$select={','.join(columns)}&$filter={_quoted(' and '.join(limits))}"
        while path:
            page = Request("GET", path, {"Prefer": f"odata.maxpagesize={_PER_PAGE}"})
            answer = await self._dynamics.send(page, timeout_s=REQUEST_S)
            for row in answer.body.get("value", ()):
                yield f"{entity_set}({str(row[table.key]).lower()})", row
            path = _following(str(answer.body.get("@odata.nextLink", "")))


@dataclass(frozen=True, slots=True)
class Options:
    """The options of ``connect-dynamics verify``; see its ``--help``."""

    sources: tuple[str, ...]
    pipelines: tuple[Pipeline, ...]
    state: str
    dynamics: str
    period: Period = Period()
    sample: int | None = None


async def verify(options: Options, settings: Settings) -> Verified:
    """Compare the contacts of a state, or of an archive, with what Dynamics holds.

    Raises:
        ConfigError: A source, a setting or a target cannot be used.
        DynamicsError: Dynamics does not answer.
    """
    archived = replay.Options(options.sources, options.pipelines)
    facts = replay.state_of(archived) if options.sources else _kept(options.state)
    started = text_of(time.time())
    async with facts as keeper, opened(options.dynamics, settings, options.state) as target:
        if options.sources:
            await replay.take_in(archived, settings, keeper.store, None, asyncio.Event())
        else:
            await _see_whose_state(options, keeper.store, target)
        verifier = await _verifier(options, settings, keeper.store, target)
        due = () if options.sources else None
        await verify_store(keeper.store, verifier, options.sample, due)
        if not options.sample:
            seen = verifier.period
            until = seen.until if options.sources else started
            asked = options.period
            await verifier.find_unexpected(Period(asked.since or seen.since, asked.until or until))
    return verifier.result


async def _see_whose_state(options: Options, store: ContactStore, target: Target) -> None:
    """See that the state is not another organization's.

    Raises:
        DynamicsError: It is, or Dynamics does not say.
    """
    for way in target.ways:
        if way.organization is not None:
            await Binding(way.organization, options.dynamics, store).check()


async def _verifier(
    options: Options, settings: Settings, store: ContactStore, target: Target
) -> Verifier:
    versions = await recall_steps(store, options.pipelines)
    clock, first = Clock(), target.ways[0].dynamics
    performer = Performer(
        first,
        clock,
        target.files,
        lookups=make_lookups(wildcard=settings.lookup_wildcard),
        tables=Metadata(first),
    )
    known = [await Users(way.dynamics, store, clock).known() for way in target.ways]
    return Verifier(
        performer,
        options.pipelines,
        Terms(settings.constants, versions=versions, files=settings.files),
        frozenset().union(*known),
        Verified(options.dynamics, ", ".join(options.sources) or options.state),
    )


@asynccontextmanager
async def _kept(state: str) -> AsyncIterator[Keeper]:
    """The state of a worker; it is not changed."""
    async with opened_state(state) as store:
        yield Keeper(store, None)


async def verify_store(
    store: ContactStore,
    verifier: Verifier,
    sample: int | None,
    due: Container[str] | None = None,
) -> None:
    """Verify the contacts of a store, all of them or so many spread over them.

    Args:
        store: The state.
        verifier: Compares.
        sample: About how many; None: all.
        due: Those to which work is still owed; None: as the store says.
    """
    skip = await _step(store, sample)
    after, seen = "", 0
    while ids := await store.ids(after, CONTACTS_AT_ONCE):
        chosen = [one for at, one in enumerate(ids, seen) if at % skip == 0]
        seen += len(ids)
        entries = await store.load(chosen)
        heard_of = [e.contact for e in entries if not e.unreadable and e.contact.heard_of]
        for entry in entries:
            if entry.unreadable:
                verifier.result.add(Line("unsure", "", entry.contact.id, why=entry.unreadable))
        owed = {e.contact.id for e in entries if e.due_at is not None} if due is None else due
        await verifier.compare(heard_of, owed)
        after = ids[-1]


async def _step(store: ContactStore, sample: int | None) -> int:
    """Of how many contacts one is looked at."""
    if not sample:
        return 1
    return max(1, -(-(await store.counts(0.0)).contacts // sample))


def _pages(some: Sequence[Expected], size: int) -> Iterable[Sequence[Expected]]:
    return (some[at : at + size] for at in range(0, len(some), size))


def _quoted(text: str) -> str:
    return text.replace(" ", "%20")


def _following(link: str) -> str:
    """The address of the next page below the service root."""
    return link.partition("/api/data/")[2].partition("/")[2]
