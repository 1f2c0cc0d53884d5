"""Settings that are each valid, and yet are not what somebody meant."""

from __future__ import annotations

from datetime import date

import pytest

from pipelines.loader import load
from worker.commands.settings_check import contradictions, misspelt, unset
from worker.errors import ConfigError
from worker.settings import Settings, load_settings


TODAY = date(2026, 5, 1)
GUID = "11111111-2222-3333-4444-555555555555"
OPENS = """
name = "p"
[[step]]
name = "OPEN"
on = "answered"
open = "main.aspx"
query = '{"appid":"{{AppId}}","id":"{{ContactId}}"}'
"""


def told(*variables: str, secret: str = "") -> list[str]:
    return list(misspelt(variables, [secret]))


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("CONNECT_DYNAMICS_ENVIROMENT_URL", "CONNECT_DYNAMICS_ENVIRONMENT_URL"),
        ("CONNECT_DYNAMICS_TENANT_ID", "CONNECT_DYNAMICS_TENANT"),
        ("CONNECT_DYNAMICS_RECORDING_BUCKET", "CONNECT_DYNAMICS_RECORDING_BUCKETS"),
        ("connect_dynamics_clientid", "CONNECT_DYNAMICS_CLIENT_ID"),
        ("CONECT_DYNAMICS_CLIENT_ID", "CONNECT_DYNAMICS_CLIENT_ID"),
        ("CONNECTDYNAMICS_SECRET_EXPIRES", "CONNECT_DYNAMICS_SECRET_EXPIRES"),
    ],
)
def test_a_misspelt_variable_is_told_with_the_setting_that_was_meant(
    variable: str, meant: str
) -> None:
    (text,) = told(variable)
    assert text == f"{variable} is set, and there is no such setting; did you mean {meant}?"


def test_a_variable_that_no_setting_is_like_is_told_to_be_removed() -> None:
    assert told("CONNECT_DYNAMICS_QQQQ_0000_JJJJ") == [
        "CONNECT_DYNAMICS_QQQQ_0000_JJJJ is set, and there is no such setting; remove it"
    ]


def test_settings_others_variables_and_the_secrets_own_are_not_told() -> None:
    ours = "CONNECT_DYNAMICS_CLIENT_SECRET"
    fine = ("CONNECT_DYNAMICS_TENANT", "connect_dynamics_state", "CONNECT_DYNAMICS_SETTINGS")
    assert told(*fine, "PATH", "AWS_REGION", ours, secret=f"env:{ours}") == []
    assert len(told(ours)) == 1


def settings(**values: str) -> Settings:
    return Settings(**values)  # type: ignore[arg-type]  # pydantic converts


def test_an_expiry_in_the_past_is_wrong_and_one_of_today_is_not() -> None:
    (text,) = contradictions(settings(secret_expires="2026-04-30"), TODAY)
    assert text.startswith("CONNECT_DYNAMICS_SECRET_EXPIRES: 2026-04-30 is over")
    assert not [*contradictions(settings(secret_expires="2026-05-01"), TODAY)]


@pytest.mark.parametrize("tenant", [GUID, "contoso.onmicrosoft.com"])
def test_tenants_are_guids_or_domains_and_client_ids_are_guids(tenant: str) -> None:
    assert not [*contradictions(settings(tenant=tenant, client_id=GUID), TODAY)]
    found = [*contradictions(settings(tenant="Contoso Ltd", client_id="my app"), TODAY)]
    assert [text.partition(":")[0] for text in found] == [
        "CONNECT_DYNAMICS_CLIENT_ID",
        "CONNECT_DYNAMICS_TENANT",
    ]


def test_a_setting_that_a_pipeline_names_and_nobody_set_is_told_with_the_step() -> None:
    pipeline = load(OPENS, "mine.toml")
    assert [*unset(settings(), [pipeline])] == [
        "mine.toml: step OPEN names {{AppId}}, which has no value: set CONNECT_DYNAMICS_APP_ID"
    ]
    assert not [*unset(settings(app_id="x"), [pipeline])]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RECORDING_BUCKETS", "s3://recordings", "without s3://"),
        ("RECORDING_BUCKETS", "recordings, arn:aws:s3:::others", "without s3://"),
        ("RECORDING_BUCKETS", "recordings/connect", "without s3://"),
        ("CONTACT_EVENTS", "arn:aws:firehose:eu-west-2:1:deliverystream/x", "Kinesis data stream"),
        ("CONTACT_RECORDS", "two words", "Kinesis data stream"),
        ("RECORDINGS", "arn:aws:sqs:eu-west-2:123456789012:recordings", "the queue's URL"),
        ("API_VERSION", "9,2", "must be like v9.2"),
        ("METRICS", "port 9464", "must be like 0.0.0.0:9464"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_the_form_it_should_have(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"CONNECT_DYNAMICS_{name}", value)
    with pytest.raises(ConfigError, match=says) as raised:
        load_settings()
    assert value not in str(raised.value)
