"""The benchmark of shared shards still runs: ours on a handful of records, and what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks import sharing
from worker.sandbox.amazon.moto_server import CREDENTIALS


OURS = sharing.Measured(2.0, 1.0, [0.5, 1.0], 100_000_000, 0)
KCL = sharing.Measured(100.0, 10.0, [1.0, 2.0], 200_000_000, 160_000_000)


@pytest.mark.services
async def test_a_real_worker_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sharing, "SHARDS", 2)
    monkeypatch.setattr(sharing, "RECORDS", 2)
    [found] = await sharing.compare(tmp_path, sharing.ours)
    assert found.start_s > 0 < found.start_cpu_s
    assert len(found.waits_s) == 2
    assert found.resident > 1_000_000
    assert found.others == 0


def test_figures_stand_beside_the_kcl_s_with_their_ratio_and_aim() -> None:
    start, *_, resident = sharing.figures(OURS, KCL)
    assert [bar.said for bar in start.bars] == ["2.0 s", "100.0 s", "0.02"]
    assert (start.asked, start.met) == ("<= 3.0 s", True)
    assert [bar.said for bar in resident.bars[:2]] == ["100 MB", "360 MB"]


def test_an_aim_of_the_start_that_is_missed_is_said_and_is_no_failure() -> None:
    start = next(sharing.figures(replace(OURS, start_s=4.0), KCL))
    assert start.met is False
    assert not start.failed


def test_without_java_the_kcl_is_told_as_not_run() -> None:
    start = next(sharing.figures(OURS))
    assert start.bars[1].said.startswith("not run: the real KCL needs Java")
