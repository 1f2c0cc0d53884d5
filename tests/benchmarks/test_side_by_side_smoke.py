"""What runs side by side still runs, each on a handful of messages, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.services import kinesis_mock
from tests.benchmarks import side_by_side, way
from tests.benchmarks.contenders import (
    ASYNC_KINESIS,
    INSTALLED,
    LAMBDA,
    OURS,
    OURS_BEFORE,
    Contender,
    worker,
)
from tests.benchmarks.contest import Load, Run, run


LOAD = Load("a few", 5)
OURSELVES = worker(way.Checkout(OURS, way.HERE))

DONE = Run(
    contacts=10,
    over=True,
    kept_up=True,
    rate=20.0,
    late_s=0.1,
    first_s=[0.5] * 10,
    last_s=[0.4] * 10,
    requests=4.0,
    cpu_s=10.0,
    resident=100_000_000,
    doubled=0,
    lost=0,
    wrong=0,
)


@pytest.mark.services
@pytest.mark.parametrize("contender", [OURSELVES, LAMBDA, ASYNC_KINESIS], ids=lambda one: one.name)
async def test_each_contender_writes_all_that_it_is_told(
    contender: Contender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in {"CALL_S": 3.0, "AFTER_S": 0.5, "QUIET_S": 1.5}.items():
        monkeypatch.setattr(way, name, seconds)
    if contender is ASYNC_KINESIS and not INSTALLED.exists():
        pytest.skip("not run: async-kinesis is installed by make bench")
    async with kinesis_mock() as url:
        found = await run(contender, url, LOAD, seconds=1.0)
    assert found.contacts > 0
    assert found.over
    assert (found.doubled, found.lost, found.wrong) == (0, 0, 0)
    assert len(found.first_s) == found.contacts
    assert found.requests > 1
    assert found.cpu_s > 0 < found.resident


def test_figures_of_a_load_are_of_ours_beside_the_others() -> None:
    load = side_by_side.LOADS[1]
    late = replace(DONE, over=False, kept_up=False, rate=7.0)
    figures = {one.name: one for one in side_by_side.figures(load, {OURS: DONE, LAMBDA.name: late})}
    assert [bar.said for bar in figures["kept up"].bars] == ["yes", "no, 7/s"]
    assert [bar.said for bar in figures["first write, p50"].bars] == ["0.50 s", "> 0.50 s"]
    assert figures["first write, p50"].met is True
    assert figures["doubled, lost, wrong"].met is True
    assert figures["doubled, lost, wrong"].bars[1].said == "0, not done in time"
    assert figures["CPU per 1000 contacts"].asked == ""


def test_processor_time_is_held_against_another_checkout_of_ours() -> None:
    load = side_by_side.LOADS[1]
    before = replace(DONE, cpu_s=20.0)
    figures = side_by_side.figures(load, {OURS: DONE, OURS_BEFORE: before})
    [figure] = [one for one in figures if one.name == "CPU per 1000 contacts"]
    assert figure.asked == "<= 0.40 times before, is 0.50"
    assert figure.failed


def test_a_row_that_is_lost_is_a_failure() -> None:
    lost = replace(DONE, lost=1)
    assert list(side_by_side.figures(LOAD, {OURS: lost}))[-1].failed
