"""Policy: what the failure of one action means for it and for its contact.

Nothing is carried out here. Whatever is decided, other contacts go on; the gate finds out what
concerns all of them, such as an outage or a lost role (``worker.dynamics.gate``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipelines.action import Action, Change, LiveAction, Reading
from pipelines.contact import Contact
from pipelines.outcome import Done, Found
from worker.clock import Clock
from worker.dynamics.errors import (
    Busy,
    DynamicsError,
    Forbidden,
    NotSent,
    Throttled,
    Unavailable,
)
from worker.dynamics.gate import Gate
from worker.dynamics.privileges import privilege_for, privileges_of, used_by
from worker.dynamics.reasons import GateClosed
from worker.engine.containment import REPLAY_TRIES, Containment, growing_pause_s
from worker.engine.suspects import Suspects


#: Pause before a contact whose request was not sent or not taken is tried again (s).
RETRY_S: Final = 2.0

#: So many tries without an answer that count against an action have it parked; in a replay, which
#: has to end, ``REPLAY_TRIES``. With the growing pauses that is a quarter of an hour.
UNANSWERED_TRIES: Final = 8


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The contact is not done: after so long (s) what is left is tried under a new claim."""

    after_s: float


#: What is left is tried at once, under a new claim.
AT_ONCE: Final = TryAgain(0.0)

#: Connect or the desktop did not accept something now.
NOT_TAKEN: Final = TryAgain(RETRY_S)


@dataclass(frozen=True, slots=True)
class PutOff:
    """The action waits for so long (s) at least; the contact goes on without it meanwhile."""

    after_s: float


@dataclass(frozen=True, slots=True)
class SetAside:
    """The action is parked for an operator, and the contact goes on without it.

    Attributes:
        error: Why.
    """

    error: DynamicsError


#: What an action without a definitive outcome means.
Verdict = TryAgain | PutOff | SetAside


def is_unanswered(error: DynamicsError) -> bool:
    """Whether the request may have been carried out although no answer says so."""
    return isinstance(error, Unavailable) and not isinstance(error, NotSent | Busy)


def is_counted(error: DynamicsError) -> bool:
    """Whether it may be the record's own fault that there is no definitive answer.

    Service protection has been told apart by the gate: what is left of 429 is about one record.
    """
    return is_unanswered(error) or type(error) is Busy


@dataclass(frozen=True, slots=True)
class Policy:
    """Decides what failures mean.

    Attributes:
        gate: Knows what this application user is refused.
        containment: Counts earlier failures of each contact.
        suspects: Knows what got no answer when it was last tried.
        clock: Chance.
    """

    gate: Gate
    containment: Containment
    suspects: Suspects
    clock: Clock

    async def of_dynamics(
        self, contact: Contact, action: Reading | Change, error: DynamicsError
    ) -> Verdict:
        """What an action without a definitive outcome means; it is counted."""
        if is_counted(error):
            return await self._unanswered(contact, action, error)
        if isinstance(error, Forbidden):
            return self._forbidden(contact, action, error)
        if isinstance(error, Throttled):
            self.suspects.pass_over(contact.id)
        if isinstance(error, GateClosed):
            return AT_ONCE  # nothing is claimed before it opens: the contact keeps its place
        return TryAgain(RETRY_S * (1 + self.clock.chance()))

    # --- what is not answered ---

    async def _unanswered(
        self, contact: Contact, action: Reading | Change, error: DynamicsError
    ) -> Verdict:
        counts = await self.suspects.failed(contact, action)
        most = UNANSWERED_TRIES if self.containment.patient else REPLAY_TRIES
        if counts and self.suspects.counted(contact, action) >= most:
            return SetAside(error)
        pause_s = growing_pause_s(self.suspects.tries(contact, action)) * (1 + self.clock.chance())
        if isinstance(error, Busy):
            pause_s = max(pause_s, error.retry_after_s)
        if not counts or not isinstance(action, Change):
            return TryAgain(pause_s)  # it may be an outage; and what is asked for is needed first
        self.suspects.put_off(contact, action, pause_s)
        return PutOff(pause_s)

    # --- what is forbidden ---

    def waits_s(self, contact: Contact, action: Action) -> float:
        """How long (s) an action waits for a privilege or an answer; 0.0: it does not."""
        if isinstance(action, LiveAction):
            return 0.0
        if wait_s := self.suspects.waits_s(contact, action.place):
            return wait_s
        if not self.containment.patient:
            return 0.0
        # One that was refused came to a later table of its lookup; others may find theirs before.
        needed = privileges_of(action) if contact.tries else privileges_of(action)[:1]
        return max((self.gate.privileges.waits_s(one, contact.id) for one in needed), default=0.0)

    def before(self, contact: Contact, action: Reading | Change) -> Verdict | None:
        """What is known of an action before it is tried; None: try it.

        A replay has to end: what several contacts were refused it does not ask again.
        """
        needed, privileges = privilege_for(action), self.gate.privileges
        if needed is None:
            return None
        if not self.containment.patient:
            error = privileges.denied(needed)
            return SetAside(error) if error else None
        if wait_s := privileges.waits_s(needed, contact.id):
            return PutOff(wait_s)
        privileges.begin(needed, contact.id)
        return None

    def allowed(self, contact: Contact, action: Reading | Change, outcome: Done | Found) -> None:
        """Note that an action succeeded."""
        answer = outcome.answer if isinstance(outcome, Done) else {}
        for privilege in used_by(action, answer):
            self.gate.privileges.granted(privilege, contact.id)

    def unfinished(self, contact_id: str) -> TryAgain:
        """What it means that nothing failed and something still has to be sent."""
        return TryAgain(self.containment.unfinished_s(contact_id))

    def _forbidden(self, contact: Contact, action: Reading | Change, error: Forbidden) -> Verdict:
        contact.tries += 1
        needed = error.privilege or privilege_for(action)
        if needed is None:
            return TryAgain(RETRY_S)  # of a file: not an answer of Dynamics
        pause_s = self.gate.privileges.refused(
            needed, contact.id, error, must_end=not self.containment.patient
        )
        return SetAside(error) if pause_s is None else PutOff(pause_s)
