"""Policy: what the failure of one action means for it and for its contact.

Nothing is carried out here. Whatever is decided, other contacts go on; the gate finds out what
concerns all of them, such as an outage or a lost role (``worker.dynamics.gate``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.contact import Contact
from worker.clock import Clock
from worker.dynamics.errors import DynamicsError, Forbidden, NotSent, Throttled, Unavailable
from worker.dynamics.gate import Gate
from worker.engine.containment import Containment


#: Pause before a contact whose request got no answer, or a 403, is tried again (s).
RETRY_S: Final = 2.0

#: 403 answers on one contact alone, while others succeed, before its write is parked.
FORBIDDEN_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The contact is not done: after so long (s) what is left is tried under a new claim."""

    after_s: float


#: What is left is tried at once, under a new claim.
AT_ONCE: Final = TryAgain(0.0)

#: Connect or the desktop did not accept something now.
NOT_TAKEN: Final = TryAgain(RETRY_S)


@dataclass(frozen=True, slots=True)
class SetAside:
    """The action is parked for an operator, and the contact goes on without it."""


#: What an action without a definitive outcome means.
Verdict = TryAgain | SetAside


def is_unanswered(error: DynamicsError) -> bool:
    """Whether the request may have been carried out although no answer says so."""
    return isinstance(error, Unavailable) and not isinstance(error, NotSent | Throttled)


@dataclass(frozen=True, slots=True)
class Policy:
    """Decides what failures mean.

    Attributes:
        gate: Knows whether a 403 concerns one contact or all.
        containment: Counts earlier failures of each contact.
        clock: Chance.
    """

    gate: Gate
    containment: Containment
    clock: Clock

    def of_dynamics(self, contact: Contact, error: DynamicsError) -> Verdict:
        """What a request without a definitive outcome means; 403 answers are counted."""
        if is_unanswered(error):
            return TryAgain(self.containment.unanswered_s(contact.id))
        if isinstance(error, Forbidden):
            return self._forbidden(contact, error)
        return TryAgain(RETRY_S * (1 + self.clock.chance()))

    def unfinished(self, contact_id: str) -> TryAgain:
        """What it means that nothing failed and something still has to be sent."""
        return TryAgain(self.containment.unfinished_s(contact_id))

    def _forbidden(self, contact: Contact, error: Forbidden) -> Verdict:
        if self.gate.breaker.forbidden(contact.id, error.code):
            contact.tries = 0  # a lost role is not this contact's fault
            return TryAgain(RETRY_S)
        contact.tries += 1
        if contact.tries >= FORBIDDEN_TRIES:
            contact.tries = 0
            return SetAside()
        return TryAgain(RETRY_S * 2.0**contact.tries * (1 + self.clock.chance()))
