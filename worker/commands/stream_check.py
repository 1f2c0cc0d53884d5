"""Streams: whether they are there, keep enough, and let themselves be read."""

from __future__ import annotations

import re

from collections.abc import Awaitable, Callable
from functools import partial
from operator import itemgetter
from typing import Any, Final

from worker.commands.amazon_question import Question, answer_to
from worker.commands.finding import Finding, good, note
from worker.settings import PREFIX


#: Retention (h) that survives a weekend without a worker; Kinesis gives a new stream 24.
ENOUGH_H: Final = 72

#: The Connect instance in a message of Connect's, whatever it is.
_INSTANCE: Final = re.compile(rb"arn:aws[a-z-]*:connect:[a-z0-9-]+:\d+:instance/([0-9a-f-]{36})")

Ask = Callable[[], Awaitable[list[Finding]]]


def questions(client: Any, setting: str, stream: str, instances: set[str]) -> list[Ask]:
    """What to ask of a stream.

    Args:
        client: A Kinesis client.
        setting: Its setting, such as ``contact_events``.
        stream: Name or ARN.
        instances: Gets the ids of Connect instances that its oldest record names.
    """
    named = {"StreamARN": stream} if stream.startswith("arn:") else {"StreamName": stream}
    arn = named if "StreamARN" in named else {}
    subject = f"{PREFIX}{setting.upper()} (stream {stream.rpartition('/')[2]})"
    missing = (
        "there is no such stream in this account and Region: mind its spelling and AWS_REGION, or "
        "make it"
    )
    question = partial(Question, subject, missing=missing)
    return [
        partial(_summary, client, named, question("kinesis:DescribeStreamSummary", for_check=True)),
        partial(_reading, client, named, arn, question, instances),
    ]


async def _summary(client: Any, named: dict[str, str], question: Question) -> list[Finding]:
    describe = partial(client.describe_stream_summary, **named)
    about = await answer_to(question, describe, itemgetter("StreamDescriptionSummary"))
    subject, status = question.subject, about.get("StreamStatus")
    if status not in ("ACTIVE", "UPDATING"):
        return [Finding(f"{subject}: is {status}: wait until it is ACTIVE, or name another")]
    hours = int(about.get("RetentionPeriodHours") or 0)
    key = about.get("KeyId") if about.get("EncryptionType") == "KMS" else None
    sealed = f"encrypted by {key}" if key else "not encrypted at rest"
    text = f"{subject}: {status}, {about.get('OpenShardCount')} shards, kept {hours} h, {sealed}"
    found = [good(text)]
    if hours < ENOUGH_H:
        found.append(
            note(
                f"{subject}: keeps messages {hours} h: what the worker misses for longer is lost; "
                "set its retention to 168 h"
            )
        )
    if not key:
        found.append(note(f"{subject}: holds numbers and names unencrypted; turn encryption on"))
    return found


async def _reading(
    client: Any,
    named: dict[str, str],
    arn: dict[str, str],
    question: Callable[[str], Question],
    instances: set[str],
) -> list[Finding]:
    """Read the oldest record of a shard, as the worker would: nobody's place in it moves."""
    listing = question("kinesis:ListShards")
    list_one = partial(client.list_shards, **named, MaxResults=1)
    shard = await answer_to(listing, list_one, lambda answer: answer["Shards"][0]["ShardId"])
    begin = partial(
        client.get_shard_iterator, **named, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )
    iterator = await answer_to(
        question("kinesis:GetShardIterator"), begin, itemgetter("ShardIterator")
    )
    read = partial(client.get_records, ShardIterator=iterator, Limit=1, **arn)
    records = await answer_to(question("kinesis:GetRecords"), read, itemgetter("Records"))
    for record in records:
        instances.update(one.decode() for one in _INSTANCE.findall(record["Data"]))
    return [good(f"{listing.subject}: can be read")]
