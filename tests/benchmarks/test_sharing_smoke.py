"""The benchmark of shared shards still runs: ours on a handful of records, and what it prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rich.console import Console

from tests.benchmarks import sharing
from worker.sandbox.amazon.moto_server import CREDENTIALS


OURS = sharing.Measured(2.0, 1.0, [0.5, 1.0], 100_000_000, 0)
KCL = sharing.Measured(100.0, 10.0, [1.0, 2.0], 200_000_000, 160_000_000)


def printed(*found: sharing.Measured) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(sharing.report(*found))
    return capture.get()


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


def test_figures_stand_side_by_side_with_their_ratio_and_aim() -> None:
    lines = printed(OURS, KCL).splitlines()
    [start] = [line for line in lines if "start to first record" in line]
    assert [cell.strip() for cell in start.split("│")[2:-1]] == [
        *("2.0 s", "100.0 s", "0.02", "<= 3.0 s", "met")
    ]
    [resident] = [line for line in lines if "with what it starts" in line]
    assert "100 MB" in resident
    assert "360 MB" in resident


def test_a_missed_aim_is_said() -> None:
    assert "missed" in printed(replace(OURS, start_s=4.0), KCL)


def test_without_java_the_kcl_is_printed_as_not_run() -> None:
    assert "not run: the real KCL needs Java" in printed(OURS)
