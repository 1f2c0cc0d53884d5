"""A state that is restored from a copy, or lost, as the commands meet it; with ``kill -9``."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty
from random import Random
from typing import Any

import boto3
import pytest

from worker.sandbox import traffic
from worker.sandbox.dataverse.schema.tables import TABLES
from worker.sandbox.dataverse.users import application_user
from worker.stores.restoration import SUFFIX


Command = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]

STATE = ("--state", "sqlite:state.db")

#: How long anything here may take to happen (s).
LIMIT_S = 60.0


def calls(served: Any) -> list[dict[str, Any]]:
    """The phone calls in Dynamics."""
    rows: list[dict[str, Any]] = served.dataverse.dump()["phonecalls"]
    return rows


def edit(served: Any, **columns: Any) -> None:
    """A person changes every phone call."""
    records, table = served.dataverse.records, TABLES["phonecalls"]
    with records.transaction():
        for row in calls(served):
            record = records.get(table, row["activityid"])
            writer = served.dataverse.organisation.writer
            writer.update(table, record, columns, application_user("a person"))


def answered(served: Any) -> list[tuple[str, str, int]]:
    """The requests that were answered since somebody asked last."""
    found = []
    while True:
        try:
            found.append(served.requests.get_nowait())
        except Empty:
            return found


def created(requests: list[tuple[str, str, int]]) -> int:
    return sum(method == "POST" and status < 300 for method, _, status in requests)


def copy(source: Path, target: Path) -> None:
    """A copy as SQLite makes one while the file is in use."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def remove(state: Path) -> None:
    """The state is lost; its mark is not."""
    for suffix in ("", "-wal", "-shm"):
        state.with_name(state.name + suffix).unlink(missing_ok=True)


# --- a replay ------------------------------------------------------------------------------------


@pytest.mark.services
def test_a_lost_state_is_said_and_rebuilt_by_a_replay_with_no_second_create(
    command: Command, reached: Any, day: Path, place: Path
) -> None:
    into = ("--dynamics", reached.url, "--report", "json")
    first = command("replay", "--dynamics", "sandbox", day, *STATE, *into)
    assert (first.status, first.err) == (0, "")
    edit(reached, subject="by hand")
    rows = calls(reached)
    assert created(answered(reached)) == len(rows) == 2
    remove(place / "state.db")
    again = command("replay", "--dynamics", "sandbox", day, *STATE, *into)
    assert "state.lost" in again.err
    assert (again.status, again.report["writes"]) == (0, 0)
    assert created(answered(reached)) == 0
    assert calls(reached) == rows
    third = command("replay", "--dynamics", "sandbox", day, *STATE, *into)
    assert (third.err, third.report["requests"]) == ("", 0)


@pytest.mark.services
def test_a_copy_without_its_mark_on_another_machine_is_taken_for_an_older_state(
    command: Command, reached: Any, day: Path, place: Path
) -> None:
    into = ("--dynamics", reached.url, "--report", "json")
    for _ in range(2):
        command("replay", "--dynamics", "sandbox", day, *STATE, *into)
    copy(place / "state.db", place / "other.db")
    ended = command("replay", "--dynamics", "sandbox", day, "--state", "sqlite:other.db", *into)
    assert "state.restored" in ended.err
    assert (place / f"other.db{SUFFIX}").exists()
    assert (
        "state.restored"
        not in command(
            "replay", "--dynamics", "sandbox", day, "--state", "sqlite:other.db", *into
        ).err
    )


# --- declared ------------------------------------------------------------------------------------


def test_a_restoration_is_declared_after_a_question_and_says_what_is_to_be_done(
    command: Command, day: Path
) -> None:
    command("replay", "--dynamics", "sandbox", day, *STATE)
    refused = command("state", "restored", *STATE, answer="n\n")
    assert (refused.status, "restoration 1" in refused.out) == (1, False)
    for number, asked in ((1, {"answer": "y\n"}), (2, {})):
        declared = command("state", "restored", *STATE, *([] if asked else ["--yes"]), **asked)
        assert declared.status == 0
        assert f"restoration {number}" in declared.out
        assert "connect-dynamics replay" in declared.out


def test_only_a_state_that_is_there_is_declared_restored(command: Command, place: Path) -> None:
    ended = command("state", "restored", *STATE, "--yes")
    assert (ended.status, "there is no state yet" in ended.err) == (1, True)
    assert not (place / "state.db").exists()
    assert "state restored" in command("state", "restored", "--help").out


@pytest.mark.services
@pytest.mark.parametrize("declared", [True, False])
def test_after_a_declaration_records_are_read_before_they_are_written(
    *, command: Command, reached: Any, day: Path, place: Path, declared: bool
) -> None:
    into = (*STATE, "--dynamics", reached.url)
    begun = place / "begun.ndjson"
    begun.write_bytes(b"".join(day.read_bytes().splitlines(keepends=True)[:1]))
    assert command("replay", "--dynamics", "sandbox", begun, *into).status == 0
    if declared:
        command("state", "restored", *STATE, "--yes")
    edit(reached, category="by hand")
    [row] = calls(reached)
    answered(reached)
    assert command("replay", "--dynamics", "sandbox", day, *into).status == 0
    about = [method for method, path, _ in answered(reached) if row["activityid"] in path]
    assert about == (["GET"] if declared else []) + ["PATCH", "PATCH"]
    assert next(c for c in calls(reached) if c["activityid"] == row["activityid"])["category"] == (
        "by hand" if declared else "VOICE"
    )


# --- a worker that is killed ---------------------------------------------------------------------


def said(process: subprocess.Popen[str], *words: str) -> str:
    """Its standard error up to the line with the last of these words, in this order."""
    assert process.stderr is not None
    lines, left = [], list(words)
    for line in process.stderr:
        lines.append(line)
        if left[0] in line and not left[1:]:
            return "".join(lines)
        if left[0] in line:
            del left[0]
    pytest.fail(f"it ended without saying {left}: {lines[-3:]}")


@pytest.fixture
def tell(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts messages into the streams that the worker's settings name."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    monkeypatch.setenv("CONNECT_DYNAMICS_STATE", "sqlite:state.db")
    monkeypatch.setenv("CONNECT_DYNAMICS_POLL_S", "0.2")
    kinesis = boto3.client("kinesis")
    for stream in (traffic.EVENTS, traffic.RECORDS):
        kinesis.create_stream(StreamName=stream, ShardCount=1)
        setting = stream.upper().replace("-", "_")
        monkeypatch.setenv(f"CONNECT_DYNAMICS_{setting}", stream)
        monkeypatch.setenv(f"CONNECT_DYNAMICS_{setting}_START", "earliest")

    def put(*sent: traffic.SentMessage) -> None:
        for one in sent:
            kinesis.put_record(StreamName=one.stream, Data=one.body, PartitionKey=one.contact_id)

    yield put
    kinesis.close()


def wait_for_rest(state: Path) -> None:
    """Wait until the contact record is taken in and nothing is owed: no write comes any more."""
    ends_at = time.monotonic() + LIMIT_S
    with closing(sqlite3.connect(state)) as connection:
        while True:
            rows = connection.execute("SELECT due_at, claimed_until, data FROM contact").fetchall()
            if all(
                due is None and not claimed and b'"record"' in data for due, claimed, data in rows
            ):
                return
            assert time.monotonic() < ends_at, "it never came to rest"
            time.sleep(0.05)


def until(served: Any, true: Callable[[], bool]) -> None:
    """Wait for something to be true of what is in Dynamics."""
    while not true():
        served.requests.get(timeout=LIMIT_S)


@pytest.mark.services
def test_a_worker_that_is_killed_and_goes_on_with_an_older_copy_doubles_and_undoes_nothing(
    start: Start, command: Command, tell: Any, reached: Any, place: Path
) -> None:
    state, kept = place / "state.db", place / "kept.db"
    worker = start("run")
    said(worker, "service.started")
    # Only what begins after its start is created; and what is doubted began before the restoration.
    soon = datetime.now(UTC) + timedelta(seconds=1)
    story = traffic.history("voice_inbound", Random(1), soon)
    sent = [one for one in story.sent if one.stream != traffic.RECORDINGS]
    tell(sent[0])
    said(worker, "push.done")
    copy(state, kept)
    worker.kill()
    worker = start("run")
    tell(*sent[1:])
    until(reached, lambda: any(row["statecode"] for row in calls(reached)))
    wait_for_rest(state)
    edit(reached, subject="by hand")
    rows = calls(reached)
    worker.kill()
    worker.wait()
    remove(state)
    kept.rename(state)
    answered(reached)

    worker = start("run")
    assert "connect-dynamics replay" in said(worker, "state.restored", "push.done")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(LIMIT_S) == 0
    traffic.write_archive(place / "archive.ndjson", story.sent)
    ended = command("replay", "archive.ndjson", *STATE, "--dynamics", reached.url)
    assert (ended.status, ended.err) == (0, "")
    assert created(answered(reached)) == 0
    [row] = calls(reached)
    assert row["subject"] == "by hand"
    assert (row["statecode"], row["activityid"]) == (1, rows[0]["activityid"])
