"""The benchmark of idle shards still runs: one shard, for a moment."""

from __future__ import annotations

import pytest

from tests.benchmarks import idle


@pytest.mark.services
async def test_a_worker_without_anything_to_do_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "START_S", 1.0)
    [found] = await idle.measure([1], seconds=0.5)
    assert found.shards == 1
    assert found.resident > 1_000_000
    cpu, memory = idle.figures([found])
    assert cpu.bars[0].of == "1 shard"
    assert memory.bars[0].said.endswith(" MB")
