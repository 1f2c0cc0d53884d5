"""Reports: what is done for contacts, counted, measured and logged.

What came of a round does not depend on them: a bug in what counts or measures ends here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from pipelines.action import Action, Change, OpenPage, Reading, WriteBack
from pipelines.contact import Contact
from pipelines.plan import Plan
from worker.engine.openings import Openings
from worker.faults import Faults


_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Sent:
    """What went out so far."""

    writes: int = 0
    lookups: int = 0
    shown: int = 0
    written_back: int = 0
    expired: int = 0
    parked: int = 0


@dataclass(slots=True)
class Reports:
    """Reports what is done for contacts.

    Attributes:
        latency: Called with how long (s) each contact was due when Dynamics came to match it.
        wrote: Called with the kind of each action that was acknowledged.
        stepped: Called with the steps, as ``pipeline/step``, of what was done, has failed or was
            parked in Dynamics, and which of these it was.
        carried_out: Called with each action that was done in Dynamics, and its contact.
        openings: Reports what came of what is done for agents.
        faults: Counts and reports bugs of ours.
        sent: Counts.
    """

    latency: Callable[[float], None] = lambda _seconds: None
    wrote: Callable[[str], None] = lambda _kind: None
    stepped: Callable[[Sequence[str], str], None] = lambda _steps, _outcome: None
    carried_out: Callable[[Contact, Action], None] = lambda _contact, _action: None
    openings: Openings = field(default_factory=Openings)
    faults: Faults = field(default_factory=Faults)
    sent: Sent = field(init=False, default_factory=Sent)

    def matched(self, contact_id: str, latency_s: float) -> None:
        """Dynamics matches a contact this long after it came due."""
        with self.faults.contained("telemetry", contact_id=contact_id):
            self.latency(latency_s)
        _log.info("push.done", contact_id=contact_id, latency_s=round(latency_s, 3))

    def done(self, contact: Contact, action: Action) -> None:
        """An action was done in Dynamics."""
        self.acknowledged(contact, action)
        self._step(contact, action, "done")
        self.carried_out(contact, action)

    def acknowledged(self, contact: Contact, action: Action) -> None:
        """An action was done, in Dynamics or for an agent."""
        self.sent.lookups += isinstance(action, Reading)
        self.sent.writes += isinstance(action, Change)
        self.sent.shown += isinstance(action, OpenPage)
        self.sent.written_back += isinstance(action, WriteBack)
        with self.faults.contained("telemetry", contact_id=contact.id):
            self.wrote(action.kind)

    def failed(self, contact: Contact, action: Action) -> None:
        """An action was sent and had no definitive outcome."""
        self._step(contact, action, "failed")

    def parked(self, contact: Contact, action: Action) -> None:
        """An action was parked."""
        self.sent.parked += 1
        self._step(contact, action, "parked")
        entry = contact.parked[action.place]
        _log.error(
            "push.parked",
            contact_id=contact.id,
            steps=entry.steps,
            status=entry.status,
            code=entry.code,
        )

    def left(self, contact: Contact, planned: Plan, *, heard_at: float, now: float) -> None:
        """A round leaves this plan; see ``Openings.left``."""
        expired = self.openings.left(contact, planned, heard_at=heard_at, now=now)
        self.sent.expired += expired

    def _step(self, contact: Contact, action: Action, outcome: str) -> None:
        with self.faults.contained("telemetry", contact_id=contact.id):
            self.stepped(action.steps, outcome)
