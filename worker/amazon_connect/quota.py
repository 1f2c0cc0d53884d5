"""The share of Connect's account-wide quotas that this worker may use.

Calls are limited per account and Region, for all instances and all callers together
(Administrator Guide "amazon-connect-service-limits"); flows and other programs need theirs, so we
take a share of each, divided by the workers that live. A call that would get its turn too late is
refused at once: it holds nobody up, and what it would have told comes with the contact record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from worker.amazon_connect.errors import Busy
from worker.clock import Clock


#: Call -> requests per second, and how many at once after a rest. Calls the guide does not list
#: have (2, 5).
QUOTAS: Final = {
    "DescribeContact": (10.0, 15.0),
    "GetContactAttributes": (10.0, 15.0),
    "UpdateContactAttributes": (10.0, 15.0),
    "DescribeUser": (2.0, 5.0),
    "DescribeQueue": (2.0, 5.0),
}

#: Pause (s) after Connect throttled a call, doubling up to the longest while it goes on.
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0


@dataclass(slots=True)
class _Lane:
    """One call's turns. ``full_at``: when all its burst is to be had again."""

    full_at: float = 0.0
    closed_until: float = 0.0
    pause_s: float = 0.0


@dataclass(slots=True)
class Quota:
    """Hands out turns.

    A worker has at least one request in hand, so more workers than the share's burst can start as
    many requests at one moment as there are workers; their rate stays the share's.

    Attributes:
        share: Part of each quota, 0 to 1; 0: no call gets a turn.
        workers: How many workers live, this one included.
        clock: For turns and pauses.
    """

    share: float
    workers: Callable[[], int] = lambda: 1
    clock: Clock = field(default_factory=Clock)
    _lanes: dict[str, _Lane] = field(default_factory=dict)

    async def turn(self, call: str, patience_s: float) -> None:
        """Wait for this call's turn.

        Raises:
            Busy: It would take longer than ``patience_s``.
        """
        part = self.share / max(1, self.workers())
        if not part:
            raise Busy("no share of the quota")
        rate, burst = (amount * part for amount in QUOTAS[call])
        lane, now = self._lane(call), self.clock.monotonic()
        ahead_s = (max(1.0, burst) - 1) / rate
        at = max(now, lane.full_at - ahead_s, lane.closed_until)
        if at - now > patience_s:
            raise Busy("its turn would come too late")
        lane.full_at = max(at, lane.full_at) + 1 / rate
        if at > now:
            await self.clock.sleep(at - now)

    def throttled(self, call: str) -> None:
        """Connect throttled a call: others use the quota too."""
        lane = self._lane(call)
        lane.pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * lane.pause_s))
        lane.closed_until = self.clock.monotonic() + lane.pause_s

    def answered(self, call: str) -> None:
        """Connect answered a call."""
        self._lane(call).pause_s = 0.0

    def _lane(self, call: str) -> _Lane:
        return self._lanes.setdefault(call, _Lane())
