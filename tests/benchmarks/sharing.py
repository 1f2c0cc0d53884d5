"""Beside the real KCL: start, latency and memory when shards are shared by leases.

Each gets the same stream of 16 shards, which are idle but for one record at
a time, and an empty lease table; at their defaults, but for the KCL's 2.x-compatible mode. The
worker is the real one, with its state in DynamoDB and a sandbox to write to; the KCL's record
processors do nothing but note their records. Figures are aims: to miss one is no failure.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from random import Random
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final

import httpx

from fleet.services import free_port, kinesis_mock
from tests.benchmarks.figure import Bar, Figure
from tests.integration.judge.kcl.daemon import NO_JAVA, Daemon, Services, installed
from worker import aws
from worker.sandbox.amazon.moto_server import CREDENTIALS, REGION, embedded_aws
from worker.sandbox.children import child
from worker.sandbox.command import settings
from worker.sandbox.dataverse.app import create_dataverse
from worker.sandbox.demo.stage import COMMAND
from worker.sandbox.server import serve
from worker.sandbox.traffic import history


SHARDS: Final = 16
RECORDS: Final = 60

#: From one record to the next at most (s): both's poll intervals or more, so that none is in step.
PAUSE_S: Final = 1.5
LOOK_S: Final = 0.02
#: On any single wait; the KCL took up to 105 s to start.
LIMIT_S: Final = 240.0

AIMED_START_S: Final = 3.0
AIMED_P99_S: Final = 1.2

KCL: Final = "KCL 3.1.3"

#: Fields of /proc/<pid>/stat after the command (proc(5)): session, ticks computed, pages.
SESSION: Final = 3
TICKS: Final = slice(11, 13)
RESIDENT: Final = 21


@dataclass(frozen=True, slots=True)
class Peer:
    """One of the two, running.

    Attributes:
        pid: Its process; what it starts is in the session of that.
        count: How many records it has handled.
    """

    pid: int
    count: Callable[[], Awaitable[int]]


#: Starts it; it ends with the block.
Start = Callable[[], AbstractAsyncContextManager[Peer]]


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it.

    Attributes:
        start_s: From start to the first record handled.
        start_cpu_s: What the process itself had computed by then.
        waits_s: From each of the other records being written to its being handled.
        resident: Bytes of the process.
        others: Bytes of the processes it started.
    """

    start_s: float
    start_cpu_s: float
    waits_s: list[float]
    resident: int
    others: int


@dataclass(frozen=True, slots=True)
class Ground:
    """Where they run.

    Attributes:
        kinesis_url: kinesis-mock.
        dynamodb_url: moto.
        kinesis: A client.
        folder: For all files.
    """

    kinesis_url: str
    dynamodb_url: str
    kinesis: Any
    folder: Path

    async def stream(self, name: str) -> None:
        """Make a stream."""
        await self.kinesis.create_stream(StreamName=name, ShardCount=SHARDS)
        waiter = self.kinesis.get_waiter("stream_exists")
        await waiter.wait(StreamName=name, WaiterConfig={"Delay": 1})

    async def write(self, stream: str, number: int) -> None:
        """Write one contact event; contacts spread over the shards."""
        call = history("voice_inbound", Random(number))
        await self.kinesis.put_record(
            StreamName=stream, Data=call.sent[0].body, PartitionKey=call.contacts[0].id
        )


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """Kinesis and DynamoDB on this machine, each in a process of its own."""
    async with (
        kinesis_mock() as kinesis_url,
        embedded_aws() as cloud,
        aws.client("kinesis", endpoint_url=kinesis_url, whole=True) as kinesis,
    ):
        yield Ground(kinesis_url, cloud.environment["AWS_ENDPOINT_URL"], kinesis, folder)


@asynccontextmanager
async def ours(ground: Ground, stream: str) -> AsyncIterator[Start]:
    """What starts ``connect-dynamics run``."""
    ca, port = ground.folder / "ca.pem", free_port()
    dataverse = create_dataverse()
    async with serve(dataverse, ca_path=ca) as url, httpx.AsyncClient() as client:
        environment = {
            "PATH": os.environ["PATH"],
            **CREDENTIALS,
            **settings(url, ca),
            "AWS_ENDPOINT_URL": ground.dynamodb_url,
            "AWS_ENDPOINT_URL_KINESIS": ground.kinesis_url,
            "CONNECT_DYNAMICS_CONTACT_EVENTS": stream,
            "CONNECT_DYNAMICS_CONTACT_EVENTS_LEASES": f"{stream}-leases",
            "CONNECT_DYNAMICS_CONTACT_EVENTS_START": "earliest",
            "CONNECT_DYNAMICS_STATE": f"dynamodb:{stream}-state",
            "CONNECT_DYNAMICS_METRICS": f"127.0.0.1:{port}",
        }

        async def count() -> int:
            try:
                answer = await client.get(f"http://127.0.0.1:{port}/metrics")
            except httpx.TransportError:
                return 0  # it does not serve yet
            _, _, told = answer.text.partition("\nconnect_dynamics_messages_total ")
            return int(float(told.partition("\n")[0] or 0))

        @asynccontextmanager
        async def start() -> AsyncIterator[Peer]:
            with (ground.folder / "worker.log").open("wb") as log:
                async with child([str(COMMAND), "run"], environment, stderr=log) as process:
                    yield Peer(process.pid, count)

        tables = ["tables", "create", f"{stream}-state", "--leases", f"{stream}-leases"]
        async with child([str(COMMAND), *tables], environment) as creating:
            await creating.wait()
        yield start
    dataverse.close()


@asynccontextmanager
async def kcl(ground: Ground, stream: str) -> AsyncIterator[Start]:
    """What starts the KCL."""
    services = Services(ground.kinesis_url, ground.dynamodb_url, REGION, stream)
    await asyncio.to_thread(installed)

    @asynccontextmanager
    async def start() -> AsyncIterator[Peer]:
        daemon = Daemon(services, ground.folder, "kcl")

        async def count() -> int:
            daemon.check()
            return len(daemon.handled())

        try:
            yield Peer(daemon.process.pid, count)
        finally:
            daemon.kill()

    yield start


async def measure(ground: Ground, stream: str, start: Start) -> Measured:
    """Start it, and then write one record after the other."""
    await ground.write(stream, 0)
    chance = Random(SHARDS)
    waits_s = []
    begun = perf_counter()
    async with start() as peer:
        await _until(peer, 1)
        start_s, start_cpu_s = perf_counter() - begun, _cpu_s(peer.pid)
        for number in range(1, RECORDS + 1):
            await asyncio.sleep(chance.random() * PAUSE_S)
            begun = perf_counter()
            await ground.write(stream, number)
            await _until(peer, number + 1)
            waits_s.append(perf_counter() - begun)
        session = _session(peer.pid)
    return Measured(start_s, start_cpu_s, waits_s, session.pop(peer.pid), sum(session.values()))


async def _until(peer: Peer, handled: int) -> None:
    async with asyncio.timeout(LIMIT_S):
        while await peer.count() < handled:  # noqa: ASYNC110 - other processes give no sign
            await asyncio.sleep(LOOK_S)


def _session(leader: int) -> dict[int, int]:
    """The resident bytes of each process of a session (Linux)."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            stat = _stat(int(process.name))
            if int(stat[SESSION]) == leader:
                found[int(process.name)] = int(stat[RESIDENT]) * os.sysconf("SC_PAGE_SIZE")
    return found


def _cpu_s(pid: int) -> float:
    return sum(map(int, _stat(pid)[TICKS])) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


async def compare(folder: Path, *peers: Callable[..., Any]) -> list[Measured]:
    """Measure ``ours`` and ``kcl``, or some of them, one after the other."""
    found = []
    async with ground(folder) as there:
        for peer in peers:
            stream = f"sharing-{peer.__name__}"
            await there.stream(stream)
            async with peer(there, stream) as start:
                found.append(await measure(there, stream, start))
    return found


def figures(ours: Measured, kcl: Measured | None = None) -> Iterator[Figure]:
    """The figures side by side."""

    def line(name: str, form: str, number: Callable[[Measured], float], aim: float = inf) -> Figure:
        mine = number(ours)
        bars = [Bar("ours", form.format(mine), mine)]
        if kcl:
            theirs = number(kcl)
            bars += [
                Bar(KCL, form.format(theirs), theirs),
                Bar(f"ours / {KCL}", f"{mine / theirs:.2f}"),
            ]
        else:
            bars.append(Bar(KCL, NO_JAVA))
        asked, met = (f"<= {aim} s", mine <= aim) if aim < inf else ("", None)
        return Figure(name, "", asked, met, aim=True, bars=tuple(bars))

    yield line("start to first record", "{:.1f} s", lambda m: m.start_s, AIMED_START_S)
    yield line("processor time of that", "{:.1f} s", lambda m: m.start_cpu_s)
    yield line("a record's wait, p50", "{:.2f} s", lambda m: median(m.waits_s))
    yield line("a record's wait, p99", "{:.2f} s", lambda m: _p99(m.waits_s), AIMED_P99_S)
    yield line("resident", "{:.0f} MB", lambda m: m.resident / 1e6)
    yield line("with what it starts", "{:.0f} MB", lambda m: (m.resident + m.others) / 1e6)


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[-1]


def measured() -> list[Measured]:
    """Ours, and the KCL if there is Java."""
    peers = (ours, kcl) if shutil.which("java") else (ours,)
    with tempfile.TemporaryDirectory(prefix="connect-dynamics-bench-") as folder:
        return asyncio.run(compare(Path(folder), *peers))
