"""What shards cost on which nothing happens: processor and memory of a worker, by their number."""

from __future__ import annotations

import asyncio
import tempfile
import time

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet.ground import local_client, settled
from fleet.services import kinesis_mock
from stub_dynamics import stub
from tests.benchmarks import way
from tests.benchmarks.figure import Bar, Figure
from worker.sandbox import traffic
from worker.sandbox.children import child


#: kinesis-mock has room for 50.
SHARDS: Final = (1, 16, 48)

#: From the start until all shards are read, and how long the worker is then watched (s).
START_S: Final = 6.0
WATCHED_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Idle:
    """A worker with nothing to do.

    Attributes:
        shards: How many it reads.
        share: Of a core.
        resident: Bytes.
    """

    shards: int
    share: float
    resident: int


async def measure(shards: Sequence[int] = SHARDS, seconds: float = WATCHED_S) -> list[Idle]:
    """Watch a worker for each of these numbers."""
    async with kinesis_mock() as url:
        return [await _watched(url, count, seconds) for count in shards]


async def _watched(url: str, shards: int, seconds: float) -> Idle:
    client = local_client("kinesis", url)
    async with client as kinesis, stub() as dynamics:
        stream = f"idle-{shards}"
        await kinesis.create_stream(StreamName=stream, ShardCount=shards)
        await settled(kinesis, stream)
        with tempfile.TemporaryDirectory(prefix="idle-") as folder:
            streams = {traffic.EVENTS: stream, traffic.RECORDS: ""}
            environment = way.run_environment(dynamics, url, streams, Path(folder))
            command = way.Checkout("ours", way.HERE).command("run")
            with tempfile.TemporaryFile() as log:
                async with child(command, environment, stderr=log) as worker:
                    await asyncio.sleep(START_S)
                    began, before_s = time.monotonic(), way.cpu_s(worker.pid)
                    await asyncio.sleep(seconds)
                    spent_s = way.cpu_s(worker.pid) - before_s
                    share = spent_s / (time.monotonic() - began)
                    found = Idle(shards, share, way.resident(worker.pid))
        await kinesis.delete_stream(StreamName=stream)
    return found


def figures(found: Sequence[Idle]) -> Iterator[Figure]:
    """Both by the number of shards."""
    names = [f"{one.shards} shard{'s' if one.shards > 1 else ''}" for one in found]
    shares = [Bar(n, f"{i.share:.1%}", i.share) for n, i in zip(names, found, strict=True)]
    sizes = [
        Bar(n, f"{i.resident / 1e6:.0f} MB", i.resident) for n, i in zip(names, found, strict=True)
    ]
    yield Figure("processor, of a core", bars=tuple(shares))
    yield Figure("resident memory", bars=tuple(sizes))
