"""The census: what the store holds is asked now and then, and its silence is noticed."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from typing import Any

import pytest

from worker.clock import Clock
from worker.dynamics.gate import make_gate
from worker.engine.ingest import Tally
from worker.errors import StoreUnavailable
from worker.heartbeat import Health
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Counts
from worker.telemetry.metrics import Metrics
from worker.telemetry.state_collector import StateCollector
from worker.telemetry.store_counts import LOOK_EVERY_S, StoreCounts


class Fickle(MemoryStore):
    """A store that is away at its second look."""

    asked = 0

    async def counts(self, now: float) -> Counts:
        self.asked += 1
        if self.asked == 2:
            raise StoreUnavailable("no answer")
        return await super().counts(now)


async def test_the_store_is_asked_every_so_often_and_known_to_be_away_until_it_answers(
    clock: Callable[[], float],
) -> None:
    said: list[Any] = []
    store = Fickle()

    async def sleep(seconds: float) -> None:
        said.append((census.counts is not None, census.health.store_answers, seconds))
        if len(said) == 3:
            raise asyncio.CancelledError

    census = StoreCounts(store, Health(Clock(monotonic=clock)), Clock(clock, sleep=sleep))
    heart = census.health.heart("census", 10)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(census.run(), context=heart.context())
    assert said == [
        (True, True, LOOK_EVERY_S),
        (False, False, LOOK_EVERY_S),
        (True, True, LOOK_EVERY_S),
    ]


def test_a_scrape_does_not_ask_the_store(metrics: Metrics, scraped: Callable[[], Any]) -> None:
    store = Fickle()
    metrics.registry.register(
        StateCollector(Tally(), {"": make_gate()}, StoreCounts(store, Health()))
    )
    assert scraped()["store_up",] == 0
    assert store.asked == 0
