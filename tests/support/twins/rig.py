"""A worker's parts on their twins, in virtual time.

The clients of ``unit/dynamics`` and ``integration/dynamics`` have rigs of their own: a gate and a
client on a server, without a worker.
"""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from twins.dynamics import Record, ScriptedDynamics
from twins.loop import now, wall
from worker.amazon_connect.enrichment import Enrichment
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.amazon_connect.protocol import Connect
from worker.clock import Clock
from worker.definitions import find
from worker.dynamics.client import subject_of
from worker.dynamics.gate import Gate, make_gate
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Answer, Dynamics, Request
from worker.engine.containment import build_of
from worker.engine.ingest import Ingest
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.pushes import Pushes
from worker.engine.transaction import Transactions
from worker.files import MemoryFiles
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, Saved


#: More requests, or entries saved, than any test needs: something goes round in a circle.
TOO_MANY = 2_000


class SlowDynamics(ScriptedDynamics):
    """Takes its time: as long as ``slow`` says of a request (s)."""

    slow: Callable[[Request], float] = staticmethod(lambda _request: 0.0)

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        assert len(self.requests) < TOO_MANY
        await asyncio.sleep(self.slow(request))
        return await super().send(request, timeout_s=timeout_s)


class CountingStore(MemoryStore):
    """Counts saved entries, and can be slow (s)."""

    saves = 0
    save_s = 0.0

    async def save(self, entries: Any) -> list[Saved]:
        self.saves += len(entries)
        assert self.saves < TOO_MANY
        await asyncio.sleep(self.save_s)
        return await super().save(entries)


@dataclass
class Gated:
    """Dynamics behind a worker's gate, as the client has it, without its repeats.

    Attributes:
        sent_at: Every request with when (s) it left.
    """

    gate: Gate
    dynamics: Dynamics
    sent_at: list[tuple[float, Request]] = field(default_factory=list)

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        writes, subject = request.method != "GET", subject_of(request)
        async with self.gate.slot(writes=writes, subject=subject):
            self.sent_at.append((now(), request))
            return await self.dynamics.send(request, timeout_s=timeout_s)

    async def user_id(self) -> str:
        return await self.dynamics.user_id()


class Outcome:
    """What became of it in Dynamics."""

    dynamics: ScriptedDynamics

    @property
    def calls(self) -> list[Record]:
        """The phone calls there are."""
        found = self.dynamics.records.items()
        return [record for (entity_set, _), record in found if entity_set == "phonecalls"]

    @property
    def sent(self) -> list[str]:
        """What was asked for: methods in order, without probes."""
        return [r.method for r in self.dynamics.requests if r.path != "WhoAmI"]


@dataclass
class Rig(Outcome):
    """A worker's parts, wired as ``service`` wires them, on twins and virtual time."""

    pipelines: list[Pipeline] = field(default_factory=lambda: [find("phonecall")])
    live: bool = True
    limit_bytes: int = 1_000_000
    store: CountingStore = field(init=False)
    dynamics: SlowDynamics = field(default_factory=SlowDynamics)
    desktop: MemoryScreenPop = field(default_factory=MemoryScreenPop)
    connect: MemoryConnect = field(default_factory=MemoryConnect)
    patience_s: float | None = None
    gate: Gate = field(init=False)
    clock: Clock = field(default_factory=lambda: Clock(wall, now, chance=lambda: 0.5))
    ingest: Ingest = field(init=False)
    planner: Planner = field(init=False)
    push: Push = field(init=False)

    def __post_init__(self) -> None:
        self.store = CountingStore(limit_bytes=self.limit_bytes)
        self.gate = make_gate(self.clock)
        terms = Terms({"AppId": "app"}, live=self.live)
        self.planner = Planner(self.pipelines, terms, self.clock)
        self.push = self.another()
        self.ingest = Ingest(self.store, clock=self.clock, news=self.push.news)

    def another(
        self, connect: Connect | None = None, planner: Planner | None = None, **more: Any
    ) -> Push:
        """One more worker on the same store and Dynamics; Connect is asked if there is patience.

        Args:
            connect: Instead of the rig's.
            planner: The same.
            more: See ``Transactions``.
        """
        connect = connect or self.connect
        enrichment = None
        if self.patience_s is not None:
            enrichment = Enrichment(connect, self.pipelines, self.patience_s, self.clock)
        parts: dict[str, Any] = {
            "store": self.store,
            "performer": Performer(Gated(self.gate, self.dynamics), self.clock, MemoryFiles()),
            "gate": self.gate,
            "desktop": self.desktop,
            "connect": connect,
            "planner": planner or self.planner,
            "build": build_of(self.pipelines),
            "clock": self.clock,
            "enrichment": enrichment,
        }
        return Push(Transactions(**{**parts, **more}), self.probe)

    async def probe(self) -> None:
        await self.dynamics.send(Request("GET", "WhoAmI"), timeout_s=30)

    async def tell(self, *bodies: bytes) -> None:
        """Take messages in."""
        await self.ingest.handle([Message(b, f"memory:{n}") for n, b in enumerate(bodies)])

    async def run(self, seconds: float, push: Push | None = None) -> None:
        """Let a worker run for a while, then end it."""
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        await Pushes(push or self.push).run(stop)

    async def entry(self, contact_id: str) -> Entry:
        (entry,) = await self.store.load([contact_id])
        return entry

    async def parked(self) -> list[str]:
        return await self.store.parked("", 1000)
