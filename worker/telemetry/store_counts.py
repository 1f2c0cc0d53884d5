"""How much the store holds, counted periodically rather than at each scrape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import structlog

from worker import heartbeat
from worker.clock import Clock
from worker.errors import StoreUnavailable
from worker.heartbeat import Health
from worker.stores.protocol import ContactStore, Counts


_log = structlog.get_logger(__name__)

#: Seconds between counts. DynamoDB reads whole lists for one, so not more often.
LOOK_EVERY_S: Final = 30.0


@dataclass(slots=True)
class StoreCounts:
    """The store's last counts.

    Attributes:
        store: The store to count.
        health: Notified whether the store answers.
        clock: Its wall clock decides what is due.
        counts: The last counts; None while they are unknown.
    """

    store: ContactStore
    health: Health
    clock: Clock = field(default_factory=Clock)
    counts: Counts | None = None

    async def run(self) -> None:
        """Count periodically, until cancelled."""
        while True:
            heartbeat.beat()
            await self._count()
            await self.clock.sleep(LOOK_EVERY_S)

    async def _count(self) -> None:
        try:
            self.counts = await self.store.counts(self.clock.wall())
        except StoreUnavailable as error:
            _log.warning("census.store_unavailable", reason=str(error))
            self.counts = None
            self.health.store_failed()
        else:
            self.health.store_answered()
