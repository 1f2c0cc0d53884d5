"""A source in memory, for tests, the demo and simulation."""

from __future__ import annotations

import asyncio

from collections.abc import Iterable, Sequence

from worker.errors import StoreUnavailable
from worker.sources.protocol import Handle, Message


class MemorySource:
    """Delivers the given batches of messages one after the other.

    Attributes:
        acknowledged: The batches that were handled, in order.
    """

    def __init__(self, batches: Iterable[Sequence[Message]]) -> None:
        self.acknowledged: list[Sequence[Message]] = []
        self._batches = iter(batches)

    async def run(self, handle: Handle, stop: asyncio.Event) -> None:
        """Deliver the remaining batches, until there are none or ``stop`` is set.

        Raises:
            StoreUnavailable: Raised by ``handle`` before the stop.
        """
        while not stop.is_set():
            batch = next(self._batches, None)
            if batch is None:
                return
            try:
                await handle(batch)
            except StoreUnavailable:
                if stop.is_set():
                    return
                raise
            self.acknowledged.append(batch)
