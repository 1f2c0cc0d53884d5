"""Two workers with one state and one lease table per stream: they share the work."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from queue import Empty
from typing import Any
from uuid import uuid4

import boto3
import pytest

from worker.sandbox import traffic
from worker.sandbox.dataverse.faults import throttle


pytestmark = pytest.mark.services

Command = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]

#: How long anything here may take to happen (s).
LIMIT_S = 90.0

CALLS = 12

#: What a throttled request is told (s), and how long those may take that are under way (s).
RETRY_AFTER_S = 20
SETTLED_S = 8


@pytest.fixture
def shared(moto_server: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Streams and tables of their own; where each stream is."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    mark = uuid4().hex[:8]
    streams = {name: f"{name}-{mark}" for name in (traffic.EVENTS, traffic.RECORDS)}
    kinesis = boto3.client("kinesis")
    leases = []
    for name, stream in streams.items():
        kinesis.create_stream(StreamName=stream, ShardCount=4)
        setting = f"CONNECT_DYNAMICS_{name.upper().replace('-', '_')}"
        monkeypatch.setenv(setting, stream)
        monkeypatch.setenv(f"{setting}_START", "earliest")
        monkeypatch.setenv(f"{setting}_LEASES", f"{stream}-leases")
        leases += ["--leases", f"{stream}-leases"]
    kinesis.close()
    monkeypatch.setenv("CONNECT_DYNAMICS_STATE", f"dynamodb:state-{mark}")
    monkeypatch.setenv("CONNECT_DYNAMICS_POLL_S", "0.2")
    monkeypatch.setenv("CONNECT_DYNAMICS_LOG_LEVEL", "error")  # nobody empties their pipes
    made = command("tables", "create", f"state-{mark}", *leases)
    assert made.status == 0, made.err
    return streams


def owners(table: str) -> set[str]:
    dynamodb = boto3.client("dynamodb")
    items = dynamodb.scan(TableName=table)["Items"]
    dynamodb.close()
    return {item["leaseOwner"]["S"] for item in items if "leaseOwner" in item}


@pytest.fixture
def workers(start: Start, shared: dict[str, str], reached: Any) -> list[subprocess.Popen[str]]:
    """Two workers that have shared the shards, and nothing to do yet."""
    assert reached.requests.empty()
    workers = [start("run", CONNECT_DYNAMICS_WORKER_ID=name) for name in ("one", "two")]
    ticks = iter(range(int(LIMIT_S * 10)))
    while any(owners(f"{stream}-leases") != {"one", "two"} for stream in shared.values()):
        next(ticks)
        with pytest.raises(subprocess.TimeoutExpired):  # it works on
            workers[0].wait(0.1)
    return workers


def tell(shared: dict[str, str], calls: range) -> list[traffic.History]:
    """Send what Connect says of so many calls."""
    soon = datetime.now(UTC) + timedelta(minutes=1)  # what began before them is not created
    told = [traffic.history("voice_inbound", random.Random(seed), soon) for seed in calls]
    kinesis = boto3.client("kinesis")
    for message in (sent for history in told for sent in history.sent):
        if message.stream in shared:
            kinesis.put_record(
                StreamName=shared[message.stream],
                Data=message.body,
                PartitionKey=message.contact_id,
            )
    kinesis.close()
    return told


def end(workers: list[subprocess.Popen[str]]) -> None:
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    for worker in workers:
        _, err = worker.communicate(timeout=LIMIT_S)
        assert worker.returncode == 0, err


def test_two_workers_share_shards_and_make_each_record_once(
    workers: list[subprocess.Popen[str]], shared: dict[str, str], reached: Any
) -> None:
    told = tell(shared, range(CALLS))
    numbers = sorted(str(t.number) for history in told for t in traffic.truth(history).values())
    calls: list[Any] = []
    while sorted(str(row.get("phonenumber")) for row in calls) != numbers:
        reached.requests.get(timeout=LIMIT_S)
        calls = reached.dataverse.dump()["phonecalls"]
    end(workers)
    assert all(owners(f"{stream}-leases") == set() for stream in shared.values())


def test_the_retry_after_of_one_request_binds_both_workers(
    workers: list[subprocess.Popen[str]], shared: dict[str, str], reached: Any
) -> None:
    """And each of them would have had something to send meanwhile."""
    sending = threading.Thread(target=tell, args=(shared, range(CALLS)))
    sending.start()
    reached.requests.get(timeout=LIMIT_S)
    reached.dataverse.faults.next(throttle(RETRY_AFTER_S))
    while reached.requests.get(timeout=LIMIT_S)[2] != HTTPStatus.TOO_MANY_REQUESTS:
        assert workers[0].poll() is None
    until = time.monotonic() + RETRY_AFTER_S - 1  # our clock started later than theirs
    time.sleep(SETTLED_S)  # what was under way has ended
    while not reached.requests.empty():
        reached.requests.get()
    with pytest.raises(Empty):
        reached.requests.get(timeout=until - time.monotonic())
    while len(reached.dataverse.dump()["phonecalls"]) < CALLS:
        reached.requests.get(timeout=LIMIT_S)
    sending.join(LIMIT_S)
    end(workers)
