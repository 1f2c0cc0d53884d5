"""The benchmark of agents before a backlog still runs, and its figures say what was measured."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import agents_first
from tests.benchmarks.agents_first import Measured


async def test_a_worker_with_a_backlog_is_measured(tmp_path: Path) -> None:
    found = await agents_first.measure(tmp_path, agents_first=True, due=50, seconds=4.0)
    assert found.opened == []  # the calls that were answered by then are too young to be judged
    assert len(found.written) in (3, 4)  # those of the first two seconds
    assert found.sent > 50


def test_figures_are_of_both_and_what_is_asked_is_asked_of_agents_first() -> None:
    before = Measured([20.0, 30.0], [20.0, 30.0], 0.99, 100)
    after = Measured([0.1, 0.2], [0.3, 0.4], 0.85, 100)
    figures = list(agents_first.figures(before, after))
    said = [bar.said for figure in figures for bar in figure.bars]
    assert {"30.000 s", "0.200 s", "85.0% of 100"} <= set(said)
    assert [figure.met for figure in figures if figure.asked] == [True, True]
    assert [f.met for f in agents_first.figures(after, before) if f.asked] == [False, True]
