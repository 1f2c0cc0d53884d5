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
from uuid import UUID, uuid5

from pipelines.contact import Contact, Record
from pipelines.entity import STATE, entity, is_party_list
from pipelines.ledger import NULL, digest, digests
from pipelines.lifecycle import milestones
from pipelines.objects import objects
from pipelines.pipeline import RESPONSE, WITHIN_S, Pipeline, Step
from pipelines.template import ABSENT, HELD, render_data, resolve
from pipelines.view import Names, object_names, view
from pipelines.write import Kind, Write


#: Record ids are ``uuid5(NAMESPACE, "<contact id>/<pipeline>/<step>")``: doing a write twice is
#: doing it once. Never change it: every record ever made hangs on it.
NAMESPACE = UUID("5f0c7c5e-7a3b-5d0e-9c53-1d6f6a4e2b10")

#: Opening a record for the agent makes sense only so long after its milestone.
OPEN_WITHIN_S = 60.0

#: Legs that are no conversation of their own. They get no record unless ``when`` names
#: InitiationMethod: the disconnect flow after a call, a supervisor listening in.
SIDE_LEGS = frozenset(("DISCONNECT", "MONITOR"))

#: Milestones that never come for a contact nobody answered.
FILES = frozenset(("recording", "transcript", "analysis"))


#: Milestone -> what a step waits for, in words.
AWAITED = {
    "created": "the contact to begin",
    "answered": "an agent to answer",
    "ended": "the contact to end",
    "completed": "the contact to be completed",
    "record": "the contact record",
    "recording": "a recording",
    "transcript": "a transcript",
    "analysis": "a Contact Lens analysis",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms a contact is planned.

    Attributes:
        constants: ``AppId`` and ``EnvironmentUri``.
        live: False in a replay: nothing is opened for agents, and contacts from before the
            pipeline get their records too.
        since: Pipeline -> the UTC second from which its creating steps apply to live contacts.
    """

    constants: Mapping[str, Any] = field(default_factory=dict)
    live: bool = False
    since: Mapping[str, str] = field(default_factory=dict)


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


@dataclass(slots=True)
class Desired:
    """What one record should look like."""

    entity: str
    key: str
    creating: Step | None
    columns: dict[str, Any] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The record's name in the ledger."""
        return f"{self.entity}({self.key})"


def judge_age(contact: Contact, now: float, kept_s: float) -> None:
    """Mark a contact that is new to us but ended longer ago than contacts are kept."""
    ended = _epoch(milestones(contact).get("ended", ""))
    if not contact.ledger and not contact.lookups and ended is not None and now - ended > kept_s:
        contact.update_only = True


def record_id(contact_id: str, pipeline: str, step: str) -> str:
    """The primary key of the record that a creating step makes for a contact."""
    return str(uuid5(NAMESPACE, f"{contact_id}/{pipeline}/{step}"))


def plan(contact: Contact, pipelines: Iterable[Pipeline], now: float, terms: Terms) -> Plan:
    """What is still to be done for a contact at a time (s since 1970; infinite: waits are over)."""
    result = Plan()
    if contact.record is None and not contact.events:
        return result  # a stored file alone: no contact to hang it on yet
    closes: list[Write] = []
    for pipeline in pipelines:
        planner = _Planner(contact, pipeline, now, terms, result)
        if _admits(pipeline.when, planner.values):
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
        self.records: dict[str, Desired] = {}
        self.own = {
            f"{step.table.set}({record_id(contact.id, pipeline.name, step.name)})": step
            for step in pipeline.steps
            if step.method == "POST" and step.table is not None
        }
        self.answers = self.known_answers()

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
        for step in opening:
            self.open(step)
        return closes

    # --- which steps apply ---

    def applies(self, step: Step) -> bool:
        if step.on not in self.reached:
            return self.wait(step, f"for {AWAITED[step.on]}")
        if not _admits(step.when, self.names(step)):
            return self.wait(step, "its 'when' does not admit this contact")
        unmet = [name for name in step.after if not self.met(name)]
        if unmet and not self.patience_over(step, forever=step.within_s is None):
            return self.wait(step, f"for {', '.join(unmet)}")
        return step.method != "POST" or self.may_create(step)

    def met(self, name: str) -> bool:
        step = next(s for s in self.pipeline.steps if s.name.lower() == name.lower())
        if step.on in FILES and self.ended is not None and "answered" not in self.reached:
            return True
        return step.on in self.reached and _admits(step.when, self.names(step))

    def patience_over(self, step: Step, *, forever: bool = False) -> bool:
        """The contact ended ``within`` ago; if not yet, the plan looks again then."""
        if forever or self.ended is None:
            return False
        until = self.ended + (WITHIN_S if step.within_s is None else step.within_s)
        if self.now < until:
            self.result.later(until)
            return False
        return True

    def may_create(self, step: Step) -> bool:
        assert step.table is not None  # noqa: S101 - a POST has a table, see the loader
        key = record_id(self.contact.id, self.pipeline.name, step.name)
        if f"{step.table.set}({key})" in self.contact.ledger:
            return True
        named = {name.lower() for name in (*self.pipeline.when, *step.when)}
        method = self.values.get("InitiationMethod")
        if method in SIDE_LEGS and "initiationmethod" not in named:
            return self.wait(step, f"no: {method} legs get no record unless 'when' names them")
        since = self.terms.since.get(self.pipeline.name, "")
        if self.terms.live and "" != self.reached["created"] < since:
            return self.wait(step, "no: the contact began before this pipeline was first loaded")
        return True

    def wait(self, step: Step, reason: str) -> bool:
        self.result.waiting[step.path] = reason
        return False

    # --- what steps see ---

    def names(self, step: Step, *, lenient: bool = False) -> Names:
        values = self.values | object_names(self.things, step.on) | self.answers
        return Names(values, lenient=lenient)

    def known_answers(self) -> dict[str, dict[str, Any]]:
        """``STEP2-Response`` -> what is known of it; keys we choose are known beforehand."""
        answers: dict[str, dict[str, Any]] = {}
        for step in self.pipeline.steps:
            if step.table is None:
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
        key: Any = record_id(self.contact.id, self.pipeline.name, step.name)
        if step.method == "PATCH":
            names = Names(self.values | answers)
            key = step.query.render(names) if step.query else HELD
            if key is HELD:
                return None
            key = key.removeprefix("(").removesuffix(")")
        record = self.contact.ledger.get(f"{step.table.set}({key})")
        return {**(record.answer if record else {}), step.table.key: key}

    # --- lookups and records ---

    def look_up(self, step: Step) -> None:
        assert step.table is not None  # noqa: S101 - a GET has a table, see the loader
        appended = step.query.render(self.names(step)) if step.query else ""
        if appended is HELD:
            self.wait(step, "for a value its query needs")
            return
        url = step.table.set + appended
        asked = self.contact.lookups.get(step.path, {}).get("asked")
        if asked == digest(url) or step.path in self.contact.effects:
            return
        if step.path in self.contact.parked:
            self.wait(step, "parked")
            return
        self.result.writes.append(
            Write(
                Kind.LOOKUP,
                (step.path,),
                entity=step.table.set,
                url=url,
                returning=tuple(sorted(step.reads)),
            )
        )

    def overlay(self, step: Step) -> None:
        assert step.table is not None  # noqa: S101 - only steps that open have none
        if step.method == "POST":
            key: Any = record_id(self.contact.id, self.pipeline.name, step.name)
        else:
            key = step.query.render(self.names(step)) if step.query else HELD
            if key is HELD:
                self.wait(step, "for the key of the record it updates")
                return
            key = key.removeprefix("(").removesuffix(")")
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
        names = self.names(step, lenient=lenient)
        for column, compiled in step.body.items():
            value = render_data(compiled, names, lenient=lenient, key=column)
            if value is HELD and self.patience_over(step):
                value = render_data(compiled, self.names(step, lenient=True), lenient=True)
            if value is HELD:
                if column not in desired.columns:
                    desired.held.add(column)
                self.wait(step, f"{column}: for a name without a value")
            elif value is ABSENT:
                desired.columns.setdefault(column, None)
            else:
                desired.held.discard(column)
                desired.columns[column] = value

    # --- differences ---

    def diff(self, desired: Desired) -> list[Write]:
        """Add what brings the record to the desired columns; what closes it is returned."""
        known = self.contact.ledger.get(desired.name)
        unsent = Record(desired.entity, desired.key, "unsent" if desired.creating else "there")
        record = known or unsent
        reason = self.blocked(desired, record)
        if reason:
            for step in desired.steps:
                self.wait(step, reason)
            return []
        state = {c: v for c, v in desired.columns.items() if c in STATE and v is not None}
        plain = {c: v for c, v in desired.columns.items() if c not in STATE}
        adopting = self.contact.update_only and self.terms.live
        if record.state in ("unsent", "sent") and not adopting:
            self.result.writes.append(self.write(Kind.CREATE, desired, _known(plain)))
            return self.closing(desired, state)
        if record.state != "there":
            self.result.writes.append(self.write(Kind.ADOPT, desired, _known(desired.columns)))
            return []
        pending = _pending(record, plain, desired.held)
        reopened = self.updates(desired, record, pending, state)
        changed = reopened or any(record.columns.get(c) != digest(v) for c, v in state.items())
        return self.closing(desired, state) if changed else []

    def blocked(self, desired: Desired, record: Record) -> str:
        if desired.name in self.contact.parked:
            return "parked"
        if record.state == "gone":
            return "no: the record was deleted or let go of"
        answers = {p[0].lower() for s in desired.steps for p in s.names()}
        for name, step in self.own.items():
            if name == desired.name or (step.name + RESPONSE).lower() not in answers:
                continue
            other = self.contact.ledger.get(name)
            if name in self.contact.parked or (other and other.state == "gone"):
                return f"for {step.name}, which is parked or gone"
            if name not in self.records and not (other and other.state == "there"):
                return f"for {step.name}"
        return ""

    def updates(
        self, desired: Desired, record: Record, pending: dict[str, Any], state: dict[str, Any]
    ) -> bool:
        """Add what updates an existing record; whether it had to be reopened for it."""
        if not pending:
            return False
        table = entity(desired.entity)
        opened = {"statecode": 0, "statuscode": table.open_status}
        is_open = record.columns.get("statecode", digest(0)) == digest(0)
        if record.refusals and not is_open and (record.refusals > 1 or not state):
            self.result.writes.append(self.note(desired, pending))
            return False
        reopen = bool(record.refusals) and not is_open
        if reopen:
            self.result.writes.append(self.write(Kind.REOPEN, desired, opened))
        parties = {c: v for c, v in pending.items() if is_party_list(c)}
        if columns := {c: v for c, v in pending.items() if c not in parties}:
            self.result.writes.append(self.write(Kind.UPDATE, desired, columns))
        for column, value in parties.items():
            self.result.writes.append(self.write(Kind.PARTIES, desired, {column: value or []}))
        return reopen

    def closing(self, desired: Desired, state: dict[str, Any]) -> list[Write]:
        new = desired.name not in self.contact.ledger
        if not state or (new and state.get("statecode") == 0):
            return []  # a new record is open anyway
        return [self.write(Kind.CLOSE, desired, state)]

    def note(self, desired: Desired, pending: dict[str, Any]) -> Write:
        told = digest({desired.name: digests(pending)})
        return Write(
            Kind.NOTE,
            tuple(step.path for step in desired.steps),
            record=desired.name,
            entity="annotations",
            key=record_id(self.contact.id, self.pipeline.name, f"note {desired.name} {told}"),
            columns=pending,
        )

    def write(self, kind: Kind, desired: Desired, columns: dict[str, Any]) -> Write:
        creating = desired.creating
        return Write(
            kind,
            tuple(step.path for step in desired.steps),
            record=desired.name,
            entity=desired.entity,
            key=desired.key,
            columns=columns,
            returning=tuple(sorted(creating.reads)) if creating else (),
            on_missing=(creating or desired.steps[0]).on_missing,
            creatable=creating is not None,
        )

    # --- for the agent ---

    def open(self, step: Step) -> None:
        if not self.terms.live or step.path in self.contact.effects:
            return
        at = _epoch(self.reached[step.on])
        if self.ended is not None or (at is not None and self.now - at > OPEN_WITHIN_S):
            self.result.expired.append(step.path)
            return
        if (write := self.opening(step)) is None:
            self.wait(step, "for a value of its page")
            return
        self.result.writes.append(write)

    def opening(self, step: Step) -> Write | None:
        page = render_data(step.page, self.names(step))
        if page is HELD:
            return None
        root = str(self.terms.constants.get("EnvironmentUri", "")).rstrip("/")
        url = f"{root}/{step.open}?{urlencode(page)}" if page else f"{root}/{step.open}"
        return Write(Kind.OPEN, (step.path,), url=url, tab=step.tab)


def _pending(record: Record, plain: dict[str, Any], held: set[str]) -> dict[str, Any]:
    """Columns whose desired value is not the acknowledged one; what has no value any more: null."""
    pending = {
        column: value
        for column, value in plain.items()
        if record.columns.get(column, NULL) != digest(value)
    }
    for column, acknowledged in record.columns.items():
        ours = column not in plain and column not in held and column not in STATE
        if ours and acknowledged != NULL:
            pending[column] = None
    return pending


def _known(columns: dict[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in columns.items() if value is not None}


def _admits(when: Mapping[str, frozenset[str]], values: Mapping[str, Any]) -> bool:
    """Whether a contact meets every condition."""
    names = values if isinstance(values, Names) else Names(values)
    return all(_allowed(resolve(names, tuple(n.split("."))), a) for n, a in when.items())


def _allowed(value: Any, allowed: frozenset[str]) -> bool:
    text = str(value).lower()
    # An ARN is met by its last part too: instance and queue ids are what people have at hand.
    return value is not ABSENT and bool(allowed & {text, text.rpartition("/")[2]})


def _epoch(second: str) -> float | None:
    return datetime.fromisoformat(second).timestamp() if second else None
