"""Service protection limits."""

from __future__ import annotations

import asyncio

from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

import httpx
import pytest

from twins.clock import Turned
from worker.sandbox.dataverse import faults
from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.dataverse.limits import Limits


if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def limited(
    clock: Turned, limits: Limits
) -> AsyncIterator[tuple[Dataverse, httpx.AsyncClient]]:
    dataverse = create_dataverse(
        auth=False, limits=limits, clock=clock, sleep=clock.sleep, random=Random(1)
    )
    transport = httpx.ASGITransport(app=dataverse.app)
    root = "https://org.test/api/data/v9.2/"
    async with httpx.AsyncClient(transport=transport, base_url=root) as client:
        yield dataverse, client
    dataverse.close()


def refused(answer: httpx.Response) -> tuple[int, str, int]:
    code = answer.json()["error"]["code"]
    return answer.status_code, code, int(answer.headers["retry-after"])


async def test_requests_beyond_the_number_are_refused_until_the_window_has_moved() -> None:
    clock = Turned(1000.0)
    async with limited(clock, Limits(requests=2)) as (_, http):
        for _ in range(2):
            assert (await http.get("WhoAmI")).status_code == 200
        clock.now += 10
        answer = await http.get("WhoAmI")
        assert refused(answer) == (429, "0x80072322", 290)
        assert answer.json()["error"]["message"] == (
            "Number of requests exceeded the limit of 2 over time window of 300 seconds."
        )
        clock.now += 300
        assert (await http.get("WhoAmI")).status_code == 200


async def test_asking_again_too_early_lengthens_the_wait() -> None:
    clock = Turned(1000.0)
    async with limited(clock, Limits(requests=1)) as (_, http):
        await http.get("WhoAmI")
        clock.now += 100
        assert refused(await http.get("WhoAmI"))[2] == 200
        clock.now += 100
        assert refused(await http.get("WhoAmI"))[2] == 200


async def test_execution_time_beyond_the_sum_is_refused() -> None:
    clock = Turned(1000.0)
    async with limited(clock, Limits(execution_ms=5000)) as (dataverse, http):
        dataverse.faults.next(faults.latency(6))
        assert (await http.get("WhoAmI")).status_code == 200
        answer = await http.get("WhoAmI")
        assert refused(answer) == (429, "0x80072321", 300)
        assert "exceeded limit of 5,000 milliseconds" in answer.json()["error"]["message"]
        clock.now += 301
        assert (await http.get("WhoAmI")).status_code == 200


async def test_too_many_at_once_are_refused_without_waiting_for_the_window() -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def wait(_: float) -> None:
        begun.set()
        await gate.wait()

    dataverse = create_dataverse(
        auth=False, limits=Limits(concurrent=1), sleep=wait, random=Random(1)
    )
    transport = httpx.ASGITransport(app=dataverse.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://o.test") as http:
        dataverse.faults.next(faults.latency(1))
        first = asyncio.create_task(http.get("/api/data/v9.2/WhoAmI"))
        await begun.wait()
        second = await http.get("/api/data/v9.2/WhoAmI")
        assert refused(second) == (429, "0x80072326", 1)
        gate.set()
        assert (await first).status_code == 200
        assert (await http.get("/api/data/v9.2/WhoAmI")).status_code == 200
    dataverse.close()


async def test_what_is_left_is_told_for_debugging() -> None:
    clock = Turned(1000.0)
    async with limited(clock, Limits()) as (dataverse, http):
        dataverse.faults.next(faults.latency(0.5))
        answer = await http.get("WhoAmI")
        assert answer.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "5999"
        assert answer.headers["x-ms-ratelimit-time-remaining-xrm-requests"] == "1,199.50"


@pytest.mark.parametrize(("cookies", "served"), [(False, 2), (True, 1)])
async def test_every_server_counts_for_itself_and_cookies_stick_to_one(
    cookies: bool, served: int
) -> None:
    async with limited(Turned(1000.0), Limits(requests=1, servers=2)) as (_, http):
        statuses = []
        for _ in range(3):
            if not cookies:
                http.cookies.clear()
            statuses.append((await http.get("WhoAmI")).status_code)
        assert statuses.count(200) == served


async def test_a_throttled_batch_answers_plain_json() -> None:
    async with limited(Turned(1000.0), Limits(requests=0)) as (_, http):
        answer = await http.post("$batch", content=b"")
        assert answer.status_code == 429
        assert answer.headers["content-type"].startswith("application/json")
