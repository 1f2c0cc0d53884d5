"""The budget bounds the bytes in hand, fairly."""

from __future__ import annotations

import asyncio

import pytest

from worker.sources.budget import ReadBudget


class Holding:
    """Holders of a budget, in the order they got hold of it."""

    def __init__(self, budget: ReadBudget) -> None:
        self.budget = budget
        self.order: list[str] = []

    async def hold(self, name: str, size: int, seconds: float) -> None:
        async with self.budget.hold(size):
            self.order.append(name)
            await asyncio.sleep(seconds)


async def test_holders_wait_until_there_is_room() -> None:
    holding = Holding(ReadBudget(10))
    await asyncio.gather(holding.hold("a", 6, 5), holding.hold("b", 6, 5))
    assert asyncio.get_running_loop().time() == pytest.approx(10)
    assert holding.budget.taken == 0


async def test_a_big_holder_is_not_starved_by_small_ones() -> None:
    holding = Holding(ReadBudget(10))
    small = [holding.hold(f"small {n}", 5, 1) for n in range(4)]
    await asyncio.gather(small[0], small[1], holding.hold("big", 10, 1), small[2], small[3])
    assert holding.order.index("big") == 2


async def test_something_heavier_than_the_budget_is_let_in_alone() -> None:
    holding = Holding(ReadBudget(10))
    await asyncio.gather(holding.hold("a", 1, 5), holding.hold("giant", 100, 5))
    assert holding.order == ["a", "giant"]
    assert asyncio.get_running_loop().time() == pytest.approx(10)


async def test_what_is_not_needed_is_given_back_at_once() -> None:
    budget = ReadBudget(10)
    async with budget.hold(10) as hold:
        hold(2)
        async with asyncio.timeout(1), budget.hold(8):
            assert budget.taken == 10
    assert budget.taken == 0


async def test_whoever_gives_up_waiting_leaves_no_trace() -> None:
    holding = Holding(ReadBudget(10))
    first = asyncio.create_task(holding.hold("first", 10, 5))
    given_up = asyncio.create_task(holding.hold("given up", 10, 5))
    await asyncio.sleep(1)
    given_up.cancel()
    await asyncio.wait((first, given_up))
    await holding.hold("last", 10, 0)
    assert holding.order == ["first", "last"]
