"""Embedded AWS: moto's server, a process of its own, with two streams, a queue and a bucket.

``python -m worker.sandbox.amazon.moto_server`` is that process. It prints its URL and ends when its
standard input does, so it does not outlive whoever started it, however that ended.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, TypeVar

from aiobotocore.session import get_session
from moto.server import ThreadedMotoServer

from worker.sandbox.children import child
from worker.sandbox.traffic import EVENTS, RECORDINGS, RECORDS, SentMessage
from worker.sandbox.traffic.people import BUCKET
from worker.sources.positions import Checkpoints


T = TypeVar("T")

HOST: Final = "127.0.0.1"
SHARDS: Final = 2
STREAMS: Final = (EVENTS, RECORDS)

REGION: Final = "eu-central-1"

#: What makes AWS's own clients find it; account and key are invented.
CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "invented",
    "AWS_SECRET_ACCESS_KEY": "invented",
    "AWS_DEFAULT_REGION": REGION,
}

#: Most messages in one request (Kinesis API Reference "PutRecords", SQS "SendMessageBatch").
KINESIS_BATCH: Final = 500
SQS_BATCH: Final = 10

#: Messages due within so long (s) of each other go together.
TICK_S: Final = 0.2


@dataclass(slots=True)
class Cloud:
    """Streams and queue to send invented traffic to.

    Attributes:
        kinesis: Client of the streams.
        sqs: Client of the queue.
        s3: Client of the bucket.
        queue_url: The queue.
        environment: What a worker needs in its environment to read from here.
        ends: Stream -> shard -> sequence number of the last record put.
    """

    kinesis: Any
    sqs: Any
    s3: Any
    queue_url: str
    environment: dict[str, str]
    ends: dict[str, dict[str, str]] = field(default_factory=dict)

    async def send(self, sent: Iterable[SentMessage]) -> None:
        """Send each message at its time, counted from now; they come in order of time."""
        clock = asyncio.get_running_loop().time
        begin = clock()
        for tick, messages in groupby(sent, key=lambda message: int(message.at_s / TICK_S)):
            await asyncio.sleep(max(0.0, begin + tick * TICK_S - clock()))
            await self.put(list(messages))

    async def put(self, messages: Sequence[SentMessage]) -> None:
        """Put messages into their streams and the queue."""
        for stream in STREAMS:
            for batch in _slices([m for m in messages if m.stream == stream], KINESIS_BATCH):
                await self._put_records(stream, batch)
        for batch in _slices([m for m in messages if m.stream == RECORDINGS], SQS_BATCH):
            entries = [{"Id": str(n), "MessageBody": m.body.decode()} for n, m in enumerate(batch)]
            await self.sqs.send_message_batch(QueueUrl=self.queue_url, Entries=entries)

    async def keep(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Put files, by their keys, into the bucket."""
        for key, content in files:
            await self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    async def _put_records(self, stream: str, batch: Sequence[SentMessage]) -> None:
        records = [{"Data": m.body, "PartitionKey": m.contact_id or "none"} for m in batch]
        answer = await self.kinesis.put_records(StreamName=stream, Records=records)
        ends = self.ends.setdefault(stream, {})
        ends.update({r["ShardId"]: r["SequenceNumber"] for r in answer["Records"]})

    async def consumed(self, checkpoints: Checkpoints) -> bool:
        """Whether a reader with these checkpoints has everything that was put."""
        for stream, ends in self.ends.items():
            positions = await checkpoints.positions(stream)
            if any(int(positions.get(shard, 0)) < int(end) for shard, end in ends.items()):
                return False
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)
        return all(answer["Attributes"][name] == "0" for name in names)


@asynccontextmanager
async def embedded_aws() -> AsyncIterator[Cloud]:
    """Embedded AWS while the block runs, with empty streams and an empty queue."""
    command = [sys.executable, "-m", __spec__.name]
    async with child(command, os.environ, stdin=PIPE, stdout=PIPE) as server:
        assert server.stdout is not None  # noqa: S101 - it is a pipe
        url = (await server.stdout.readline()).decode().strip()
        async with (
            _client("kinesis", url) as kinesis,
            _client("sqs", url) as sqs,
            _client("s3", url) as s3,
        ):
            for stream in STREAMS:
                await kinesis.create_stream(StreamName=stream, ShardCount=SHARDS)
            queue = await sqs.create_queue(QueueName=RECORDINGS)
            queue_url = str(queue["QueueUrl"])
            region = {"LocationConstraint": REGION}
            await s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=region)
            yield Cloud(kinesis, sqs, s3, queue_url, _environment(url, queue_url))


def _environment(url: str, queue_url: str) -> dict[str, str]:
    return {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": url,
        "CONNECT_DYNAMICS_CONTACT_EVENTS": EVENTS,
        "CONNECT_DYNAMICS_CONTACT_RECORDS": RECORDS,
        "CONNECT_DYNAMICS_RECORDINGS": queue_url,
        "CONNECT_DYNAMICS_CONTACT_EVENTS_START": "earliest",
        "CONNECT_DYNAMICS_CONTACT_RECORDS_START": "earliest",
    }


def _client(service: str, url: str) -> Any:
    """A client that cannot reach the real AWS, whatever this machine is set up for."""
    return get_session().create_client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


def _slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def main() -> None:
    """Serve until standard input ends."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line per request
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
