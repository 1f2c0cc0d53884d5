"""The wiring of telemetry: each loop's signs of life and each room's reports arrive."""

from __future__ import annotations

import asyncio

from collections.abc import Callable, Sequence
from typing import Any

import httpx
import orjson
import pytest

from pipelines.plan import Terms
from twins.dynamics import ScriptedDynamics
from worker import heartbeat
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.clock import Clock
from worker.dynamics.auth import StaticTokens
from worker.dynamics.client import DataverseClient
from worker.dynamics.errors import DynamicsError, Unauthorized
from worker.dynamics.gate import make_gate
from worker.dynamics.http import make_http
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Request
from worker.dynamics.reasons import GateState
from worker.engine.ingest import Ingest
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.pushes import Pushes
from worker.engine.transaction import Transactions
from worker.errors import StoreUnavailable
from worker.files import MemoryFiles
from worker.heartbeat import Health
from worker.service import SILENCE_S, Service
from worker.sources.memory import MemorySource
from worker.sources.protocol import Handle, Message
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry
from worker.telemetry.metrics import Metrics


CONTACT = orjson.dumps(
    {
        "detail-type": "Amazon Connect Contact Event",
        "source": "aws.connect",
        "time": "2026-01-02T03:04:05Z",
        "detail": {
            "eventType": "INITIATED",
            "contactId": "5ca32fbd-8f92-46af-92a5-6b0f970f0efe",
            "channel": "VOICE",
        },
    }
)


class Hung:
    """A source that was reached, and then waits for ever."""

    async def run(self, handle: Handle, stop: asyncio.Event) -> None:
        del handle
        heartbeat.connected()
        await stop.wait()


async def no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


def service(health: Health, store: MemoryStore, **sources: Any) -> Service:
    dynamics = ScriptedDynamics()
    transactions = Transactions(
        store=store,
        performer=Performer(dynamics, Clock(lambda: 0.0), MemoryFiles()),
        gate=make_gate(),
        desktop=MemoryScreenPop(),
        connect=MemoryConnect(),
        planner=Planner([], Terms()),
        build="this",
        clock=Clock(sleep=no_time),
    )
    push = Push(transactions, dynamics.user_id)
    ingest = Ingest(store, clock=Clock(sleep=no_time))
    service = Service(store, sources, ingest, Pushes(push), 1.0, health=health)
    service.census.clock = Clock(sleep=no_time)
    return service


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - nothing else tells of it
            await asyncio.sleep(0)


@pytest.mark.parametrize("source", [Hung(), MemorySource([])], ids=["hung", "ended"])
async def test_a_source_that_stops_without_a_word_fails_the_health_check(
    clock: Any, source: Any
) -> None:
    health, stop = Health(Clock(monotonic=clock)), asyncio.Event()
    working = asyncio.create_task(service(health, MemoryStore(), recordings=source).run(stop))
    await until(lambda: health.store_answers)
    assert health.silent() == []
    clock.now += SILENCE_S + 1
    await until(lambda: "census" not in health.silent())
    assert health.silent() == ["recordings"]
    stop.set()
    await working


async def test_a_worker_is_ready_once_its_source_is_connected(clock: Any) -> None:
    health, stop = Health(Clock(monotonic=clock)), asyncio.Event()
    working = asyncio.create_task(service(health, MemoryStore(), recordings=Hung()).run(stop))
    await until(lambda: health.awaited() == [])
    stop.set()
    await working
    assert health.awaited() == []


class Away(MemoryStore):
    """A store that cannot be used for some tries, each of which takes long."""

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self.clock = clock
        self.left = 10

    async def load(self, contact_ids: Sequence[str]) -> list[Entry]:
        if self.left:
            self.left -= 1
            self.clock.now += SILENCE_S - 1
            raise StoreUnavailable("no answer")
        return await super().load(contact_ids)


async def test_waiting_for_the_store_is_no_silence(clock: Any) -> None:
    """Restarting would not bring it back."""
    health, store = Health(Clock(monotonic=clock)), Away(clock)
    heart = health.heart("recordings", SILENCE_S)
    ingest = Ingest(store, clock=Clock(sleep=no_time))
    message = Message(CONTACT, "memory:0")
    await asyncio.create_task(ingest.handle([message]), context=heart.context())
    assert store.left == 0
    assert health.silent() == []


async def test_waiting_for_dynamics_is_no_silence(clock: Any) -> None:
    health = Health(Clock(monotonic=clock))
    heart = health.heart("push", SILENCE_S)
    probes = 0

    async def probe() -> None:
        nonlocal probes
        probes += 1
        if probes < 10:
            raise DynamicsError("no")

    async def sleep(seconds: float) -> None:
        clock.now += seconds

    gate = make_gate(Clock(monotonic=clock, sleep=sleep))
    gate.breaker.failed(Unauthorized("test"))
    await asyncio.create_task(gate.breaker.reopen(probe), context=heart.context())
    assert gate.breaker.state is GateState.OPEN
    assert health.silent() == []


@pytest.mark.parametrize(("status", "told"), [(204, "2xx"), (429, "4xx"), (None, "none")])
async def test_the_client_tells_of_every_answer_and_of_none(
    metrics: Metrics, scraped: Any, status: int | None, told: str
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if status is None:
            raise httpx.ReadError("gone", request=request)
        return httpx.Response(status, headers={"OData-Version": "4.0"})

    async with make_http(transport=httpx.MockTransport(answer)) as http:
        client = DataverseClient(
            "https://org.test",
            http,
            StaticTokens("none"),
            make_gate(Clock(sleep=no_time)),
            answered=metrics.answered,
        )
        try:
            await client.send(Request("PATCH", "phonecalls"), timeout_s=20)
        except DynamicsError:
            assert status != 204
    assert scraped()["requests_total", "PATCH", told] >= 1
    assert scraped()["throttled_total",] == (status == 429)
