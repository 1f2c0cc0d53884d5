"""Openings: what came of pages for agents and of write-backs, counted, measured and logged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from pipelines import ledger
from pipelines.action import LiveAction, OpenPage
from pipelines.contact import Contact
from pipelines.effect import MISSED, WRITTEN, Effect
from pipelines.lifecycle import moment
from pipelines.outcome import Delayed, Done, Logged, Outcome, Shown, Undeliverable
from pipelines.plan import Plan
from pipelines.snapshot import Snapshot
from worker.faults import Faults


_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Openings:
    """Reports what came of what is done live.

    Attributes:
        counted: Called with what came of each page, see ``pipelines.effect``.
        written_back: The same of each write-back: ``written``, or one of the other outcomes.
        latency: Called with a milestone and how long (s) after it Connect had what agents are to
            see: the first attributes of a contact after ``created``, a page after its own.
        faults: Contains the bugs of either.
    """

    counted: Callable[[str], None] = lambda _outcome: None
    written_back: Callable[[str], None] = lambda _outcome: None
    latency: Callable[[str, float], None] = lambda _milestone, _seconds: None
    faults: Faults = field(default_factory=Faults)

    def settled(
        self,
        contact: Contact,
        action: LiveAction,
        outcome: Outcome,
        *,
        seen: Snapshot,
        now: float,
        first: bool,
    ) -> None:
        """A live action was carried out by now, or was not; ``first``: the first of its kind."""
        with self.faults.contained("telemetry", contact_id=contact.id):
            match outcome:
                case Delayed(reason) | Undeliverable(reason):
                    page = isinstance(action, OpenPage)
                    event = "push.open_failed" if page else "push.write_back_failed"
                    _log.warning(event, contact_id=contact.id, reason=reason)
                    refused = isinstance(outcome, Undeliverable)
                    self._count(page=page, outcome="refused" if refused else "delayed")
                case Shown():
                    self.counted(Shown.says)
                    seconds = self._since(contact, action.on, seen, now)
                    _log.info("desktop.shown", contact_id=contact.id, seconds=seconds)
                case Logged():
                    self.counted(Logged.says)
                case Done():
                    self.written_back(WRITTEN)
                    if not first:
                        return
                    seconds = self._since(contact, action.on, seen, now)
                    _log.info("push.written_back", contact_id=contact.id, seconds=seconds)

    def _since(self, contact: Contact, milestone: str, seen: Snapshot, now: float) -> float | None:
        """How long ago (s) a milestone was, measured; None: nobody knows when it was."""
        at = moment(contact, milestone, seen.reached.get(milestone, ""))
        if at is None:
            return None
        seconds = max(0.0, now - at)  # Amazon's clock may be ahead of ours
        self.latency(milestone, seconds)
        return round(seconds, 3)

    def left(self, contact: Contact, planned: Plan, *, heard_at: float, now: float) -> int:
        """Record what is left for later, and what it is too late for, and why; how many of these.

        Args:
            contact: The contact.
            planned: Its plan after a round.
            heard_at: When (s since 1970) the worker had heard what made the contact due.
            now: The time.
        """
        for step, reason in planned.pending.items():
            # Not lost when the worker is: since when it has been known, and what held it up first.
            waiting = Effect("waiting", now, reason)
            contact.effects.setdefault(step, str(waiting))
        for step, expired in planned.expired.items():
            effect = expired.judged(heard_at, now)
            ledger.expire(contact, step, effect)
            with self.faults.contained("telemetry", contact_id=contact.id):
                self._count(page=expired.page, outcome=effect.outcome)
                say = _log.warning if effect.outcome in MISSED else _log.info
                say(
                    "push.expired",
                    contact_id=contact.id,
                    step=step,
                    outcome=effect.outcome,
                    why=effect.why,
                )
        return len(planned.expired)

    def _count(self, *, page: bool, outcome: str) -> None:
        (self.counted if page else self.written_back)(outcome)
