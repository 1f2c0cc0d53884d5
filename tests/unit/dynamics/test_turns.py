"""Turns: who goes next of those that wait, and that nobody waits for ever."""

from __future__ import annotations

import asyncio

from functools import partial

import pytest

from gating import fill, gate_on
from worker.dynamics.budget import REQUESTS_LEFT
from worker.dynamics.turns import MOST_IN_A_ROW, TurnLock, Turns
from worker.precedence import NOBODY, waited_for


def since(moment: float) -> float:
    return moment


def waiting(*moments: float) -> tuple[Turns[None], dict[asyncio.Future[None], int]]:
    turns: Turns[None] = Turns()
    places: dict[asyncio.Future[None], int] = {}
    for number, moment in enumerate(moments):
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with waited_for(partial(since, moment)):
            turns.join(place)
        places[place] = number
    return turns, places


def order(*moments: float) -> list[int]:
    turns, places = waiting(*moments)
    return [places[turns.next()] for _ in moments]


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ([NOBODY, NOBODY, NOBODY], [0, 1, 2]),
        ([NOBODY, 5.0, NOBODY, 7.0, 5.0], [3, 1, 4, 0, 2]),
        ([NOBODY, *[1.0] * (MOST_IN_A_ROW + 2)], [1, 2, 3, 4, 0, 5, 6]),
        ([1.0] * 7, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
async def test_the_newest_that_somebody_waits_for_goes_first_and_one_in_five_is_another(
    moments: list[float], expected: list[int]
) -> None:
    assert order(*moments) == expected


async def test_a_request_that_somebody_begins_to_wait_for_in_the_queue_goes_first() -> None:
    moments = {"late": NOBODY}
    turns: Turns[None] = Turns()
    places = [asyncio.get_running_loop().create_future() for _ in range(2)]
    turns.join(places[0])
    with waited_for(lambda: moments["late"]):
        turns.join(places[1])
    moments["late"] = 9.0
    assert turns.next() is places[1]


async def test_a_lock_given_to_a_task_that_is_cancelled_at_that_moment_goes_on_to_the_next() -> (
    None
):
    lock, got = TurnLock(), []

    async def take(name: str, leave: asyncio.Event) -> None:
        async with lock.held():
            got.append(name)
            await leave.wait()

    leaves = {name: asyncio.Event() for name in "abcd"}
    tasks = {name: asyncio.create_task(take(name, leaves[name])) for name in "abcd"}
    await asyncio.sleep(0)
    tasks["c"].cancel()  # while it waits
    leaves["a"].set()
    await asyncio.sleep(0)
    tasks["b"].cancel()  # perhaps just as it is given to it
    leaves["d"].set()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert (got[0], got[-1]) == ("a", "d")
    async with asyncio.timeout(1), lock.held():
        pass


@pytest.mark.parametrize("scarce", ["slots", "budget"])
async def test_a_request_that_somebody_waits_for_does_not_queue_behind_others(scarce: str) -> None:
    gate, done, went = gate_on(), asyncio.Event(), []

    async def request(name: str) -> None:
        async with gate.slot():
            went.append(name)

    holders = await fill(gate, done) if scarce == "slots" else []
    if scarce == "budget":
        gate.slots.budget.observe({REQUESTS_LEFT: "5"})
        async with gate.slot():
            pass  # nothing is left of what was saved up
    behind = [asyncio.create_task(request(f"other {n}")) for n in range(6)]
    await asyncio.sleep(0)
    with waited_for(partial(since, 1.0)):
        first = asyncio.create_task(request("awaited"))
    await asyncio.sleep(0)
    done.set()
    await asyncio.gather(first, *behind, *holders)
    # Those that the budget has allowed, or is about to, go on; on this clock that takes no time.
    assert went.index("awaited") <= (0 if scarce == "slots" else 2)
    assert [name for name in went if name != "awaited"] == [f"other {n}" for n in range(6)]
