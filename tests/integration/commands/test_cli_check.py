"""``connect-dynamics check``: whether it will work, and what to do if not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


Command = Callable[..., Any]

#: body of a step -> what is said of it, and what to do
WRONG = [
    ('{"subjct": "x"}', "no column 'subjct'; did you mean subject?"),
    ('{"new_zzzz": "x"}', "no column 'new_zzzz'; mind the publisher's prefix"),
    ('{"actualdurationminutes": "5"}', "the column holds integer values; write it without quotes"),
    ('{"directioncode": 1}', "the column is Boolean: write true or false"),
    ('{"prioritycode": true}', "the column is Picklist: write a whole number"),
    ('{"subject": 5}', "is a whole number, but the column is String: write a text in quotes"),
    ('{"subject": ["x"]}', "is a structure, but the column is String"),
    ('{"actualdurationminutes": "{{Channel}} x"}', "use one placeholder alone"),
    ('{"subject": "' + 201 * "x" + '"}', "longer than the column's 200 characters; shorten it"),
    ('{"activitytypecode": "x"}', "cannot be set when a record is created; leave it out"),
]


@pytest.fixture
def stream(amazon: Any) -> None:
    """A stream to read, as the settings name it."""
    del amazon


def step(name: str, entity: str, body: str) -> str:
    return f"""
[[step]]
name = "{name}"
on = "created"
method = "POST"
entity = "{entity}"
body = '{body}'
"""


def failures(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith("FAIL")]


def test_without_settings_every_missing_one_is_named_with_its_meaning(command: Command) -> None:
    ended = command("check")
    assert ended.status == 1
    assert "FAIL set CONNECT_DYNAMICS_TENANT: Entra tenant id" in ended.out
    assert len(failures(ended.out)) == 5  # four of Dynamics, and nothing to read
    assert "ok   pipeline phonecall" in ended.out


def test_a_check_leaves_no_file_behind(command: Command, place: Path) -> None:
    """The state belongs to the service's user, who need not be the one who checks."""
    command("check")
    assert not list(place.iterdir())


@pytest.mark.usefixtures("reached", "stream")
def test_good_settings_pass_offline(command: Command, place: Path) -> None:
    ended = command("check")
    assert (ended.status, failures(ended.out)) == (0, [])
    assert ended.out.isascii()
    assert not (place / "connect-dynamics.sqlite").exists()


@pytest.mark.usefixtures("stream")
def test_good_settings_pass_online(command: Command, reached: Any) -> None:
    ended = command("check", "--online")
    assert (ended.status, failures(ended.out)) == (0, [])
    assert f"ok   {reached.url} knows us as user" in ended.out
    assert "ok   phonecalls is there" in ended.out


@pytest.mark.usefixtures("stream")
def test_online_says_of_each_application_user_whether_it_is_let_in(
    command: Command, reached: Any, second_user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = command("check", "--online")
    assert (ended.status, failures(ended.out)) == (0, [])
    assert "ok   every client secret can be read" in ended.out
    assert f"ok   {reached.url} knows {second_user} as user" in ended.out
    monkeypatch.setenv("SECOND_SECRET", "another")
    ended = command("check", "--online")
    (told,) = failures(ended.out)
    assert f"application user {second_user}: " in told


@pytest.mark.usefixtures("reached", "stream")
def test_the_secrets_of_all_application_users_are_read(
    command: Command, second_user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECOND_SECRET")
    (told,) = failures(command("check").out)
    assert second_user in told
    assert "the environment has no SECOND_SECRET" in told


@pytest.mark.usefixtures("reached", "stream")
def test_online_says_what_is_wrong_with_each_column_and_what_to_do(
    command: Command, pipeline: Callable[[str], Path]
) -> None:
    steps = [step(f"STEP{n}", "phonecalls", body) for n, (body, _) in enumerate(WRONG)]
    path = pipeline("".join(steps))
    ended = command("check", "--online", "--pipeline", path)
    assert ended.status == 1
    told = failures(ended.out)
    assert len(told) == len(WRONG)
    for n, (_, reason) in enumerate(WRONG):
        (line,) = (line for line in told if f"{path}: step STEP{n}: " in line)
        assert reason in line
        assert "(line " in line


@pytest.mark.usefixtures("reached", "stream")
def test_online_takes_null_for_any_column(
    command: Command, pipeline: Callable[[str], Path]
) -> None:
    path = pipeline(step("MAKE", "phonecalls", '{"actualdurationminutes": null}'))
    assert command("check", "--online", "--pipeline", path).status == 0


@pytest.mark.usefixtures("reached", "stream")
def test_online_names_an_entity_set_that_is_not_there(
    command: Command, pipeline: Callable[[str], Path]
) -> None:
    path = pipeline(step("MAKE", "phonecallz", '{"subject": "x"}'))
    ended = command("check", "--online", "--pipeline", path)
    assert ended.status == 1
    assert f"FAIL {path}: step MAKE: there is no entity set 'phonecallz'; did you" in ended.out


@pytest.mark.usefixtures("reached", "stream")
@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("SANDBOX_SECRET", "wrong", "the client secret is wrong: store its value"),
        ("CONNECT_DYNAMICS_SECRET", "env:NOT_SET", "CONNECT_DYNAMICS_SECRET: the environment has"),
        ("CONNECT_DYNAMICS_SECRET", "plain-secret", "env:NAME, file:/path[#NAME] or by"),
        ("CONNECT_DYNAMICS_ENVIRONMENT_URL", "https://127.0.0.1:1", "Check address, network"),
        ("CONNECT_DYNAMICS_AUTHORITY", "https://127.0.0.1:1", "Check address, network"),
        ("CONNECT_DYNAMICS_CA_FILE", "/nowhere.pem", "/nowhere.pem: no certificates"),
        ("CONNECT_DYNAMICS_CA_FILE", "", "PEM in CONNECT_DYNAMICS_CA_FILE"),
        ("CONNECT_DYNAMICS_STATE", "sqlite:/", "name a file of its own"),
        (
            "CONNECT_DYNAMICS_STATE",
            "sqlite:/nowhere/a.db",
            "not a folder that can be written; name another",
        ),
        ("CONNECT_DYNAMICS_STATE", "redis:x", "no such store"),
        ("CONNECT_DYNAMICS_PIPELINES", "phonecal", "one of: "),
    ],
)
def test_a_wrong_setting_is_told_with_what_to_do(
    *, command: Command, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, told: str
) -> None:
    monkeypatch.setenv(setting, value)
    ended = command("check", "--online")
    assert ended.status == 1
    assert any(told in line for line in failures(ended.out))
    assert "plain-secret" not in ended.out


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("POLL_S", "often", "must be a number like 0.5"),
        ("POLL_S", "-1", "greater than 0"),
        ("LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("ENVIRONMENT_URL", "http://org.test", "must begin with https://"),
        ("API_VERSION", "9", "must be like v9.2"),
        ("SECRET_EXPIRES", "soon", "must be a day like 2027-06-30"),
        ("SETTINGS", "/nowhere.toml", "is the path right?"),
    ],
)
def test_settings_that_cannot_be_read_are_one_line_each(
    *, command: Command, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, told: str
) -> None:
    monkeypatch.setenv(f"CONNECT_DYNAMICS_{setting}", value)
    for arguments in (("check",), ("run",), ("replay", "x"), ("parked", "list")):
        ended = command(*arguments)
        assert ended.status == 1
        assert told in ended.err
        assert len(ended.err.splitlines()) == 1
