"""A clock that tests turn, and a way to read what a scrape would see."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prometheus_client.parser import text_string_to_metric_families

from twins.clock import Turned
from worker.clock import Clock
from worker.telemetry.metrics import PREFIX, Metrics


Samples = dict[tuple[str, ...], float]


@pytest.fixture
def clock() -> Turned:
    return Turned(1_767_402_000.0)


@pytest.fixture
def metrics(clock: Turned) -> Metrics:
    return Metrics(Clock(clock))


@pytest.fixture
def scraped(metrics: Metrics) -> Callable[[], Samples]:
    """What a scrape sees: (name without our prefix, label values by label's name) -> value."""

    def scrape() -> Samples:
        families = text_string_to_metric_families(metrics.exposition().decode())
        return {
            (sample.name.removeprefix(PREFIX), *(v for _, v in sorted(sample.labels.items()))): (
                sample.value
            )
            for family in families
            for sample in family.samples
        }

    return scrape
