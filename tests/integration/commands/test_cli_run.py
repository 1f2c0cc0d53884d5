"""``connect-dynamics run`` and ``sandbox``: programs that work until they are told to stop."""

from __future__ import annotations

import random
import signal
import subprocess
import time

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from worker.sandbox import traffic


pytestmark = pytest.mark.services

Command = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]

#: How long anything here may take to happen (s).
LIMIT_S = 60.0


def said(process: subprocess.Popen[str], word: str) -> str:
    """Its standard error up to the line with this word."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if word in line:
            return "".join(lines)
    pytest.fail(f"it ended without saying {word}: {lines[-3:]}")


@pytest.fixture
def aws(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Streams and queue of one worker, which its settings name."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    clients = {name: boto3.client(name) for name in ("kinesis", "sqs")}
    for stream in (traffic.EVENTS, traffic.RECORDS):
        clients["kinesis"].create_stream(StreamName=stream, ShardCount=2)
        setting = stream.upper().replace("-", "_")
        monkeypatch.setenv(f"CONNECT_DYNAMICS_{setting}", stream)
        monkeypatch.setenv(f"CONNECT_DYNAMICS_{setting}_START", "earliest")
    queue = clients["sqs"].create_queue(QueueName="recordings")["QueueUrl"]
    monkeypatch.setenv("CONNECT_DYNAMICS_RECORDINGS", queue)
    monkeypatch.setenv("CONNECT_DYNAMICS_POLL_S", "0.2")
    yield {**clients, "queue": queue}
    for client in clients.values():
        client.close()


def recorded(begin: datetime) -> tuple[traffic.History, Any]:
    """A call that is recorded, and the truth about it."""
    for seed in range(20):
        story = traffic.history("voice_inbound", random.Random(seed), begin)
        ((_, truth),) = traffic.truth(story).items()
        if truth.recording_url:
            return story, truth
    pytest.fail("no call is recorded")


def put(aws: dict[str, Any], history: traffic.History) -> None:
    for message in history.sent:
        if message.stream == traffic.RECORDINGS:
            body = message.body.decode()
            aws["sqs"].send_message(QueueUrl=aws["queue"], MessageBody=body)
        else:
            aws["kinesis"].put_record(
                StreamName=message.stream, Data=message.body, PartitionKey=message.contact_id
            )


def test_run_brings_live_messages_to_dynamics_and_ends_well_on_sigterm(
    start: Start, aws: dict[str, Any], reached: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECT_DYNAMICS_DRAIN_S", "10")
    worker = start("run")
    said(worker, "service.started")
    soon = datetime.now(UTC) + timedelta(minutes=1)  # only what begins after its start is created
    story, expected = recorded(soon)
    put(aws, story)
    while not any(row["statecode"] for row in reached.dataverse.dump()["phonecalls"]):
        reached.requests.get(timeout=LIMIT_S)
    (row,) = reached.dataverse.dump()["phonecalls"]
    assert row["phonenumber"] == expected.number
    assert expected.recording_url in row["description"]
    asked = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=LIMIT_S)
    assert worker.returncode == 0
    assert time.monotonic() - asked < 10
    assert "Traceback" not in err
    assert "service.stopped" in err
    assert expected.number is not None
    assert expected.number not in err  # I8


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("CONNECT_DYNAMICS_TENANT", "", "please set CONNECT_DYNAMICS_TENANT"),
        ("CONNECT_DYNAMICS_STATE", "sqlite:/", "cannot open the store /"),
        ("CONNECT_DYNAMICS_PIPELINES", "nothing.toml", "there is no such pipeline"),
        ("CONNECT_DYNAMICS_POLL_S", "0", "greater than 0"),
        ("CONNECT_DYNAMICS_CONTACT_EVENTS_START", "soon", "must be now, earliest or an ISO"),
        ("", "", "there is nothing to read: set at least one of"),
    ],
)
def test_run_says_what_must_be_mended_before_it_starts(
    *,
    command: Command,
    reached: Any,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    value: str,
    told: str,
) -> None:
    if setting:
        monkeypatch.setenv("CONNECT_DYNAMICS_CONTACT_EVENTS", "contact-events")
        monkeypatch.setenv(setting, value)
    ended = command("run")
    assert ended.status == 1
    assert told in ended.err
    assert reached.requests.empty()


def test_the_sandbox_prints_the_settings_that_reach_it_and_ends_well_on_sigterm(
    start: Start, command: Command, monkeypatch: pytest.MonkeyPatch, place: Path, day: Path
) -> None:
    """What it prints is pasted into a shell; its records outlive it."""
    served = start("sandbox", "--port", "0", "--data", "data.db", "--ca", "ca.pem")
    assert served.stdout is not None
    for line in served.stdout:
        export, _, setting = line.strip().partition(" ")
        name, _, value = setting.partition("=")
        assert export == "export"
        monkeypatch.setenv(name, value)
        if name == "SANDBOX_SECRET":
            break
        if name == "CONNECT_DYNAMICS_ENVIRONMENT_URL":
            url = value
    assert command("replay", day, "--dynamics", url).status == 0
    taken = command("sandbox", "--port", url.rpartition(":")[2], "--ca", "other.pem")
    assert taken.status == 1
    assert "choose another with --port" in taken.err
    served.send_signal(signal.SIGTERM)
    _, err = served.communicate(timeout=LIMIT_S)
    assert (served.returncode, err) == (0, "")
    again = command("replay", day, "--dynamics", "sandbox:data.db", "--report", "json")
    assert again.report["writes"] == 0
    assert (place / "ca.pem").exists()
