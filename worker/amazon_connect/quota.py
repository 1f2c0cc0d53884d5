"""The share of Connect's account-wide quotas that this worker may use.

Calls are limited per account and Region, for all instances and all callers together
(Administrator Guide "amazon-connect-service-limits"); flows and other programs need some too, so we
take a share of each, divided among the running workers. A call that would have to wait too long is
refused at once, so that it delays nothing; the contact record brings the same data later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from worker.amazon_connect.errors import Busy
from worker.clock import Clock


#: Call -> requests per second, and burst. Calls that the guide does not list have (2, 5).
QUOTAS: Final = {
    "DescribeContact": (10.0, 15.0),
    "GetContactAttributes": (10.0, 15.0),
    "UpdateContactAttributes": (10.0, 15.0),
    "DescribeUser": (2.0, 5.0),
    "DescribeQueue": (2.0, 5.0),
}

#: Pause (s) after Connect throttled a call; doubles up to the longest while throttling lasts.
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0


@dataclass(slots=True)
class _Bucket:
    """One call's token bucket. ``full_at``: when the whole burst is available again."""

    full_at: float = 0.0
    closed_until: float = 0.0
    pause_s: float = 0.0


@dataclass(slots=True)
class Quota:
    """Limits the rate of calls, with one token bucket per call.

    Each worker's burst is at least one request, so if there are more workers than the share's burst
    they can start one request each at the same moment; their rate stays within the share.

    Attributes:
        share: Part of each quota, 0 to 1; 0: no call is made.
        workers: How many workers are running, this one included.
        clock: For waits and pauses.
    """

    share: float
    workers: Callable[[], int] = lambda: 1
    clock: Clock = field(default_factory=Clock)
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    async def acquire(self, call: str, patience_s: float) -> None:
        """Wait until this call may be made.

        Raises:
            Busy: That would take longer than ``patience_s``.
        """
        part = self.share / max(1, self.workers())
        if not part:
            raise Busy("no share of the quota")
        rate, burst = (amount * part for amount in QUOTAS[call])
        bucket, now = self._bucket(call), self.clock.monotonic()
        ahead_s = (max(1.0, burst) - 1) / rate
        at = max(now, bucket.full_at - ahead_s, bucket.closed_until)
        if at - now > patience_s:
            raise Busy("the wait for the quota would be too long")
        bucket.full_at = max(at, bucket.full_at) + 1 / rate
        if at > now:
            await self.clock.sleep(at - now)

    def throttled(self, call: str) -> None:
        """Connect throttled a call: others use the quota too."""
        bucket = self._bucket(call)
        bucket.pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * bucket.pause_s))
        bucket.closed_until = self.clock.monotonic() + bucket.pause_s

    def answered(self, call: str) -> None:
        """Connect answered a call."""
        self._bucket(call).pause_s = 0.0

    def _bucket(self, call: str) -> _Bucket:
        return self._buckets.setdefault(call, _Bucket())
