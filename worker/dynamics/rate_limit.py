"""Spreads requests over time, for replays beside live work."""

from __future__ import annotations

from worker.clock import Clock
from worker.dynamics.errors import NotSent
from worker.dynamics.protocol import Answer, Dynamics, Request


class Pace:
    """Lets at most ``rate`` requests a second start, evenly spaced; counts them.

    Args:
        rate: Requests per second, of all application users together; None: as fast as they go.
        clock: For turns.

    Attributes:
        requests: How many have started.
    """

    def __init__(self, rate: float | None = None, clock: Clock | None = None) -> None:
        self._interval_s = 1 / rate if rate else 0.0
        self._clock = clock or Clock()
        self._next = 0.0
        self.requests = 0

    async def turn(self, timeout_s: float) -> None:
        """Wait for the next request's turn.

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


class Paced:
    """Sends requests at a pace.

    Args:
        dynamics: Where requests go.
        pace: When they start.
    """

    def __init__(self, dynamics: Dynamics, pace: Pace) -> None:
        self._dynamics = dynamics
        self._pace = pace

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        """Wait for this request's turn, then send it; the wait does not count as its time.

        Raises:
            NotSent: Its turn would come too late.
        """
        await self._pace.turn(timeout_s)
        return await self._dynamics.send(request, timeout_s=timeout_s)

    async def user_id(self) -> str:
        """See ``Dynamics.user_id``."""
        return await self._dynamics.user_id()
