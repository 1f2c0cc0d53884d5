"""``connect-dynamics desktop``: pages served, their configuration, and what Dynamics gets."""

from __future__ import annotations

import json
import signal
import subprocess

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from worker.desktop.assembly import assemble
from worker.desktop.templates import PARAMETERS, PROVIDERS, SESSIONS, TABS, key_of
from worker.sandbox.dataverse.schema.tables import TABLES
from worker.sandbox.dataverse.users import CLIENT_ID, application_user


Command = Callable[..., Any]

CCP = "https://acme.my.connect.aws/ccp-v2/"
ORIGIN = "https://desktop.example.com"

#: How many rows and relations there are: tabs and their parameters, sessions, fields,
#: notifications with three fields each, the provider.
TABS_N, PARAMETERS_N, SESSIONS_N, FIELDS_N, TOASTS_N = 3, 8, 8, 3, 8
ALL_N = TABS_N + PARAMETERS_N + SESSIONS_N + FIELDS_N + TOASTS_N * 4 + 1


@pytest.fixture
def desktop(reached: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A sandbox, and the settings of a desktop."""
    monkeypatch.setenv("CONNECT_DYNAMICS_CCP_URL", CCP)
    monkeypatch.setenv("CONNECT_DYNAMICS_DESKTOP_URL", ORIGIN)
    monkeypatch.setenv("CONNECT_DYNAMICS_PIPELINES", "timeline")
    return reached


def writes(served: Any) -> list[tuple[str, str]]:
    """The requests since the last call that were no reads."""
    told = [served.requests.get() for _ in range(served.requests.qsize())]
    return [(method, path) for method, path, _ in told if method != "GET" and "token" not in path]


def rows_of(served: Any, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = served.dataverse.dump().get(table, [])
    return found


def change(served: Any, table: str, key: str, columns: dict[str, Any]) -> None:
    """Change a row as somebody does in the admin center."""
    records, writer = served.dataverse.records, served.dataverse._organisation.writer
    known = TABLES[table]
    with records.transaction():
        writer.update(known, records.get(known, key), columns, application_user(CLIENT_ID))


# --- configuration ---


@pytest.mark.usefixtures("desktop")
def test_the_configuration_is_printed_as_json(command: Command) -> None:
    ended = command("desktop", "config")
    assert ended.status == 0
    assert ended.report["connect"]["ccpUrl"] == CCP
    assert ended.report["records"]["voice"]["step"] == "PHONECALL"


@pytest.mark.usefixtures("desktop")
def test_the_configuration_is_written_to_a_file(command: Command, place: Path) -> None:
    ended = command("desktop", "config", "--out", place / "config.json", "--frame")
    assert (ended.status, ended.out) == (0, "")
    assert json.loads((place / "config.json").read_text())["open"]["tab"] is False
    ended = command("desktop", "config", "--out", place / "absent" / "config.json")
    assert (ended.status, "cannot be written" in ended.err) == (1, True)


@pytest.mark.usefixtures("desktop")
def test_the_command_line_goes_before_the_settings(command: Command) -> None:
    ended = command(
        *("desktop", "config", "--ccp-url", "https://other.my.connect.aws", "--country", "de"),
        *("--names", "cornerstonecx", "--login-url", "https://idp.example.com/sso"),
        *("--region", "eu-west-2"),
    )
    found = ended.report
    assert found["connect"] == {
        "ccpUrl": "https://other.my.connect.aws/ccp-v2/",
        "loginUrl": "https://idp.example.com/sso",
        "region": "eu-west-2",
        "softphone": True,
    }
    assert found["dial"]["countries"] == ["de"]
    assert found["names"]["tabs"]["customer"].startswith("extn_")


@pytest.mark.parametrize("words", [(), ("config",), ("install", "--origin", ORIGIN)])
def test_without_its_settings_a_command_names_them(
    command: Command, words: tuple[str, ...]
) -> None:
    ended = command("desktop", *words)
    assert (ended.status, ended.out) == (1, "")
    assert "please set CONNECT_DYNAMICS_ENVIRONMENT_URL, CONNECT_DYNAMICS_CCP_URL" in ended.err


@pytest.mark.usefixtures("desktop")
def test_what_may_surprise_is_said_beside_the_configuration(
    command: Command, pipeline: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
[[step]]
name = "OPEN"
on = "answered"
open = "main.aspx"
query = '{"etn": "contact", "id": "{{Attributes.customer}}"}'
"""
    monkeypatch.setenv("CONNECT_DYNAMICS_PIPELINES", str(pipeline(text)))
    ended = command("desktop", "config")
    assert ended.report["records"] == {}
    assert "note " in ended.err
    assert "ms_id" in ended.err


# --- pages ---


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    pages, package = tmp_path / "pages", tmp_path / "modules" / "amazon-connect-streams"
    pages.mkdir()
    (package / "release").mkdir(parents=True)
    (package / "release" / "connect-streams-min.js").write_text("var connect;")
    (package / "LICENSE.txt").write_text("Apache")
    for name in ("agent", "cif", "companion"):
        (pages / f"{name}.html").write_text(f"<title>{name}</title>")
    assemble(package.parent, pages, tmp_path / "dist")
    return tmp_path / "dist"


@pytest.mark.usefixtures("desktop")
@pytest.mark.parametrize("words", [("desktop",), ("desktop", "serve")])
def test_pages_are_served_until_sigterm(
    start: Callable[..., subprocess.Popen[str]], dist: Path, words: tuple[str, ...]
) -> None:
    process = start(*words, "--port", "0", "--dist", dist)
    assert process.stdout is not None
    addresses = [process.stdout.readline().strip() for _ in range(3)]
    names = ["agent.html", "cif.html", "companion.html"]
    assert [address.rpartition("/")[2] for address in addresses] == names
    assert all(address.startswith("http://127.0.0.1:") for address in addresses)
    answer = httpx.get(addresses[0])
    assert "https://acme.my.connect.aws" in answer.headers["content-security-policy"]
    config = httpx.get(addresses[0].replace("agent.html", "config.json")).json()
    assert config["connect"]["ccpUrl"] == CCP
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.usefixtures("desktop")
def test_pages_that_were_not_assembled_are_said_to_be_missing(
    command: Command, tmp_path: Path
) -> None:
    ended = command("desktop", "serve", "--dist", tmp_path)
    assert (ended.status, "make desktop" in ended.err) == (1, True)


# --- installation ---


def test_a_dry_run_writes_nothing_and_says_what_it_would_and_what_to_click(
    command: Command, desktop: Any
) -> None:
    ended = command("desktop", "install", "--dry-run")
    assert ended.status == 0, ended.err
    assert writes(desktop) == []
    told = ended.out.splitlines()
    assert len([line for line in told if line.startswith(("create ", "relate "))]) == ALL_N
    assert f"{ALL_N} would be written; nothing was, 0 as they should be" in told
    assert any("msdyn_channelurl = 'https://desktop.example.com/cif.html'" in t for t in told)
    assert "1. Amazon Connect console" in ended.out
    assert desktop.url in ended.out


@pytest.mark.parametrize("made", ["absent", "made"])
def test_a_second_installation_changes_nothing(command: Command, desktop: Any, made: Any) -> None:
    """Whether or not Dynamics makes a tab's parameters with it."""
    desktop.dataverse.switches.tab_parameters = made
    first = command("desktop", "install")
    assert first.status == 0, first.err
    assert f"{ALL_N} written, 0 as they should be" in first.out
    assert len(writes(desktop)) == ALL_N
    second = command("desktop", "install")
    assert second.status == 0, second.err
    assert f"0 written, {ALL_N} as they should be" in second.out
    assert writes(desktop) == []
    named = [
        (row["_msdyn_applicationtabtemplateid_value"], row["msdyn_name"])
        for row in rows_of(desktop, PARAMETERS)
    ]
    assert len(set(named)) == len(named) >= PARAMETERS_N


def test_only_what_differs_is_written(command: Command, desktop: Any) -> None:
    command("desktop", "install")
    writes(desktop)
    ended = command("desktop", "install", "--origin", "https://other.example.com")
    assert "1 written" in ended.out
    ((method, path),) = writes(desktop)
    assert (method, "msdyn_channelproviders" in path) == ("PATCH", True)
    (row,) = rows_of(desktop, PROVIDERS)
    assert row["msdyn_channelurl"] == "https://other.example.com/cif.html"


def test_what_somebody_changed_is_put_right(command: Command, desktop: Any) -> None:
    command("desktop", "install")
    tab = key_of(TABS, "connect_customer")
    session = key_of(SESSIONS, "connect_voice_match")
    change(desktop, SESSIONS, session, {"msdyn_sessiontype": 1, "statecode": 1})
    (entity,) = (
        row["msdyn_templateparameterid"]
        for row in rows_of(desktop, PARAMETERS)
        if (row["msdyn_name"], row["_msdyn_applicationtabtemplateid_value"]) == ("entityName", tab)
    )
    change(desktop, PARAMETERS, entity, {"msdyn_value": "account"})
    ended = command("desktop", "install")
    assert "2 written" in ended.out, ended.out
    (row,) = (r for r in rows_of(desktop, SESSIONS) if r["msdyn_sessiontemplateid"] == session)
    assert (row["msdyn_sessiontype"], row["statecode"]) == (0, 0)
    assert "0 written" in command("desktop", "install").out


def test_a_template_that_was_made_by_hand_is_taken_over(command: Command, desktop: Any) -> None:
    by_hand = "0a0b0c0d-0001-4002-8003-000000000001"
    desktop.dataverse.put(
        TABS,
        {
            "msdyn_applicationtabtemplateid": by_hand,
            "msdyn_uniquename": "connect_customer",
            "msdyn_name": "Mine",
        },
    )
    ended = command("desktop", "install")
    assert ended.status == 0, ended.err
    named = [r for r in rows_of(desktop, TABS) if r["msdyn_uniquename"] == "connect_customer"]
    assert [row["msdyn_applicationtabtemplateid"] for row in named] == [by_hand]
    assert named[0]["msdyn_title"] == "Customer"
    sessions = rows_of(desktop, SESSIONS)
    anchors = {row["msdyn_uniquename"]: row["_msdyn_anchortab_value"] for row in sessions}
    assert anchors["connect_voice_match"] == by_hand
    assert f"0 written, {ALL_N} as" in command("desktop", "install").out
