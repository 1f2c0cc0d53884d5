"""For compose.yaml: ``prepare`` makes streams, queue and tables, ``send`` tells contacts."""  # noqa: INP001 - a script

from __future__ import annotations

import asyncio
import sys

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from worker import aws
from worker.leases.dynamodb import create_lease_table
from worker.sandbox.amazon.moto_server import SHARDS, STREAMS, Cloud
from worker.sandbox.traffic import RECORDINGS, day
from worker.stores.tables import create_tables


#: The table of contacts, as compose.yaml names it; lease tables are named after their stream.
CONTACTS: Final = "contacts"

#: One new contact a second, for a day, the same each time.
DAY_S: Final = 86_400
SEED: Final = 1


async def prepare() -> None:
    """Make whatever is not there yet."""
    async with aws.client("dynamodb") as dynamodb:
        await create_tables(dynamodb, CONTACTS)
        for stream in STREAMS:
            await create_lease_table(dynamodb, f"{stream}-leases")
    async with aws.client("kinesis", whole=True) as kinesis, aws.client("sqs", whole=True) as sqs:
        await sqs.create_queue(QueueName=RECORDINGS)
        for stream in STREAMS:
            await _create_stream(kinesis, stream)


async def _create_stream(kinesis: Any, stream: str) -> None:
    with suppress(kinesis.exceptions.ResourceInUseException):
        await kinesis.create_stream(StreamName=stream, ShardCount=SHARDS)
    await kinesis.get_waiter("stream_exists").wait(StreamName=stream)


async def send() -> None:
    """Tell contacts at true speed, beginning now."""
    async with (
        aws.client("kinesis", whole=True) as kinesis,
        aws.client("sqs", whole=True) as sqs,
        aws.client("s3", whole=True) as s3,
    ):
        queue = await sqs.get_queue_url(QueueName=RECORDINGS)
        cloud = Cloud(kinesis, sqs, s3, queue["QueueUrl"], environment={})
        await cloud.send(day(SEED, DAY_S, start=datetime.now(UTC)))


if __name__ == "__main__":
    asyncio.run({"prepare": prepare, "send": send}[sys.argv[1]]())
