"""The plan: what is still to be done so that Dynamics matches a contact's facts.

A pure function of the contact (facts and ledger), the pipelines and the time. The steps reached,
overlaid in file order, give the columns each record should have; what the ledger does not have
acknowledged is written. Several steps due together are one request, and an unchanged fact is none.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.action import Action, LiveAction, Lookup, OpenPage, ReadFile, Reading
from pipelines.changes import Versions
from pipelines.condition import names_in
from pipelines.contact import Contact, RecordLedger
from pipelines.conversation import skipped
from pipelines.difference import Desired, difference
from pipelines.entity import OWNER, STATE, is_party_list
from pipelines.ledger import digest
from pipelines.lifecycle import AWAITED, FILES
from pipelines.live import Expired, LivePlanner, Waits, page
from pipelines.lookup import search_in
from pipelines.objects import Which
from pipelines.patience import Patience
from pipelines.pipeline import Pipeline
from pipelines.scope import Scope
from pipelines.snapshot import Snapshot, snapshot
from pipelines.step import (
    RESPONSE,
    CreateStep,
    LookupStep,
    OpenStep,
    ReadFileStep,
    RecordStep,
    Step,
    UpdateStep,
)
from pipelines.template import render_data
from pipelines.value import ABSENT, HELD
from pipelines.verdict import nothing_yet
from pipelines.view import Names
from pipelines.waiting import page_first
from pipelines.withdrawal import forgotten, held_gone, withdraw


#: Why a step waits whose condition is about names without a value.
UNDECIDED = "for a name that its 'when' needs"

#: Why a step waits whose record or question is put off.
PUT_OFF = "for Dynamics, which refused it or did not answer"

#: The states of a record that others can refer to.
_MADE = ("there", "doubted")

_ANSWER = RESPONSE.lower()


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms a contact is planned.

    Attributes:
        constants: ``AppId``, ``EnvironmentUri`` and ``Owner`` from the settings.
        live: False in a replay: nothing is opened for agents or written back, and contacts from
            before the pipeline get their records too.
        since: Pipeline -> the UTC second from which its creating steps apply to live contacts.
        versions: Pipeline -> the versions it had, so that no change of it makes a second record.
        files: Which files count; see ``objects``.
    """

    constants: Mapping[str, Any] = field(default_factory=dict)
    live: bool = False
    since: Mapping[str, str] = field(default_factory=dict)
    versions: Versions = field(default_factory=dict)
    files: Which = "auto"


@dataclass(slots=True)
class Plan:
    """What is to be done.

    Attributes:
        actions: In the order in which they go.
        at_once: Those that go before all others, while the plan is made.
        expired: Live-only steps whose time is over, and why they were not carried out.
        pending: Pages that are not shown yet although their milestone is reached, and why.
        next_at: When (s since 1970) time alone will add actions; None: only new facts can.
        waiting: ``pipeline/step`` -> why it has not been applied.
        forgotten: Steps whose file's text must not be kept: it was redacted or deleted.
    """

    actions: list[Action] = field(default_factory=list)
    at_once: list[Action] = field(default_factory=list)
    expired: dict[str, Expired] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    next_at: float | None = None
    waiting: dict[str, str] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)

    def later(self, at: float) -> None:
        """Look again at this time."""
        self.next_at = at if self.next_at is None else min(self.next_at, at)


def plan(
    contact: Contact,
    pipelines: Iterable[Pipeline],
    now: float,
    terms: Terms,
    seen: Snapshot | None = None,
    *,
    put_off: Container[str] = (),
) -> Plan:
    """What is still to be done for a contact.

    Args:
        contact: The contact.
        pipelines: What is to be done for contacts.
        now: The time (s since 1970); infinite: all waits are over.
        terms: Under which terms.
        seen: The contact's snapshot under the same terms, if there is one already.
        put_off: The places (see ``Change.place``) of what cannot be done now; what does not need
            them goes on.
    """
    result = Plan()
    seen = seen or snapshot(contact, terms.constants, terms.files)
    if not seen.reached:
        return result  # a stored file alone: no contact to attach it to yet
    patience = Patience(contact.record is not None, seen.ended, now, result.later)
    names = Names(seen.values)
    closes: list[Action] = []
    for pipeline in pipelines:
        fits = patience.fits(pipeline.when, names, None)
        if fits is None:
            result.waiting |= dict.fromkeys((step.path for step in pipeline.steps), UNDECIDED)
        if fits:
            scope = Scope(contact, pipeline, seen, terms.versions.get(pipeline.name, ()))
            closes += _Planner(scope, patience, terms, result, put_off).run()
    readings: list[Action] = [one for one in result.actions if isinstance(one, Reading)]
    # Later steps may use what they find: ask first, then plan again. Agents wait for neither.
    result.actions = result.at_once + (readings or page_first(result.actions) + closes)
    result.at_once = []
    return result


def opening(contact: Contact, pipeline: Pipeline, step: OpenStep, terms: Terms) -> OpenPage | None:
    """What a step would open for an agent, whether or not it is the time for it; for previews."""
    seen = snapshot(contact, terms.constants, terms.files)
    return page(step, Scope(contact, pipeline, seen, terms.versions.get(pipeline.name, ())))


class _Planner:
    """Plans one pipeline for one contact."""

    def __init__(
        self,
        scope: Scope,
        patience: Patience,
        terms: Terms,
        result: Plan,
        put_off: Container[str],
    ) -> None:
        self.scope = scope
        self.contact = scope.contact
        self.pipeline = scope.pipeline
        self.reached = scope.seen.reached
        self.patience = patience
        self.terms = terms
        self.result = result
        self.put_off = put_off
        # A contact that came by a replay gets nothing live.
        self.live = terms.live and not self.contact.replayed
        # Its records may exist although the ledger knows of none: each is read before it is made.
        self.adopting = self.live and scope.seen.long_over
        self.records: dict[str, Desired] = {}
        self.blocked_records: set[str] = set()
        # Those that their creating step does not make now, though they may be there.
        self.not_made: set[str] = set()

    def run(self) -> list[Action]:
        """Add actions to the result; the closing ones are returned, as they go last of all."""
        opening = []
        for step in self.pipeline.steps:
            if not self.applies(step):
                continue
            match step:
                case OpenStep():
                    opening.append(step)
                case LookupStep():
                    self.look_up(step)
                case ReadFileStep():
                    self.read_file(step)
                case CreateStep() | UpdateStep():
                    self.overlay(step)
        closes: list[Action] = []
        if self.scope.seen.redacted or self.scope.seen.withdrawn:
            self.result.forgotten += forgotten(self.scope)
            withdraw(self.scope, self.patience, self.records)
        for desired in self.records.values():
            closes += self.diff(desired)
        self.plan_live(opening)
        return closes

    def plan_live(self, opening: Iterable[OpenStep]) -> None:
        """Add what is done for the agent and for Connect."""
        live = LivePlanner(self.scope, self.patience.now, self.unavailable, self.there)
        if self.live and (table := self.pipeline.writeback) is not None:
            names = [*table.names()]
            match live.write_back():
                case Waits() | Expired() as none:
                    self.note_live(table.path, none)
                case (only,):
                    self.put_live(only, names, made=live.is_made(only))
                case (now, later):
                    self.put_live(now, names, made=True)
                    self.put_live(later, names, made=False)
        for step in opening if self.terms.live else ():
            one = live.open(step)
            if isinstance(one, OpenPage):
                made = self.there(step.names())
                self.put_live(one, [*step.names()], made=made)
                self.result.pending[step.path] = "for its turn" if made else "for its record"
            else:
                self.note_live(step.path, one)
                if isinstance(one, Waits) and one.reason:
                    self.result.pending[step.path] = one.reason

    def note_live(self, path: str, none: Waits | Expired) -> None:
        """Note why nothing is done live for a step."""
        if isinstance(none, Expired):
            self.result.expired[path] = none
        elif none.reason:
            self.result.waiting[path] = none.reason

    def put_live(self, action: LiveAction, names: Iterable[tuple[str, ...]], *, made: bool) -> None:
        """Plan a live action: at once, unless it needs a record or an answer that is not there."""
        asked = {one.step.lower() for one in self.result.actions if isinstance(one, Reading)}
        steps = {f"{self.pipeline.name}/{path[0]}".lower().removesuffix(_ANSWER) for path in names}
        at_once = made and not asked & steps
        (self.result.at_once if at_once else self.result.actions).append(action)

    def there(self, names: Iterable[tuple[str, ...]]) -> bool:
        """Whether every record of ours that these names refer to is there already."""
        answers = {path[0].lower() for path in names}
        return all(
            _is_made(self.contact.ledger.get(name))
            for name, step in self.scope.own.items()
            if (step.name + RESPONSE).lower() in answers
        )

    # --- which steps apply ---

    def applies(self, step: Step) -> bool:
        if step.on not in self.reached:
            return self.wait(step, f"for {AWAITED[step.on]}")
        fits = self.patience.fits(step.when, self.scope.names(step.on), step.within_s)
        if fits is not True:
            what = UNDECIDED if fits is None else "its 'when' does not admit this contact"
            return self.wait(step, what)
        unmet = [name for name in step.after if not self.is_met(name)]
        if unmet and not self.wait_is_over(step, forever=step.within_s is None):
            return self.wait(step, f"for {', '.join(unmet)}")
        return not isinstance(step, CreateStep) or self.may_create(step)

    def is_met(self, name: str) -> bool:
        step = next(s for s in self.pipeline.steps if s.name.lower() == name.lower())
        if step.on in FILES and "ended" in self.reached and "answered" not in self.reached:
            return True
        # Reached is enough: should its 'when' not admit the contact, waiting would not help.
        return step.on in self.reached

    def wait_is_over(self, step: Step, *, forever: bool = False) -> bool:
        """Whether the contact ended the step's ``within`` ago."""
        return not forever and self.patience.is_over(step.within_s)

    def may_create(self, step: CreateStep) -> bool:
        known = self.contact.ledger.get(self.scope.created(step))
        if known is not None and known.state != "absent":
            return True
        if reason := self.scope.keys.barred.get(step.name):
            return self.wait(step, reason)
        whens = names_in(self.pipeline.when), names_in(step.when)
        if reason := skipped(self.scope.seen.values, *whens):
            return self.wait(step, reason)
        if reason := self.nothing_yet(step):
            return self.wait(step, reason)
        since = self.terms.since.get(self.pipeline.name, "")
        if self.live and "" != self.reached["created"] < since:
            return self.wait(step, "no: the contact began before this pipeline was first loaded")
        return True

    def nothing_yet(self, step: CreateStep) -> str:
        """Why there is nothing to make a record of; a draft is none until it was sent."""
        values, settled = self.scope.seen.values, self.contact.record is not None
        reason = nothing_yet(values, self.reached, settled=settled)
        if reason and not settled and "ended" in self.reached and self.wait_is_over(step):
            return nothing_yet(values, self.reached, settled=True)
        return reason

    def wait(self, step: Step, reason: str) -> bool:
        self.result.waiting[step.path] = reason
        return False

    # --- lookups and files ---

    def look_up(self, step: LookupStep) -> None:
        names = self.scope.names(step.on)
        sought = search_in(step.places, names, step.reads) if step.ways else None
        appended = step.query.render(names) if step.query else ""
        gone = step.ways and sought is None and step.path in self.contact.lookups
        if not gone and (appended is HELD or (step.ways and sought is None)):
            self.wait(step, "for a value its query needs")
            return
        url = "" if step.ways else step.table.set + appended  # "": a value that was there is gone
        if sought:
            url = next((query for one in sought.chain for query in one.queries()), "")
        self.ask(step, Lookup(step.path, url, tuple(sorted(step.reads)), sought))

    def read_file(self, step: ReadFileStep) -> None:
        if self.scope.is_void(step):
            self.wait(step, "no: what the file says was redacted")
            return
        names = self.scope.names(step.on)  # of the file that it was reached by
        returning = tuple(sorted(step.reads))
        self.ask(step, ReadFile(step.path, names["bucket"], names["key"], returning))

    def ask(self, step: LookupStep | ReadFileStep, action: Reading) -> None:
        """Add the action if this has not been asked yet."""
        asked = self.contact.lookups.get(step.path, {}).get("asked")
        if asked == digest(action.question) or step.path in self.contact.effects:
            return
        if step.path in self.contact.parked:
            self.wait(step, "parked")
            return
        if step.path in self.put_off:
            self.wait(step, PUT_OFF)
            return
        self.result.actions.append(action)

    # --- records ---

    def overlay(self, step: RecordStep) -> None:
        key = self.scope.key(step)
        if key is HELD:
            self.wait(step, "for the key of the record it updates")
            return
        name = f"{step.table.set}({key})"
        own = self.scope.own.get(name)
        found = [step]
        if isinstance(step, UpdateStep) and own is not None and name not in self.records:
            if not self.may_be_there(step, own, name):
                self.wait(step, f"for {own.name}")
                return
            self.not_made.add(name)
            found = [own, step]
        desired = self.records.setdefault(name, Desired(step.table.set, key, own))
        for one in found:
            desired.steps.append(one)
            self.fill(one, desired)

    def may_be_there(self, step: UpdateStep, own: CreateStep, name: str) -> bool:
        """Whether a record may exist that its step does not make for the contact as it is now.

        It was made when less was known, and is kept up to date. One that the ledger does not know
        may be there in a replay, or long after the contact's end: before it is closed, it is read.
        """
        known = self.contact.ledger.get(name)
        if known is not None:
            return known.state not in ("absent", "gone")
        if (self.live and not self.adopting) or not {*STATE} & step.body.keys():
            return False
        fits = self.patience.fits(own.when, self.scope.names(own.on), own.within_s)
        return own.on in self.reached and fits is False

    def fill(self, step: RecordStep, desired: Desired) -> None:
        """Lay the step's columns over the record's."""
        lenient = self.contact.record is not None
        names = self.scope.names(step.on)
        caller = desired.called_by(step, names)
        for column, compiled in step.body.items():
            value = render_data(compiled, names, lenient=lenient)
            if value is HELD and self.wait_is_over(step):
                value = render_data(compiled, names, lenient=True)
            if held_gone(self.scope, step, compiled):
                desired.forced.add(column)
                value = ABSENT if value is HELD else value
            if value == [] and is_party_list(column):
                value = ABSENT  # nobody is known: keep whom Dynamics fills in itself
            if value is HELD:
                if desired.columns.get(column) is None:
                    desired.columns.pop(column, None)
                    desired.held.add(column)
                self.wait(step, f"{column}: for a name without a value")
            elif value is ABSENT:
                if column not in desired.held and column != OWNER:
                    desired.empty(column)
            else:
                desired.lay(column, value, caller)

    def diff(self, desired: Desired) -> list[Action]:
        """Add what brings the record to the desired columns; what closes it is returned."""
        record = self.contact.ledger.get(desired.name)
        if reason := self.blocked(desired, record):
            if reason != PUT_OFF or not _is_made(record):
                self.blocked_records.add(desired.name)
            for step in desired.steps:
                self.wait(step, reason)
            return []
        for step in desired.steps:
            for column in desired.replaced & step.body.keys():
                self.wait(step, f"{column}: no, a later step links the same lookup elsewhere")
        if record is not None:
            self.note_named(desired, record)
        adopting = self.adopting or desired.probing or desired.name in self.not_made
        changes, closes = difference(desired, record, adopting=adopting)
        self.result.actions += changes
        return [*closes]

    def note_named(self, desired: Desired, record: RecordLedger) -> None:
        """Note the columns that were sent, and that steps still name but do not set now."""
        rest = record.columns.keys() - desired.columns.keys() - desired.held - {*STATE, OWNER}
        for step in self.pipeline.steps if rest else ():
            if isinstance(step, RecordStep) and rest & step.body.keys():
                key = self.scope.key(step)
                if f"{step.table.set}({key})" == desired.name:
                    desired.named |= rest & step.body.keys()

    # --- records that others wait for ---

    def blocked(self, desired: Desired, record: RecordLedger | None) -> str:
        if desired.name in self.contact.parked:
            return "parked"
        if record is not None and record.state == "gone":
            return "no: the record was deleted or let go of"
        if desired.name in self.put_off:
            return PUT_OFF
        if self.is_lost(record):
            return "no: it was long over when first heard of, and the record is not there"
        return self.unavailable((p for s in desired.steps for p in s.names()), desired.name)

    def is_lost(self, record: RecordLedger | None) -> bool:
        """Whether the record is gone, or will not be made, as far as is known."""
        lost = ("gone", "absent") if self.adopting else ("gone",)
        return record is not None and record.state in lost

    def unavailable(self, names: Iterable[tuple[str, ...]], own: str = "") -> str:
        """Why a record that these names refer to cannot be used yet, or ""."""
        answers = {path[0].lower() for path in names}
        for name, step in self.scope.own.items():
            if name == own or (step.name + RESPONSE).lower() not in answers:
                continue
            other = self.contact.ledger.get(name)
            if name in self.contact.parked or self.is_lost(other):
                return f"for {step.name}, which is parked or gone"
            if name in self.blocked_records or (name in self.put_off and not _is_made(other)):
                return f"for {step.name}, which waits itself"
            if name not in self.records and not _is_made(other):
                return f"for {step.name}"
        return ""


def _is_made(record: RecordLedger | None) -> bool:
    """Whether a record is there, so that others can refer to it."""
    return record is not None and record.state in _MADE
