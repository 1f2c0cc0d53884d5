"""Whole workers in virtual time: a stream with leases, ingest and push, and twins all around."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from botocore.exceptions import ClientError

from pipelines.loader import load
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from rawserver import Server
from twins.dynamics import Record, ScriptedDynamics
from worker.amazon_connect.memory import MemoryConnect
from worker.clock import Clock
from worker.definitions import find
from worker.dynamics.client import subject_of
from worker.dynamics.gate import Gate, make_gate
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Answer, Request
from worker.engine.ingest import Ingest, Tally
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.transaction import Transactions
from worker.files import MemoryFiles
from worker.leases.memory import MemoryLeases
from worker.leases.stream import LeasedStream
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Quarantined


#: Wall clock at virtual time 0 (s since 1970): 2026-01-02T03:00:00Z, when the calls begin.
BEGINNING = 1_767_322_800.0
STREAM = "contact-events"
HASH_KEYS = 2**128
#: Kinesis serves so many reads of a shard each second, to all applications together.
READS_PER_S = 5


def wall() -> float:
    return BEGINNING + asyncio.get_running_loop().time()


class Stream:
    """A stream of Kinesis; records are known by their place in their shard."""

    def __init__(self, shards: int = 2) -> None:
        self.shards: dict[str, list[tuple[bytes, float]]] = {
            f"shardId-{n:012}": [] for n in range(shards)
        }
        self.reads: dict[tuple[str, int], int] = {}
        self.throttled = 0

    def put(self, *bodies: bytes, shard: int = 0) -> None:
        records = self.shards[list(self.shards)[shard]]
        records += [(body, wall()) for body in bodies]

    async def list_shards(self, **_request: Any) -> dict[str, Any]:
        width = HASH_KEYS // len(self.shards)
        hashes = [(n * width, (n + 1) * width - 1) for n in range(len(self.shards))]
        return {
            "Shards": [
                {
                    "ShardId": name,
                    "HashKeyRange": {"StartingHashKey": str(first), "EndingHashKey": str(last)},
                    "SequenceNumberRange": {"StartingSequenceNumber": "1"},
                }
                for name, (first, last) in zip(self.shards, hashes, strict=True)
            ]
        }

    async def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        index = int(request.get("StartingSequenceNumber", 0))
        return {"ShardIterator": f"{request['ShardId']}|{index}"}

    async def get_records(self, **request: Any) -> dict[str, Any]:
        name, _, index = request["ShardIterator"].partition("|")
        second = name, int(wall())
        self.reads[second] = self.reads.get(second, 0) + 1
        if self.reads[second] > READS_PER_S:
            self.throttled += 1
            code = "ProvisionedThroughputExceededException"
            raise ClientError({"Error": {"Code": code}, "ResponseMetadata": {}}, "GetRecords")
        await asyncio.sleep(0.01)
        records = self.shards[name]
        begin, end = int(index), min(int(index) + request["Limit"], len(records))
        return {
            "Records": [
                {"SequenceNumber": str(n), "Data": records[n][0]} for n in range(begin, end)
            ],
            "NextShardIterator": f"{name}|{end}",
            "MillisBehindLatest": 1000 * (len(records) - end),
        }


class Desktop:
    """Notes every page that was to be opened, and can do more."""

    def __init__(self) -> None:
        self.opened: list[Any] = []
        self.then: Callable[[], None] = lambda: None

    async def open(self, page: Any) -> None:
        self.opened.append(page)
        self.then()


@dataclass
class Site:
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
        gate = make_gate(Clock(monotonic=asyncio.get_running_loop().time, chance=lambda: 0.5))
        self.gates.append(gate)
        push = self._push(gate)
        ingest = Ingest(self.store, clock=Clock(wall), news=push.news, tally=self.tally)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._source(worker, changed).run(ingest.handle, stop))
            group.create_task(push.run(stop))

    async def run_on_and_off(self, seconds: float) -> None:
        """Let a worker run, be away for so long, and run again: what has come due is done."""
        await self.run(5)
        await asyncio.sleep(seconds)
        await self.run(5)

    def _push(self, gate: Gate) -> Push:
        clock = Clock(wall, asyncio.get_running_loop().time, chance=lambda: 0.5)
        transactions = Transactions(
            store=self.store,
            performer=Performer(Behind(gate, self), clock, MemoryFiles()),
            gate=gate,
            desktop=self.desktop,
            connect=MemoryConnect(),
            planner=Planner(self.pipelines, Terms({"AppId": "app"}, live=True), clock),
            build="this",
            clock=clock,
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
            clock=Clock(wall, asyncio.get_running_loop().time, chance=lambda: 0.5),
        )

    @property
    def calls(self) -> list[Record]:
        """The phone calls there are."""
        found = self.dynamics.records.items()
        return [record for (entity_set, _), record in found if entity_set == "phonecalls"]

    @property
    def sent(self) -> list[str]:
        """What was asked for: methods in order."""
        return [request.method for request in self.dynamics.requests]

    async def quarantined(self) -> list[Quarantined]:
        return await self.store.quarantined("", 1000)


@dataclass
class Behind:
    """Dynamics behind a worker's gate, as the client has it, without its repeats."""

    gate: Gate
    site: Site

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        writes, subject = request.method != "GET", subject_of(request)
        async with self.gate.slot(writes=writes, subject=subject):
            self.site.sent_at.append((wall() - BEGINNING, request))
            return await self.site.dynamics.send(request, timeout_s=timeout_s)

    async def user_id(self) -> str:
        return await self.site.dynamics.user_id()


@pytest.fixture
def make_stream() -> Callable[..., Stream]:
    return Stream


@pytest.fixture
def make_site() -> Callable[..., Site]:
    return Site


@pytest.fixture
def pipeline() -> Callable[[str], list[Pipeline]]:
    """Loads a pipeline from the steps' TOML."""
    return lambda steps: [load(f'name = "p"\n{steps}')]


@dataclass(frozen=True)
class Call:
    """Messages about one call that began at 03:00:00."""

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
        return orjson.dumps({**envelope, "time": iso(wall()), "detail": said})

    def begun(self, **detail: Any) -> bytes:
        return self.event("INITIATED", **detail)

    def answered(self, **detail: Any) -> bytes:
        agent = {"agentArn": "arn:agent", "connectedToAgentTimestamp": "2026-01-02T03:00:10.000Z"}
        return self.event("CONNECTED_TO_AGENT", agentInfo=agent, **detail)

    def ended(self, **detail: Any) -> bytes:
        return self.event("DISCONNECTED", disconnectTimestamp="2026-01-02T03:04:05.000Z", **detail)

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
        return orjson.dumps({name: value for name, value in said.items() if value is not ...})

    def stored(self, name: str, sequencer: str = "0A") -> bytes:
        """S3 tells of an object whose key ends in the contact's id and ``name``."""
        key = f"connect/acme/2026/01/02/{self.id}_{name}"
        detail = {
            "bucket": {"name": "recordings"},
            "object": {"key": key, "sequencer": sequencer, "etag": sequencer},
        }
        envelope = {"detail-type": "Object Created", "source": "aws.s3", "region": "eu-central-1"}
        return orjson.dumps({**envelope, "time": iso(wall()), "detail": detail})

    def recorded(self, sequencer: str = "0A") -> bytes:
        return self.stored("20260102T03:00_UTC.wav", sequencer)


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:19] + "Z"


@pytest.fixture
def calls() -> Callable[[int], list[Call]]:
    """So many calls."""
    return lambda number: [Call(f"00000000-0000-4000-8000-{n:012}") for n in range(number)]


@pytest.fixture
def call() -> Call:
    return Call("5ca32fbd-8f92-46af-92a5-6b0f970f0efe")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture
def server(certificates: Path) -> Server:
    """A TLS server that does as it is told."""
    return Server(certificates)
