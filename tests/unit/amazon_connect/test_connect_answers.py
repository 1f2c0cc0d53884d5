"""Answers are kept, within bounds, and a question is asked once at a time."""

from __future__ import annotations

import asyncio

import pytest

from twins.loop import now
from worker.amazon_connect.answers import Answers


class Asked:
    """Answers after a second; fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.times = 0
        self.failures = failures

    async def __call__(self) -> int:
        self.times += 1
        await asyncio.sleep(1)
        if self.times <= self.failures:
            raise LookupError
        return self.times


async def test_who_asks_the_same_meanwhile_shares_the_answer() -> None:
    answers, asked = Answers[int](10, 10, now), Asked()
    assert await asyncio.gather(*(answers.get("a", asked) for _ in range(5))) == [1] * 5
    assert now() == 1


async def test_an_answer_is_good_for_a_while() -> None:
    async def story() -> list[int]:
        answers, asked = Answers[int](10, 10, now), Asked()
        first = await answers.get("a", asked)
        await asyncio.sleep(9)
        second = await answers.get("a", asked)
        await asyncio.sleep(1)
        return [first, second, await answers.get("a", asked)]

    assert await story() == [1, 1, 2]


async def test_a_failure_is_not_kept_and_the_next_one_asks_itself() -> None:
    answers, asked = Answers[int](10, 10, now), Asked(failures=1)
    results = await asyncio.gather(
        *(answers.get("a", asked) for _ in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [LookupError, int, int]
    assert asked.times == 2


async def test_who_gives_up_leaves_the_question_to_the_next() -> None:
    answers, asked = Answers[int](10, 10, now), Asked()

    async def impatient() -> None:
        async with asyncio.timeout(0.5):
            await answers.get("a", asked)

    waiting = asyncio.ensure_future(impatient())
    await asyncio.sleep(0.1)
    assert await answers.get("a", asked) == 2
    with pytest.raises(TimeoutError):
        await waiting


async def test_the_oldest_answers_go_when_there_are_too_many() -> None:
    async def story() -> int:
        answers, asked = Answers[int](1_000, 2, now), Asked()
        for key in ("a", "b", "c", "b", "c", "a"):
            await answers.get(key, asked)
        return asked.times

    assert await story() == 4
