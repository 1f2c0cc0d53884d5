"""The benchmark of agents before a backlog still runs, and its table says what was measured."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tests.benchmarks import agents_first
from tests.benchmarks.agents_first import Measured


async def test_a_worker_with_a_backlog_is_measured(tmp_path: Path) -> None:
    found = await agents_first.measure(tmp_path, agents_first=True, due=50, seconds=4.0)
    assert found.opened == []  # the calls that were answered by then are too young to be judged
    assert len(found.written) in (3, 4)  # those of the first two seconds
    assert found.sent > 50


def test_the_table_has_both_and_a_missed_figure_is_one() -> None:
    before = Measured([20.0, 30.0], [20.0, 30.0], 0.99, 100)
    after = Measured([0.1, 0.2], [0.3, 0.4], 0.85, 100)
    console = Console(width=120)
    with console.capture() as capture:
        console.print(agents_first.report(before, after))
    assert all(text in capture.get() for text in ("30.000 s", "0.200 s", "85.0% of 100"))
    assert agents_first.met(after)
    assert not agents_first.met(before)
