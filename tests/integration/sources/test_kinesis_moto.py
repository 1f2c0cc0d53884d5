"""Several streams and shards on moto."""

from __future__ import annotations

import asyncio

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from worker import aws
from worker.sources.budget import ReadBudget
from worker.sources.kinesis import KinesisStream
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore


pytestmark = pytest.mark.services

WAIT_S = 60.0


async def read(url: str, store: MemoryStore, streams: Sequence[str], count: int) -> list[bytes]:
    """Read all streams side by side until there are so many messages."""
    got: list[bytes] = []
    stop, budget = asyncio.Event(), ReadBudget(64 * 1024 * 1024)

    async def handle(batch: Sequence[Message]) -> None:
        got.extend(message.body for message in batch)
        if len(got) >= count:
            stop.set()

    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
        for stream in streams:
            source = KinesisStream(
                partial(aws.client, "kinesis", endpoint_url=url),
                stream,
                store,
                start="earliest",
                poll_s=0.2,
                limit=100,
                budget=budget,
            )
            tasks.create_task(source.run(handle, stop))
    return got


async def put(client: Any, stream: str, bodies: Sequence[str]) -> None:
    records = [{"Data": body.encode(), "PartitionKey": body} for body in bodies]
    answer = await client.put_records(StreamName=stream, Records=records)
    assert answer["FailedRecordCount"] == 0


async def test_all_shards_of_all_streams_are_read_and_a_restart_resumes_at_the_checkpoints(
    moto_server: str,
) -> None:
    store = MemoryStore()
    streams = ["contact-events", "contact-records"]
    async with aws.client("kinesis", endpoint_url=moto_server, whole=True) as client:
        for stream in streams:
            await client.create_stream(StreamName=stream, ShardCount=4)
            await put(client, stream, [f"{stream} {n}" for n in range(200)])
        first = await read(moto_server, store, streams, 400)
        for stream in streams:
            await put(client, stream, [f"{stream} later {n}" for n in range(50)])
        second = await read(moto_server, store, streams, 100)
    assert sorted(first) == sorted(
        f"{stream} {n}".encode() for stream in streams for n in range(200)
    )
    assert sorted(second) == sorted(
        f"{stream} later {n}".encode() for stream in streams for n in range(50)
    )
    assert [len(await store.positions(stream)) for stream in streams] == [4, 4]


async def test_a_stream_that_comes_later_is_waited_for(moto_server: str) -> None:
    troubles: list[str] = []
    stop = asyncio.Event()

    async def handle(_: Sequence[Message]) -> None:
        stop.set()

    missed = asyncio.Event()

    def on_trouble(_stream: str, _shard: str, code: str) -> None:
        troubles.append(code)
        missed.set()

    async with aws.client("kinesis", endpoint_url=moto_server, whole=True) as client:
        source = KinesisStream(
            partial(aws.client, "kinesis", endpoint_url=moto_server),
            "late",
            MemoryStore(),
            start="earliest",
            on_trouble=on_trouble,
        )
        async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(source.run(handle, stop))
            await missed.wait()
            await client.create_stream(StreamName="late", ShardCount=1)
            await put(client, "late", ["hello"])
    assert set(troubles) == {"ResourceNotFoundException"}
