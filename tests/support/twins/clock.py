"""A clock that only tests turn."""

from __future__ import annotations

import asyncio

from worker.clock import Clock


class Turned:
    """Wall and monotonic clock in one, which only sleeping and tests move (s).

    Attributes:
        now: What it shows.
        slept: How long each sleep was.
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += max(0.0, seconds)
        await asyncio.sleep(0)

    def clock(self, chance: float = 0.5) -> Clock:
        """The same, as the product takes it."""
        return Clock(self, self, self.sleep, lambda: chance)
