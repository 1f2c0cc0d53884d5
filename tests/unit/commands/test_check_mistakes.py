"""Mistakes in settings as people make them: each is told, by its name, with what to write."""

from __future__ import annotations

import os

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from worker.commands.check import check_offline
from worker.errors import ConfigError
from worker.settings import PREFIX, load_settings


GUID = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"
GOOD = {
    "ENVIRONMENT_URL": "https://org.crm.dynamics.com",
    "TENANT": GUID,
    "CLIENT_ID": GUID,
    "SECRET": "env:THE_SECRET",
    "CONTACT_EVENTS": "events",
    "STATE": "sqlite:state.db",
    "APP_ID": GUID,
    "INDEX_KEY": "env:THE_KEY",
}
KINESIS = "arn:aws:kinesis:{}:123456789012:stream/events"
USER = '[{{"client_id": "{}", {}}}]'
COMMAS = "separate names by commas, without brackets, quotes or semicolons"

#: Variables -> what is said: FAIL or note of a check, or what loading the settings says.
MISTAKES: list[tuple[dict[str, str], str]] = [
    # Names
    (
        {"TENNANT": GUID},
        "is set, and there is no such setting; did you mean CONNECT_DYNAMICS_TENANT?",
    ),
    ({"CLIENT": GUID}, "did you mean CONNECT_DYNAMICS_CLIENT_ID?"),
    ({"URL": "https://x"}, "did you mean CONNECT_DYNAMICS_ENVIRONMENT_URL?"),
    ({"KINESIS_STREAM": "x"}, "did you mean CONNECT_DYNAMICS_CONTACT_EVENTS?"),
    ({"CONTACT_RECORD": "x"}, "did you mean CONNECT_DYNAMICS_CONTACT_RECORDS?"),
    ({"QUEUE_URL": "x"}, "did you mean CONNECT_DYNAMICS_RECORDINGS?"),
    ({"CLIENT_SECRET": "x"}, "did you mean CONNECT_DYNAMICS_SECRET?"),
    ({"CONTACT_EVENTS_LEASE": "x"}, "did you mean CONNECT_DYNAMICS_CONTACT_EVENTS_LEASES?"),
    ({"=CONNECT_DYNAMIC_TENANT": "x"}, "did you mean CONNECT_DYNAMICS_TENANT?"),
    ({"=CONNECT-DYNAMICS-STATE": "x"}, "did you mean CONNECT_DYNAMICS_STATE?"),
    # Buckets and pipelines
    ({"RECORDING_BUCKETS": "s3://recordings"}, "without s3://, a path or an ARN"),
    ({"RECORDING_BUCKETS": "one two"}, "several with commas"),
    ({"RECORDING_BUCKETS": "one;two"}, COMMAS),
    ({"RECORDING_BUCKETS": '["one", "two"]'}, COMMAS),
    ({"RECORDING_BUCKETS": "My-Bucket"}, "My-Bucket has capitals or underscores"),
    ({"PIPELINES": "phonecall;task"}, COMMAS),
    ({"PIPELINES": "fonecall"}, "there is no such pipeline"),
    # Secrets
    ({"SECRET_EXPIRES": "2025-01-01"}, "2025-01-01 is over"),
    ({"SECRET_EXPIRES": "31.12.2027"}, "must be a day like 2027-06-30"),
    ({"SECRET_EXPIRES": "20271231"}, "must be a day like 2027-06-30"),
    ({"SECRET_EXPIRES": "2027-12-31T10:00:00Z"}, "must be a day like 2027-06-30"),
    ({"SECRET": "env:A,env:B"}, "name one variable, without $, commas or quotes"),
    ({"SECRET": "env:$THE_SECRET"}, "name one variable, without $, commas or quotes"),
    ({"SECRET": "/run/secrets/x"}, "write file: before a path"),
    ({"SECRET": "file:/nope/secret"}, "/nope/secret: cannot be read (No such file or directory)"),
    ({"SECRET": "file:."}, ".: cannot be read (Is a directory)"),
    ({"SECRET": "file:binary"}, "binary: is no text in UTF-8"),
    ({"=THE_SECRET": GUID}, "holds a GUID, which is a secret's id"),
    ({"=THE_SECRET": '"quoted"'}, "holds quotes around the secret"),
    ({"APPLICATION_USERS": USER.format(OTHER, '"secret": "env:THE_SECRET"')}, "is where that of"),
    ({"APPLICATION_USERS": USER.format(GUID, '"secret": "env:X"')}, "is the setting client_id too"),
    ({"APPLICATION_USERS": USER.format(OTHER, '"secrt": "x"')}, "did you mean secret?"),
    ({"APPLICATION_USERS": "{}"}, "must be a list, in brackets"),
    ({"INDEX_KEY": "file:/nope/key"}, "INDEX_KEY (index_key): /nope/key: cannot be read (No such"),
    ({"=THE_KEY": "short"}, "the key has 5 characters and needs"),
    # Who and where
    ({"TENANT": "Contoso Ltd"}, "neither the GUID of a tenant nor one of its domains"),
    ({"TENANT": "https://login.microsoftonline.com/x"}, "neither the GUID of a tenant"),
    ({"CLIENT_ID": "my-app"}, "CONNECT_DYNAMICS_CLIENT_ID: is no GUID"),
    ({"APP_ID": "Sales Hub"}, "CONNECT_DYNAMICS_APP_ID: is no GUID; it is what follows appid="),
    ({"APP_ID": ""}, "names {{AppId}}, which has no value: set CONNECT_DYNAMICS_APP_ID"),
    ({"SCOPE": "https://other.crm.dynamics.com/.default"}, "is of another host"),
    ({"SCOPE": "https://org.crm.dynamics.com"}, "an application's scope ends in /.default"),
    ({"ENVIRONMENT_URL": "http://org.crm.dynamics.com"}, "must begin with https://"),
    (
        {"ENVIRONMENT_URL": "https://me@org.crm.dynamics.com"},
        "must be an address with a host",
    ),
    ({"ENVIRONMENT_URL": "https://x.my.connect.aws"}, "is Amazon Connect's address"),
    (
        {"AUTHORITY": "https://login.microsoftonline.us"},
        "the environment is in the cloud",
    ),
    ({"CA_FILE": "/nope.pem"}, "CONNECT_DYNAMICS_CA_FILE: /nope.pem: no certificates"),
    # Streams, queue and tables
    (
        {"CONTACT_EVENTS": KINESIS.format("us-east-1")},
        "is in the Region us-east-1",
    ),
    ({"CONTACT_EVENTS": KINESIS.format("")}, "the ARN lacks its Region"),
    (
        {"CONTACT_EVENTS": "arn:aws:sqs:eu-central-1:1:x"},
        "ARN of a Kinesis data stream",
    ),
    ({"CONTACT_RECORDS": "events"}, "is the stream of CONNECT_DYNAMICS_CONTACT_EVENTS as well"),
    ({"RECORDINGS": "recordings"}, "must be the queue's URL"),
    ({"RECORDINGS": "https://bucket.s3.amazonaws.com/x"}, "must be the queue's URL"),
    ({"RECORDINGS": "https://sqs.us-east-1.amazonaws.com/1/x"}, "is in the Region us-east-1"),
    ({"STATE": "state.db"}, "use memory, sqlite:PATH or dynamodb:TABLE"),
    ({"STATE": "DynamoDB:x"}, "use memory, sqlite:PATH or dynamodb:TABLE"),
    ({"STATE": "sqlite:///state.db"}, "is the file /state.db at the root"),
    ({"STATE": "memory"}, "memory is forgotten when the worker ends"),
    ({"CONTACT_EVENTS_LEASES": "leases"}, "workers that share a stream must share their state too"),
    ({"CONTACT_RECORDS_LEASES": "leases"}, "there is nothing to share"),
    # Numbers and words
    ({"POLL_S": "0,5"}, "must be a number like 0.5, without a unit"),
    ({"VISIBILITY_S": "120s"}, "must be a whole number, without a unit"),
    ({"CONNECT_SHARE": "50"}, "must be less than or equal to 1"),
    ({"CONNECT_SHARE": "0"}, "so no agent is told of a page"),
    ({"PROBE_WRITES": "ja"}, "must be true or false"),
    ({"OPEN_BY": "attribute"}, "must be 'log' or 'attributes'"),
    ({"METRICS": "0.0.0.0:99999"}, "must end in a port, which is 65535 at most"),
    ({"API_VERSION": "9.2"}, "must be like v9.2"),
]

#: A file of settings -> what is said of it.
FILES = [
    ('tenat = "x"', "tenat: there is no such setting; did you mean tenant?"),
    ('[dynamics]\ntenant = "x"', "without a [section]"),
    ('CONNECT_DYNAMICS_WORKER_ID = "x"', "did you mean worker_id?"),
    ("worker_id = 5", "CONNECT_DYNAMICS_WORKER_ID (worker_id): must be text, in quotes"),
    ("worker_id = “x”", "settings.toml:1:13: not TOML: write straight quotes"),
    ("worker_id = x", "settings.toml:1:13: not TOML: text stands in quotes"),
    ("worker_id: x", "an option is written with =, not with a colon"),
    ('worker_id = "x', "the closing quote is missing"),
    ("poll_s = 1\npoll_s = 2", "this option is there twice"),
]


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that are right, and nothing else."""
    for name in [name for name in os.environ if name.startswith((PREFIX, "AWS_"))]:
        monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(PREFIX + name, value)
    monkeypatch.setenv("THE_SECRET", "a~secret")
    monkeypatch.setenv("THE_KEY", 64 * "k")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")


async def told(file: Path | None = None) -> list[str]:
    """What a check says but what is in order."""
    try:
        found = await check_offline(load_settings(file))
    except ConfigError as error:
        return str(error).splitlines()
    return [one.text for one in found if not one.fine]


async def test_settings_that_are_right_have_nothing_said_of_them() -> None:
    assert await told() == []


@pytest.mark.parametrize(("variables", "says"), MISTAKES)
async def test_each_mistake_in_settings_is_told_with_what_to_do(
    variables: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name[1:] if name.startswith("=") else PREFIX + name, value)
    lines = await told()
    assert [line for line in lines if says in line], lines


@pytest.mark.parametrize(("text", "says"), FILES)
async def test_each_mistake_in_a_file_of_settings_is_told_with_what_to_do(
    text: str, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text, encoding="utf-8")
    lines = await told(file)
    assert [line for line in lines if says in line], lines


async def test_a_file_in_another_encoding_is_told_to_be_saved_in_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes('worker_id = "M\xfcller"'.encode("latin-1"))
    (line,) = await told(file)
    assert "save it in UTF-8" in line


@pytest.mark.parametrize("value", ['"events"', "'events'", " events ", '" events"'])
def test_quotes_and_blanks_around_a_value_are_none_of_it(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of variables keep them (docker's ``--env-file``)."""
    monkeypatch.setenv(f"{PREFIX}CONTACT_EVENTS", value)
    assert load_settings().contact_events == "events"


async def test_a_secret_that_expires_within_a_month_is_told_with_the_days_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day = datetime.now(UTC).date() + timedelta(days=9)
    monkeypatch.setenv(f"{PREFIX}SECRET_EXPIRES", day.isoformat())
    (line,) = await told()
    assert line.startswith(f"the secret of {GUID} expires in 9 days")
