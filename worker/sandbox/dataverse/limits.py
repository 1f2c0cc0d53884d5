"""Service protection: limits per user and web server, in a sliding window [DOC api-limits]."""

from __future__ import annotations

import math

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse.odata.refusals import Refusal


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


TOO_MANY: Final = "0x80072322"
TOO_LONG: Final = "0x80072321"
TOO_PARALLEL: Final = "0x80072326"
CONCURRENCY_WAIT_S: Final = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of service protection.

    Attributes:
        requests: Within the window.
        execution_ms: Execution time of all requests within the window.
        concurrent: Requests at once.
        window_s: Length of the window.
        servers: Web servers, each with counts of its own; requests without the affinity cookie
            go to them in turn.
    """

    requests: int = 6000
    execution_ms: float = 1_200_000
    concurrent: int = 52
    window_s: float = 300
    servers: int = 1


@dataclass(slots=True)
class _Bucket:
    """What one user did on one server: when requests came, and how long they took."""

    arrivals: deque[float] = field(default_factory=deque)
    durations: deque[tuple[float, float]] = field(default_factory=deque)
    busy_ms: float = 0
    running: int = 0

    def forget(self, before: float) -> None:
        while self.arrivals and self.arrivals[0] <= before:
            self.arrivals.popleft()
        while self.durations and self.durations[0][0] <= before:
            self.busy_ms -= self.durations.popleft()[1]


class Throttle:
    """Counts requests and refuses those beyond the limits.

    Args:
        limits: The limits.
        clock: Time (s) that windows and durations are measured in.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self._clock = clock
        self._buckets: dict[tuple[str, int], _Bucket] = {}
        self._turn = -1

    def server(self, cookie: str | None) -> int:
        """The web server that gets a request."""
        if cookie and cookie.isdigit():
            return int(cookie) % self.limits.servers
        self._turn = (self._turn + 1) % self.limits.servers
        return self._turn

    @contextmanager
    def running(self, user: str, server: int) -> Iterator[None]:
        """Count a request while it runs.

        Raises:
            Refusal: 429. It counts too, so that coming back early lengthens the wait.
        """
        bucket = self._buckets.setdefault((user, server), _Bucket())
        start = self._clock()
        bucket.forget(start - self.limits.window_s)
        bucket.arrivals.append(start)
        self._check(bucket, start)
        bucket.running += 1
        try:
            yield
        finally:
            bucket.running -= 1
            end = self._clock()
            bucket.durations.append((end, (end - start) * 1000))
            bucket.busy_ms += (end - start) * 1000

    def headers(self, user: str, server: int) -> list[tuple[str, str]]:
        """How much is left, for debugging only."""
        bucket = self._buckets.get((user, server)) or _Bucket()
        requests = max(0, self.limits.requests - len(bucket.arrivals))
        seconds = max(0.0, self.limits.execution_ms - bucket.busy_ms) / 1000
        return [
            ("x-ms-ratelimit-burst-remaining-xrm-requests", str(requests)),
            ("x-ms-ratelimit-time-remaining-xrm-requests", f"{seconds:,.2f}"),
        ]

    def _check(self, bucket: _Bucket, now: float) -> None:
        limits = self.limits
        if bucket.running >= limits.concurrent:
            message = f"Number of concurrent requests exceeded the limit of {limits.concurrent}."
            raise throttled(TOO_PARALLEL, message, CONCURRENCY_WAIT_S)
        over = f"over time window of {limits.window_s:.0f} seconds."
        if len(bucket.arrivals) > limits.requests:
            free_at = bucket.arrivals[len(bucket.arrivals) - limits.requests - 1] + limits.window_s
            message = f"Number of requests exceeded the limit of {limits.requests} {over}"
            raise throttled(TOO_MANY, message, free_at - now)
        if bucket.busy_ms > limits.execution_ms:
            message = (
                "Combined execution time of incoming requests exceeded limit of "
                f"{limits.execution_ms:,.0f} milliseconds {over} Decrease number of concurrent "
                "requests or reduce the duration of requests and try again later."
            )
            raise throttled(TOO_LONG, message, self._free_at(bucket) - now)

    def _free_at(self, bucket: _Bucket) -> float:
        """When enough execution time has left the window."""
        left = bucket.busy_ms
        for end, duration in bucket.durations:
            left -= duration
            if left <= self.limits.execution_ms:
                return end + self.limits.window_s
        return self._clock() + self.limits.window_s


def throttled(code: str, message: str, wait_s: float) -> Refusal:
    """A 429 with its Retry-After."""
    return Refusal(429, code, message, (retry_after(max(1.0, wait_s)),))


def retry_after(wait_s: float) -> tuple[str, str]:
    """The header: whole seconds, rounded up."""
    return "retry-after", str(math.ceil(wait_s))
