"""The budget: how fast requests may follow one another, by what Dataverse says is left."""

from __future__ import annotations

import math

import pytest

from hypothesis import given
from hypothesis import strategies as st

from worker.dynamics.budget import (
    EXECUTION_LEFT,
    EXECUTION_S,
    REQUESTS,
    REQUESTS_LEFT,
    WINDOW_S,
    RequestBudget,
)


USUAL = REQUESTS / WINDOW_S


def left(requests: str = "", execution: str = "") -> dict[str, str]:
    told = {REQUESTS_LEFT: requests, EXECUTION_LEFT: execution}
    return {name: value for name, value in told.items() if value}


def starts(budget: RequestBudget, seconds: float, begin: float = 0.0) -> list[float]:
    """When requests start if there are always some to send."""
    now, found = begin, []
    while now < begin + seconds:
        if wait_s := budget.wait_s(now):
            now += wait_s
        else:
            budget.spend()
            found.append(now)
    return found


def test_without_a_word_from_dataverse_nothing_waits() -> None:
    budget = RequestBudget()
    budget.observe({"content-type": "application/json"})
    assert math.isinf(budget.rate)
    assert not any(budget.wait_s(0.0) for _ in range(100))


def test_what_is_given_back_may_always_be_spent() -> None:
    budget = RequestBudget()
    budget.observe(left("200"))
    assert budget.rate >= USUAL


def test_while_much_is_left_bursts_pass() -> None:
    budget = RequestBudget()
    budget.observe(left("6000"))
    assert len(starts(budget, 1.0)) > 5 * USUAL


def test_when_hardly_anything_is_left_a_trickle_asks_on() -> None:
    budget = RequestBudget()
    budget.observe(left("0"))
    assert 0 < budget.rate < USUAL / 10


def test_a_pause_is_made_up_for_by_half_a_second_s_worth_only() -> None:
    budget = RequestBudget()
    budget.observe(left("200"))
    starts(budget, 10)
    usual = len(starts(budget, 1.0, begin=100.0))
    assert usual <= 1.6 * budget.rate


@pytest.mark.parametrize("workers", [1, 2, 10])
def test_workers_divide_the_budget(workers: int) -> None:
    alone, one = RequestBudget(), RequestBudget()
    alone.observe(left("1000"))
    one.observe(left("1000"))
    one.workers = workers
    assert one.rate * workers == pytest.approx(alone.rate)


def test_long_requests_are_fewer_so_that_execution_time_suffices() -> None:
    budget = RequestBudget()
    budget.observe(left("6000", "15.00"))
    budget.add_duration(2.0)
    assert budget.rate * 2.0 <= EXECUTION_S / WINDOW_S
    budget.add_duration(0.1)
    assert budget.rate * 2.0 > 3.0


@pytest.mark.parametrize("text", ["", "many", "nan", "inf", "-inf", "1e999"])
def test_what_is_no_number_teaches_nothing(text: str) -> None:
    budget = RequestBudget()
    budget.observe(left("1,000", "1,199.87"))
    rate = budget.rate
    budget.observe({REQUESTS_LEFT: text, EXECUTION_LEFT: text})
    assert budget.rate == rate


@given(
    requests=st.floats(0, 8000),
    execution=st.floats(0, 1200),
    took=st.floats(0, 120),
    clock=st.lists(st.floats(-1e6, 1e6), max_size=10),
)
def test_whatever_is_told_and_however_time_goes_the_next_request_comes_in_its_time(
    requests: float, execution: float, took: float, clock: list[float]
) -> None:
    budget = RequestBudget()
    budget.add_duration(took)
    budget.observe(left(f"{requests:,.0f}", f"{execution:,.2f}"))
    for now in clock:
        if (wait_s := budget.wait_s(now)) == 0:
            budget.spend()
        assert 0 <= wait_s <= (1 / budget.rate) * 1.001
