"""How fast requests may follow one another, learnt from what Dataverse says is left.

In any five minutes a user may make so many requests, and have so much work done, on each web
server, and every answer tells how much of both is left there
(https://learn.microsoft.com/power-apps/developer/data-platform/api-limits). Whoever spends
all of it at once waits for minutes. So requests flow at the rate that is given back for sure, and
somewhat faster while much is left: bursts pass, and what is used up is never more than what comes
back.

The headers are for debugging, says Microsoft: without them nothing is spread, and 429 still rules.
"""

from __future__ import annotations

import math

from collections.abc import Mapping


#: What Dataverse allows at least, per user and web server, in a sliding window (powerapps-docs
#: ``api-limits``). What an organisation allows beyond shows in what is left.
WINDOW_S = 300.0
REQUESTS = 6000.0
EXECUTION_S = 1200.0

REQUESTS_LEFT = "x-ms-ratelimit-burst-remaining-xrm-requests"
EXECUTION_LEFT = "x-ms-ratelimit-time-remaining-xrm-requests"

#: What is left beyond the usual is spent as if it had to last so long (s).
SURPLUS_S = 60.0

#: When less than this is left, in seconds of usual spending, less than the usual is spent.
RESERVE_S = 5.0

#: Part of the usual rate that is always spent: what is left is known only from answers.
TRICKLE = 0.05

#: What was not spent is made up for, up to so many seconds' worth.
BURST_S = 0.5

#: Weight of a new duration in the mean.
FRESH = 0.1

#: Of a whole request; more exact than sums of floats are.
ONE = 1 - 1e-6


class RequestBudget:
    """One worker's part of what an application user may spend.

    Attributes:
        workers: How many workers share it.
    """

    def __init__(self) -> None:
        """Nothing is known yet, so nothing waits."""
        self.workers = 1
        self._requests = math.inf
        self._execution_s = math.inf
        self._duration_s = 0.0
        self._credit = 1.0
        self._seen_at = 0.0

    def told(self, headers: Mapping[str, str]) -> None:
        """Take what an answer's headers say is left (names in lower case)."""
        self._requests = _number(headers.get(REQUESTS_LEFT, ""), self._requests)
        self._execution_s = _number(headers.get(EXECUTION_LEFT, ""), self._execution_s)

    def took(self, seconds: float) -> None:
        """Count how long a request took: it was executed for no longer than that."""
        weight = FRESH if self._duration_s else 1.0
        self._duration_s += weight * (seconds - self._duration_s)

    @property
    def rate(self) -> float:
        """Requests per second that this worker may start; infinite while nothing is known."""
        rate = _flow(self._requests, REQUESTS)
        if self._duration_s:
            rate = min(rate, _flow(self._execution_s, EXECUTION_S) / self._duration_s)
        return rate / self.workers

    def wait_s(self, now: float) -> float:
        """How long (s) until the next request may start, as things stand."""
        rate = self.rate
        if math.isinf(rate):
            return 0.0
        most = max(1.0, rate * BURST_S)
        self._credit = min(most, self._credit + rate * max(0.0, now - self._seen_at))
        self._seen_at = now
        return 0.0 if self._credit >= ONE else (1 - self._credit) / rate

    def spend(self) -> None:
        """A request starts."""
        self._credit = max(0.0, self._credit - 1)


def _flow(left: float, allowed: float) -> float:
    """How much may be spent per second of what is left."""
    usual = allowed / WINDOW_S
    return max(usual * TRICKLE, min(usual, left / RESERVE_S) + left / SURPLUS_S)


def _number(text: str, otherwise: float) -> float:
    """``5,998`` or ``1,199.87``; of what is no number nothing is learnt."""
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return otherwise
    return max(0.0, value) if math.isfinite(value) else otherwise
