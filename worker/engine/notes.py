"""Notes: writes into contacts' histories what was done for them (``pipelines.history``).

They are stored with the next save that happens anyway. What came of a round does not depend on
them: a bug in here ends here.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from pipelines import happening
from pipelines.action import Action
from pipelines.contact import Contact
from pipelines.effect import Effect
from pipelines.history import Happening, note
from pipelines.outcome import Outcome
from worker.clock import Clock
from worker.dynamics.errors import DynamicsError
from worker.exchange import Exchange
from worker.faults import Faults
from worker.stores.protocol import FaultNote


@dataclass(frozen=True, slots=True)
class Notes:
    """Takes notes of what is done for contacts.

    Attributes:
        clock: Says when.
        faults: Contains bugs of the note-taking.
    """

    clock: Clock
    faults: Faults = field(default_factory=Faults)

    def settled(
        self,
        contact: Contact,
        action: Action,
        outcome: Outcome,
        exchange: Exchange,
        *,
        done: bool = False,
    ) -> None:
        """An action has an outcome, which the contact has settled; ``done``: as it was to be."""
        with self._contained(contact):
            told = happening.settled(contact, action, outcome, self.clock.wall(), done=done)
            note(contact.history, _with(told, exchange))

    def not_done(
        self, contact: Contact, action: Action, error: DynamicsError, exchange: Exchange
    ) -> None:
        """An action was sent and had no definitive outcome."""
        with self._contained(contact):
            told = happening.tried(action, self.clock.wall(), str(error))
            told = replace(told, status=error.status or 0, code=error.code)
            note(contact.history, _with(told, exchange))

    def begun(self, contact: Contact) -> None:
        """A round begins: what an earlier worker left is to be sent again."""
        with self._contained(contact):
            for one in happening.resumed(contact, self.clock.wall()):
                note(contact.history, one)

    def restored(self, contact: Contact) -> None:
        """The contact's ledger is doubted, because the state was restored."""
        with self._contained(contact):
            note(contact.history, Happening(at=self.clock.wall(), what="restored"))

    def expired(self, contact: Contact, steps: Iterable[str]) -> None:
        """It is too late for what these steps do live; the contact's effects say why."""
        with self._contained(contact):
            for step in steps:
                effect = Effect.read(contact.effects[step])
                note(contact.history, happening.expired(step, effect, self.clock.wall()))

    def fault_over(self, contact: Contact, fault: FaultNote) -> None:
        """A round of the contact ends well after some that ended in a bug of ours."""
        with self._contained(contact):
            now = self.clock.wall()
            lasted_ms = round((now - fault.since) * 1000)
            over = Happening(at=now, what="fault", why=fault.what, times=fault.tries)
            note(contact.history, replace(over, duration_ms=max(0, lasted_ms)))

    def _contained(self, contact: Contact) -> AbstractContextManager[None]:
        return self.faults.contained("telemetry", contact_id=contact.id)


def _with(told: Happening, exchange: Exchange) -> Happening:
    """It with what its requests took."""
    return replace(
        told,
        status=told.status or exchange.status,
        attempts=max(1, exchange.requests),
        duration_ms=round(exchange.duration_s * 1000),
        ids=exchange.ids,
    )
