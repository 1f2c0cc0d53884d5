"""The queue of notifications about stored objects, and the buckets that fill it."""

from __future__ import annotations

import json

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any, Final

from worker.commands.amazon_question import Question, answer_to
from worker.commands.finding import Finding, good, note
from worker.settings import PREFIX


Ask = Callable[[], Awaitable[list[Finding]]]

#: A queue that keeps messages less than this (s) loses them over a night without a worker.
ENOUGH_S: Final = 86_400

#: Who brings notifications of S3's to a queue.
SENDERS: Final = ("events.amazonaws.com", "s3.amazonaws.com", "sns.amazonaws.com")


def queue_questions(client: Any, url: str) -> list[Ask]:
    """What to ask of the queue."""
    question = Question(
        f"{PREFIX}RECORDINGS (queue {url.rstrip('/').rpartition('/')[2]})",
        "sqs:GetQueueAttributes",
        "there is no such queue in this account and Region: mind the URL and AWS_REGION",
        for_check=True,
    )
    return [partial(_queue, client, url, question)]


async def _queue(client: Any, url: str, question: Question) -> list[Finding]:
    call = partial(client.get_queue_attributes, QueueUrl=url, AttributeNames=["All"])
    about = await answer_to(question, call, itemgetter("Attributes"))
    subject, kept_s = question.subject, int(about.get("MessageRetentionPeriod") or 0)
    waiting = about.get("ApproximateNumberOfMessages")
    found = [good(f"{subject}: is there, kept {kept_s / 86_400:g} d, {waiting} messages wait")]
    if kept_s < ENOUGH_S:
        found.append(
            note(f"{subject}: what the worker misses for longer is lost; let it keep 7 days")
        )
    if "RedrivePolicy" not in about:
        found.append(
            note(f"{subject}: has no dead-letter queue: what is never handled is lost unseen")
        )
    if not _senders(about.get("Policy")) & {"*", *SENDERS}:
        found.append(
            note(
                f"{subject}: its policy lets neither EventBridge nor S3 send to it, so nothing "
                "arrives unless by another way; recordings.yaml has the policy"
            )
        )
    return found


def _senders(policy: Any) -> set[str]:
    """The principals that a policy allows something."""
    try:
        statements = json.loads(policy or "{}").get("Statement", [])
    except (TypeError, ValueError, AttributeError):
        return set()
    found: set[str] = set()
    for one in [statements] if isinstance(statements, dict) else statements:
        if isinstance(one, dict) and one.get("Effect") == "Allow":
            who = one.get("Principal")
            listed: Iterable[Any] = who.values() if isinstance(who, dict) else [who]
            for names in listed:
                found.update(names if isinstance(names, list) else [str(names)])
    return found


def bucket_questions(client: Any, bucket: str, queue_url: str, *, read: bool) -> list[Ask]:
    """What to ask of a bucket of recordings.

    Args:
        client: An S3 client.
        bucket: Its name.
        queue_url: The queue; "": none is read.
        read: Whether pipelines read files of it.
    """
    question = partial(
        Question,
        f"{PREFIX}RECORDING_BUCKETS (bucket {bucket})",
        missing="there is no such bucket: mind its spelling",
        for_check=True,
    )
    asked: list[Ask] = []
    if queue_url:
        told = question("s3:GetBucketNotification")
        asked.append(partial(_notification, client, bucket, queue_url, told))
    if read:
        asked.append(partial(_readable, client, bucket, question("s3:ListBucket")))
    return asked


async def _notification(
    client: Any, bucket: str, queue_url: str, question: Question
) -> list[Finding]:
    call = partial(client.get_bucket_notification_configuration, Bucket=bucket)
    about: Mapping[str, Any] = await answer_to(question, call, dict)
    queue = "/".join(queue_url.rstrip("/").rsplit("/", 2)[1:]).replace("/", ":")  # ACCOUNT:NAME
    if "EventBridgeConfiguration" in about:
        return [
            good(
                f"{question.subject}: tells EventBridge of its objects; whether a rule sends that "
                "to the queue is not asked"
            )
        ]
    named = [str(one.get("QueueArn")) for one in about.get("QueueConfigurations", ())]
    if any(arn.endswith(f":{queue}") for arn in named):
        return [good(f"{question.subject}: tells the queue of its objects")]
    where = f"; it tells {', '.join(named)}" if named else ""
    return [
        Finding(
            f"{question.subject}: tells neither EventBridge nor the queue of its objects{where}: "
            "turn its notifications to EventBridge on (infra/README.md, Recordings)"
        )
    ]


async def _readable(client: Any, bucket: str, question: Question) -> list[Finding]:
    await answer_to(question, partial(client.head_bucket, Bucket=bucket), dict)
    return [good(f"{question.subject}: can be reached, for the files that pipelines read")]
