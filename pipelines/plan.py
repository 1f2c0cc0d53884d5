"""The plan: what is still to be done so that Dynamics matches a contact's facts.

A pure function of the contact (facts and ledger), the pipelines and the time. The steps reached,
overlaid in file order, give the columns each record should have; what the ledger does not have
acknowledged is written. Several steps due together are one request, and an unchanged fact is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from pipelines.age import long_over
from pipelines.changes import Versions, keys
from pipelines.condition import admits
from pipelines.contact import Contact, RecordLedger
from pipelines.difference import Desired, difference
from pipelines.entity import STATE, is_party_list
from pipelines.ledger import digest
from pipelines.legs import SIDE_LEGS, turn
from pipelines.lifecycle import AWAITED, FILES, milestones
from pipelines.lookup import search
from pipelines.objects import objects
from pipelines.pipeline import RESPONSE, WITHIN_S, Pipeline, Step
from pipelines.template import render_data
from pipelines.value import ABSENT, HELD, as_text
from pipelines.view import Names, object_names, view
from pipelines.write import Kind, Write
from pipelines.writeback import write_for


#: What is done for the agent makes sense only so long after its milestone.
LIVE_WITHIN_S = 60.0

#: A wait is looked at again at least this often (s): what it waits for may be dated wrongly.
LOOK_AGAIN_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms a contact is planned.

    Attributes:
        constants: ``AppId`` and ``EnvironmentUri``.
        live: False in a replay: nothing is opened for agents or written back, and contacts from
            before the pipeline get their records too.
        since: Pipeline -> the UTC second from which its creating steps apply to live contacts.
        versions: Pipeline -> the versions it had, so that no change of it makes a second record.
    """

    constants: Mapping[str, Any] = field(default_factory=dict)
    live: bool = False
    since: Mapping[str, str] = field(default_factory=dict)
    versions: Versions = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """What is to be done.

    Attributes:
        writes: In the order in which they go.
        expired: Live-only steps whose time is over.
        next_at: When (s since 1970) time alone will add writes; None: only new facts can.
        waiting: ``pipeline/step`` -> why it has not been applied.
    """

    writes: list[Write] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    next_at: float | None = None
    waiting: dict[str, str] = field(default_factory=dict)

    def later(self, at: float) -> None:
        """Look again at this time."""
        self.next_at = at if self.next_at is None else min(self.next_at, at)


def plan(contact: Contact, pipelines: Iterable[Pipeline], now: float, terms: Terms) -> Plan:
    """What is still to be done for a contact at a time (s since 1970; infinite: waits are over)."""
    result = Plan()
    if contact.record is None and not contact.events:
        return result  # a stored file alone: no contact to hang it on yet
    closes: list[Write] = []
    for pipeline in pipelines:
        planner = _Planner(contact, pipeline, now, terms, result)
        if admits(pipeline.when, planner.values):
            closes += planner.run()
    if any(write.kind is Kind.LOOKUP for write in result.writes):
        # Later steps may use what they find: ask first, then plan again.
        result.writes = [write for write in result.writes if write.kind is Kind.LOOKUP]
    else:
        result.writes += closes
    return result


def opening(contact: Contact, pipeline: Pipeline, step: Step, terms: Terms) -> Write | None:
    """What a step would open for an agent, whether or not it is the time for it; for previews."""
    return _Planner(contact, pipeline, 0.0, terms, Plan()).opening(step)


class _Planner:
    """Plans one pipeline for one contact."""

    def __init__(
        self, contact: Contact, pipeline: Pipeline, now: float, terms: Terms, result: Plan
    ) -> None:
        self.contact = contact
        self.pipeline = pipeline
        self.now = now
        self.terms = terms
        self.result = result
        self.reached = milestones(contact)
        self.values = view(contact, terms.constants)
        self.things = objects(contact)
        self.ended = _epoch(self.reached["ended"]) if "ended" in self.reached else None
        # Its records may be there although the ledger knows of none: it creates none unasked.
        self.adopting = self.live_only() and long_over(contact, self.reached.get("ended", ""))
        self.records: dict[str, Desired] = {}
        versions = terms.versions.get(pipeline.name, ())
        self.keys = keys(contact, pipeline, versions, self.reached.get("created", ""))
        self.own = {
            f"{step.table.set}({self.keys.of[step.name]})": step
            for step in pipeline.steps
            if step.method == "POST" and step.table is not None
        }
        self.read: dict[str, Names] = {}
        self.answers = self.known_answers()
        self.blocked_records: set[str] = set()

    def run(self) -> list[Write]:
        """Add the writes to the result; the closing ones are returned, for they go last of all."""
        opening = []
        for step in self.pipeline.steps:
            if not self.applies(step):
                continue
            if step.open:
                opening.append(step)
            elif step.method == "GET":
                self.look_up(step)
            else:
                self.overlay(step)
        closes: list[Write] = []
        for desired in self.records.values():
            closes += self.diff(desired)
        self.write_back()
        for step in opening:
            self.open(step)
        return closes

    # --- which steps apply ---

    def applies(self, step: Step) -> bool:
        if step.on not in self.reached:
            return self.wait(step, f"for {AWAITED[step.on]}")
        if not admits(step.when, self.names(step)):
            return self.wait(step, "its 'when' does not admit this contact")
        unmet = [name for name in step.after if not self.met(name)]
        if unmet and not self.patience_over(step, forever=step.within_s is None):
            return self.wait(step, f"for {', '.join(unmet)}")
        return step.method != "POST" or self.may_create(step)

    def met(self, name: str) -> bool:
        step = next(s for s in self.pipeline.steps if s.name.lower() == name.lower())
        if step.on in FILES and "ended" in self.reached and "answered" not in self.reached:
            return True
        return step.on in self.reached  # or its 'when' keeps it away: not worth a wait either

    def patience_over(self, step: Step, *, forever: bool = False) -> bool:
        """The contact ended ``within`` ago; if not yet, the plan looks again then."""
        if forever or self.ended is None:
            return False
        until = self.ended + (WITHIN_S if step.within_s is None else step.within_s)
        if self.now < until:
            self.result.later(min(until, self.now + LOOK_AGAIN_S))
            return False
        return True

    def may_create(self, step: Step) -> bool:
        assert step.table is not None  # noqa: S101 - a POST has a table, see the loader
        known = self.contact.ledger.get(f"{step.table.set}({self.keys.of[step.name]})")
        if known is not None and known.state != "absent":
            return True
        if reason := self.keys.barred.get(step.name):
            return self.wait(step, reason)
        named = {name.lower() for name in (*self.pipeline.when, *step.when)}
        method = self.values.get("InitiationMethod")
        if method in SIDE_LEGS and "initiationmethod" not in named:
            return self.wait(step, f"no: {method} legs get no record unless 'when' names them")
        since = self.terms.since.get(self.pipeline.name, "")
        if self.live_only() and "" != self.reached["created"] < since:
            return self.wait(step, "no: the contact began before this pipeline was first loaded")
        return True

    def live_only(self) -> bool:
        """Nobody has asked for this contact by a replay."""
        return self.terms.live and not self.contact.replayed

    def wait(self, step: Step, reason: str) -> bool:
        self.result.waiting[step.path] = reason
        return False

    # --- what steps see ---

    def names(self, step: Step) -> Names:
        known = self.read.get(step.on)
        if known is None:
            values = self.values | object_names(self.things, step.on) | self.answers
            known = self.read[step.on] = Names(values)
        return known

    def known_answers(self) -> dict[str, dict[str, Any]]:
        """``STEP2-Response`` -> what is known of it; keys we choose are known beforehand."""
        answers: dict[str, dict[str, Any]] = {}
        for step in self.pipeline.steps:
            if step.open:
                continue
            if step.method == "GET":
                known = self.contact.lookups.get(step.path, {}).get("answer")
            else:
                known = self.written(step, answers)
            if known is not None:
                answers[step.name + RESPONSE] = known
        return answers

    def written(self, step: Step, answers: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
        """What is known of the record a POST or PATCH is about, once its key is."""
        assert step.table is not None  # noqa: S101 - the caller has looked
        key = self.key(step, Names(self.values | answers))
        if key is HELD:
            return None
        record = self.contact.ledger.get(f"{step.table.set}({key})")
        return {**(record.answer if record else {}), step.table.key: key}

    def key(self, step: Step, names: Names) -> Any:
        """The key of the record that a POST or PATCH is about, or HELD."""
        if step.method == "POST":
            return self.keys.of[step.name]
        key: Any = step.query.render(names) if step.query else HELD
        return key if key is HELD else key.removeprefix("(").removesuffix(")")

    # --- lookups and records ---

    def look_up(self, step: Step) -> None:
        if step.table is None:
            names = self.names(step)  # of the file that it was reached by
            self.ask(step, names["objectUri"], file=(names["bucket"], names["key"]))
            return
        sought = search(step.table, step.ways, self.names(step), step.reads)
        appended = step.query.render(self.names(step)) if step.query else ""
        if appended is HELD or (step.ways and sought is None):
            self.wait(step, "for a value its query needs")
            return
        url = next(iter(sought.queries()), "") if sought else step.table.set + appended
        self.ask(step, url, entity=step.table.set, search=sought)

    def ask(self, step: Step, url: str, **what: Any) -> None:
        """Add the lookup if this has not been asked yet."""
        asked = self.contact.lookups.get(step.path, {}).get("asked")
        if asked == digest(url) or step.path in self.contact.effects:
            return
        if step.path in self.contact.parked:
            self.wait(step, "parked")
            return
        returning = tuple(sorted(step.reads))
        write = Write(Kind.LOOKUP, (step.path,), url=url, returning=returning, **what)
        self.result.writes.append(write)

    def overlay(self, step: Step) -> None:
        assert step.table is not None  # noqa: S101 - only steps that open have none
        key = self.key(step, self.names(step))
        if key is HELD:
            self.wait(step, "for the key of the record it updates")
            return
        name = f"{step.table.set}({key})"
        if step.method == "PATCH" and name in self.own and name not in self.records:
            self.wait(step, f"for {self.own[name].name}")
            return
        desired = self.records.setdefault(name, Desired(step.table.set, key, self.own.get(name)))
        desired.steps.append(step)
        self.fill(step, desired)

    def fill(self, step: Step, desired: Desired) -> None:
        """Lay the step's columns over the record's."""
        lenient = self.contact.record is not None
        names = self.names(step)
        for column, compiled in step.body.items():
            value = render_data(compiled, names, lenient=lenient)
            if value is HELD and self.patience_over(step):
                value = render_data(compiled, names, lenient=True)
            if value == [] and is_party_list(column):
                value = ABSENT  # nobody is known: leave whom Dynamics puts there by itself
            if value is HELD:
                if desired.columns.get(column) is None:
                    desired.columns.pop(column, None)
                    desired.held.add(column)
                self.wait(step, f"{column}: for a name without a value")
            elif value is ABSENT:
                if column not in desired.held:
                    desired.columns.setdefault(column, None)
            else:
                desired.held.discard(column)
                desired.columns[column] = value

    # --- differences ---

    def diff(self, desired: Desired) -> list[Write]:
        """Add what brings the record to the desired columns; what closes it is returned."""
        record = self.contact.ledger.get(desired.name)
        if reason := self.blocked(desired, record):
            self.blocked_records.add(desired.name)
            for step in desired.steps:
                self.wait(step, reason)
            return []
        if record is not None:
            self.name_the_rest(desired, record)
        writes, closes = difference(desired, record, adopting=self.adopting)
        self.result.writes += writes
        return closes

    def name_the_rest(self, desired: Desired, record: RecordLedger) -> None:
        """Note which columns that were sent steps name that do not lay them over it now."""
        rest = record.columns.keys() - desired.columns.keys() - desired.held - {*STATE}
        for step in self.pipeline.steps if rest else ():
            if rest & step.body.keys() and step.table is not None:
                key = self.key(step, self.names(step))
                if f"{step.table.set}({key})" == desired.name:
                    desired.named |= rest & step.body.keys()

    def blocked(self, desired: Desired, record: RecordLedger | None) -> str:
        if desired.name in self.contact.parked:
            return "parked"
        if record is not None and record.state == "gone":
            return "no: the record was deleted or let go of"
        if self.given_up(record):
            return "no: it was long over when first heard of, and the record is not there"
        return self.hanging((p for s in desired.steps for p in s.names()), desired.name)

    def given_up(self, record: RecordLedger | None) -> bool:
        """Nothing will come of the record any more, as far as is known."""
        lost = ("gone", "absent") if self.adopting else ("gone",)
        return record is not None and record.state in lost

    def hanging(self, names: Iterable[tuple[str, ...]], own: str = "") -> str:
        """Which record that is named is not to be had, or ""."""
        answers = {path[0].lower() for path in names}
        for name, step in self.own.items():
            if name == own or (step.name + RESPONSE).lower() not in answers:
                continue
            other = self.contact.ledger.get(name)
            if name in self.contact.parked or self.given_up(other):
                return f"for {step.name}, which is parked or gone"
            if name in self.blocked_records:
                return f"for {step.name}, which waits itself"
            if name not in self.records and not (other and other.state in ("there", "doubted")):
                return f"for {step.name}"
        return ""

    # --- for the agent ---

    def open(self, step: Step) -> None:
        if not self.terms.live or step.path in self.contact.effects:
            return
        if "ended" in self.reached or self.late(self.reached[step.on]):
            self.result.expired.append(step.path)
            return
        if reason := self.hanging(step.names()):
            self.wait(step, reason)
            return
        if (write := self.opening(step)) is None:
            self.wait(step, "for a value of its page")
            return
        self.result.writes.append(write)

    def late(self, *moments: str) -> bool:
        """The last of these moments is longer ago than an agent cares."""
        at = _epoch(max(moments))
        return at is not None and self.now - at > LIVE_WITHIN_S

    def write_back(self) -> None:
        """Add the attributes that the contact's agent and flows should see by now."""
        table, side = self.pipeline.writeback, self.values.get("InitiationMethod") in SIDE_LEGS
        if table is None or side or not self.live_only() or table.path in self.contact.effects:
            return
        now = turn(self.contact, str(self.values.get("InitiationTimestamp", "")))
        names = Names(self.values | self.answers)
        write = write_for(table, self.contact, names, now.newest, self.tellable)
        moments = (self.reached.get(on, "") for on in ("created", "answered"))
        if write is None:
            return
        if "ended" in self.reached:
            if write.record not in self.contact.ledger:
                self.result.expired.append(table.path)
        elif now.on:
            self.result.waiting[table.path] = "no: a later leg of its chain is on"
        elif self.late(now.since, *moments):
            self.result.waiting[table.path] = "for an agent to answer"
        else:
            self.result.writes.append(write)

    def tellable(self, value: str) -> bool:
        """Every record of ours whose key is in the value is there, or will be before it is told."""
        named = (s for n, s in self.own.items() if n.partition("(")[2].removesuffix(")") in value)
        return not self.hanging((step.name + RESPONSE,) for step in named)

    def opening(self, step: Step) -> Write | None:
        page = render_data(step.page, self.names(step))
        if page is HELD:
            return None
        page = {name: as_text(value) for name, value in page.items()}
        root = str(self.terms.constants.get("EnvironmentUri", "")).rstrip("/")
        url = f"{root}/{step.open}?{urlencode(page)}" if page else f"{root}/{step.open}"
        return Write(Kind.OPEN, (step.path,), url=url, tab=step.tab)


def _epoch(second: str) -> float | None:
    return datetime.fromisoformat(second).timestamp() if second else None
