"""``connect-dynamics state rebind``: a state that was used with one organization is for another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


Command = Callable[..., Any]

STATE = ("--state", "sqlite:state.db")
FIRST, SECOND = ("--dynamics", "sandbox:first.db"), ("--dynamics", "sandbox:second.db")
JSON = ("--report", "json")


def test_a_rehearsal_does_not_make_the_real_replay_write_nothing(
    command: Command, day: Path
) -> None:
    rehearsed = command("replay", day, *STATE, *FIRST, *JSON).report
    assert rehearsed["writes"] > 0
    refused = command("replay", day, *STATE, *SECOND, *JSON)
    assert (refused.status, refused.out) == (1, "")
    assert rehearsed["organization"] in refused.err
    assert "state rebind" in refused.err
    rebound = command("state", "rebind", *STATE, "--yes", "--why", "moved")
    assert rebound.status == 0
    assert rehearsed["organization"] in rebound.out
    assert "connect-dynamics replay SOURCES --state sqlite:state.db" in rebound.out
    real = command("replay", day, *STATE, *SECOND, *JSON).report
    assert real["writes"] == rehearsed["writes"]
    assert real["bound"] is True


def test_nothing_is_given_up_without_a_yes(command: Command, day: Path) -> None:
    command("replay", day, *STATE, *FIRST)
    refused = command("state", "rebind", *STATE, answer="n\n")
    assert refused.status == 1
    assert command("replay", day, *STATE, *FIRST, *JSON).report["requests"] == 0


def test_a_replay_without_a_target_names_the_ways_to_name_one(command: Command, day: Path) -> None:
    ended = command("replay", day)
    assert ended.status == 1
    assert "--dynamics sandbox" in ended.err


def test_a_file_that_is_not_there_is_told_of_a_preview_as_of_a_preview(command: Command) -> None:
    ended = command("preview", "phonecall", "STEP2", "--event", "nofile")
    assert ended.status == 1
    assert "nofile" in ended.err
    assert "replay" not in ended.err


@pytest.mark.usefixtures("reached")
def test_check_online_finds_a_state_that_holds_what_another_organization_acknowledged(
    command: Command, day: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECT_DYNAMICS_STATE", "sqlite:state.db")
    rehearsed = command("replay", day, *STATE, *FIRST, *JSON).report
    ended = command("check", "--online")
    assert ended.status == 1
    (told,) = [line for line in ended.out.splitlines() if "CONNECT_DYNAMICS_STATE: " in line]
    assert told.startswith("FAIL ")
    assert rehearsed["organization"] in told
    assert "state rebind" in told
