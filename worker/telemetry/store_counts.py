"""How much the store holds, asked now and then: never at a scrape, of which there may be many."""

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

#: Seconds between looks. DynamoDB reads lists through for it, so not more often.
LOOK_EVERY_S: Final = 30.0


@dataclass(slots=True)
class StoreCounts:
    """The store's counts at the last look.

    Attributes:
        store: What is counted.
        health: Told whether it answers.
        clock: Its wall clock says what is due.
        counts: What was found; None while that is not known.
    """

    store: ContactStore
    health: Health
    clock: Clock = field(default_factory=Clock)
    counts: Counts | None = None

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            heartbeat.beat()
            await self._look()
            await self.clock.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        try:
            self.counts = await self.store.counts(self.clock.wall())
        except StoreUnavailable as error:
            _log.warning("census.store_unavailable", reason=str(error))
            self.counts = None
            self.health.store_failed()
        else:
            self.health.store_answered()
