"""How long a lease's counter has been unchanged, measured by this worker's own clock."""

from __future__ import annotations

from collections.abc import Iterable

from worker.leases.lease import Lease


class Watch:
    """Remembers when each lease was last seen to change.

    To a worker that has just started, every lease counts as just changed.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def observe(self, leases: Iterable[Lease], now: float) -> dict[str, float]:
        """Process a scan that was complete at monotonic time ``now`` (s).

        Returns:
            For every lease, the seconds since its counter was first seen at its present value.
        """
        before = self._seen
        self._seen = {}
        for lease in leases:
            counter, since = before.get(lease.key, (None, now))
            self._seen[lease.key] = lease.counter, since if counter == lease.counter else now
        return {key: now - since for key, (_, since) in self._seen.items()}
