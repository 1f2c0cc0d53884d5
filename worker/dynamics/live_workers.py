"""Which workers of an application user are alive, as one of them sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


#: How often a worker raises its number in the notice (s), and after how long without it is gone.
HEARTBEAT_S: Final = 10.0
EXPIRY_S: Final = 3 * HEARTBEAT_S


class LiveWorkers:
    """The workers whose heartbeat goes on.

    A heartbeat is a number that a worker raises now and then, since clocks differ and jump. How
    long ago it was raised is measured on this worker's monotonic clock.

    Attributes:
        names: Of all that are alive, this one included, sorted.
    """

    def __init__(self, worker: str) -> None:
        """Only ``worker``, this one, until others are seen."""
        self._worker = worker
        self._seen: dict[str, tuple[int, float]] = {}  # worker -> its number, and since when
        self.names = [worker]

    @property
    def rank(self) -> int:
        """This worker's place among them, from 0."""
        return self.names.index(self._worker)

    @property
    def following(self) -> str:
        """The worker whose turn it is after this one."""
        return self.names[(self.rank + 1) % len(self.names)]

    def see(self, heartbeats: Mapping[str, int], now: float) -> None:
        """Take the numbers that are in the notice at ``now``, on the monotonic clock (s)."""
        known = self._seen
        self._seen = {
            worker: known[worker] if known.get(worker, (None,))[0] == number else (number, now)
            for worker, number in heartbeats.items()
        }
        alive = {worker for worker, (_, since) in self._seen.items() if now - since < EXPIRY_S}
        self.names = sorted(alive | {self._worker})

    def heartbeats(self) -> dict[str, int]:
        """The numbers of those that are alive, this worker's raised by one."""
        numbers = {worker: self._seen.get(worker, (0,))[0] for worker in self.names}
        numbers[self._worker] += 1
        return numbers
