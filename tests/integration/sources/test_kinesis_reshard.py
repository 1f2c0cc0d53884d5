"""Splitting and merging under load, on a stand-in that ends shards as AWS does (kinesis-mock)."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from twins.checkpoints import Checkpoints
from worker import aws
from worker.sources.kinesis import KinesisStream
from worker.sources.positions import SHARD_END
from worker.sources.protocol import Message


pytestmark = pytest.mark.services

KEYS = 16
WAIT_S = 60.0


class Traffic:
    """Writes numbered records, each key's in order, and notes what is read."""

    def __init__(self, client: Any, stream: str, url: str) -> None:
        self.client = client
        self.stream = stream
        self.url = url
        self.written = 0
        self.read: list[bytes] = []
        self.shards: list[str] = []
        self.troubles: list[str] = []
        self.grown = asyncio.Event()

    async def write(self, count: int) -> None:
        for n in range(self.written, self.written + count):
            key = f"key-{n % KEYS}"
            await self.client.put_record(
                StreamName=self.stream, PartitionKey=key, Data=f"{key}:{n}".encode()
            )
        self.written += count

    async def handle(self, batch: Sequence[Message]) -> None:
        self.read += [message.body for message in batch]
        self.shards += [message.origin.split("/")[1] for message in batch]
        self.grown.set()

    async def read_until(self, store: Checkpoints, count: int, *, start: str = "earliest") -> None:
        """Run the source until so many records were read, then stop it cleanly."""
        stop = asyncio.Event()
        source = KinesisStream(
            partial(aws.client, "kinesis", endpoint_url=self.url),
            self.stream,
            store,
            start=start,
            poll_s=0.2,
            limit=7,
            on_trouble=lambda _stream, _shard, code: self.troubles.append(code),
        )
        async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(source.run(self.handle, stop))
            while len(self.read) < count:
                self.grown.clear()
                await self.grown.wait()
            stop.set()

    def in_order(self) -> bool:
        """Whether each key's records were read in the order they were written."""
        numbers: dict[bytes, list[int]] = {}
        for body in self.read:
            key, _, number = body.partition(b":")
            numbers.setdefault(key, []).append(int(number))
        return all(a < b for run in numbers.values() for a, b in pairwise(run))

    async def shards_listed(self) -> list[dict[str, Any]]:
        answer = await self.client.list_shards(StreamName=self.stream)
        shards: list[dict[str, Any]] = answer["Shards"]
        return shards

    async def settled(self) -> None:
        """Wait until the stream takes changes again."""
        async with asyncio.timeout(WAIT_S):
            while True:
                answer = await self.client.describe_stream_summary(StreamName=self.stream)
                if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE":
                    return

    async def split(self, shard: dict[str, Any]) -> None:
        hashes = shard["HashKeyRange"]
        middle = (int(hashes["StartingHashKey"]) + int(hashes["EndingHashKey"])) // 2
        await self.client.split_shard(
            StreamName=self.stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle)
        )
        await self.settled()

    async def merge(self, left: dict[str, Any], right: dict[str, Any]) -> None:
        await self.client.merge_shards(
            StreamName=self.stream,
            ShardToMerge=left["ShardId"],
            AdjacentShardToMerge=right["ShardId"],
        )
        await self.settled()

    async def open_shards(self) -> list[dict[str, Any]]:
        shards = await self.shards_listed()
        still = [s for s in shards if not s["SequenceNumberRange"].get("EndingSequenceNumber")]
        return sorted(still, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))


@pytest.fixture
async def traffic(kinesis_mock: str, request: pytest.FixtureRequest) -> AsyncIterator[Traffic]:
    name = request.node.name[:100].replace("[", "-").replace("]", "")
    async with aws.client("kinesis", endpoint_url=kinesis_mock, whole=True) as client:
        await client.create_stream(StreamName=name, ShardCount=1)
        traffic = Traffic(client, name, kinesis_mock)
        await traffic.settled()
        yield traffic


async def test_a_closed_shard_ends_without_a_next_iterator(traffic: Traffic) -> None:
    """What the unit tests' stand-in for Kinesis takes for granted."""
    await traffic.write(1)
    [parent] = await traffic.open_shards()
    await traffic.split(parent)
    begin = await traffic.client.get_shard_iterator(
        StreamName=traffic.stream, ShardId=parent["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )
    answer = await traffic.client.get_records(ShardIterator=begin["ShardIterator"])
    assert len(answer["Records"]) == 1
    assert answer.get("NextShardIterator") is None


async def test_split_and_merge_under_load_lose_nothing_and_keep_every_keys_order(
    traffic: Traffic,
) -> None:
    store = Checkpoints()

    async def load() -> None:
        await traffic.write(40)
        [only] = await traffic.open_shards()
        await traffic.split(only)
        await traffic.write(40)
        left, right = await traffic.open_shards()
        await traffic.split(left)
        await traffic.write(40)
        _, middle, right = await traffic.open_shards()
        await traffic.merge(middle, right)
        await traffic.write(40)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load())
        tasks.create_task(traffic.read_until(store, 160))
    assert len(set(traffic.read)) == len(traffic.read) == 160
    assert traffic.in_order()
    assert traffic.troubles == []
    assert list(store.kept.values()).count(SHARD_END) == 4


async def test_a_reshard_during_a_pause_is_read_parents_first_and_nothing_twice(
    traffic: Traffic,
) -> None:
    store = Checkpoints()
    await traffic.write(30)
    await traffic.read_until(store, 30)
    await traffic.write(30)
    [only] = await traffic.open_shards()
    await traffic.split(only)
    await traffic.write(30)
    await traffic.merge(*await traffic.open_shards())
    await traffic.write(30)
    await traffic.read_until(store, 120)
    assert len(set(traffic.read)) == len(traffic.read) == 120
    assert traffic.in_order()
    first = [traffic.shards.index(shard["ShardId"]) for shard in await traffic.shards_listed()]
    assert first[0] < min(first[1:3])
    assert first[3] > max(
        n for n, shard in enumerate(traffic.shards) if shard != traffic.shards[-1]
    )
    assert traffic.troubles == []


async def test_children_born_while_we_were_away_are_read_whole_although_started_now(
    traffic: Traffic,
) -> None:
    store = Checkpoints()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(traffic.read_until(store, 1, start="now"))
        while not traffic.read:
            await traffic.write(1)
    first = int(traffic.read[0].partition(b":")[2])
    await traffic.write(10)
    [only] = await traffic.open_shards()
    await traffic.split(only)
    await traffic.write(30)
    await traffic.read_until(store, traffic.written - first, start="now")
    numbers = sorted(int(body.partition(b":")[2]) for body in traffic.read)
    assert numbers == list(range(first, traffic.written))
    assert traffic.in_order()
