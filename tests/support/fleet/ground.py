"""What a fleet stands on: streams, a queue, tables, and a Dynamics; all empty and its own."""

from __future__ import annotations

import os

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from aiobotocore.session import get_session

from worker.definitions import SHIPPED
from worker.leases.dynamodb import create_lease_table, open_leases
from worker.leases.protocol import LeaseTable
from worker.sandbox.amazon.connect_api import AmazonConnect
from worker.sandbox.amazon.contact_lens import analyses
from worker.sandbox.amazon.moto_server import CREDENTIALS, REGION
from worker.sandbox.command import settings
from worker.sandbox.dataverse.app import DOP_HINT, Dataverse, create_dataverse
from worker.sandbox.demo.stage import SHORT_WITHIN, WITHIN
from worker.sandbox.oracle.customers import employ, introduce
from worker.sandbox.oracle.verdict import OF_CHANNELS
from worker.sandbox.server import serve, serve_plainly
from worker.sandbox.traffic import EVENTS, RECORDS, Leg
from worker.sandbox.traffic.people import BUCKET
from worker.stores.dynamodb import DynamoStore
from worker.stores.protocol import ContactStore
from worker.stores.tables import create_tables


#: Whoever runs this may have these for other purposes.
_FOREIGN: Final = ("AWS_", "CONNECT_DYNAMICS_")

#: The contacts told of began before the workers did; to them, their pipelines are this old.
_PIPELINES_AGE: Final = timedelta(days=2)

#: The pipeline that asks Connect and reads S3.
TIMELINE: Final = "timeline"

#: Method, entity set and status of a request -> how often.
Requests = Counter[tuple[str, str, int]]


@dataclass(frozen=True, slots=True)
class Ground:
    """What a fleet stands on.

    Attributes:
        kinesis: Client of the streams.
        sqs: Client of the queue.
        streams: Names of the streams, by what they are called in ``worker.sandbox.traffic``.
        queue_url: The queue of recordings.
        leases: Lease tables, by stream name.
        store: The workers' state.
        dataverse: The sandbox, with the records in it.
        amazon: Connect's API, which is asked only where the timeline is written.
        s3: Client of the bucket of analyses.
        requests: The requests Dynamics answered.
        environment: The workers' settings.
    """

    kinesis: Any
    sqs: Any
    streams: Mapping[str, str]
    queue_url: str
    leases: Mapping[str, LeaseTable]
    store: ContactStore
    dataverse: Dataverse
    amazon: AmazonConnect
    s3: Any
    requests: Requests
    environment: Mapping[str, str]

    @property
    def in_flight(self) -> int:
        """How many requests Dynamics has not answered yet."""
        return self.dataverse.requests - self.requests.total()

    async def meet(self, legs: Iterable[Leg]) -> None:
        """Let Connect, Dynamics and S3 know of contacts, where the timeline is written."""
        if TIMELINE not in self.environment["CONNECT_DYNAMICS_PIPELINES"]:
            return
        for leg in legs:
            self.amazon.meet(leg)
            introduce(self.dataverse, [leg.customer])
        for key, content in analyses(legs):
            await self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)


@asynccontextmanager
async def ground(
    folder: Path,
    *,
    kinesis_url: str,
    aws_url: str,
    shards: int,
    pipelines: Collection[str] = OF_CHANNELS,
    dop_hint: int = DOP_HINT,
) -> AsyncIterator[Ground]:
    """New ground, for as long as the block lasts.

    Args:
        folder: An empty folder for all files.
        kinesis_url: A Kinesis that splits and merges as AWS does.
        aws_url: SQS, S3 and DynamoDB, whose conditional writes are one step each.
        shards: How many each stream has.
        pipelines: What the workers send.
        dop_hint: How many requests at a time Dynamics recommends.
    """
    mark = uuid4().hex[:8]
    streams = {name: f"{name}-{mark}" for name in (EVENTS, RECORDS)}
    state, ca = f"state-{mark}", folder / "sandbox-ca.pem"
    requests: Requests = Counter()
    dynamodb = partial(local_client, "dynamodb", aws_url)
    async with AsyncExitStack() as stack:
        kinesis = await stack.enter_async_context(local_client("kinesis", kinesis_url))
        sqs = await stack.enter_async_context(local_client("sqs", aws_url))
        tables = await stack.enter_async_context(dynamodb())
        leases = {}
        for stream in streams.values():
            await kinesis.create_stream(StreamName=stream, ShardCount=shards)
            await settled(kinesis, stream)
            await create_lease_table(tables, _lease_table(stream))
            opened = open_leases(dynamodb, _lease_table(stream))
            leases[stream] = await stack.enter_async_context(opened)
        await create_tables(tables, state)
        queue_url = (await sqs.create_queue(QueueName=f"recordings-{mark}"))["QueueUrl"]
        store = DynamoStore(state, connect=dynamodb)
        stack.push_async_callback(store.close)
        await _age_pipelines(store, pipelines)
        dataverse = create_dataverse(listener=partial(_note, requests), dop_hint=dop_hint)
        amazon = AmazonConnect()
        employ(dataverse)
        stack.callback(dataverse.close)
        url = await stack.enter_async_context(serve(dataverse, ca_path=ca))
        connect_url = await stack.enter_async_context(serve_plainly(amazon.app))
        s3 = await stack.enter_async_context(local_client("s3", aws_url))
        environment = {
            **inherited(),
            **CREDENTIALS,
            **settings(url, ca),
            **_reading(streams, queue_url),
            "AWS_ENDPOINT_URL": aws_url,
            "AWS_ENDPOINT_URL_CONNECT": connect_url,
            "AWS_ENDPOINT_URL_KINESIS": kinesis_url,
            "CONNECT_DYNAMICS_STATE": f"dynamodb:{state}",
            "CONNECT_DYNAMICS_METRICS": "127.0.0.1:0",
            "CONNECT_DYNAMICS_PIPELINES": _pipelines(folder, pipelines),
        }
        if TIMELINE in pipelines:
            environment["CONNECT_DYNAMICS_CONNECT_SHARE"] = "1"  # the quota is all workers'
            region = {"LocationConstraint": REGION}
            await s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=region)
        yield Ground(
            kinesis=kinesis,
            sqs=sqs,
            streams=streams,
            queue_url=queue_url,
            leases=leases,
            store=store,
            dataverse=dataverse,
            amazon=amazon,
            s3=s3,
            requests=requests,
            environment=environment,
        )


async def settled(kinesis: Any, stream: str) -> None:
    """Wait until a stream takes changes (again)."""
    waiter = kinesis.get_waiter("stream_exists")
    await waiter.wait(StreamName=stream, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def local_client(service: str, url: str) -> AbstractAsyncContextManager[Any]:
    """A client that cannot reach the real AWS, whatever this machine is set up for."""
    client: AbstractAsyncContextManager[Any] = get_session().create_client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    return client


def _lease_table(stream: str) -> str:
    return f"{stream}-leases"


def _note(requests: Requests, method: str, path: str, status: int) -> None:
    requests[method, path.partition("(")[0], status] += 1


def inherited() -> dict[str, str]:
    """This process's environment without what would lead a worker elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}


def _reading(streams: Mapping[str, str], queue_url: str) -> dict[str, str]:
    """The settings that say what to read, from the beginning and shared by leases."""
    reading = {"CONNECT_DYNAMICS_RECORDINGS": queue_url}
    for name, stream in streams.items():
        setting = f"CONNECT_DYNAMICS_{name.upper().replace('-', '_')}"
        reading[setting] = stream
        reading[f"{setting}_START"] = "earliest"
        reading[f"{setting}_LEASES"] = _lease_table(stream)
    return reading


def _pipelines(folder: Path, names: Iterable[str]) -> str:
    """The shipped pipelines with a shorter wait, as files; the setting that names them."""
    paths = [folder / f"{name}.toml" for name in names]
    for path in paths:
        text = (SHIPPED / path.name).read_text(encoding="utf-8")
        # The timeline's activities are wanted beside those of the channels' own pipelines.
        both = "both = true\n" if path.stem == "timeline" else ""
        text = both + text.replace(f'"{WITHIN}"', f'"{SHORT_WITHIN}"')
        path.write_text(text, encoding="utf-8")
    return ",".join(map(str, paths))


async def _age_pipelines(store: ContactStore, names: Iterable[str]) -> None:
    since = (datetime.now(UTC) - _PIPELINES_AGE).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in names:
        await store.remember(f"pipeline/{name}", since)
