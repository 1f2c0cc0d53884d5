"""``connect-dynamics sandbox``: tables and rows that come from outside."""

from __future__ import annotations

import json
import subprocess

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.sandbox.dataverse.schema.description import describe
from worker.sandbox.dataverse.schema.files import load_schema


Command = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]

OWN = {
    "tables": {
        "phonecall": {
            "columns": {"new_topic": {"type": "String", "length": 40}},
            "states": {"1": {"reasons": {"100000007": "Called back"}}},
        },
        "new_child": {
            "set": "new_children",
            "has": ["activities", "parties"],
            "columns": {
                "new_parent": {"type": "Lookup", "navigation": {"new_Parent": ["contact"]}}
            },
            "keys": {"new_by_name": ["new_name"]},
        },
    },
    "relations": {"new_child_account": {"tables": ["new_child", "account"]}},
}
STEP = """
when = { Channel = ["VOICE"] }

[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '''{"subject": "x", "new_topic": "{{Queue}}"}'''
"""


def own(place: Path) -> Path:
    """The file of an organisation's own tables."""
    path = place / "own.json"
    path.write_text(json.dumps(OWN), "utf-8")
    return path


def reach(process: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Take the settings that a sandbox prints; its address."""
    assert process.stdout is not None
    url = ""
    for line in process.stdout:
        name, _, value = line.strip().removeprefix("export ").partition("=")
        monkeypatch.setenv(name, value)
        url = value if name == "CONNECT_DYNAMICS_ENVIRONMENT_URL" else url
        if name == "SANDBOX_SECRET":
            return url
    assert process.stderr is not None
    pytest.fail(process.stderr.read())


@pytest.mark.services
def test_a_sandbox_like_an_environment_has_its_tables(
    start: Start, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked once over TLS, with the worker's own credentials."""
    served = start("sandbox", "--port", "0", "--ca", "ca.pem", "--schema", own(place))
    url = reach(served, monkeypatch)
    like = start("sandbox", "--port", "0", "--ca", "b.pem", "--like", url, "--schema", "like.json")
    reach(like, monkeypatch)
    assert describe(load_schema(place / "like.json")) == describe(load_schema(own(place)))


def test_an_environment_is_not_asked_for_tables_that_a_file_has(
    reached: Any, command: Command, place: Path
) -> None:
    wrong = place / "like.json"
    wrong.write_text('{"tables": {"new_child": {}}}', "utf-8")
    ended = command("sandbox", "--like", reached.url, "--schema", wrong)
    assert (ended.status, reached.requests.empty()) == (1, True)
    assert "table new_child: has no name in URLs" in ended.err


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("conformance.json", "there is no such file, and an address must begin with https://"),
        ("http://org.crm.dynamics.com", "an address must begin with https://"),
    ],
)
def test_what_is_no_address_is_not_asked(
    command: Command, place: Path, address: str, told: str
) -> None:
    ended = command("sandbox", "--like", address)
    assert ended.status == 1
    assert told in ended.err
    assert list(place.glob("*.json")) == []


@pytest.mark.parametrize(
    ("option", "text", "told"),
    [
        (
            "--schema",
            '{"tables": {"phonecall": {"columns": {"new_x": {"type": "Txt"}}}}}',
            "table phonecall, column new_x: 'type' is 'Txt'; write",
        ),
        ("--schema", "{", "this is no JSON"),
        ("--customers", '[["contcats", {}]]', "row 1 (contcats): there is no table 'contcats'"),
        ("--customers", "[1]", "row 1: write the table and its columns"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(
    command: Command, place: Path, option: str, text: str, told: str
) -> None:
    (place / "file.json").write_text(text, "utf-8")
    ended = command("sandbox", "--port", "0", option, "file.json")
    assert ended.status == 1
    assert "file.json" in ended.err
    assert told in ended.err


def test_a_replay_writes_columns_of_the_schema_it_is_given(
    command: Command, place: Path, day: Path, pipeline: Callable[[str], Path]
) -> None:
    mine = pipeline(STEP)
    refused = command(
        "replay", "--dynamics", "sandbox", day, "--pipeline", mine, "--report", "json"
    )
    assert refused.report["parked"] > 0
    taken = command(
        *(
            "replay",
            "--dynamics",
            "sandbox",
            day,
            "--pipeline",
            mine,
            "--report",
            "json",
            "--schema",
            own(place),
        ),
        *("--dump", "dump.json"),
    )
    assert taken.report["parked"] == 0
    calls = json.loads((place / "dump.json").read_text("utf-8"))["phonecalls"]
    assert any("new_topic" in call for call in calls)


def test_a_schema_is_for_the_sandbox_alone(command: Command, place: Path, day: Path) -> None:
    where = ("--dynamics", "https://org.test", "--schema", own(place))
    ended = command("replay", "--dynamics", "sandbox", day, *where)
    assert ended.status == 1
    assert "--schema is the sandbox's" in ended.err
