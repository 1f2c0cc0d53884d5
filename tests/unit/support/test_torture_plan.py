"""What goes wrong when is decided by the seed, and is as much as was asked for."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from torture.plan import CONTENT, NETWORK, SANDBOX, Act, plan


TEN_MINUTES_S = 600.0


def test_a_seed_says_it_all_and_another_says_otherwise() -> None:
    assert plan(1, TEN_MINUTES_S) == plan(1, TEN_MINUTES_S)
    assert plan(1, TEN_MINUTES_S) != plan(2, TEN_MINUTES_S)


def test_ten_minutes_have_30_kills_10_network_faults_of_every_kind_and_80_times_of_spoiling() -> (
    None
):
    for seed in range(20):
        struck = Counter(stroke.act for stroke in plan(seed, TEN_MINUTES_S))
        assert struck[Act.KILL] >= 30
        assert sum(struck[act] for act in NETWORK) >= 10
        assert all(struck[act] for act in NETWORK)
        assert struck[Act.SPOILED] >= 80


def test_strokes_come_by_time_and_end_with_the_fire() -> None:
    strokes = plan(1, TEN_MINUTES_S)
    assert strokes == sorted(strokes, key=lambda stroke: stroke.at_s)
    assert max(stroke.at_s + stroke.for_s for stroke in strokes) <= TEN_MINUTES_S


@pytest.mark.parametrize("acts", [SANDBOX, CONTENT])
def test_dynamics_has_one_fault_of_each_family_at_a_time(acts: tuple[Act, ...]) -> None:
    faults = [stroke for stroke in plan(1, TEN_MINUTES_S) if stroke.act in acts]
    assert {stroke.act for stroke in faults} == set(acts)
    for one, following in pairwise(faults):
        assert one.at_s + one.for_s <= following.at_s
