"""Bad input: a clear message or a quarantine entry, never a traceback, nothing else lost."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
import subprocess

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


Command = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]

CALL = "00000000-0000-4000-a000-000000000001"


def event(number: int, **detail: Any) -> dict[str, Any]:
    """A call's end."""
    said = {
        "eventType": "DISCONNECTED",
        "contactId": f"00000000-0000-4000-b000-{number:012}",
        "channel": "VOICE",
        "initiationMethod": "INBOUND",
        "initiationTimestamp": "2026-01-02T03:04:05.678Z",
        "disconnectTimestamp": "2026-01-02T03:05:06.789Z",
    }
    envelope = {"source": "aws.connect", "detail-type": "Amazon Connect Contact Event"}
    return {**envelope, "time": "2026-01-02T03:05:07Z", "detail": {**said, **detail}}


def line(number: int, **detail: Any) -> bytes:
    return json.dumps(event(number, **detail)).encode() + b"\n"


#: What goes wrong -> the bytes between two good contacts, and how much of it is quarantined.
DAMAGE: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 0),
    "blank lines": (b"\n \n\t\n", 0),
    "no JSON": (b"this is no JSON\n", 1),
    "a number": (b"42\n", 1),
    "invalid UTF-8": (b'{"a": "\xff\xfe"}\n', 1),
    "UTF-8 cut in two": ('{"a": "ä"}'.encode().replace(b"\xa4", b"") + b"\n", 1),
    "a lone surrogate": (b'{"a": "\\ud800"}\n', 1),
    "a control character": (b'{"a": "\x01"}\n', 1),
    "deep nesting": (b"[" * 100_000 + b"]" * 100_000 + b"\n", 1),
    "deep nesting inside a message": (
        line(9).replace(b'"VOICE"', b'{"a":' * 2000 + b"1" + b"}" * 2000),
        1,
    ),
    "nesting just too deep to keep": (
        line(9).replace(b'"VOICE"', b'{"a":' * 300 + b"1" + b"}" * 300),
        1,
    ),
    "a huge integer": (line(9).replace(b'"VOICE"', b"9" * 5000), 1),
    "a number out of range": (b'{"a": 1e999}\n', 1),
    "no identity": (
        b'{"detail-type": "Amazon Connect Contact Event", "source": "aws.connect"}\n',
        1,
    ),
    "half a message": (line(9)[:80] + b"\n", 1),
}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
def test_a_damaged_message_is_kept_and_its_neighbours_get_their_records(
    command: Command, place: Path, damage: str
) -> None:
    body, quarantined = DAMAGE[damage]
    (place / "archive.json").write_bytes(line(1) + body + line(2))
    ended = command(
        "replay", "--dynamics", "sandbox", "archive.json", "--report", "json", "--dump", "dump.json"
    )
    assert ended.status == (3 if quarantined else 0)
    assert ended.report["quarantined"] == quarantined
    assert len(json.loads((place / "dump.json").read_bytes())["phonecalls"]) == 2


def calls(dump: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(dump.read_bytes())["phonecalls"]
    return rows


# Archives


def test_of_a_key_given_twice_the_last_counts(command: Command, place: Path) -> None:
    twice = line(3).replace(b'"channel": "VOICE"', b'"channel": "CHAT", "channel": "VOICE"')
    (place / "archive.json").write_bytes(line(1) + twice)
    ended = command("replay", "--dynamics", "sandbox", "archive.json", "--dump", "dump.json")
    assert ended.status == 0
    assert len(calls(place / "dump.json")) == 2


def test_a_file_that_breaks_off_gives_what_came_before(command: Command, place: Path) -> None:
    packed = gzip.compress(b"".join(line(n, Note=os.urandom(300).hex()) for n in range(50)))
    (place / "cut.gz").write_bytes(packed[: len(packed) // 2])
    (place / "good.json").write_bytes(line(99))
    ended = command(
        "replay",
        "--dynamics",
        "sandbox",
        "cut.gz",
        "good.json",
        "--report",
        "json",
        "--dump",
        "dump.json",
    )
    assert ended.status == 3
    ends = {row["actualend"] for row in calls(place / "dump.json")}
    assert ends == {"2026-01-02T03:05:06Z"}
    assert 10 < len(calls(place / "dump.json")) < 50
    kept = command("replay", "--dynamics", "sandbox", "cut.gz", "--state", "sqlite:state.db")
    assert kept.status == 3
    assert "archive:" in command("quarantine", "list", "--state", "sqlite:state.db").out


def test_a_line_of_50_mb_is_kept_by_its_head_alone(command: Command, place: Path) -> None:
    long = b'{"a": "' + b"x" * 50_000_000 + b'"}\n'
    (place / "archive.json").write_bytes(line(1) + long + line(2))
    state = ("--state", "sqlite:state.db")
    ended = command(
        "replay",
        "--dynamics",
        "sandbox",
        "archive.json",
        *state,
        "--report",
        "json",
        "--dump",
        "dump.json",
    )
    assert (ended.status, ended.report["quarantined"]) == (3, 1)
    assert len(calls(place / "dump.json")) == 2
    assert (place / "state.db").stat().st_size < 2_000_000


def test_empty_files_hold_no_messages(command: Command, place: Path) -> None:
    (place / "empty").touch()
    (place / "empty.gz").write_bytes(gzip.compress(b""))
    ended = command("replay", "--dynamics", "sandbox", "empty", "empty.gz", "--report", "json")
    assert (ended.status, ended.report["events"]) == (0, 0)


def test_a_folder_that_holds_no_file_is_a_mistake(command: Command, place: Path) -> None:
    (place / "folder").mkdir()
    ended = command("replay", "--dynamics", "sandbox", "folder")
    assert ended.status == 1
    assert "folder holds no file" in ended.err


def test_a_file_that_is_no_text_is_told_from_one_that_is(command: Command, place: Path) -> None:
    (place / "call.wav").write_bytes(b"RIFF\0\0\0\0WAVE" * 1000)
    (place / "good.json").write_bytes(line(1))
    ended = command("replay", "--dynamics", "sandbox", place, "--report", "json")
    assert (ended.status, ended.report["quarantined"], ended.report["writes"]) == (3, 1, 2)


@pytest.mark.parametrize("source", ["nowhere.json", "s3://", "s3://invented-bucket/x"])
def test_a_source_that_cannot_be_read_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    ended = command("replay", "--dynamics", "sandbox", source)
    assert ended.status == 1
    assert len(ended.err.splitlines()) == 1


# Pipelines

GOOD = """
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"category": "{{Channel}}"}'
"""


def test_an_unknown_entity_parks_its_own_step_alone(
    command: Command, pipeline: Callable[[str], Path], place: Path, day: Path
) -> None:
    wrong = GOOD.replace("CALL", "WRONG").replace("phonecalls", "new_callz")
    ended = command(
        *(
            "replay",
            "--dynamics",
            "sandbox",
            day,
            "--pipeline",
            pipeline(wrong + GOOD),
            "--pipeline",
            "phonecall",
        ),
        *("--state", "sqlite:state.db", "--report", "json", "--dump", "dump.json"),
    )
    assert ended.status == 3
    assert ended.report["parked"] == 2
    assert len(calls(place / "dump.json")) == 4  # of both pipelines
    assert "404" in command("parked", "list", "--state", "sqlite:state.db").out
    retried = command("parked", "retry", "--all", "--step", "WRONG", "--state", "sqlite:state.db")
    assert retried.out.startswith("2 parked writes of 2 contacts will be tried again")


def binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def too_deep(path: Path) -> None:
    path.write_text(f"name = {'[' * 100_000}")


def deep_body(path: Path) -> None:
    body = '{"a":' * 50_000 + "1" + "}" * 50_000
    step = GOOD.replace('{"category": "{{Channel}}"}', body)
    path.write_text(f'name = "deep"\n{step}')


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (Path.mkdir, "cannot be read"),
        (Path.touch, "name is missing"),
        (binary, "cannot be read"),
        (too_deep, "nested too deeply"),
        (deep_body, "nested too deeply"),
        (lambda path: path.write_text("name = 1"), "name must be text"),
        (lambda path: path.write_text("= x"), "not TOML"),
        (lambda path: path.symlink_to(path), "cannot be read"),
    ],
)
def test_a_pipeline_that_is_none_is_told_with_its_file(
    command: Command, place: Path, day: Path, make: Callable[[Path], object], told: str
) -> None:
    make(place / "mine.toml")
    for arguments in (("replay", day), ("check",)):
        ended = command(*arguments, "--pipeline", "mine.toml")
        said = ended.err + ended.out
        assert ended.status == 1
        assert "mine.toml" in said
        assert told in said


def test_two_pipelines_of_one_name_are_refused(
    command: Command, pipeline: Callable[[str], Path], day: Path
) -> None:
    path = pipeline(GOOD)
    ended = command("replay", "--dynamics", "sandbox", day, "--pipeline", path, "--pipeline", path)
    assert ended.status == 1
    assert "two pipelines call themselves 'mine'; rename one" in ended.err


# Options


def other_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def of_the_future(path: Path) -> None:
    from worker.stores.sqlite_file import APPLICATION_ID  # noqa: PLC0415 - for this one case

    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 999")
    connection.close()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (Path.mkdir, "Is a directory"),
        (binary, "is not an SQLite file"),
        (other_program, "belongs to another program"),
        (of_the_future, "was written by a newer release"),
    ],
)
def test_a_state_that_is_none_of_ours_is_left_alone(
    command: Command, place: Path, day: Path, make: Callable[[Path], object], told: str
) -> None:
    make(place / "state.db")
    before = None if (place / "state.db").is_dir() else (place / "state.db").read_bytes()
    for arguments in (
        ("replay", "--dynamics", "sandbox", day),
        ("parked", "list"),
        ("contact", "show", CALL),
    ):
        ended = command(*arguments, "--state", "sqlite:state.db")
        assert ended.status == 1
        assert told in ended.err
    assert before is None or (place / "state.db").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "status", "told"),
    [
        (("--dump", "nowhere/dump.json"), 2, "cannot be written"),
        (("--dump", "."), 2, "cannot be written"),
        (("--dump", "x", "--dynamics", "https://org.test"), 1, "--dump writes the sandbox's"),
        (("--since", "yesterday"), 2, "not an ISO time"),
        (("--until", "2026-02-30"), 2, "not an ISO time"),
        (("--rate", "0"), 2, "--rate"),
        (("--rate", "fast"), 2, "--rate"),
        (("--report", "xml"), 2, "--report"),
        (("--state", "sqlite:nowhere/state.db"), 1, "cannot open the store"),
        (("--state", "sqlite"), 1, "no such store"),
        (("--dynamics", "http://org.test"), 1, "begins with https://"),
        (("--dynamics", "https://org.test"), 1, "please set CONNECT_DYNAMICS_TENANT"),
        (("--pipeline", "nothing"), 1, "there is no such pipeline"),
        (("--settings", "."), 1, "cannot be read"),
        (("--wrong",), 2, "--wrong"),
        (("",), 2, "a source is empty"),
    ],
)
def test_an_option_that_cannot_be_used_is_told_before_anything_is_done(
    *, command: Command, place: Path, day: Path, options: tuple[str, ...], status: int, told: str
) -> None:
    ended = command("replay", "--dynamics", "sandbox", day, *options)
    assert ended.status == status
    assert told in ended.err
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    "text", ["= x", "nothing_like_this = 1", "poll_s = [1]", "a = " + "[" * 99999]
)
def test_a_settings_file_that_cannot_be_used_is_told(
    command: Command, place: Path, text: str
) -> None:
    (place / "settings.toml").write_text(text)
    ended = command("check", "--settings", "settings.toml")
    assert ended.status == 1
    assert ended.err.startswith("connect-dynamics: ")
    assert len(ended.err.splitlines()) == 1


# Interruption


@pytest.mark.services
def test_an_interrupted_replay_ends_at_once_and_the_next_one_finishes(
    start: Start, command: Command, reached: Any, day: Path
) -> None:
    """At one request in five seconds it is interrupted between two of them."""
    process = start("replay", day, "--dynamics", reached.url, "--rate", "0.2")
    assert reached.requests.get(timeout=60)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert command("replay", day, "--dynamics", reached.url).status == 0
    rows = reached.dataverse.dump()["phonecalls"]
    assert [row["statecode"] for row in rows] == [1, 1]
