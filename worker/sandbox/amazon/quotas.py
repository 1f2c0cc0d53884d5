"""Connect's account-wide API quotas: a token bucket per call.

Figures as the Administrator Guide has them ("amazon-connect-service-limits", 2026).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Callable


#: Requests per second, and how many at once after a rest.
CONTACT_CALLS: Final = (10, 15)
OTHER_CALLS: Final = (2, 5)

_RATES: Final = {
    "DescribeContact": CONTACT_CALLS,
    "GetContactAttributes": CONTACT_CALLS,
    "UpdateContactAttributes": CONTACT_CALLS,
}


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class Quotas:
    """Counts calls.

    Attributes:
        clock: Time (s).
        taken: Call -> how often it was asked for.
        refused: Call -> how often it was too much.
    """

    clock: Callable[[], float]
    taken: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def take(self, call: str) -> bool:
        """Count a call; whether it is within its quota."""
        rate, burst = _RATES.get(call, OTHER_CALLS)
        now = self.clock()
        bucket = self._buckets.setdefault(call, _Bucket(burst, now))
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        self.taken[call] = self.taken.get(call, 0) + 1
        if bucket.tokens < 1:
            self.refused[call] = self.refused.get(call, 0) + 1
            return False
        bucket.tokens -= 1
        return True
