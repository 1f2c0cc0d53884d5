"""Every invariant holds in every simulated world; ``make simulate SEED=`` tells a seed's story."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from simulated import simulate


def breached(seeds: Iterable[int]) -> list[str]:
    """What went wrong, by seed."""
    return [f"{seed}: {'; '.join(found)}" for seed in seeds if (found := simulate(seed).breaches)]


@pytest.mark.timeout(300)
def test_worlds_keep_every_promise() -> None:
    assert breached(range(60)) == []


@pytest.mark.judge
@pytest.mark.timeout(900)
def test_many_more_worlds_keep_every_promise() -> None:
    assert breached(range(60, 360)) == []


def test_a_seed_is_the_same_world_every_time() -> None:
    first, second = simulate(7), simulate(7)
    assert (first.story, first.breaches) == (second.story, second.breaches)
