"""Our share of Connect's quotas, turn by turn."""

from __future__ import annotations

import asyncio

import pytest

from twins.loop import clock, now
from worker.amazon_connect.errors import Busy
from worker.amazon_connect.quota import FIRST_PAUSE_S, LONGEST_PAUSE_S, Quota


async def turns(quota: Quota, call: str, number: int) -> list[float]:
    """When each of so many calls at once gets its turn."""

    async def one() -> float:
        await quota.acquire(call, 1_000)
        return round(now(), 3)

    return list(await asyncio.gather(*(one() for _ in range(number))))


async def test_the_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    times = await turns(Quota(1.0, clock=clock()), "DescribeUser", 8)
    assert times == [0, 0, 0, 0, 0, 0.5, 1.0, 1.5]


async def test_a_share_is_of_rate_and_burst_alike_and_divided_by_the_workers() -> None:
    times = await turns(Quota(0.5, lambda: 2, clock()), "DescribeContact", 6)
    assert times == [0, 0, 0, 0.1, 0.5, 0.9]


async def test_each_worker_has_one_request_in_hand_however_many_they_are() -> None:
    assert await turns(Quota(0.5, lambda: 100, clock()), "DescribeContact", 2) == [0, 20]


async def test_a_turn_that_would_come_too_late_is_refused_at_once_and_not_taken() -> None:
    quota = Quota(1.0, clock=clock())
    await turns(quota, "DescribeUser", 6)
    at = now()
    for _ in range(100):
        with pytest.raises(Busy):
            await quota.acquire("DescribeUser", 0.4)
    assert now() == at
    await quota.acquire("DescribeUser", 0.5)


async def test_calls_do_not_share_their_quotas() -> None:
    async def story() -> list[float]:
        quota = Quota(1.0, clock=clock())
        await turns(quota, "DescribeUser", 5)
        return await turns(quota, "DescribeQueue", 5)

    assert await story() == [0] * 5


async def test_after_a_throttled_call_nothing_goes_for_a_while_until_one_is_answered() -> None:
    async def story() -> list[float]:
        quota, at = Quota(1.0, clock=clock()), []
        for _ in range(8):
            quota.throttled("DescribeContact")
            at += await turns(quota, "DescribeContact", 1)
        quota.answered("DescribeContact")
        quota.throttled("DescribeContact")
        return at + await turns(quota, "DescribeContact", 1)

    times = await story()
    pauses = [later - earlier for earlier, later in zip([0, *times], times, strict=False)]
    assert pauses == [
        1,
        2,
        4,
        8,
        16,
        LONGEST_PAUSE_S,
        LONGEST_PAUSE_S,
        LONGEST_PAUSE_S,
        FIRST_PAUSE_S,
    ]


async def test_without_a_share_no_call_is_made() -> None:
    with pytest.raises(Busy, match="no share"):
        await Quota(0.0, clock=clock()).acquire("DescribeContact", 1_000)
