"""The operator's commands: ``contact``, ``parked``, ``quarantine``, and ``states``."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from pipelines.contact import State
from pipelines.history import Happening, happenings
from worker.stores.protocol import Quarantined
from worker.stores.sqlite import SqliteStore


Command = Callable[..., Any]

PROGRAM = Path(sys.executable).parent / "connect-dynamics"

STATE = ("--state", "sqlite:state.db")
CALL = "00000000-0000-4000-a000-000000000001"
MISSED = "00000000-0000-4000-a000-000000000002"

PIPELINE = """
[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{{"{column}": "{{{{Channel}}}}"}}'
"""


@pytest.fixture
def refused(command: Command, pipeline: Callable[[str], Path], day: Path) -> Path:
    """A state with two parked contacts, and the pipeline whose column Dynamics does not know."""
    path = pipeline(PIPELINE.format(column="kategory"))
    ended = command(
        "replay", "--dynamics", "sandbox", day, "--pipeline", path, *STATE, "--report", "json"
    )
    assert (ended.status, ended.report["parked"]) == (3, 2)
    return path


@pytest.fixture
def quarantined(command: Command, place: Path) -> list[str]:
    """The ids of two messages in quarantine."""
    (place / "broken.json").write_bytes(b'{"a": \n{"b": \xff}\n')
    command("replay", "--dynamics", "sandbox", "broken.json", *STATE)
    return re.findall(r"\b[0-9a-f]{32}\b", command("quarantine", "list", "--ids", *STATE).out)


def replayed(command: Command, day: Path, *options: object) -> Any:
    return command("replay", "--dynamics", "sandbox", day, *STATE, "--report", "json", *options)


# contact


def test_a_contact_is_shown_with_what_came_in_and_what_dynamics_has(
    command: Command, day: Path
) -> None:
    replayed(command, day)
    ended = command("contact", "show", CALL.upper(), "--output", "json", *STATE)
    assert ended.status == 0
    shown = ended.report
    assert shown["contact"] == CALL
    assert shown["phase"] == "completed"
    assert set(shown["milestones"]) >= {"created", "answered", "ended", "record", "recording"}
    assert {"record", "event/INITIATED"} <= set(shown["facts"])
    assert shown["facts"]["record"].endswith("Z"), "an archive may be named after somebody"
    (record,) = shown["records"].values()
    assert record["state"] == "there"
    assert {"subject", "phonenumber", "actualend", "statecode"} <= set(record["acknowledged"])
    assert shown["owed"] == []
    assert shown["effects"]["phonecall/STEP3"] == {
        "state": "expired",
        "when": "",
        "why": "it was replayed: no agent waits for it",
    }


def test_a_contact_shows_what_is_owed_and_why_it_waits(command: Command, day: Path) -> None:
    replayed(command, day, "--dry-run")
    replayed(command, day, "--until", "2026-01-02T09:03:00Z")
    shown = command("contact", "show", CALL, *STATE, "-o", "json").report
    assert shown["waiting"]["phonecall/STEP4"].startswith("for ")
    assert shown["waiting"]["phonecall/CLOSE-OUTBOUND"]


def test_a_parked_write_is_shown_with_request_and_answer(command: Command, refused: Path) -> None:
    shown = command("contact", "show", CALL, *STATE, "--pipeline", refused, "-o", "json").report
    (parked,) = shown["parked"].values()
    assert parked["status"] == 400
    assert parked["request"]["body"]["kategory"] == "VOICE"
    assert "kategory" in parked["answer"]


def test_an_unknown_contact_and_an_unknown_state_are_told_apart(
    command: Command, day: Path, place: Path
) -> None:
    replayed(command, day)
    assert "knows no contact 123" in command("contact", "show", "123", *STATE).err
    for state in ("sqlite:stat.db", "memory", "redis:x", "sqlite:"):
        ended = command("contact", "show", CALL, "--state", state)
        assert ended.status == 1
        assert len(ended.err.splitlines()) == 1
    assert not (place / "stat.db").exists()


def test_a_forgotten_contact_is_gone_here_and_its_records_are_named(
    command: Command, refused: Path, day: Path, place: Path
) -> None:
    assert refused.exists()
    (place / "broken.json").write_text(f'{{"ContactId": "{CALL.upper()}", \n')
    command("replay", "--dynamics", "sandbox", "broken.json", *STATE)
    told = command("contact", "forget", CALL.upper(), *STATE, answer="n\n")
    assert told.status == 1
    assert re.search(r"kept here: \d+ facts, 1 parked writes, 1 quarantined messages", told.out)
    assert CALL in command("parked", "list", "--ids", *STATE).out  # it asked, and was told not to
    told = command("contact", "forget", CALL.upper(), *STATE, "--yes")
    assert (told.status, told.out.splitlines()[-1]) == (0, f"{CALL} is forgotten")
    assert "knows no contact" in command("contact", "show", CALL, *STATE).err
    left = (
        command("parked", "list", "--ids", *STATE).out
        + command("quarantine", "list", "--ids", *STATE).out
    )
    assert CALL not in left
    assert MISSED in left
    report = replayed(command, day).report
    assert report["ignored_by_reason"]["contact was forgotten"] > 1
    assert "knows no contact" in command("contact", "show", CALL, *STATE).err
    assert CALL.encode() not in b"".join(path.read_bytes() for path in place.glob("state.db*"))


@pytest.mark.parametrize("contact_id", ["", "a", CALL[:-1], f"{CALL} {MISSED}"])
def test_only_a_whole_id_is_forgotten(
    command: Command, quarantined: list[str], contact_id: str
) -> None:
    """Or all messages in quarantine that hold an "a" would go with it."""
    assert command("contact", "forget", contact_id, *STATE, "--yes").status == 2
    assert all(one in command("quarantine", "list", "--ids", *STATE).out for one in quarantined)


def test_forgetting_says_which_records_are_left_in_dynamics(command: Command, day: Path) -> None:
    dumped = replayed(command, day, "--dump", "dump.json")
    assert dumped.status == 0
    records = command("contact", "show", CALL, *STATE, "-o", "json").report["records"]
    told = command("contact", "forget", CALL, *STATE, answer="y\n").out
    assert [line.strip() for line in told.splitlines() if "phonecalls(" in line] == [
        f"{name}: there" for name in records
    ]
    again = command("contact", "forget", CALL, *STATE, "--yes").out
    assert "kept here: 0 facts" in again
    assert all(f"{name}: may be there" in again for name in records)


# parked


def test_parked_writes_are_listed_with_dynamics_answer(command: Command, refused: Path) -> None:
    ended = command("parked", "list", "--ids", *STATE)
    assert ended.status == 0
    for contact in (CALL, MISSED):
        assert contact in ended.out  # in one piece, to be copied
    assert "400" in ended.out
    assert refused.stem in ended.out


def test_a_summary_says_how_many_since_when_and_what_the_first_one_was(
    command: Command, refused: Path, quarantined: list[str]
) -> None:
    """Other processes did the work, so all of it has survived their end."""
    parked = command("parked", "list", *STATE).out
    assert re.search(rf"2 +2 +\d+s ago +phonecalls +400 .* {refused.stem}/MAKE .*kategory", parked)
    found = command("quarantine", "list", *STATE).out
    assert len(quarantined) == 2
    assert re.search(r"2 +\d+ +\d+s ago +not JSON +archive:broken.json", found)


def test_retrying_renders_parked_writes_anew(
    command: Command, refused: Path, pipeline: Callable[[str], Path], day: Path
) -> None:
    """The administrator mends the pipeline and retries one contact, then the others."""
    pipeline(PIPELINE.format(column="category"))
    ended = command("parked", "retry", CALL, *STATE)
    assert ended.status == 0
    assert f"1 parked write of 1 contact will be tried again: {CALL}\n" in ended.out
    ended = replayed(command, day, "--pipeline", refused, "--dump", "dump.json")
    assert (ended.status, ended.report["writes"], ended.report["parked"]) == (3, 1, 1)
    command("parked", "retry", "--all", "--step", "MAKE", *STATE)
    ended = replayed(command, day, "--pipeline", refused)
    assert (ended.status, ended.report["writes"], ended.report["parked"]) == (0, 1, 0)


@pytest.mark.parametrize("verb", ["retry", "drop"])
@pytest.mark.parametrize(
    ("named", "told"),
    [
        (["--all", "--step", "MAKER"], "nothing is parked for step MAKER; near: MAKE"),
        (["--all", "--code", "40"], "nothing is parked with code 40; near: 400"),
        ([CALL, f"{CALL[:-1]}7"], f"nothing is parked of contact {CALL[:-1]}7; near: "),
    ],
)
def test_what_is_not_parked_is_refused_and_all_is_left_alone(
    command: Command, refused: Path, verb: str, named: list[str], told: str
) -> None:
    assert refused.exists()
    before = command("parked", "list", "-o", "json", *STATE).out
    ended = command("parked", verb, *named, *STATE, *(["--yes"] if verb == "drop" else []))
    assert (ended.status, ended.out) == (1, "")
    assert told in ended.err
    assert command("parked", "list", "-o", "json", *STATE).out == before


@pytest.mark.parametrize(("verb", "what"), [("retry", "retried"), ("drop", "dropped")])
def test_who_touched_a_parked_write_and_why_is_kept_with_its_contact(
    command: Command, refused: Path, monkeypatch: pytest.MonkeyPatch, verb: str, what: str
) -> None:
    assert refused.exists()
    monkeypatch.setattr("getpass.getuser", lambda: "olga")
    yes = ["--yes"] if verb == "drop" else []
    assert command("parked", verb, CALL, "--why", "ticket 12", *yes, *STATE).status == 0

    async def told() -> Happening:
        store = SqliteStore(refused.parent / "state.db")
        [entry] = await store.load([CALL])
        await store.close()
        return happenings(entry.contact)[-1]

    last = asyncio.run(told())
    assert (last.what, last.by, last.why) == (what, "olga", "ticket 12")


@pytest.mark.parametrize("verb", ["retry", "drop"])
def test_a_dry_run_says_what_would_be_touched_and_touches_nothing(
    command: Command, refused: Path, verb: str
) -> None:
    before = command("parked", "list", "-o", "json", *STATE).out
    ended = command("parked", verb, "--all", "--dry-run", *STATE)
    assert ended.status == 0
    assert "2 parked writes of 2 contacts would be" in ended.out
    assert f"{refused.stem}/MAKE" in ended.out
    assert command("parked", "list", "-o", "json", *STATE).out == before


def test_parked_writes_are_exported_whole(command: Command, refused: Path) -> None:
    rows = [json.loads(line) for line in command("parked", "export", *STATE).out.splitlines()]
    assert [row["contact"] for row in rows] == [CALL, MISSED]
    assert rows[0]["request"]["body"]["kategory"] == "VOICE"
    assert rows[0]["steps"] == [f"{refused.stem}/MAKE"]


@pytest.mark.parametrize("command_name", ["parked", "quarantine"])
@pytest.mark.parametrize("verb", ["retry", "drop"])
def test_one_says_which_or_all_of_them_not_both(
    command: Command, command_name: str, verb: str
) -> None:
    assert command(command_name, verb).status == 2
    assert command(command_name, verb, "--all", "some").status == 2


def test_dropping_asks_first(command: Command, refused: Path, day: Path) -> None:
    ended = command("parked", "drop", "--all", *STATE, answer="n\n")
    assert ended.status == 1
    assert CALL in command("parked", "list", "--ids", *STATE).out
    ended = command("parked", "drop", CALL, *STATE, answer="y\n")
    assert f"1 parked write of 1 contact dropped: {CALL}\n" in ended.out
    ended = command("parked", "drop", "--all", "--yes", *STATE)
    assert f"1 parked write of 1 contact dropped: {MISSED}\n" in ended.out
    ended = replayed(command, day, "--pipeline", refused)
    assert (ended.status, ended.report["writes"]) == (0, 0)  # let go of for good


@pytest.mark.parametrize("words", [("parked", "list"), ("parked", "list", "--ids")])
def test_on_a_terminal_of_80_columns_a_list_is_no_wider_and_has_no_boxes(
    refused: Path, words: tuple[str, ...]
) -> None:
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    subprocess.run([PROGRAM, *words, *STATE], stdout=terminal, env=environment, check=True)
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal is closed
        while part := os.read(controller, 65_536):
            shown += part
    os.close(controller)
    lines = shown.decode().splitlines()
    assert f"{refused.stem}/MAKE" in shown.decode()
    assert 60 < max(map(len, lines)) <= 80
    assert all(line.isascii() or "\u2026" in line for line in lines)


# quarantine


def test_quarantined_messages_are_listed_with_origin_and_reason(
    command: Command, quarantined: list[str]
) -> None:
    ended = command("quarantine", "list", "--ids", *STATE)
    assert len(quarantined) == 2
    assert "not JSON" in ended.out
    assert "archive:" in ended.out


def test_showing_gives_the_bytes_as_they_came(command: Command, quarantined: list[str]) -> None:
    shown = [command("quarantine", "show", one, *STATE).raw for one in quarantined]
    assert sorted(shown) == [b'{"a":', b'{"b": \xff}']


def test_retrying_what_still_cannot_be_used_keeps_it(
    command: Command, quarantined: list[str]
) -> None:
    ended = command("quarantine", "retry", "--all", *STATE)
    assert ended.status == 3
    assert ended.out.startswith("0 of 2 quarantined messages could be used\n")
    assert all(one in command("quarantine", "list", "--ids", *STATE).out for one in quarantined)


def test_after_an_upgrade_that_can_use_them_messages_are_taken_in_as_they_came(
    command: Command, day: Path, place: Path
) -> None:
    """As if an earlier release had not understood any message of the day."""
    bodies = day.read_bytes().splitlines() * 2  # as at-least-once delivery has them

    async def put() -> None:
        store = SqliteStore(place / "state.db")
        items = [
            Quarantined(f"{n:032}", 1.0, f"kinesis:records/{n}", "not known yet", body)
            for n, body in enumerate(bodies)
        ]
        await store.quarantine(items)
        await store.close()

    asyncio.run(put())
    assert len(bodies) > 20  # more than are read at a time
    told = command("quarantine", "retry", "--all", *STATE)
    assert (told.status, told.out) == (
        0,
        f"{len(bodies)} of {len(bodies)} quarantined messages could be used\n",
    )
    assert command("quarantine", "retry", "--all", *STATE).out.startswith("0 of 0")
    shown = command("contact", "show", CALL, *STATE, "-o", "json").report
    assert "record" in shown["facts"]
    assert shown["owed"]
    assert shown["due_at"] is not None


def test_dropping_from_quarantine_asks_first(command: Command, quarantined: list[str]) -> None:
    first, second = quarantined
    assert command("quarantine", "drop", first, *STATE, answer="n\n").status == 1
    assert (
        "1 quarantined message dropped"
        in command("quarantine", "drop", first, *STATE, answer="y\n").out
    )
    ended = command("quarantine", "show", first, *STATE)
    assert (ended.status, ended.out) == (1, "")
    assert f"not in quarantine: {first}" in ended.err
    assert command("quarantine", "drop", second, first, "--yes", *STATE).status == 1
    assert command("quarantine", "drop", second, "--yes", *STATE).status == 0
    assert command("quarantine", "retry", "--all", *STATE).status == 0


# states


def test_states_are_two_mermaid_state_diagrams_a_contact_s_and_a_record_s(
    command: Command,
) -> None:
    """Lines as Mermaid's state diagram syntax has them: ``from --> to : label``."""
    contact, record = (diagram.splitlines() for diagram in command("states").out.split("\n\n"))
    arrow = re.compile(r"    (\[\*\]|\w+) --> (\[\*\]|\w+)( : [\w., ]+)?")
    named = []
    for first, *lines in (contact, record):
        assert first == "stateDiagram-v2"
        matches = [arrow.fullmatch(line) for line in lines]
        assert all(matches)
        named.append({end for m in matches if m for end in (m[1], m[2])})
    phases = {"unknown", "initiated", "queued", "connected", "disconnected", "completed"}
    assert named == [{"[*]", *phases}, {"[*]", *get_args(State), "parked"}]
