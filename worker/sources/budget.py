"""A limit on the bytes in memory over all shards, whatever the backlog (invariant I9)."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class ReadBudget:
    """A weighted semaphore, first come first served.

    A request larger than the whole budget is granted once nothing else is held.

    Attributes:
        total: How many bytes may be held.
        taken: How many are held.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.taken = 0
        self._queue = asyncio.Lock()  # small requests cannot starve a large one
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def hold(self, estimate: int) -> AsyncIterator[Callable[[int], None]]:
        """Wait for ``estimate`` bytes and hold them during the block.

        Yields:
            A function that sets the actual size once it is known. It never waits (the bytes are
            already in memory), so after too low an estimate ``taken`` may exceed ``total``.
        """
        await self._take(estimate)
        held = estimate

        def set_actual(size: int) -> None:
            nonlocal held
            self._give(held - size)
            held = size

        try:
            yield set_actual
        finally:
            self._give(held)

    async def _take(self, size: int) -> None:
        async with self._queue:
            while self.taken and self.taken + size > self.total:
                self._freed.clear()
                await self._freed.wait()
            self.taken += size

    def _give(self, size: int) -> None:
        self.taken -= size
        self._freed.set()
