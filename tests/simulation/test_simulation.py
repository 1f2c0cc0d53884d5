"""Every invariant holds in every simulated world; ``make simulate SEED=`` tells a seed's story."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from simulated import simulate


#: Seeds that once showed a defect, and what it was.
KEPT: dict[int, str] = {}


def breached(seeds: Iterable[int]) -> list[str]:
    """What went wrong, by seed."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        outcomes = pool.map(simulate, seeds, chunksize=10)
        return [f"{one.seed}: {'; '.join(one.breaches)}" for one in outcomes if one.breaches]


@pytest.mark.timeout(600)
def test_300_worlds_keep_every_promise() -> None:
    assert breached(range(300)) == []


@pytest.mark.judge
@pytest.mark.timeout(1200)
def test_1000_more_worlds_keep_every_promise() -> None:
    assert breached(range(300, 1300)) == []


def test_a_seed_is_the_same_world_every_time() -> None:
    first, second = simulate(7), simulate(7)
    assert (first.story, first.breaches) == (second.story, second.breaches)
