"""Progress: how far each step of each pipeline is for one contact, why, and what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.admission import names_awaited, why_not_admitted
from pipelines.contact import Contact
from pipelines.history import ON_PURPOSE, Happening, happenings, iso
from pipelines.lifecycle import AWAITED, FILES
from pipelines.live import LIVE_WITHIN_S
from pipelines.patience import Patience
from pipelines.pipeline import Pipeline
from pipelines.plan import UNDECIDED, Plan, Terms
from pipelines.scope import Scope
from pipelines.snapshot import Snapshot
from pipelines.step import WITHIN_S, LookupStep, OpenStep, ReadFileStep, Step, UpdateStep
from pipelines.view import Names
from worker.stores.protocol import Entry


@dataclass(frozen=True, slots=True)
class Progress:
    """Says how far a contact is.

    Attributes:
        entry: The contact, and when it is looked at next.
        seen: Its snapshot.
        planned: Its plan as it is now.
        effects: ``pipeline/step`` of each page and write-back -> what came of it.
        terms: Under which terms it was planned.
        now: The time (s since 1970).
    """

    entry: Entry
    seen: Snapshot
    planned: Plan
    effects: Mapping[str, Mapping[str, str]]
    terms: Terms
    now: float

    @property
    def contact(self) -> Contact:
        """The contact."""
        return self.entry.contact

    def told(self, pipelines: Iterable[Pipeline]) -> dict[str, dict[str, Any]]:
        """By pipeline: whether it ``takes`` the contact (null: not known yet), ``why`` it does not.

        And, if it takes it, of each of its ``steps``: ``state``, ``when``, ``why``, ``next``.
        The state is done, owed, failing, waiting, parked, skipped or nothing; of pages and
        write-backs see ``pipelines.effect``.
        """
        return {one.name: self._pipeline(one) for one in pipelines}

    def _pipeline(self, pipeline: Pipeline) -> dict[str, Any]:
        if not self.seen.reached:
            why = "no message has told of the contact itself yet, only others that belong to it"
            return {"takes": None, "why": why, "steps": {}}
        has_record = self.contact.record is not None
        patience = Patience(has_record, self.seen.ended, self.now, lambda _at: None)
        names = Names(self.seen.values)
        takes = patience.fits(pipeline.when, names, None)
        if takes is None:
            why = f"its 'when' needs {', '.join(names_awaited(pipeline.when, names))}"
            return {"takes": None, "why": why, "steps": {}}
        if not takes:
            return {"takes": False, "why": self._not_admitted(pipeline.when, names), "steps": {}}
        scope = Scope(self.contact, pipeline, self.seen, self.terms.versions.get(pipeline.name, ()))
        steps = {step.name: self._step(step, scope) for step in pipeline.steps}
        if (table := pipeline.writeback) is not None and table.path in self.effects:
            steps["writeback"] = self._effect(self.effects[table.path])
        return {"takes": True, "why": "", "steps": steps}

    def _not_admitted(self, when: Any, names: Names) -> str:
        """Why a condition does not admit the contact, by what is known if that is enough."""
        known = why_not_admitted(when, names, settled=self.contact.record is not None)
        return known or why_not_admitted(when, names, settled=True)

    # --- a step ---

    def _step(self, step: Step, scope: Scope) -> dict[str, str]:
        return (
            self._parked(step)
            or self._page(step)
            or self._owed(step)
            or self._skipped(step, scope)
            or self._waiting(step, scope)
            or self._done(step, scope)
        )

    def _parked(self, step: Step) -> dict[str, str] | None:
        parked = [one for one in self.contact.parked.values() if step.path in one.steps]
        if not parked:
            return None
        why = " ".join(filter(None, (str(parked[0].status or "no answer"), parked[0].code)))
        retry = f"retry with connect-dynamics parked retry {self.contact.id} --step {step.path}"
        return _told("parked", iso(parked[0].at), why, f"parked: {retry}")

    def _page(self, step: Step) -> dict[str, str] | None:
        effect = self.effects.get(step.path) if isinstance(step, OpenStep) else None
        return None if effect is None else self._effect(effect)

    def _owed(self, step: Step) -> dict[str, str] | None:
        if not any(step.path in action.steps for action in self.planned.actions):
            return None
        failure = self._last(step.path, failed=True)
        if failure is None:
            return _told("owed", "", self.planned.waiting.get(step.path, ""), self._next_try())
        return _told("failing", iso(failure.at), failure.why, self._next_try())

    def _skipped(self, step: Step, scope: Scope) -> dict[str, str] | None:
        reason = self.planned.waiting.get(step.path, "")
        if step.on in self.seen.reached and self._fits(step, scope) is False:
            return _told("skipped", "", self._not_admitted(step.when, scope.names(step.on)))
        if reason.startswith("no:") or ": no, " in reason:
            return _told("skipped", "", reason.partition("no")[2].lstrip(":, "))
        return None

    def _waiting(self, step: Step, scope: Scope) -> dict[str, str] | None:
        reason = self.planned.waiting.get(step.path, "")
        if reason == UNDECIDED:
            missing = ", ".join(names_awaited(step.when, scope.names(step.on)))
            reason = f"for {missing}, which its 'when' needs"
        if not reason:
            return None
        done = self._last(step.path, failed=False)
        return _told("waiting", iso(done.at) if done else "", reason, self._then(step, reason))

    def _done(self, step: Step, scope: Scope) -> dict[str, str]:
        done = self._last(step.path, failed=False)
        if done is None and not self._is_known(step, scope):
            return _told("nothing", "", "it adds nothing")
        return _told("done", iso(done.at) if done else "")

    def _fits(self, step: Step, scope: Scope) -> bool | None:
        has_record = self.contact.record is not None
        patience = Patience(has_record, self.seen.ended, self.now, lambda _at: None)
        return patience.fits(step.when, scope.names(step.on), step.within_s)

    def _is_known(self, step: Step, scope: Scope) -> bool:
        """Whether the ledger has what the step is about."""
        if isinstance(step, OpenStep | LookupStep | ReadFileStep):
            return step.path in self.contact.lookups or step.path in self.contact.effects
        known = self.contact.ledger.get(f"{step.table.set}({scope.key(step)})")
        return known is not None and (
            not isinstance(step, UpdateStep) or bool(known.columns.keys() & step.body.keys())
        )

    def _last(self, path: str, *, failed: bool) -> Happening | None:
        """The last that happened of a step, if it failed, or if it did not.

        What a person did to it since, for a reason perhaps, is neither.
        """
        of_step = [one for one in happenings(self.contact) if path in one.steps]
        if not of_step or of_step[-1].what in ON_PURPOSE or bool(of_step[-1].why) is not failed:
            return None
        return of_step[-1]

    # --- what comes next ---

    def _effect(self, effect: Mapping[str, str]) -> dict[str, str]:
        pending = effect["state"] in ("waiting", "delayed")
        then = f"tried while the contact is on, {LIVE_WITHIN_S:.0f} s at most" if pending else ""
        return {**effect, "next": then}

    def _next_try(self) -> str:
        due_at, fault = self.entry.due_at, self.entry.fault
        if fault is not None and fault.parked:
            retry = f"connect-dynamics parked retry {self.contact.id}"
            return f"a bug of ours keeps it: another release tries it, or {retry}"
        if self.entry.claimed_until > self.now:
            return f"a worker has it in hand, for {_span(self.entry.claimed_until - self.now)} more"
        if due_at is None:
            return "sent once something makes the contact due: its next message, or a replay"
        if due_at > self.now:
            return f"next try in {_span(due_at - self.now)}"
        return f"due for {_span(self.now - due_at)}: sent as soon as a worker takes it"

    def _then(self, step: Step, reason: str) -> str:
        """Until when a step waits, and what is then."""
        reached, ended = self.seen.reached, self.seen.ended
        if step.on not in reached:
            if step.on in FILES and "ended" in reached and "answered" not in reached:
                return f"nobody answered, so {AWAITED[step.on]} will hardly come"
            return f"waits {reason}{self._kept()}"
        given_up = step.within_s is not None or not any(name in reason for name in step.after)
        if ended is None or self.contact.record is not None or not given_up:
            return f"waits {reason}{self._kept()}"
        until = ended + (WITHIN_S if step.within_s is None else step.within_s)
        return f"waits {reason} until {iso(until)}, then goes on without"

    def _kept(self) -> str:
        expires_at = self.entry.expires_at
        return f", until {iso(expires_at)} at most" if expires_at is not None else ""


def _told(state: str, when: str = "", why: str = "", then: str = "") -> dict[str, str]:
    return {"state": state, "when": when, "why": why, "next": then}


def _span(seconds: float) -> str:
    """A time in words: ``40 s``, ``5 min``, ``3 h``, ``2 days``."""
    for unit, length in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def timeline(entry: Entry) -> list[dict[str, Any]]:
    """What was received of a contact and what was done for it, in one order of time."""
    return sorted(_moments(entry), key=lambda row: str(row["at"]))


def _moments(entry: Entry) -> Iterator[dict[str, Any]]:
    contact = entry.contact
    for register, fact in sorted(contact.facts.items()):
        yield {"at": fact.at, "what": "received", "fact": register}
    if contact.arrived is not None:
        yield {"at": iso(contact.arrived), "what": "arrived"}
    yield from (one.as_json() for one in happenings(contact))
    if (fault := entry.fault) is not None:
        yield {"at": iso(fault.since), "what": "fault", "why": fault.what, "times": fault.tries}
