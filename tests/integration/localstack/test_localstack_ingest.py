"""The ingest templates, deployed: what Connect and S3 send comes through them into Dynamics."""

from __future__ import annotations

import asyncio
import json
import os
import time

from asyncio.subprocess import Process
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import pytest

from worker.sandbox import traffic
from worker.sandbox.children import child, end
from worker.sandbox.command import settings
from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.demo.stage import COMMAND
from worker.sandbox.oracle.verdict import differences, expected
from worker.sandbox.server import serve
from worker.sandbox.traffic.people import BUCKET


pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(1200),  # the first of them waits for LocalStack's installation
]

TEMPLATES = Path(__file__).parents[3] / "infra" / "cloudformation"
PREFIX = "CONNECT_DYNAMICS_"

#: How long anything here may take to happen (s).
LIMIT_S = 180.0

#: Calls of these kinds are told, one of each.
KINDS = ("voice_inbound", "voice_outbound", "voice_abandoned", "voice_transfer", "voice_ivr_only")

#: Output -> setting of the worker, as the templates describe them.
SETTINGS = {
    "ContactEvents": f"{PREFIX}CONTACT_EVENTS",
    "ContactRecords": f"{PREFIX}CONTACT_RECORDS",
    "Recordings": f"{PREFIX}RECORDINGS",
    "RecordingBuckets": f"{PREFIX}RECORDING_BUCKETS",
}

#: Most entries in one request (EventBridge API Reference "PutEvents").
EVENTS_AT_ONCE = 10

Aws = Callable[[str], Any]

#: Deploys a template with parameters; the stack's outputs.
Deploy = Callable[..., dict[str, str]]


@pytest.fixture
def deploy(aws: Aws) -> Iterator[Deploy]:
    """Deploys a template; its stack is deleted when the test ends."""
    cloudformation = aws("cloudformation")
    deployed = []

    def deploy(template: str, **parameters: str) -> dict[str, str]:
        name = f"{template}-{uuid4().hex[:8]}"
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=(TEMPLATES / f"{template}.yaml").read_text(),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        _wait(cloudformation, "stack_create_complete", name)
        if parameters.get("Path") != "native":  # which LocalStack 4.9.2 can make, not delete
            deployed.append(name)
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    yield deploy
    for name in deployed:
        cloudformation.delete_stack(StackName=name)
        _wait(cloudformation, "stack_delete_complete", name)


def _wait(client: Any, waiter: str, stack: str) -> None:
    client.get_waiter(waiter).wait(
        StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": int(LIMIT_S)}
    )


@pytest.fixture
def bucket(aws: Aws) -> Iterator[str]:
    """The bucket that the traffic's recordings are in."""
    s3 = aws("s3")
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):  # left by a run that was killed
        s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name}
        )
    yield BUCKET
    for stored in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=stored["Key"])
    s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def stories() -> list[traffic.History]:
    """Calls that begin later than any worker here; all that were answered are recorded."""
    begin = datetime.now(UTC) + timedelta(minutes=10)
    return [_recorded(kind, begin) for kind in KINDS]


def _recorded(kind: str, begin: datetime) -> traffic.History:
    told = (traffic.history(kind, Random(f"{seed} {kind}"), begin) for seed in range(100))
    return next(
        story
        for story in told
        if all(leg.key_of("recording") or not leg.answered for leg in story.contacts)
    )


# --- sending, as AWS does ---


def _put_events(aws: Aws, events: Sequence[dict[str, Any]]) -> None:
    """Put events, given with EventBridge's envelope, on the account's bus."""
    entries = [
        {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Time": event["time"],
            "Resources": event["resources"],
            "Detail": json.dumps(event["detail"]),
        }
        for event in events
    ]
    for at in range(0, len(entries), EVENTS_AT_ONCE):
        answer = aws("events").put_events(Entries=entries[at : at + EVENTS_AT_ONCE])
        assert answer["FailedEntryCount"] == 0


def _contact_events(stories: Iterable[traffic.History]) -> list[dict[str, Any]]:
    return [event for story in stories for event in story.parsed(traffic.EVENTS)]


def _put_records(aws: Aws, stream: str, stories: Iterable[traffic.History]) -> None:
    """Put contact records, as Connect's data streaming does."""
    answer = aws("kinesis").put_records(
        StreamARN=stream,
        Records=[
            {"Data": sent.body, "PartitionKey": sent.contact_id}
            for story in stories
            for sent in story.sent
            if sent.stream == traffic.RECORDS
        ],
    )
    assert answer["FailedRecordCount"] == 0


def _stored(stories: Iterable[traffic.History]) -> list[traffic.Stored]:
    return [stored for story in stories for leg in story.contacts for stored in leg.stored]


def _object_created(stored: traffic.Stored) -> dict[str, Any]:
    """What S3 tells EventBridge, the key as it is (S3 User Guide "ev-events")."""
    return {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "time": datetime.fromtimestamp(stored.at_ms / 1000, UTC),
        "resources": [f"arn:aws:s3:::{BUCKET}"],
        "detail": {
            "version": "0",
            "bucket": {"name": BUCKET},
            "object": {"key": stored.key, "size": 1, "sequencer": f"{stored.at_ms:018X}"},
            "reason": "PutObject",
        },
    }


def _tell_eventbridge(aws: Aws, bucket: str) -> None:
    """Switch the bucket's notifications on, as infra/README.md says."""
    aws("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )


def _tell_queue(aws: Aws, bucket: str, queue: str) -> None:
    aws("s3").put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]
        },
    )


# --- the worker ---


@dataclass(frozen=True)
class Working:
    """A worker, and the Dynamics it writes to; ``answered`` is set by each answer."""

    process: Process
    dataverse: Dataverse
    answered: asyncio.Event
    log: Path

    async def brings(self, wanted: Sequence[Any]) -> None:
        """Wait until Dynamics holds what it should, and nothing else."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LIMIT_S):
                while any(self._differences(wanted)):
                    self.answered.clear()
                    await self.answered.wait()
        found = list(self._differences(wanted))
        assert found == [], self.log.read_text()[-3000:]

    def _differences(self, wanted: Sequence[Any]) -> Iterator[str]:
        return differences(wanted, self.dataverse.dump())


@asynccontextmanager
async def _working(folder: Path, environment: dict[str, str]) -> AsyncIterator[Working]:
    """``connect-dynamics run`` and a sandbox over TLS, while the block runs."""
    answered = asyncio.Event()
    dataverse = create_dataverse(listener=lambda *_: answered.set())
    ca, log = folder / "ca.pem", folder / "worker.log"
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    try:
        async with serve(dataverse, ca_path=ca) as url:
            environment = {
                **own,
                **settings(url, ca),
                f"{PREFIX}STATE": f"sqlite:{folder / 'state.sqlite'}",
                f"{PREFIX}METRICS": "127.0.0.1:0",
                f"{PREFIX}CONTACT_EVENTS_START": "earliest",
                f"{PREFIX}CONTACT_RECORDS_START": "earliest",
                f"{PREFIX}POLL_S": "0.3",
                **environment,
            }
            with log.open("wb") as errors:
                async with child([str(COMMAND), "run"], environment, stderr=errors) as process:
                    yield Working(process, dataverse, answered, log)
    finally:
        dataverse.close()


@pytest.mark.parametrize("path", ["eventbridge", "native"])
async def test_a_worker_on_the_deployed_stacks_brings_dynamics_to_match(
    *,
    path: str,
    localstack: str,
    aws: Aws,
    deploy: Deploy,
    bucket: str,
    stories: list[traffic.History],
    tmp_path: Path,
) -> None:
    """Every record is compared column by column with what happened."""

    def send() -> None:
        _put_events(aws, _contact_events(stories))
        _put_records(aws, streams["ContactRecords"], stories)
        if path == "native":
            for stored in _stored(stories):
                aws("s3").put_object(Bucket=bucket, Key=stored.key, Body=b"a recording")
        else:  # LocalStack's S3 would encode the key in the event, which AWS's does not
            _put_events(aws, [_object_created(stored) for stored in _stored(stories)])

    streams = deploy("streams")
    recordings = deploy("recordings", Buckets=bucket, Path=path)
    if path == "native":
        _tell_queue(aws, bucket, recordings["RecordingsArn"])
    outputs = streams | recordings
    environment = {setting: outputs[name] for name, setting in SETTINGS.items()}
    wanted = expected([leg for story in stories for leg in story.contacts], ["phonecall"])
    async with _working(tmp_path, {**environment, "AWS_ENDPOINT_URL": localstack}) as working:
        await asyncio.to_thread(send)
        await working.brings(wanted)
        assert await end(working.process) == 0
        await working.brings(wanted)
    assert any(one.columns["description"] for one in wanted)


def test_the_rule_gives_each_contact_one_shard_and_lets_only_contact_events_pass(
    aws: Aws, deploy: Deploy, stories: list[traffic.History]
) -> None:
    stream = deploy("streams", Shards="2")["ContactEvents"]
    events = _contact_events(stories)
    foreign = [
        {**events[0], "source": "com.example"},
        {**events[0], "detail-type": "Amazon Connect Agent Event"},
    ]
    _put_events(aws, foreign + events)
    read = _read(aws("kinesis"), stream, len(events))
    shards = defaultdict(set)
    for shard, record in read:
        contact = json.loads(record["Data"])["detail"]["contactId"]
        assert record["PartitionKey"] == contact
        shards[contact].add(shard)
    assert sorted(_told(json.loads(record["Data"])) for _, record in read) == sorted(
        map(_told, events)
    )
    assert all(len(of_contact) == 1 for of_contact in shards.values())
    assert len(set.union(*shards.values())) == 2


def _read(kinesis: Any, stream: str, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Read all there is until it is this many records, each with its shard."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        read = [
            (shard["ShardId"], record)
            for shard in kinesis.list_shards(StreamARN=stream)["Shards"]
            for record in _records(kinesis, stream, shard["ShardId"])
        ]
        if len(read) >= count or time.monotonic() > deadline:
            return read


def _records(kinesis: Any, stream: str, shard: str) -> list[dict[str, Any]]:
    begin = kinesis.get_shard_iterator(
        StreamARN=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )
    records: list[dict[str, Any]] = kinesis.get_records(ShardIterator=begin["ShardIterator"])[
        "Records"
    ]
    return records


def _told(event: dict[str, Any]) -> tuple[str, str, str, str]:
    detail = event["detail"]
    return event["source"], event["detail-type"], detail["contactId"], detail["eventType"]


def test_an_object_in_the_bucket_reaches_the_queue_through_eventbridge_and_another_does_not(
    aws: Aws, deploy: Deploy, bucket: str, stories: list[traffic.History]
) -> None:
    queue = deploy("recordings", Buckets=f"{bucket}-2,{bucket}")["Recordings"]
    _tell_eventbridge(aws, bucket)
    key = _stored(stories)[0].key
    foreign = _object_created(traffic.Stored("recording", key, 0))
    foreign["detail"]["bucket"] = {"name": "another"}
    _put_events(aws, [foreign])
    aws("s3").put_object(Bucket=bucket, Key=key, Body=b"a recording")
    (message,) = aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    detail = json.loads(message["Body"])["detail"]
    assert detail["bucket"]["name"] == bucket
    assert unquote(detail["object"]["key"]) == key  # AWS does not quote it


def test_what_nobody_can_handle_is_a_dead_letter_after_twenty_attempts(
    aws: Aws, deploy: Deploy, bucket: str
) -> None:
    outputs = deploy("recordings", Buckets=bucket)
    sqs = aws("sqs")
    dead = sqs.get_queue_url(QueueName=outputs["DeadLettersName"])["QueueUrl"]
    sqs.send_message(QueueUrl=outputs["Recordings"], MessageBody="nothing")
    take = {"QueueUrl": outputs["Recordings"], "VisibilityTimeout": 0}
    for _ in range(20):
        assert len(sqs.receive_message(**take)["Messages"]) == 1
    assert "Messages" not in sqs.receive_message(**take, WaitTimeSeconds=1)
    (message,) = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5)["Messages"]
    assert message["Body"] == "nothing"
