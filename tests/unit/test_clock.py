"""The one clock: back-off that is bounded, work that ends at a stop, work beside a block."""

from __future__ import annotations

import asyncio

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st

from twins.loop import now
from worker.clock import BACKOFF_FIRST_S, BACKOFF_LONGEST_S, Backoff, alongside, run_until


Virtually = Callable[[Coroutine[Any, Any, Any]], Any]


@given(drawn=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30))
def test_a_back_off_doubles_up_to_the_longest_and_chance_takes_off_half_of_it_at_most(
    drawn: list[float],
) -> None:
    chances = iter(drawn)
    backoff = Backoff(lambda: next(chances))
    for n in range(len(drawn)):
        whole_s = min(BACKOFF_FIRST_S * 2**n, BACKOFF_LONGEST_S)
        assert whole_s / 2 <= backoff.failed() <= whole_s


def test_a_back_off_begins_anew_after_a_success() -> None:
    backoff = Backoff(lambda: 0.0)
    pauses = [backoff.failed(), backoff.failed()]
    backoff.succeeded()
    assert [*pauses, backoff.failed()] == [0.25, 0.5, 0.25]


async def test_work_that_ends_before_the_stop_gives_its_result() -> None:
    async def work() -> int:
        return 7

    assert await run_until(asyncio.Event(), work()) == 7


async def test_work_that_fails_before_the_stop_raises() -> None:
    async def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await run_until(asyncio.Event(), work())


def test_work_is_dropped_as_soon_as_the_stop_is_set(virtually: Virtually) -> None:
    async def story() -> None:
        stop, ended = asyncio.Event(), []

        async def work() -> str:
            try:
                await asyncio.sleep(100)
            finally:
                ended.append(now())
            return "done"

        asyncio.get_running_loop().call_later(3, stop.set)
        assert await run_until(stop, work()) is None
        assert (ended, now()) == ([3], 3)

    virtually(story())


def test_who_is_cancelled_takes_the_work_along(virtually: Virtually) -> None:
    async def story() -> None:
        ended = []

        async def work() -> None:
            try:
                await asyncio.sleep(100)
            finally:
                ended.append(now())

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await run_until(asyncio.Event(), work())
        assert ended == [3]

    virtually(story())


def test_work_beside_a_block_ends_with_it(virtually: Virtually) -> None:
    async def story() -> None:
        beats = []

        async def beat() -> None:
            while True:
                await asyncio.sleep(1)
                beats.append(now())

        async with alongside(beat()):
            await asyncio.sleep(2.5)
        await asyncio.sleep(5)
        assert beats == [1, 2]

    virtually(story())


async def test_what_fails_beside_a_block_is_raised_at_its_end() -> None:
    async def work() -> None:
        raise LookupError

    after = []

    async def block() -> None:
        async with alongside(work()):
            await asyncio.sleep(0)
            after.append("the block went on")

    with pytest.raises(LookupError):
        await block()
    assert after == ["the block went on"]
