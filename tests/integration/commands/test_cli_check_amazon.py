"""``check --online``: what AWS answers of streams, tables, queue and buckets."""

from __future__ import annotations

import json

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from worker import aws
from worker.leases.dynamodb import create_lease_table
from worker.stores.tables import create_tables


pytestmark = pytest.mark.services

Command = Callable[..., Any]
Amazon = Any

PREFIX = "CONNECT_DYNAMICS_"
POLICY = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "*",
        }
    ]
}


@pytest.fixture
def told(command: Command, reached: Any) -> Callable[[], list[str]]:
    """The lines of ``check --online``."""

    def lines() -> list[str]:
        ended = command("check", "--online")
        found: list[str] = ended.out.splitlines()
        assert ended.status == int(any(line.startswith("FAIL") for line in found))
        return found

    del reached
    return lines


def about(lines: list[str], words: str) -> list[str]:
    return [line for line in lines if words in line]


@pytest.mark.usefixtures("amazon")
def test_a_stream_that_is_as_it_should_be_is_told_with_its_shards_retention_and_key(
    told: Callable[[], list[str]],
) -> None:
    subject = "CONNECT_DYNAMICS_CONTACT_EVENTS (stream contact-events)"
    assert about(told(), "stream contact-events") == [
        f"ok   {subject}: ACTIVE, 1 shards, kept 168 h, encrypted by alias/aws/kinesis",
        f"ok   {subject}: can be read",
    ]


@pytest.mark.usefixtures("amazon")
def test_a_stream_that_is_not_there_is_told_once_with_what_to_do(
    told: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}CONTACT_EVENTS", "x")
    (line,) = about(told(), "stream x")
    assert line == (
        "FAIL CONNECT_DYNAMICS_CONTACT_EVENTS (stream x): kinesis:DescribeStreamSummary answered "
        "ResourceNotFoundException: there is no such stream in this account and Region: mind its "
        "spelling and AWS_REGION, or make it"
    )


def test_a_stream_that_forgets_after_a_day_is_a_note(
    told: Callable[[], list[str]], amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    amazon.stream("short", hours=24)
    monkeypatch.setenv(f"{PREFIX}CONTACT_EVENTS", "short")
    (line,) = [line for line in about(told(), "stream short") if line.startswith("note")]
    assert "keeps messages 24 h" in line


def test_tables_as_they_are_made_are_in_order(
    told: Callable[[], list[str]], amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    amazon.do("dynamodb", lambda client: create_tables(client, "state"))
    amazon.do("dynamodb", lambda client: create_lease_table(client, "leases"))
    monkeypatch.setenv(f"{PREFIX}STATE", "dynamodb:state")
    monkeypatch.setenv(f"{PREFIX}CONTACT_EVENTS_LEASES", "leases")
    lines = told()
    assert about(lines, "(table ") == [
        "ok   CONNECT_DYNAMICS_CONTACT_EVENTS_LEASES (table leases): ACTIVE, its key is as needed",
        "ok   CONNECT_DYNAMICS_STATE (table state): ACTIVE, keys and indexes are as needed",
    ]
    assert not about(lines, "FAIL")


def test_a_table_of_another_form_or_without_its_lifetime_is_a_failure(
    told: Callable[[], list[str]], amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def make(client: Any) -> None:
        await client.create_table(
            TableName="other",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
        )

    amazon.do("dynamodb", make)
    monkeypatch.setenv(f"{PREFIX}STATE", "dynamodb:other")
    monkeypatch.setenv(f"{PREFIX}CONTACT_EVENTS_LEASES", "other")
    lines = about(told(), "(table other)")
    assert [line[:4] for line in lines] == ["FAIL", "FAIL", "FAIL", "note"]
    assert "its key is not leaseKey" in lines[0]
    assert "lacks the index due, " in lines[1]
    assert "turn time to live on, attribute ttl" in lines[2]
    assert "point-in-time recovery is off" in lines[3]


def test_missing_tables_are_told_with_the_command_that_makes_them(
    told: Callable[[], list[str]], amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    del amazon  # it is there, and empty
    monkeypatch.setenv(f"{PREFIX}STATE", "dynamodb:nowhere")
    monkeypatch.setenv(f"{PREFIX}CONTACT_EVENTS_LEASES", "neither")
    state, leases = about(told(), "FAIL")  # each once
    assert "DescribeTable answered ResourceNotFoundException: there is no such table" in state
    assert state.endswith("connect-dynamics tables create nowhere")
    assert leases.endswith("connect-dynamics tables create STATE --leases neither")


def test_a_queue_is_told_with_who_may_send_to_it_and_what_buckets_tell(
    told: Callable[[], list[str]], amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = amazon.queue(Policy=json.dumps(POLICY))
    arn = "arn:aws:sqs:eu-central-1:123456789012:recordings"
    native = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    amazon.bucket("native", native)
    amazon.bucket("silent", {})
    monkeypatch.setenv(f"{PREFIX}RECORDINGS", url)
    buckets = "native,silent,missing"
    monkeypatch.setenv(f"{PREFIX}RECORDING_BUCKETS", buckets)
    lines = told()
    (queue, letters) = about(lines, "(queue recordings)")
    assert queue.startswith("ok   CONNECT_DYNAMICS_RECORDINGS")
    assert "has no dead-letter queue" in letters
    told_of = {name: about(lines, f"(bucket {name})") for name in buckets.split(",")}
    assert "tells the queue of its objects" in told_of["native"][0]
    assert "turn its notifications to EventBridge on" in told_of["silent"][0]
    assert "answered NoSuchBucket: there is no such bucket" in told_of["missing"][0]
    starts = {name: lines[0][:4] for name, lines in told_of.items()}
    assert starts == {"native": "ok  ", "silent": "FAIL", "missing": "FAIL"}


@pytest.mark.usefixtures("amazon")
def test_an_aws_that_is_away_is_told_as_away_and_not_as_a_missing_thing(
    told: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:1")
    (line,) = about(told(), "stream contact-events")
    assert line.startswith("FAIL CONNECT_DYNAMICS_CONTACT_EVENTS (stream contact-events): AWS's ")
    assert "kinesis has no answer (EndpointConnectionError)" in line
    assert "nothing is known of it; check network, proxy" in line


@pytest.mark.usefixtures("amazon")
def test_missing_credentials_are_told_once_whatever_is_asked_with_them(
    told: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}CONTACT_RECORDS", "contact-records")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert len(about(told(), "AWS does not take our credentials (NoCredentialsError)")) == 1


@pytest.mark.usefixtures("amazon")
def test_without_a_region_it_is_told_to_set_one(
    told: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert about(told(), "FAIL") == ["FAIL no AWS Region is set: set AWS_REGION"]


def test_asking_puts_nothing_anywhere(
    told: Callable[[], list[str]], amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real = aws.client

    @asynccontextmanager
    async def noting(service: str, **more: Any) -> AsyncIterator[Any]:
        async with real(service, **more) as client:
            client.meta.events.register("before-call", lambda model, **_: calls.append(model.name))
            yield client

    url = amazon.queue()
    amazon.bucket("recordings", {})
    amazon.do("dynamodb", lambda client: create_tables(client, "state"))
    amazon.do("dynamodb", lambda client: create_lease_table(client, "leases"))
    monkeypatch.setenv(f"{PREFIX}RECORDINGS", url)
    monkeypatch.setenv(f"{PREFIX}RECORDING_BUCKETS", "recordings")
    monkeypatch.setenv(f"{PREFIX}STATE", "dynamodb:state")
    monkeypatch.setenv(f"{PREFIX}CONTACT_EVENTS_LEASES", "leases")
    monkeypatch.setattr(aws, "client", noting)
    told()
    assert {"GetRecords", "GetQueueAttributes", "Scan", "DescribeTable"} <= set(calls)
    reading = ("BatchGet", "Describe", "Get", "Head", "List", "Query", "Scan")
    assert not [call for call in calls if not call.startswith(reading)]
