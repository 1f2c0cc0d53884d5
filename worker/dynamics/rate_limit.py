"""Spreads requests over time, for replays beside live work."""

from __future__ import annotations

from worker.clock import Clock
from worker.dynamics.errors import NotSent
from worker.dynamics.protocol import Answer, Dynamics, Request


class Paced:
    """Starts at most ``rate`` requests a second, evenly spaced; counts them.

    Args:
        dynamics: Where requests go.
        rate: Requests per second; None: as fast as they go.
        clock: For turns.
    """

    def __init__(
        self,
        dynamics: Dynamics,
        rate: float | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._dynamics = dynamics
        self._interval_s = 1 / rate if rate else 0.0
        self._clock = clock or Clock()
        self._next = 0.0
        self.requests = 0

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        """Wait for this request's turn, then send it; the wait does not count as its time.

        Raises:
            NotSent: Its turn would come too late.
        """
        if self._interval_s:
            now = self._clock.monotonic()
            turn = max(now, self._next)
            if turn - now > timeout_s:
                raise NotSent("not sent: its turn under --rate would come too late")
            self._next = turn + self._interval_s
            await self._clock.sleep(turn - now)
        self.requests += 1
        return await self._dynamics.send(request, timeout_s=timeout_s)

    async def user_id(self) -> str:
        """See ``Dynamics.user_id``."""
        return await self._dynamics.user_id()
