"""``connect-dynamics verify``: its exit status, its JSON, and what it says when it cannot tell."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.dynamics.protocol import Request
from worker.sandbox.dataverse.organisation import create_organisation
from worker.sandbox.dataverse.users import CLIENT_ID, application_user
from worker.sandbox.inprocess import InProcessDynamics


Command = Callable[..., Any]

STATE = ("--state", "sqlite:state.db")
SANDBOX = ("--dynamics", "sandbox:dynamics.db")


@pytest.fixture
def replayed(command: Command, day: Path) -> None:
    assert command("replay", day, *STATE, *SANDBOX).status == 0


async def change(key: str) -> None:
    """As our application user."""
    organisation = create_organisation(Path("dynamics.db"))
    request = Request("PATCH", f"phonecalls({key})", {"If-Match": "*"}, {"category": "x"})
    await InProcessDynamics(organisation).send(request, timeout_s=1)
    organisation.records.close()


def keys() -> list[str]:
    organisation = create_organisation(Path("dynamics.db"))
    rows = organisation.records.dump()["phonecalls"]
    organisation.records.close()
    return [str(row["activityid"]) for row in rows]


@pytest.mark.usefixtures("replayed")
def test_a_state_that_matches_ends_with_0_and_says_of_how_many(command: Command) -> None:
    ended = command("verify", *STATE, *SANDBOX, "--report", "json")
    assert (ended.status, ended.err) == (0, "")
    report = ended.report
    assert report["clean"] is True
    assert report["counts"] == {"right": report["expected"]}
    assert report["target"] == SANDBOX[1]
    text = command("verify", *STATE, *SANDBOX)
    assert text.status == 0
    assert f"{report['expected']} of {report['expected']} records are right" in text.out


@pytest.mark.usefixtures("replayed")
async def test_a_record_that_differs_ends_with_3_and_is_named_with_its_column(
    command: Command,
) -> None:
    key = keys()[0]
    await change(key)
    ended = await run(command, "verify", *STATE, *SANDBOX, "--report", "json")
    assert ended.status == 3
    (line,) = ended.report["lines"]
    assert (line["finding"], line["record"]) == ("different", f"phonecalls({key})")
    assert line["columns"] == ["category"]


async def run(command: Command, *arguments: object) -> Any:
    """Run a command, which has a loop of its own."""
    return await asyncio.to_thread(command, *arguments)


@pytest.mark.usefixtures("replayed")
def test_a_dynamics_that_cannot_be_reached_ends_with_1_and_one_line(command: Command) -> None:
    nobody = "https://127.0.0.1:1"
    ended = command("verify", *STATE, "--dynamics", nobody)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.count("\n") == 1


def test_a_table_that_may_not_be_read_ends_with_1_and_names_it(
    command: Command, reached: Any, day: Path
) -> None:
    assert command("replay", day, *STATE, "--dynamics", reached.url).status == 0
    reached.dataverse.organisation.denied.add((application_user(CLIENT_ID), "prvReadActivity"))
    ended = command("verify", *STATE)
    assert (ended.status, ended.out) == (1, "")
    assert "may not read phonecalls" in ended.err
    assert "Nothing was verified" in ended.err


@pytest.mark.usefixtures("replayed")
def test_the_state_of_another_organization_is_not_compared(command: Command) -> None:
    ended = command("verify", *STATE, "--dynamics", "sandbox:another.db")
    assert (ended.status, ended.out) == (1, "")
    assert "state rebind" in ended.err


@pytest.mark.usefixtures("replayed")
def test_on_a_terminal_it_shows_how_many_contacts_are_compared() -> None:
    ours, theirs = pty.openpty()
    program = Path(sys.executable).parent / "connect-dynamics"
    ended = subprocess.run(
        [program, "verify", *STATE, *SANDBOX],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert ended.returncode == 0
    assert "verifying: 2 of 2 contacts" in shown
    assert b"records are right" in ended.stdout
