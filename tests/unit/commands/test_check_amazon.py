"""What a check makes of AWS's answers that no stand-in gives."""

from __future__ import annotations

import asyncio
import json

from typing import Any

import pytest

from botocore.exceptions import ClientError, EndpointConnectionError

from pipelines.loader import load
from worker.commands.amazon_question import found_by
from worker.commands.connect_check import ask_connect, is_written, left_alone
from worker.commands.finding import Finding
from worker.commands.queue_check import bucket_questions, queue_questions
from worker.commands.stream_check import questions
from worker.definitions import find
from worker.settings import Settings


ARN = "arn:aws:sqs:eu-west-1:123456789012"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/recordings"
INSTANCE = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"


def refusal(code: str, status: int = 400) -> ClientError:
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "X")


def allowing(principal: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage"}
    return json.dumps({"Statement": [statement]})


class Scripted:
    """An AWS client that gives one answer to each of its methods, and notes what it was given."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, method: str) -> Any:
        async def call(**given: Any) -> Any:
            self.asked.append((method, given))
            answer = self.answers[method]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def severities(found: list[Finding]) -> list[str]:
    return [one.severity for one in found]


@pytest.mark.parametrize(
    ("answer", "severity", "says"),
    [
        ({"EventBridgeConfiguration": {}}, "ok", "tells EventBridge of its objects"),
        (
            {"QueueConfigurations": [{"QueueArn": f"{ARN}:recordings"}]},
            "ok",
            "tells the queue of its objects",
        ),
        (
            {"QueueConfigurations": [{"QueueArn": f"{ARN}:other"}]},
            "error",
            f"it tells {ARN}:other",
        ),
        (refusal("AccessDenied", 403), "note", "allow it to whoever checks"),
        (refusal("NoSuchBucket", 404), "error", "there is no such bucket"),
        (refusal("InternalError", 500), "error", "AWS's s3 has no answer (InternalError)"),
        (refusal("ExpiredToken", 400), "error", "AWS does not take our credentials (ExpiredToken)"),
    ],
)
async def test_a_bucket_tells_eventbridge_or_the_queue_or_is_told_why_that_is_not_known(
    answer: Any, severity: str, says: str
) -> None:
    client = Scripted(get_bucket_notification_configuration=answer)
    (found,) = await found_by(*bucket_questions(client, "b", QUEUE, read=False))
    assert found.severity == severity
    assert says in found.text


async def test_a_bucket_of_which_files_are_read_is_asked_whether_it_can_be_reached() -> None:
    client = Scripted(head_bucket=refusal("404", 404))
    (found,) = await found_by(*bucket_questions(client, "b", "", read=True))
    assert found.severity == "error"
    assert await found_by(*bucket_questions(client, "b", "", read=False)) == []


@pytest.mark.parametrize(
    ("policy", "severity"),
    [
        (
            '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}}]}',
            "ok",
        ),
        ('{"Statement": {"Effect": "Allow", "Principal": "*"}}', "ok"),
        ('{"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["1", "2"]}}]}', "note"),
        ("", "note"),
        ("no JSON", "note"),
    ],
)
async def test_a_queue_to_which_nobody_may_send_is_a_note(policy: str, severity: str) -> None:
    about = {"MessageRetentionPeriod": "604800", "RedrivePolicy": "{}", "Policy": policy}
    client = Scripted(get_queue_attributes={"Attributes": about})
    found = await found_by(*queue_questions(client, QUEUE))
    assert found[-1].severity == severity


async def test_a_role_that_may_not_describe_a_stream_may_still_read_it() -> None:
    client = Scripted(
        describe_stream_summary=refusal("AccessDeniedException"),
        list_shards={"Shards": [{"ShardId": "s"}]},
        get_shard_iterator={"ShardIterator": "i"},
        get_records={"Records": []},
    )
    found = await found_by(*questions(client, "contact_events", "events", set()))
    assert severities(found) == ["note", "ok"]
    assert ("get_records", {"ShardIterator": "i", "Limit": 1}) in client.asked


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AccessDeniedException", "allow kinesis:GetRecords to our role: the worker needs it"),
        ("KMSAccessDeniedException", "allow kms:Decrypt on it to our role"),
    ],
)
async def test_a_stream_that_may_not_be_read_is_a_failure_that_names_the_permission(
    code: str, says: str
) -> None:
    client = Scripted(
        describe_stream_summary=refusal("AccessDeniedException"),
        list_shards={"Shards": [{"ShardId": "s"}]},
        get_shard_iterator={"ShardIterator": "i"},
        get_records=refusal(code),
    )
    (_, found) = await found_by(*questions(client, "contact_events", "events", set()))
    assert found.wrong
    assert says in found.text


async def test_the_oldest_record_of_a_stream_says_which_connect_instance_there_is() -> None:
    data = f'{{"instanceArn":"arn:aws:connect:eu-west-1:1:instance/{INSTANCE}"}}'.encode()
    client = Scripted(
        describe_stream_summary=refusal("AccessDeniedException"),
        list_shards={"Shards": [{"ShardId": "s"}]},
        get_shard_iterator={"ShardIterator": "i"},
        get_records={"Records": [{"Data": data}]},
    )
    instances: set[str] = set()
    await found_by(*questions(client, "contact_events", "events", instances))
    assert instances == {INSTANCE}


async def test_an_answer_that_is_not_aws_s_is_no_answer() -> None:
    client = Scripted(describe_stream_summary={}, list_shards={})
    (found,) = await found_by(*questions(client, "contact_events", "events", set()))
    assert "has no answer (OddAnswer.KeyError)" in found.text


async def test_a_call_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.commands.amazon_question.ASK_S", 0.0)

    class Silent:
        async def describe_stream_summary(self, **_given: Any) -> None:
            await asyncio.Event().wait()

    client = Silent()
    (found,) = await found_by(*questions(client, "contact_events", "events", set()))
    assert "did not answer in" in found.text


def connect(code: str = "ResourceNotFoundException", **others: Any) -> Scripted:
    calls = ("contact", "user", "queue")
    answers: dict[str, Any] = {f"describe_{name}": refusal(code) for name in calls}
    attributes = {f"{verb}_contact_attributes": refusal(code) for verb in ("get", "update")}
    return Scripted(**{**answers, **attributes, **others})


async def test_connect_is_asked_about_what_does_not_exist_and_changes_nothing() -> None:
    client = connect()
    (found,) = await ask_connect(client, INSTANCE, written=True)
    assert found.fine
    given = dict(client.asked)["update_contact_attributes"]
    assert given["Attributes"] == {}
    ids = [about[key] for _, about in client.asked for key in about.keys() - {"InstanceId"}]
    assert len({str(one) for one in ids if one}) == 5  # invented, each another


async def test_calls_that_our_role_may_not_make_are_told_together() -> None:
    denied = refusal("AccessDeniedException", 403)
    client = connect(describe_contact=denied, update_contact_attributes=denied)
    (found,) = await ask_connect(client, INSTANCE, written=True)
    assert found.wrong
    assert "may not call connect:DescribeContact, connect:UpdateContactAttributes" in found.text
    (found,) = await ask_connect(client, INSTANCE, written=False)
    assert "UpdateContactAttributes" not in found.text


async def test_a_connect_that_is_away_is_told_as_away() -> None:
    away = EndpointConnectionError(endpoint_url="https://x")
    (found,) = await ask_connect(connect(describe_contact=away), INSTANCE, written=True)
    assert "AWS's connect has no answer (EndpointConnectionError)" in found.text


def test_attributes_are_written_by_openings_and_write_backs() -> None:
    plain = load('name = "p"\n[[step]]\nname = "A"\non = "created"\nmethod = "POST"\n'
                 'entity = "phonecalls"\nbody = \'{"subject": "x"}\'', "p.toml")  # fmt: skip
    assert not is_written(Settings(), [plain])
    assert is_written(Settings(), [find("phonecall")])
    assert not is_written(Settings(open_by="log"), [find("phonecall")])
    assert "CONNECT_SHARE is 0" in left_alone(Settings(connect_share=0))
    assert not left_alone(Settings())
