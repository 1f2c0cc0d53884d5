"""The agenda: a contact's actions on their way from plan through performing to settling.

Push, the flow Lambda and preview all go this way: they take the first action of an agenda, carry
it out as each of them does, and settle what came of it, until nothing is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pipelines.action import Action, Reading
from pipelines.contact import Contact
from pipelines.outcome import Outcome
from pipelines.settle import settle


@dataclass(slots=True)
class Agenda:
    """What is still to be done for a contact, planned anew whenever the plan no longer holds.

    Attributes:
        contact: The contact.
        plan: What is to be done by its facts and its ledger as it is now.
        put_off: The places (see ``Change.place``) of what cannot be done now, which ``plan`` leaves
            out, and how long (s) each waits.
        actions: What is left of the last plan; the first one is next.
    """

    contact: Contact
    plan: Callable[[], list[Action]]
    put_off: dict[str, float] = field(default_factory=dict)
    actions: list[Action] = field(init=False)

    def __post_init__(self) -> None:
        self.actions = self.plan()

    def settle(self, outcome: Outcome) -> bool:
        """Settle what came of the next action; whether what was planned after it holds.

        When all that was to be read is read, the plan goes on with what was found.
        """
        action = self.actions.pop(0)
        holds = settle(self.contact, action, outcome)
        if not holds or (not self.actions and isinstance(action, Reading)):
            self.actions = self.plan()
        return holds
