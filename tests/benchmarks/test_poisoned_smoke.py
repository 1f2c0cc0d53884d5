"""A replay of which a part is refused for good, in every way, ends: all else is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import poisoned


@pytest.mark.judge
async def test_a_replay_parks_just_what_is_refused_for_good_and_writes_all_else(
    tmp_path: Path,
) -> None:
    found = await poisoned.measure(tmp_path, 300)
    assert found.wrong == []
    assert found.refused.keys() == poisoned.WAYS.keys()
    assert found.report.parked == sum(found.refused.values())
