"""Whoever judges a fire notices what is lost, doubled, stale or out of order, and tells it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from torture.outcome import Outcome, Verdict, page, wrong_in_dynamics
from torture.plan import Act
from torture.versions import COLUMN, Journal
from worker.sandbox.oracle.verdict import Expected


WANTED = [
    Expected("tasks", key, {COLUMN: value}, "task") for key, value in (("one", "2"), ("two", "1"))
]
ROWS = [{"activityid": "one", COLUMN: "2"}, {"activityid": "two", COLUMN: "1"}]
GOOD = Verdict([], [], [], [], [], [])
OUTCOME = Outcome(
    seed=7,
    fire_s=600.0,
    rest_s=300.0,
    at_rest=True,
    struck=Counter({Act.KILL: 40, Act.CUT: 12}),
    spoiled={"s3": Counter({"body_cut": 3, "silence": 1}), "sqs": Counter()},
    take_overs=[10.0, 12.0, 20.0],
    counts={"messages put": 5000},
    verdict=GOOD,
)


def test_all_that_should_be_there_once_is_right() -> None:
    assert wrong_in_dynamics(WANTED, {"tasks": ROWS}, Journal()) == ([], [])


def test_a_record_that_is_missing_or_shows_something_else_is_lost() -> None:
    rows = [{"activityid": "one", COLUMN: "1"}]
    lost, doubled = wrong_in_dynamics(WANTED, {"tasks": rows}, Journal())
    assert len(lost) == 2
    assert doubled == []


def test_a_record_of_nobody_or_made_twice_is_doubled() -> None:
    rows = [*ROWS, {"activityid": "three"}]
    made = Journal(creates=Counter({("tasks", "one"): 2, ("tasks", "two"): 1}))
    lost, doubled = wrong_in_dynamics(WANTED, {"tasks": rows}, made)
    assert lost == []
    assert doubled == ["tasks(three) should not be there", "tasks(one) was made 2 times"]


def test_a_note_of_nobody_is_doubled() -> None:
    records = {"tasks": ROWS, "annotations": [{"annotationid": "note"}]}
    _, doubled = wrong_in_dynamics(WANTED, records, Journal())
    assert doubled == ["annotations(note) should not be there"]


@pytest.mark.parametrize("kind", ["lost", "doubled", "stale", "disordered", "stuck", "fallen"])
def test_one_thing_wrong_makes_a_run_bad_and_is_told(kind: str) -> None:
    verdict = replace(GOOD, **{kind: ["it is so"]})
    assert GOOD.good
    assert not verdict.good
    assert "it is so" in page(replace(OUTCOME, verdict=verdict))


def test_what_did_not_come_to_rest_is_not_good() -> None:
    unrest = replace(OUTCOME, at_rest=False)
    assert OUTCOME.good
    assert not unrest.good
    assert "not all was done in time" in page(unrest)


def test_the_page_tells_the_seed_what_was_done_and_the_times() -> None:
    told = page(OUTCOME)
    assert "SIGKILL 40" in told
    assert "cut 12" in told
    assert "4: s3 4 in 2 ways, sqs 0 in 0 ways" in told
    assert "median 12.0 s" in told
    assert "max 20.0 s of 3" in told
