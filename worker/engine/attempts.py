"""Attempts: one action of a contact carried out, and what came of it settled and reported."""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from pipelines import ledger
from pipelines.action import Action, Change, LiveAction, Reading
from pipelines.agenda import Agenda
from pipelines.contact import Contact
from pipelines.outcome import Delayed, Done, Found, Outcome, Undeliverable
from pipelines.settle import settle
from pipelines.snapshot import Snapshot
from worker.amazon_connect import live
from worker.amazon_connect.protocol import Connect, ScreenPop
from worker.clock import Clock
from worker.dynamics.errors import DynamicsError
from worker.dynamics.performer import Performer
from worker.dynamics.reasons import GateClosed
from worker.engine.notes import Notes
from worker.engine.policy import Policy, SetAside, Verdict, is_unanswered
from worker.engine.reports import Reports
from worker.engine.suspects import Suspects
from worker.engine.write_probe import WriteProbe
from worker.exchange import Exchange, collected


_log = structlog.get_logger(__name__)

#: How long one request may take in all its tries (s).
REQUEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Attempts:
    """Carries out single actions, and settles what came of them.

    Attributes:
        performer: Carries out what is done in Dynamics.
        desktop: Opens records for agents.
        connect: Takes the attributes that are written back.
        clock: Time.
        policy: Decides what failures mean.
        suspects: What got no answer when it was last tried.
        write_probe: Finds out whether writes are answered.
        notes: Writes the contacts' histories.
        reports: Counts and logs what is done.
    """

    performer: Performer
    desktop: ScreenPop
    connect: Connect
    clock: Clock
    policy: Policy
    suspects: Suspects
    write_probe: WriteProbe
    notes: Notes
    reports: Reports

    async def make(self, contact: Contact, action: Action, exchange: Exchange) -> Outcome | Verdict:
        """Carry out one action; its outcome, or what it means that there is no definitive one."""
        if isinstance(action, LiveAction):
            with collected(exchange, self.clock.monotonic):
                shown = await live.perform(action, self.connect, self.desktop, self.reports.faults)
            return shown if isinstance(shown, Done) else replace(shown, at=self.clock.wall())
        if known := self.policy.before(contact, action):
            return self._judged(contact, action, known, exchange)
        try:
            with collected(exchange, self.clock.monotonic):
                outcome = await self.performer.perform(action, timeout_s=REQUEST_S)
        except DynamicsError as error:
            return await self._failed(contact, action, error, exchange)
        if isinstance(outcome, Done | Found):
            self.policy.allowed(contact, action, outcome)
        return outcome

    def settle(
        self, contact: Contact, agenda: Agenda, outcome: Outcome, exchange: Exchange
    ) -> None:
        """Settle the outcome of the next action, and count it."""
        action, parked = agenda.actions[0], len(contact.parked)
        if not isinstance(action, LiveAction):
            self.suspects.settled(contact, action)
        if isinstance(action, Change) and isinstance(outcome, Done | Found):
            self.write_probe.acknowledged(action)
        done = agenda.settle(outcome)
        self.notes.settled(contact, action, outcome, exchange, done=done)
        if done:
            self.reports.done(contact, action)
        if len(contact.parked) > parked:
            self.reports.parked(contact, action)

    def settle_live(
        self,
        contact: Contact,
        agenda: Agenda,
        outcome: Outcome,
        exchange: Exchange,
        seen: Snapshot,
    ) -> None:
        """Settle the outcome of the next action, which is live, and report it."""
        action = agenda.actions[0]
        assert isinstance(action, LiveAction)  # noqa: S101 - what the caller has asked
        first = action.place not in contact.ledger
        agenda.settle(outcome)
        self.notes.settled(contact, action, outcome, exchange)
        now = self.clock.wall()
        openings = self.reports.openings
        openings.settled(contact, action, outcome, seen=seen, now=now, first=first)
        if isinstance(outcome, Delayed):
            # Not now: it does not hold up what else is to be done, one timeout after the other.
            agenda.actions = [one for one in agenda.actions if not isinstance(one, LiveAction)]
        elif isinstance(outcome, Undeliverable):
            agenda.actions = [one for one in agenda.actions if one.steps != action.steps]
        else:
            self.reports.acknowledged(contact, action)

    async def _failed(
        self, contact: Contact, action: Reading | Change, error: DynamicsError, exchange: Exchange
    ) -> Verdict:
        """Handle an action without a definitive outcome."""
        contact.intent.clear()
        if is_unanswered(error):
            ledger.intend(contact, [action])
            ledger.mark_unknown(contact)
        _log.info("push.not_done", contact_id=contact.id, kind=action.kind, reason=str(error))
        if not isinstance(error, GateClosed):  # nothing was sent: it says nothing about the step
            self.reports.failed(contact, action)
            self.notes.not_done(contact, action, error, exchange)
        verdict = await self.policy.of_dynamics(contact, action, error)
        return self._judged(contact, action, verdict, exchange)

    def _judged(
        self, contact: Contact, action: Reading | Change, verdict: Verdict, exchange: Exchange
    ) -> Verdict:
        """Park the action if it is to be set aside."""
        if isinstance(verdict, SetAside):
            self.suspects.settled(contact, action)
            refusal = self.performer.refusal(action, verdict.error)
            settle(contact, action, refusal)
            self.notes.settled(contact, action, refusal, exchange)
            self.reports.parked(contact, action)
        return verdict
