"""The benchmark of a replay still runs: all of it, on a handful of messages."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import replay


def test_memory_and_requests_of_a_replay_are_measured_and_within_what_is_asked(
    tmp_path: Path,
) -> None:
    figures = list(replay.figures(tmp_path, large=300, small=100, calls=3))
    assert [figure.met for figure in figures] == [True] * 3
    assert [bar.of for bar in figures[0].bars] == ["100 messages", "300 messages"]
