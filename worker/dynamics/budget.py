"""How fast requests may follow one another, derived from what Dataverse says is left.

In any five minutes a user may make so many requests, and use so much execution time, on each web
server, and every answer says how much of both is left there
(https://learn.microsoft.com/power-apps/developer/data-platform/api-limits). A client that spends
all of it at once waits for minutes. So requests flow at the rate at which the allowance is given
back, and somewhat faster while much is left: bursts pass, and no more is used up than comes back.

Microsoft says that the headers are for debugging: without them nothing is spread, and 429 decides.
"""

from __future__ import annotations

import math

from collections.abc import Mapping


#: What Dataverse allows at least, per user and web server, in a sliding window (powerapps-docs
#: ``api-limits``). If an organisation allows more, it shows in what is left.
WINDOW_S = 300.0
REQUESTS = 6000.0
EXECUTION_S = 1200.0

REQUESTS_LEFT = "x-ms-ratelimit-burst-remaining-xrm-requests"
EXECUTION_LEFT = "x-ms-ratelimit-time-remaining-xrm-requests"

#: What is left beyond the normal rate is spent as if it had to last so long (s).
EXTRA_LASTS_S = 60.0

#: When less than this is left, in seconds at the normal rate, less than that rate is spent.
RESERVE_S = 5.0

#: Part of the normal rate that is always spent: what is left is known only from answers.
LEAST_PART = 0.05

#: What was not spent may be spent later, up to so many seconds' worth.
BURST_S = 0.5

#: Weight of the latest duration in the moving average.
LATEST_WEIGHT = 0.1

#: A whole request, less what sums of floats may be wrong by.
WHOLE = 1 - 1e-6


class RequestBudget:
    """One worker's part of what an application user may spend.

    Attributes:
        workers: How many workers share what the user may spend.
    """

    def __init__(self) -> None:
        """As long as nothing is known, nothing waits."""
        self.workers = 1
        self._requests = math.inf
        self._execution_s = math.inf
        self._duration_s = 0.0
        self._credit = 1.0
        self._seen_at = 0.0

    def observe(self, headers: Mapping[str, str]) -> None:
        """Note what an answer's headers (names in lower case) say is left."""
        self._requests = _number(headers.get(REQUESTS_LEFT, ""), self._requests)
        self._execution_s = _number(headers.get(EXECUTION_LEFT, ""), self._execution_s)

    def add_duration(self, seconds: float) -> None:
        """Note how long a request took: its execution time was no longer than that."""
        weight = LATEST_WEIGHT if self._duration_s else 1.0
        self._duration_s += weight * (seconds - self._duration_s)

    @property
    def rate(self) -> float:
        """Requests per second that this worker may start; infinite while nothing is known."""
        rate = _rate_of(self._requests, REQUESTS)
        if self._duration_s:
            rate = min(rate, _rate_of(self._execution_s, EXECUTION_S) / self._duration_s)
        return rate / self.workers

    def wait_s(self, now: float) -> float:
        """How long (s) until the next request may start, if nothing changes."""
        rate = self.rate
        if math.isinf(rate):
            return 0.0
        highest = max(1.0, rate * BURST_S)
        self._credit = min(highest, self._credit + rate * max(0.0, now - self._seen_at))
        self._seen_at = now
        return 0.0 if self._credit >= WHOLE else (1 - self._credit) / rate

    def spend(self) -> None:
        """Count a request that starts."""
        self._credit = max(0.0, self._credit - 1)


def _rate_of(left: float, allowed: float) -> float:
    """How much may be spent per second when so much is left of what is allowed per window."""
    normal = allowed / WINDOW_S
    return max(normal * LEAST_PART, min(normal, left / RESERVE_S) + left / EXTRA_LASTS_S)


def _number(text: str, otherwise: float) -> float:
    """The number in a header, such as ``5,998`` or ``1,199.87``; ``otherwise`` if it has none."""
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return otherwise
    return max(0.0, value) if math.isfinite(value) else otherwise
