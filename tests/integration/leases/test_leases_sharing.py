"""Three workers share four shards: Kinesis by kinesis-mock, leases in moto's DynamoDB."""

from __future__ import annotations

import asyncio
import time

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from worker import aws
from worker.clock import Clock
from worker.leases.dynamodb import create_lease_table, open_leases
from worker.leases.position import Position
from worker.leases.stream import LeasedStream
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore


pytestmark = pytest.mark.services

TABLE = "shared-leases"
FAILOVER_S = 3.0
TAKE_S = 1.0
WAIT_S = 60.0


class Worker:
    """A worker that can be paused as by SIGSTOP: whatever wakes it, it does not go on."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.name = name
        self.stop = asyncio.Event()
        self.awake = asyncio.Event()
        self.awake.set()
        self.changes: list[str] = []
        self._fleet = fleet
        source = LeasedStream(
            partial(aws.client, "kinesis", endpoint_url=fleet.kinesis_url),
            fleet.stream,
            partial(
                open_leases, partial(aws.client, "dynamodb", endpoint_url=fleet.dynamodb_url), TABLE
            ),
            name,
            fleet.memory,
            start="earliest",
            failover_s=FAILOVER_S,
            take_s=TAKE_S,
            on_lease=lambda _stream, _shard, change: self.changes.append(change),
            poll_s=0.3,
            clock=Clock(sleep=self._sleep),
        )
        self.task = asyncio.create_task(source.run(self._handle, self.stop))

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.awake.wait()

    async def _handle(self, batch: Sequence[Message]) -> None:
        await self.awake.wait()
        self._fleet.applied += [(self.name, message.body.decode()) for message in batch]
        self._fleet.grown.set()

    async def kill(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


class Fleet:
    """Workers, what they read, and what the lease table says."""

    def __init__(self, kinesis: Any, dynamodb: Any, kinesis_url: str, dynamodb_url: str) -> None:
        self.stream = f"shared-{uuid4().hex}"
        self.kinesis = kinesis
        self.dynamodb = dynamodb
        self.kinesis_url = kinesis_url
        self.dynamodb_url = dynamodb_url
        self.memory = MemoryStore()
        self.applied: list[tuple[str, str]] = []
        self.grown = asyncio.Event()
        self.workers: dict[str, Worker] = {}
        self.written = 0

    def start(self, name: str) -> Worker:
        self.workers[name] = Worker(self, name)
        return self.workers[name]

    async def write(self, count: int) -> None:
        bodies = [str(n) for n in range(self.written, self.written + count)]
        records = [{"Data": body.encode(), "PartitionKey": body} for body in bodies]
        answer = await self.kinesis.put_records(StreamName=self.stream, Records=records)
        assert answer["FailedRecordCount"] == 0
        self.written += count

    async def all_applied(self) -> float:
        """Wait until every record was applied; how long (s) that took."""
        begun = time.monotonic()
        while len({body for _, body in self.applied}) < self.written:
            self.grown.clear()
            await self.grown.wait()
        return time.monotonic() - begun

    async def leases(self) -> list[Any]:
        async with open_leases(
            partial(aws.client, "dynamodb", endpoint_url=self.dynamodb_url), TABLE
        ) as table:
            return [lease for lease in await table.scan() if not lease.over]

    async def spread(self) -> dict[str | None, int]:
        return dict(Counter(lease.owner for lease in await self.leases()))

    async def until(self, reached: Callable[[], Awaitable[bool]]) -> None:
        """Look again and again."""
        while not await reached():  # noqa: ASYNC110 - the table gives no sign of its own
            await asyncio.sleep(0.1)

    async def until_spread(self, *loads: int) -> None:
        async def reached() -> bool:
            spread = await self.spread()
            return None not in spread and sorted(spread.values()) == sorted(loads)

        await self.until(reached)


@pytest.fixture
async def fleet(kinesis_mock: str, moto_server: str) -> AsyncIterator[Fleet]:
    """Three workers that have come to an even share of four shards."""
    async with (
        asyncio.timeout(WAIT_S),
        aws.client("kinesis", endpoint_url=kinesis_mock, whole=True) as kinesis,
        aws.client("dynamodb", endpoint_url=moto_server, whole=True) as dynamodb,
    ):
        fleet = Fleet(kinesis, dynamodb, kinesis_mock, moto_server)
        await kinesis.create_stream(StreamName=fleet.stream, ShardCount=4)
        await kinesis.get_waiter("stream_exists").wait(
            StreamName=fleet.stream, WaiterConfig={"Delay": 1}
        )
        await create_lease_table(dynamodb, TABLE)
        try:
            for name in "abc":
                fleet.start(name)
            await fleet.until_spread(2, 1, 1)
            await fleet.write(40)
            await fleet.all_applied()
            yield fleet
        finally:
            for worker in fleet.workers.values():
                worker.awake.set()
                await worker.kill()
            await dynamodb.delete_table(TableName=TABLE)
            await kinesis.delete_stream(StreamName=fleet.stream)


async def test_shards_spread_two_one_one_and_each_record_is_applied_once(fleet: Fleet) -> None:
    assert sorted((await fleet.spread()).values()) == [1, 1, 2]
    bodies = [body for _, body in fleet.applied]
    assert len(set(bodies)) == fleet.written


async def test_a_killed_workers_shards_are_read_again_within_failover_and_taker_period(
    fleet: Fleet,
) -> None:
    await fleet.workers["a"].kill()
    fleet.applied.clear()
    fleet.written = 0
    await fleet.write(40)
    assert await fleet.all_applied() < FAILOVER_S + TAKE_S + 5
    assert {name for name, _ in fleet.applied} == {"b", "c"}
    await fleet.until_spread(2, 2)


async def test_a_stopped_workers_shards_are_read_again_within_a_taker_period(
    fleet: Fleet,
) -> None:
    fleet.workers["a"].stop.set()
    await fleet.workers["a"].task
    assert "a" not in await fleet.spread()
    before = len(fleet.applied)
    await fleet.write(40)
    assert await fleet.all_applied() < TAKE_S + 5
    bodies = [body for _, body in fleet.applied[before:]]
    assert len(bodies) == len(set(bodies)) == 40, "a clean stop doubles nothing"


async def test_a_zombie_cannot_move_its_checkpoints_and_joins_again(fleet: Fleet) -> None:
    zombie = fleet.workers["a"]
    zombie.awake.clear()
    await fleet.write(40)
    await fleet.until_spread(2, 2)
    await fleet.all_applied()
    changes = len(zombie.changes)

    async def checkpoints() -> dict[str, Position]:
        return {lease.key: lease.checkpoint for lease in await fleet.leases()}

    before = await checkpoints()
    zombie.awake.set()
    await fleet.until_spread(2, 1, 1)
    after = await checkpoints()
    assert all(after[shard] >= before[shard] for shard in before)
    assert set(zombie.changes[changes:]) <= {"lapsed", "lost", "taken"}
    assert zombie.changes[changes] in {"lapsed", "lost"}
    await fleet.write(40)
    await fleet.all_applied()
