"""``--rate``: requests are spread evenly, and counted."""

from __future__ import annotations

import pytest

from twins.clock import Turned
from worker.clock import Clock
from worker.dynamics.dry import DryRun
from worker.dynamics.protocol import Request
from worker.dynamics.rate_limit import Pace, Paced


ASK = Request("GET", "contacts")


async def test_requests_start_an_even_while_apart() -> None:
    time = Turned(100.0)
    pace = Pace(4.0, time.clock())
    users = [Paced(DryRun(), pace) for _ in range(2)]  # two application users, one rate
    starts = []
    for number in range(4):
        await users[number % 2].send(ASK, timeout_s=1.0)
        starts.append(time.now)
    assert starts == [100.0, 100.25, 100.5, 100.75]
    assert pace.requests == 4


async def test_a_pause_is_not_made_up_for() -> None:
    """After a rest there is no burst: the next two are an interval apart again."""
    time = Turned(100.0)
    paced = Paced(DryRun(), Pace(1.0, time.clock()))
    await paced.send(ASK, timeout_s=1.0)
    time.now += 60
    await paced.send(ASK, timeout_s=1.0)
    await paced.send(ASK, timeout_s=1.0)
    assert time.now == 161.0


async def test_without_a_rate_nothing_waits() -> None:
    async def sleep(_: float) -> None:
        pytest.fail("waited")

    pace = Pace(clock=Clock(sleep=sleep))
    paced = Paced(DryRun(), pace)
    await paced.send(Request("POST", "phonecalls", body={}), timeout_s=1.0)
    assert pace.requests == 1
    assert await paced.user_id() == ""
