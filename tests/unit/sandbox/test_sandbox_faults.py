"""What can go wrong on purpose."""

from __future__ import annotations

import asyncio

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from worker.sandbox.dataverse import faults
from worker.sandbox.dataverse.app import Dataverse, create_dataverse


if TYPE_CHECKING:
    from worker.sandbox.dataverse.faults import InjectedFault


@pytest.mark.parametrize(
    ("fault", "status", "code", "carried_out"),
    [
        (faults.gateway(502, carried_out=True), 502, None, True),
        (faults.gateway(504, carried_out=True), 504, None, True),
        (faults.gateway(503), 503, None, False),
        (faults.unexpected(), 500, "0x80040216", False),
        (faults.deadlock(), 500, "0x80044150", False),
        (faults.sql_timeout(), 500, "0x80044151", False),
        (faults.duplicate_key(412), 412, "0x80040237", False),
        (faults.unauthorized(), 401, "", False),
        (faults.forbidden(), 403, "0x80040220", False),
        (faults.throttle(7), 429, "0x80072322", False),
        (faults.plugin("no"), 400, "0x80040265", False),
        (faults.latency(0), 204, None, True),
    ],
)
async def test_a_fault_answers_and_writes_as_it_says(
    *,
    http: httpx.AsyncClient,
    dataverse: Dataverse,
    fault: InjectedFault,
    status: int,
    code: str | None,
    carried_out: bool,
) -> None:
    dataverse.faults.next(fault)
    answer = await http.post("phonecalls", json={"subject": "x"})
    assert answer.status_code == status
    assert len(dataverse.dump()["phonecalls"]) == carried_out
    if code is not None:
        assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_dropped_connection_is_a_read_error_in_process(
    http: httpx.AsyncClient, dataverse: Dataverse, carried_out: bool
) -> None:
    dataverse.faults.next(faults.dropped(carried_out=carried_out))
    with pytest.raises(httpx.ReadError):
        await http.post("phonecalls", json={})
    assert len(dataverse.dump()["phonecalls"]) == carried_out


async def test_a_hanging_request_ends_when_the_sandbox_lets_go() -> None:
    begun = asyncio.Event()

    async def wait(_: float) -> None:
        begun.set()

    dataverse = create_dataverse(auth=False, sleep=wait)
    transport = httpx.ASGITransport(app=dataverse.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://org.test") as http:
        dataverse.faults.next(replace(faults.hang(), delay_s=1))
        request = asyncio.create_task(http.post("/api/data/v9.2/phonecalls", json={}))
        await begun.wait()
        assert not request.done()
        dataverse.release()
        with pytest.raises(httpx.ReadError):
            await request
    assert dataverse.writes == 1
    dataverse.close()


async def test_a_rule_holds_for_some_requests_of_a_method_and_path(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    dataverse.faults.next(faults.deadlock(), times=2, method="POST", path="^phonecalls")
    statuses = [(await http.get("phonecalls")).status_code]
    statuses.append((await http.post("contacts", json={})).status_code)
    statuses += [(await http.post("phonecalls", json={})).status_code for _ in range(3)]
    assert statuses == [200, 204, 500, 500, 204]


async def test_chance_is_seeded_and_can_be_ended(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    dataverse.faults.sometimes(faults.unexpected(), 0.5)
    statuses = [(await http.get("WhoAmI")).status_code for _ in range(20)]
    assert 0 < statuses.count(500) < 20
    dataverse.faults.clear()
    statuses = [(await http.get("WhoAmI")).status_code for _ in range(20)]
    assert statuses.count(500) == 0


async def test_the_retry_after_of_a_throttle_is_whole_seconds(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    dataverse.faults.next(faults.throttle(1.2))
    assert (await http.get("WhoAmI")).headers["retry-after"] == "2"
