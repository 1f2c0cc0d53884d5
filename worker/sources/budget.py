"""A bound for the bytes in hand over all shards, whatever the backlog (invariant I9)."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class ReadBudget:
    """A semaphore with weights, first come first served.

    Something heavier than the whole budget is let in once nothing else is.

    Attributes:
        total: How many bytes may be in hand.
        taken: How many are.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.taken = 0
        self._turn = asyncio.Lock()  # a queue: small ones cannot starve a big one
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def hold(self, estimate: int) -> AsyncIterator[Callable[[int], None]]:
        """Wait for ``estimate`` bytes and hold them during the block.

        Yields:
            Sets what is really held, once that is known. It never waits (the bytes are there
            already), so an estimate that was too low shows as ``taken`` above ``total``.
        """
        await self._take(estimate)
        held = estimate

        def hold_really(size: int) -> None:
            nonlocal held
            self._give(held - size)
            held = size

        try:
            yield hold_really
        finally:
            self._give(held)

    async def _take(self, size: int) -> None:
        async with self._turn:
            while self.taken and self.taken + size > self.total:
                self._freed.clear()
                await self._freed.wait()
            self.taken += size

    def _give(self, size: int) -> None:
        self.taken -= size
        self._freed.set()
