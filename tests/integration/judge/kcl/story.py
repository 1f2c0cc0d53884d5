"""A stream that a real KCL and a worker of ours share, told once from beginning to end.

The KCL and ours come and go in turns; ours run in this process.
"""

from __future__ import annotations

import asyncio
import time

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from tests.integration.judge.kcl.daemon import Daemon, Handled, Services
from worker import aws
from worker.leases.dynamodb import create_lease_table, open_leases
from worker.leases.items import Item
from worker.leases.stream import LeasedStream
from worker.sources.positions import SHARD_END
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore


SHARDS: Final = 4
#: Records of one wave; they spread over all shards.
WAVE: Final = 40

#: The workers, in the order of their coming.
FIRST: Final = "first_kcl"
OURS: Final = "ours"
LAST: Final = "last_kcl"
AGAIN: Final = "ours_again"

#: Both sides': half of KCL's default, so that the story is short.
FAILOVER_S: Final = 5.0
TAKE_S: Final = 2.0
#: KCL's periods, shortened as far as its properties allow. What stays: it looks at an empty table
#: for up to 30 s before it creates leases, and takes leases every 2 x (failover + 25 ms).
SETTINGS: Final = {
    "failoverTimeMillis": int(FAILOVER_S * 1000),
    "shardSyncIntervalMillis": 1000,
    "parentShardPollIntervalMillis": 1000,
    "idleTimeBetweenReadsInMillis": 300,
}

#: On the whole story.
LIMIT_S: Final = 420.0
LOOK_S: Final = 0.1

#: A lease table: items by key.
Items = dict[str, Item]


@dataclass
class Story:
    """What is known of it afterwards.

    Attributes:
        ours_alone: The lease table of a stream that only ours has read.
        kcl_alone: The same of the KCL.
        shared: When both read four shards.
        ended: When a shard of each had been split and read to its end.
        enders: Who held these when they were split, by shard.
        kcl_killed: When the KCL had just been killed, which was ..
        kcl_killed_at: .. then, by this machine's monotonic clock (s).
        ours_killed: When ours had just been killed, which was ..
        ours_killed_at: .. then.
        taken: When a KCL had taken all over.
        released: At the end, when ours had had all again, and stopped in order.
        handled: What each worker handled, by its name.
        resumed: The checkpoints from which the last KCL began its shards, the last ones.
        written: How many records were written, numbered from 0.
        took_s: How long each change of hands took, for the record.
    """

    ours_alone: Items = field(default_factory=dict)
    kcl_alone: Items = field(default_factory=dict)
    shared: Items = field(default_factory=dict)
    ended: Items = field(default_factory=dict)
    enders: dict[str, str] = field(default_factory=dict)
    kcl_killed: Items = field(default_factory=dict)
    kcl_killed_at: float = inf
    ours_killed: Items = field(default_factory=dict)
    ours_killed_at: float = inf
    taken: Items = field(default_factory=dict)
    released: Items = field(default_factory=dict)
    handled: dict[str, list[Handled]] = field(default_factory=dict)
    resumed: dict[str, str] = field(default_factory=dict)
    written: int = 0
    took_s: dict[str, float] = field(default_factory=dict)


class Ours:
    """A worker of ours, all of it that reads a stream."""

    def __init__(self, services: Services, table: str, name: str) -> None:
        self.name = name
        self._handled: list[Handled] = []
        source = LeasedStream(
            partial(aws.client, "kinesis", endpoint_url=services.kinesis),
            services.stream,
            partial(
                open_leases, partial(aws.client, "dynamodb", endpoint_url=services.dynamodb), table
            ),
            name,
            MemoryStore(),
            start="earliest",
            failover_s=FAILOVER_S,
            take_s=TAKE_S,
            poll_s=0.3,
        )
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(source.run(self._handle, self._stop))

    async def _handle(self, batch: Sequence[Message]) -> None:
        for message in batch:
            _, shard, at = message.origin.split("/")
            self._handled.append(Handled(shard, int(at), message.body.decode(), time.monotonic()))

    def handled(self) -> list[Handled]:
        """The records that were handed to it, in its order for each shard."""
        return list(self._handled)

    def check(self) -> None:
        """See that it still runs; what ended it is raised."""
        if self._task.done():
            self._task.result()
            pytest.fail(f"{self.name} ended by itself")

    async def stop(self) -> None:
        """Let it end in order."""
        self._stop.set()
        await self._task

    async def kill(self) -> None:
        """Let it do nothing more: no lease is released."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


Worker = Daemon | Ours


@dataclass
class Stage:
    """A stream, and who reads it."""

    services: Services
    kinesis: Any
    dynamodb: Any
    running: list[Worker] = field(default_factory=list)
    written: int = 0

    def join(self, table: str, name: str) -> Ours:
        """Start one of ours."""
        ours = Ours(self.services, table, name)
        self.running.append(ours)
        return ours

    async def join_kcl(self, folder: Path, name: str) -> Daemon:
        """Start a KCL."""
        daemon = await asyncio.to_thread(Daemon, self.services, folder, name, **SETTINGS)
        self.running.append(daemon)
        return daemon

    async def kill(self, worker: Worker) -> None:
        """End a worker as ``kill -9`` does."""
        self.running.remove(worker)
        if isinstance(worker, Ours):
            await worker.kill()
        else:
            await asyncio.to_thread(worker.kill)

    async def write(self) -> None:
        """Write one more wave of records."""
        bodies = [str(n) for n in range(self.written, self.written + WAVE)]
        records = [{"Data": body.encode(), "PartitionKey": body} for body in bodies]
        answer = await self.kinesis.put_records(StreamName=self.services.stream, Records=records)
        assert answer["FailedRecordCount"] == 0
        self.written += WAVE

    async def split(self, item: Item) -> None:
        """Split a lease's shard in the middle."""
        begin, end = (int(item[name]["S"]) for name in ("startingHashKey", "endingHashKey"))
        await self.kinesis.split_shard(
            StreamName=self.services.stream,
            ShardToSplit=item["leaseKey"]["S"],
            NewStartingHashKey=str((begin + end) // 2),
        )
        await self.settled()

    async def settled(self) -> None:
        """Wait until the stream takes changes: while it splits, Kinesis refuses the next split."""
        waiter = self.kinesis.get_waiter("stream_exists")
        await waiter.wait(StreamName=self.services.stream, WaiterConfig={"Delay": 1})

    async def items(self, table: str = "") -> Items:
        """A lease table as it is now; the stream's own unless named."""
        table = table or self.services.stream
        answer = await self.dynamodb.scan(TableName=table, ConsistentRead=True)
        return {item["leaseKey"]["S"]: item for item in answer["Items"]}

    async def until(self, reached: Callable[[], Awaitable[bool]]) -> float:
        """Look again and again; how long (s) it took."""
        begun = time.monotonic()
        while not await reached():
            for worker in self.running:
                worker.check()
            await asyncio.sleep(LOOK_S)
        return time.monotonic() - begun

    async def handled_by(self, *workers: Worker) -> float:
        """Wait until each record that was written was handled by one of these."""

        async def reached() -> bool:
            bodies = {record.body for worker in workers for record in worker.handled()}
            return len(bodies) == self.written

        return await self.until(reached)

    async def held(self, **loads: int) -> float:
        """Wait until each worker has so many of the unfinished leases."""

        async def reached() -> bool:
            return Counter(map(owner, unfinished(await self.items()))) == loads

        return await self.until(reached)


@asynccontextmanager
async def stage(kinesis_url: str, dynamodb_url: str, region: str) -> AsyncIterator[Stage]:
    """A new stream; whoever still reads it at the end is killed."""
    services = Services(kinesis_url, dynamodb_url, region, f"judged-{uuid4().hex[:8]}")
    async with (
        aws.client("kinesis", endpoint_url=kinesis_url, whole=True) as kinesis,
        aws.client("dynamodb", endpoint_url=dynamodb_url, whole=True) as dynamodb,
    ):
        await kinesis.create_stream(StreamName=services.stream, ShardCount=SHARDS)
        stage = Stage(services, kinesis, dynamodb)
        await stage.settled()
        try:
            yield stage
        finally:
            ending = [stage.kill(worker) for worker in stage.running]
            await asyncio.gather(*ending, return_exceptions=True)  # each was checked while it ran
            await kinesis.delete_stream(StreamName=services.stream)


def unfinished(items: Items) -> list[Item]:
    """The leases of shards that are still to be read."""
    return [item for item in items.values() if item["checkpoint"]["S"] != SHARD_END]


def owner(item: Item) -> str:
    """Who has the lease; "" if nobody."""
    name: str = item.get("leaseOwner", {"S": ""})["S"]
    return name


async def tell(stage: Stage, folder: Path) -> Story:
    """Let it happen; the folder is where the KCL keeps its files."""
    story = Story()
    async with asyncio.timeout(LIMIT_S):
        first = await _kcl_alone(stage, story, folder)
        ours = await _both(stage, story, first)
        await _splits(stage, story, first, ours)
        await _kcl_dies(stage, story, first, ours)
        last = await _ours_dies(stage, story, folder, first, ours)
        again = await _ours_returns(stage, story, first, ours, last)
    story.handled = {worker.name: worker.handled() for worker in (first, ours, last, again)}
    story.resumed = dict(last.begun())
    story.written = stage.written
    return story


async def _kcl_alone(stage: Stage, story: Story, folder: Path) -> Daemon:
    """The KCL makes its table and its leases. While it starts, ours does the same elsewhere."""
    await stage.write()
    kcl = await stage.join_kcl(folder, FIRST)
    elsewhere = f"{stage.services.stream}-elsewhere"
    await create_lease_table(stage.dynamodb, elsewhere)
    ours = stage.join(elsewhere, OURS)
    await stage.handled_by(ours)
    await stage.until(partial(_all_begun, stage, elsewhere))
    story.ours_alone = await stage.items(elsewhere)
    await stage.kill(ours)
    await stage.handled_by(kcl)
    await stage.until(partial(_all_begun, stage))
    story.kcl_alone = await stage.items()
    return kcl


async def _all_begun(stage: Stage, table: str = "") -> bool:
    leases = unfinished(await stage.items(table))
    return all(lease["checkpoint"]["S"].isdecimal() for lease in leases)


async def _both(stage: Stage, story: Story, kcl: Daemon) -> Ours:
    """Ours comes to the KCL's four shards, and gets two of them."""
    ours = stage.join(stage.services.stream, OURS)
    story.took_s["ours had its share"] = await stage.held(**{FIRST: 2, OURS: 2})
    await stage.write()
    await stage.handled_by(kcl, ours)
    story.shared = await stage.items()
    return ours


async def _splits(stage: Stage, story: Story, kcl: Daemon, ours: Ours) -> None:
    """A shard of each is split, with records before and after."""
    splitting = {owner(item): item for item in unfinished(story.shared)}
    story.enders = {item["leaseKey"]["S"]: name for name, item in splitting.items()}

    async def over() -> bool:
        story.ended = await stage.items()
        return all(story.ended[shard]["checkpoint"]["S"] == SHARD_END for shard in story.enders)

    await stage.write()
    for item in splitting.values():
        await stage.split(item)
    await stage.until(over)
    await stage.write()
    await stage.handled_by(kcl, ours)
    await stage.until(partial(_all_begun, stage))


async def _kcl_dies(stage: Stage, story: Story, kcl: Daemon, ours: Ours) -> None:
    await stage.write()
    await stage.kill(kcl)
    story.kcl_killed_at = time.monotonic()
    story.kcl_killed = await stage.items()
    await stage.write()
    story.took_s["ours had handled what a killed KCL left"] = await stage.handled_by(kcl, ours)


async def _ours_dies(stage: Stage, story: Story, folder: Path, first: Daemon, ours: Ours) -> Daemon:
    """A KCL comes, has begun to share the shards, and then has all of them."""
    last = await stage.join_kcl(folder, LAST)

    async def shares() -> bool:
        return LAST in map(owner, unfinished(await stage.items()))

    await stage.until(shares)
    await stage.write()
    await stage.kill(ours)
    story.ours_killed_at = time.monotonic()
    story.ours_killed = await stage.items()
    await stage.write()
    handled_s = await stage.handled_by(first, ours, last)
    story.took_s["a KCL had handled what ours left, killed"] = handled_s
    await stage.held(**{LAST: len(unfinished(story.ours_killed))})
    story.taken = await stage.items()
    return last


async def _ours_returns(
    stage: Stage, story: Story, first: Daemon, ours: Ours, last: Daemon
) -> Ours:
    await stage.kill(last)
    again = stage.join(stage.services.stream, AGAIN)
    await stage.write()
    await stage.handled_by(first, ours, last, again)
    await again.stop()
    story.released = await stage.items()
    return again
