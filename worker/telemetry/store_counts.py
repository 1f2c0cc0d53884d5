"""How much the store holds, asked now and then: never at a scrape, of which there may be many."""

from __future__ import annotations

import asyncio
import time

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from worker import heartbeat
from worker.errors import StoreUnavailable
from worker.heartbeat import Health
from worker.stores.protocol import ContactStore, Counts


_log = structlog.get_logger(__name__)

#: Seconds between looks. DynamoDB reads lists through for it, so not more often.
LOOK_EVERY_S: Final = 30.0


@dataclass(slots=True)
class StoreCounts:
    """The store's counts at the last look.

    Attributes:
        store: What is counted.
        health: Told whether it answers.
        clock: Wall clock (s).
        sleep: Waits.
        counts: What was found; None while that is not known.
    """

    store: ContactStore
    health: Health
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    counts: Counts | None = None

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            heartbeat.beat()
            await self._look()
            await self.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        try:
            self.counts = await self.store.counts(self.clock())
        except StoreUnavailable as error:
            _log.warning("census.store_unavailable", reason=str(error))
            self.counts = None
            self.health.store_failed()
        else:
            self.health.store_answered()
