"""``connect-dynamics conform``: asks first, tells what differs, leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.sandbox.dataverse import faults


Command = Callable[..., Any]

CONFORM = ("conform", "--test-organization")


def test_without_a_word_that_it_is_for_tests_no_organization_is_touched(
    command: Command, reached: Any, place: Path
) -> None:
    ended = command("conform", "--dynamics", reached.url)
    assert ended.status == 1
    assert "--test-organization" in ended.err
    assert reached.dataverse.requests == 0
    assert not (place / "conformance.json").exists()


def test_where_the_organization_differs_is_told_and_written_and_nothing_is_left(
    command: Command, reached: Any, place: Path
) -> None:
    reached.dataverse.switches.closed = "0x80040230"
    before = reached.dataverse.dump()
    ended = command(*CONFORM, "--dynamics", f"{reached.url}/api/data/v9.2/")
    assert ended.status == 0
    assert "differs closed: '0x80040230'" in ended.out
    assert "as here state_alone: 'default'" in ended.out
    assert "unknown bind_by_key: contact has no alternate key" in ended.out
    written = json.loads((place / "conformance.json").read_text())
    assert "closed" in written["differs"]
    assert written["switches"]["closed"] == "0x80040230"
    assert reached.dataverse.dump() == before


def test_a_sandbox_behaves_as_the_file_says(
    command: Command, reached: Any, place: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    reached.dataverse.switches.bad_bind_status = 400
    command(*CONFORM, "--dynamics", reached.url, "--out", "first.json")
    like = start("sandbox", "--port", 0, "--like", "first.json")
    assert like.stdout is not None
    names = {}
    while "SANDBOX_SECRET" not in names:
        name, _, value = like.stdout.readline().removeprefix("export ").strip().partition("=")
        names[name] = value
    ended = start(*CONFORM, "--out", "second.json", **names)
    assert ended.wait(60) == 0
    first, second = (
        json.loads((place / name).read_text())["switches"] for name in ("first.json", "second.json")
    )
    assert first == second
    assert second["bad_bind_status"] == 400


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_removes_what_it_made(
    reached: Any, place: Path, start: Callable[..., subprocess.Popen[str]], number: int
) -> None:
    before = reached.dataverse.dump()
    reached.dataverse.faults.next(faults.hang(), method="PATCH")
    running = start(*CONFORM, **reached.environment)
    while reached.requests.get(timeout=60)[0] != "POST":
        pass
    running.send_signal(number)
    assert running.wait(60) == 1
    assert "what was made is removed" in (running.stderr.read() if running.stderr else "")
    assert not (place / "conformance.json").exists()
    assert reached.dataverse.dump() == before


def test_a_run_without_answers_removes_what_it_made_and_goes_on(
    command: Command, reached: Any
) -> None:
    before = reached.dataverse.dump()
    reached.dataverse.faults.next(faults.dropped(), method="PATCH")
    ended = command(*CONFORM)
    assert "unknown stale_code: a request was not answered" in ended.out
    assert reached.dataverse.dump() == before


def test_a_file_that_cannot_be_written_is_told_before_anything_is_asked(
    command: Command, reached: Any
) -> None:
    ended = command(*CONFORM, "--out", "no/such/folder.json")
    assert ended.status == 1
    assert "cannot be written" in ended.err
    assert reached.dataverse.requests == 0
