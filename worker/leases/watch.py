"""For how long a lease's counter has stood still, as this worker sees it by its own clock."""

from __future__ import annotations

from collections.abc import Iterable

from worker.leases.lease import Lease


class Watch:
    """Remembers when each lease was last seen to change.

    A worker that has just started knows nothing: to it every lease has changed just now.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def observe(self, leases: Iterable[Lease], now: float) -> dict[str, float]:
        """Take in a scan that was complete at monotonic time ``now`` (s).

        Returns:
            For every lease the seconds since its counter was first seen as it is.
        """
        before = self._seen
        self._seen = {}
        for lease in leases:
            counter, since = before.get(lease.key, (None, now))
            self._seen[lease.key] = lease.counter, since if counter == lease.counter else now
        return {key: now - since for key, (_, since) in self._seen.items()}
