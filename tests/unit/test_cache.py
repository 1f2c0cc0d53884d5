"""A cache with time-to-live: answers end by time and by count, and many askers ask once."""

from __future__ import annotations

import asyncio

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from twins.loop import now
from worker.cache import TtlCache
from worker.clock import Clock


Virtually = Callable[[Coroutine[Any, Any, Any]], Any]


def cache(keep_s: float = 10, most: int = 10) -> TtlCache[str, int]:
    return TtlCache(keep_s, most, Clock(monotonic=now))


class Asked:
    """Answers, after a second, with how often it was asked; fails the first so many times."""

    def __init__(self, failures: int = 0) -> None:
        self.times = 0
        self.dropped = 0
        self.failures = failures

    async def __call__(self) -> int:
        self.times += 1
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            self.dropped += 1
            raise
        if self.times <= self.failures:
            raise LookupError
        return self.times


def test_many_askers_cause_one_question_and_share_its_answer(virtually: Virtually) -> None:
    async def story() -> None:
        answers, asked = cache(), Asked()
        assert await asyncio.gather(*(answers.get("a", asked) for _ in range(5))) == [1] * 5
        assert now() == 1

    virtually(story())


def test_different_questions_are_asked_side_by_side(virtually: Virtually) -> None:
    async def story() -> None:
        answers, asked = cache(), Asked()
        await asyncio.gather(*(answers.get(key, asked) for key in "abab"))
        assert (asked.times, now()) == (2, 1)

    virtually(story())


def test_an_answer_ends_by_time(virtually: Virtually) -> None:
    async def story() -> list[int]:
        answers, asked = cache(keep_s=10), Asked()
        first = await answers.get("a", asked)
        await asyncio.sleep(9)
        second = await answers.get("a", asked)
        await asyncio.sleep(1)
        return [first, second, await answers.get("a", asked)]

    assert virtually(story()) == [1, 1, 2]


def test_an_answer_ends_by_count_and_the_oldest_goes_first(virtually: Virtually) -> None:
    async def story() -> int:
        answers, asked = cache(keep_s=1_000, most=2), Asked()
        for key in ("a", "b", "c", "b", "c", "a"):
            await answers.get(key, asked)
            assert len(answers) <= 2
        return asked.times

    assert virtually(story()) == 4


def test_an_answer_renewed_in_its_time_counts_as_the_newest(virtually: Virtually) -> None:
    async def story() -> int:
        answers, asked = cache(keep_s=5, most=2), Asked()
        for key in ("a", "b"):
            await answers.get(key, asked)
        await asyncio.sleep(4)
        for key in ("a", "c", "a"):  # ``a`` is asked again, so it is ``b`` that makes room
            await answers.get(key, asked)
        return asked.times

    assert virtually(story()) == 4


def test_a_failure_is_shared_by_those_who_waited_and_not_kept(virtually: Virtually) -> None:
    """One by one, the last of many would wait for as many time-outs."""

    async def story() -> None:
        answers, asked = cache(), Asked(failures=1)
        results = await asyncio.gather(
            *(answers.get("a", asked) for _ in range(3)), return_exceptions=True
        )
        assert [type(result) for result in results] == [LookupError] * 3
        assert (asked.times, now(), len(answers)) == (1, 1, 0)
        assert await answers.get("a", asked) == 2

    virtually(story())


def test_a_failure_is_not_handed_to_an_asker_who_comes_when_it_is_over(
    virtually: Virtually,
) -> None:
    """Not even to one who comes before those who waited have heard of it."""

    async def story() -> None:
        answers, asked = cache(), Asked()
        late: list[asyncio.Task[int]] = []

        async def fail() -> int:
            come = partial(answers.get, "a", asked)
            asyncio.get_running_loop().call_soon(lambda: late.append(asyncio.create_task(come())))
            raise LookupError

        with pytest.raises(LookupError):
            await answers.get("a", fail)
        assert await late[0] == 1
        assert answers._questions == {}

    virtually(story())


@pytest.mark.parametrize("impatient", [0, 1])
def test_an_asker_who_gives_up_costs_the_others_nothing(
    virtually: Virtually, impatient: int
) -> None:
    """Be it the one for whom the question was first asked, or another."""

    async def story() -> None:
        answers, asked = cache(), Asked()
        askers = [asyncio.create_task(answers.get("a", asked)) for _ in range(2)]
        await asyncio.sleep(0.5)
        askers.pop(impatient).cancel()
        assert await askers[0] == 1
        assert (asked.times, asked.dropped, now()) == (1, 0, 1)

    virtually(story())


def test_a_question_that_nobody_waits_for_any_more_is_dropped(virtually: Virtually) -> None:
    async def story() -> None:
        answers, asked = cache(), Asked()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.gather(answers.get("a", asked), answers.get("a", asked))
        assert (asked.dropped, answers._questions) == (1, {})
        assert await answers.get("a", asked) == 2

    virtually(story())


def test_an_asker_who_comes_while_a_question_is_being_dropped_asks_anew(
    virtually: Virtually,
) -> None:
    async def story() -> None:
        answers, asked = cache(), Asked()

        async def slow_to_end() -> int:
            try:
                return await asked()
            finally:
                await asyncio.sleep(1)

        first = asyncio.create_task(answers.get("a", slow_to_end))
        await asyncio.sleep(0.5)
        first.cancel()
        await asyncio.sleep(0.5)
        assert await answers.get("a", asked) == 2
        with pytest.raises(asyncio.CancelledError):
            await first

    virtually(story())
