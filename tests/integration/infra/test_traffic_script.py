"""compose.yaml's script makes what the worker needs and sends traffic to it."""

from __future__ import annotations

import asyncio
import runpy

from pathlib import Path
from typing import Any

import pytest

from worker import aws


pytestmark = pytest.mark.services

SCRIPT = Path(__file__).parents[3] / "infra" / "docker" / "traffic.py"


@pytest.fixture
def script(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The script's functions, which find an empty AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    return runpy.run_path(str(SCRIPT))


async def test_preparing_makes_streams_queue_and_tables_and_may_be_repeated(
    script: dict[str, Any],
) -> None:
    await script["prepare"]()
    await script["prepare"]()
    async with aws.client("dynamodb", whole=True) as client:
        tables = (await client.list_tables())["TableNames"]
    assert sorted(tables) == ["contact-events-leases", "contact-records-leases", "contacts"]
    async with aws.client("sqs", whole=True) as client:
        assert (await client.get_queue_url(QueueName="recordings"))["QueueUrl"]
    async with aws.client("kinesis", whole=True) as client:
        streams = (await client.list_streams())["StreamNames"]
    assert sorted(streams) == ["contact-events", "contact-records"]


async def test_contacts_begin_to_arrive(script: dict[str, Any]) -> None:
    await script["prepare"]()
    sending = asyncio.create_task(script["send"]())
    async with asyncio.timeout(60), aws.client("kinesis") as client:
        while not await _records(client, "contact-events"):
            assert not sending.done()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def _records(kinesis: Any, stream: str) -> int:
    """How many records are in a stream."""
    count = 0
    for shard in (await kinesis.list_shards(StreamName=stream))["Shards"]:
        at = await kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        answer = await kinesis.get_records(ShardIterator=at["ShardIterator"])
        count += len(answer["Records"])
    return count
