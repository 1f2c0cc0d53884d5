"""Whole workers in virtual time: a stream with leases, ingest and push, and twins all around."""

from __future__ import annotations

import asyncio

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pipelines.outcome import Shown
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from twins import kinesis
from twins.dynamics import ScriptedDynamics
from twins.loop import clock, wall
from twins.rig import Gated, Outcome
from worker.amazon_connect.memory import MemoryConnect
from worker.definitions import find
from worker.dynamics.gate import Gate, make_gate
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Request
from worker.engine.ingest import Ingest, Tally
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.pushes import Pushes
from worker.engine.transaction import Transactions
from worker.files import MemoryFiles
from worker.leases.memory import MemoryLeases
from worker.leases.stream import LeasedStream
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Quarantined


STREAM = "contact-events"
#: Kinesis serves so many reads of a shard each second, to all applications together.
READS_PER_S = 5


class Stream(kinesis.Stream):
    """A stream that serves so many reads of each shard in a second, and refuses more."""

    def __init__(self, shards: int = 2) -> None:
        super().__init__(shards, wall)
        self.reads: Counter[tuple[str, int]] = Counter()
        self.throttled = 0

    def put(self, *bodies: bytes, shard: int = 0) -> None:
        self.append(list(self.shards)[shard], *bodies)

    async def get_records(self, **request: Any) -> dict[str, Any]:
        second = request["ShardIterator"].partition("|")[0], int(wall())
        self.reads[second] += 1
        if self.reads[second] > READS_PER_S:
            self.throttled += 1
            raise kinesis.refusal("ProvisionedThroughputExceededException")
        return await super().get_records(**request)


class Desktop:
    """Notes every page that was to be opened, and can do more."""

    def __init__(self) -> None:
        self.no_page: dict[str, str] = {}
        self.opened: list[Any] = []
        self.then: Callable[[], None] = lambda: None

    async def open(self, page: Any) -> Shown:
        self.opened.append(page)
        self.then()
        return Shown()


@dataclass
class Site(Outcome):
    """One application: its state, its leases, its Dynamics, and the workers that share them.

    Attributes:
        sent_at: Every request with when (s) it left.
        troubles: The codes of failed calls to the stream.
        gates: The gate of each worker that ran.
    """

    stream: Stream = field(default_factory=Stream)
    pipelines: list[Pipeline] = field(default_factory=lambda: [find("phonecall")])
    dynamics: ScriptedDynamics = field(default_factory=ScriptedDynamics)
    desktop: Desktop = field(default_factory=Desktop)
    limit: int = 100
    store: MemoryStore = field(default_factory=MemoryStore)
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    tally: Tally = field(default_factory=Tally)
    sent_at: list[tuple[float, Request]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)

    async def run(
        self,
        seconds: float,
        worker: str = "a",
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """Let a worker run for a while, then stop it in order; ``changed``: a lease of it did."""
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        gate = make_gate(clock())
        self.gates.append(gate)
        push = self._push(gate)
        ingest = Ingest(self.store, clock=clock(), news=push.news, tally=self.tally)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._source(worker, changed).run(ingest.handle, stop))
            group.create_task(Pushes(push).run(stop))

    async def run_on_and_off(self, seconds: float) -> None:
        """Let a worker run, be away for so long, and run again: what has come due is done."""
        await self.run(5)
        await asyncio.sleep(seconds)
        await self.run(5)

    def _push(self, gate: Gate) -> Push:
        transactions = Transactions(
            store=self.store,
            performer=Performer(Gated(gate, self.dynamics, self.sent_at), clock(), MemoryFiles()),
            gate=gate,
            desktop=self.desktop,
            connect=MemoryConnect(),
            planner=Planner(self.pipelines, Terms({"AppId": "app"}, live=True), clock()),
            build="this",
            clock=clock(),
        )
        probe = partial(self.dynamics.send, Request("GET", "WhoAmI"), timeout_s=30)
        return Push(transactions, probe)

    def _source(self, worker: str, changed: Callable[[], None]) -> LeasedStream:
        return LeasedStream(
            lambda: nullcontext(self.stream),
            STREAM,
            lambda: nullcontext(self.leases),
            worker,
            self.store,
            start="earliest",
            on_lease=lambda *_change: changed(),
            on_trouble=lambda _stream, _shard, code: self.troubles.append(code),
            limit=self.limit,
            clock=clock(),
        )

    async def quarantined(self) -> list[Quarantined]:
        return await self.store.quarantined("", 1000)
