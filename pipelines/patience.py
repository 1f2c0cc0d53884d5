"""Patience: how long a contact's plan waits for what is not known yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.condition import Condition, truth
from pipelines.step import WITHIN_S


#: A wait is looked at again at least this often (s): the date of what it waits for may be wrong.
LOOK_AGAIN_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what a contact lacks.

    Attributes:
        has_record: Its contact record has come, so nothing more will.
        ended: When it ended (s since 1970); None if it has not, or nobody knows when.
        now: The time (s since 1970); infinite: all waits are over.
        later: Called with the time at which to look again.
    """

    has_record: bool
    ended: float | None
    now: float
    later: Callable[[float], None]

    def is_over(self, within_s: float | None) -> bool:
        """Whether the contact ended ``within`` ago; if not yet, the plan looks again then."""
        if self.ended is None:
            return False
        until = self.ended + (WITHIN_S if within_s is None else within_s)
        if self.now < until:
            self.later(min(until, self.now + LOOK_AGAIN_S))
            return False
        return True

    def fits(
        self, when: Condition, values: Mapping[str, Any], within_s: float | None
    ) -> bool | None:
        """Whether the contact fits a condition; None: that is not known yet.

        A name without a value may get one until the contact record has come. A record that was
        made cannot be taken back, so a condition that needs the name waits: ``within`` at most.
        """
        found = truth(when, values, settled=self.has_record)
        if found is None and self.is_over(within_s):
            return truth(when, values, settled=True)
        return found
