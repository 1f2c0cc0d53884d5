"""Virtual time, and a worker's parts on their twins.

All tests of this folder run on a loop whose clock moves only when nothing else is left to do, so
an hour of waiting takes no time and comes out the same in every run.
"""

from __future__ import annotations

import asyncio
import selectors

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from pipelines.loader import load
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from twins.dynamics import Record, ScriptedDynamics
from worker.amazon_connect.enrichment import Enrichment
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.amazon_connect.protocol import Connect
from worker.clock import Clock
from worker.definitions import find
from worker.dynamics.client import subject_of
from worker.dynamics.gate import Gate, make_gate
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Answer, Request
from worker.engine.containment import build_of
from worker.engine.ingest import Ingest
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.transaction import Transactions
from worker.files import MemoryFiles
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, Saved


#: Wall clock when a test begins (s since 1970): 2026-01-02T03:00:00Z, when the calls begin.
BEGINNING = 1_767_322_800.0


class _Selector(selectors.DefaultSelector):
    """Moves time on instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits and nothing is left to happen")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in virtual time."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"virtual time": VirtualLoop}


@pytest.fixture
def virtual_loop() -> type[asyncio.AbstractEventLoop]:
    return VirtualLoop


def monotonic() -> float:
    return asyncio.get_running_loop().time()


def wall() -> float:
    return BEGINNING + monotonic()


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
class Rig:
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
    clock: Clock = field(default_factory=lambda: Clock(wall, monotonic, chance=lambda: 0.5))
    ingest: Ingest = field(init=False)
    planner: Planner = field(init=False)
    push: Push = field(init=False)

    def __post_init__(self) -> None:
        self.store = CountingStore(limit_bytes=self.limit_bytes)
        self.gate = make_gate(Clock(monotonic=monotonic, chance=lambda: 0.5))
        terms = Terms({"AppId": "app"}, live=self.live)
        self.planner = Planner(self.pipelines, terms, self.clock)
        self.push = self.another()
        self.ingest = Ingest(self.store, legs=True, clock=self.clock, news=self.push.news)

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
            "performer": Performer(self, self.clock, MemoryFiles()),
            "gate": self.gate,
            "desktop": self.desktop,
            "connect": connect,
            "planner": planner or self.planner,
            "build": build_of(self.pipelines),
            "clock": self.clock,
            "enrichment": enrichment,
        }
        return Push(Transactions(**{**parts, **more}), self.probe)

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        """Dynamics behind the gate, as the client has it, without its repeats."""
        writes, subject = request.method != "GET", subject_of(request)
        async with self.gate.slot(writes=writes, subject=subject):
            return await self.dynamics.send(request, timeout_s=timeout_s)

    async def user_id(self) -> str:
        return await self.dynamics.user_id()

    async def probe(self) -> None:
        await self.dynamics.send(Request("GET", "WhoAmI"), timeout_s=30)

    async def tell(self, *bodies: bytes) -> None:
        """Take messages in."""
        await self.ingest.handle([Message(b, f"memory:{n}") for n, b in enumerate(bodies)])

    async def run(self, seconds: float, push: Push | None = None) -> None:
        """Let a worker run for a while, then end it."""
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        await (push or self.push).run(stop)

    async def entry(self, contact_id: str) -> Entry:
        (entry,) = await self.store.load([contact_id])
        return entry

    async def parked(self) -> list[str]:
        return await self.store.parked("", 1000)

    @property
    def calls(self) -> list[Record]:
        """The phone calls there are."""
        found = self.dynamics.records.items()
        return [record for (entity_set, _), record in found if entity_set == "phonecalls"]

    @property
    def sent(self) -> list[str]:
        """What was asked for: methods in order, without probes."""
        return [r.method for r in self.dynamics.requests if r.path != "WhoAmI"]


@pytest.fixture
async def rig() -> Rig:
    return Rig()


@pytest.fixture
def make_rig() -> Callable[..., Rig]:
    return Rig


@pytest.fixture
def pipeline() -> Callable[[str], list[Pipeline]]:
    """Loads a pipeline from the steps' TOML."""
    return lambda steps: [load(f'name = "p"\n{steps}')]


@dataclass(frozen=True)
class Call:
    """Messages about one call that began at 03:00:00 and ended at 03:04:05."""

    id: str

    def event(self, kind: str, **detail: Any) -> bytes:
        said: dict[str, Any] = {
            "eventType": kind,
            "contactId": self.id,
            "channel": "VOICE",
            "initiationMethod": "INBOUND",
            "initiationTimestamp": "2026-01-02T03:00:00.000Z",
            **detail,
        }
        envelope = {"detail-type": "Amazon Connect Contact Event", "source": "aws.connect"}
        return orjson.dumps({**envelope, "time": "2026-01-02T03:00:30Z", "detail": said})

    def begun(self, **detail: Any) -> bytes:
        return self.event("INITIATED", **detail)

    def answered(self, at: str = "2026-01-02T03:00:10.000Z", **detail: Any) -> bytes:
        agent = {"agentArn": "arn:agent", "connectedToAgentTimestamp": at}
        return self.event("CONNECTED_TO_AGENT", agentInfo=agent, **detail)

    def record(self, **fields: Any) -> bytes:
        said: dict[str, Any] = {
            "AWSContactTraceRecordFormatVersion": "2017-03-10",
            "ContactId": self.id,
            "Channel": "VOICE",
            "InitiationMethod": "INBOUND",
            "InitiationTimestamp": "2026-01-02T03:00:00Z",
            "DisconnectTimestamp": "2026-01-02T03:04:05Z",
            "LastUpdateTimestamp": "2026-01-02T03:05:00Z",
            "CustomerEndpoint": {"Address": "+15550100200", "Type": "TELEPHONE_NUMBER"},
            **fields,
        }
        return orjson.dumps(said)


@pytest.fixture
def calls() -> Callable[[int], list[Call]]:
    """So many calls."""
    return lambda number: [Call(f"00000000-0000-4000-8000-{n:012}") for n in range(number)]


@pytest.fixture
def call() -> Call:
    return Call("5ca32fbd-8f92-46af-92a5-6b0f970f0efe")
