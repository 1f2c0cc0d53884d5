"""Settings: the environment before the file, and one line for each that must be mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.errors import ConfigError
from worker.settings import DYNAMICS, load_settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CONNECT_DYNAMICS_SETTINGS", raising=False)
    path = tmp_path / "settings.toml"
    path.write_text('tenant = "of the file"\npipelines = ["a", "b"]\n')
    return path


def users(*ids: str) -> str:
    """A TOML line with these application users."""
    listed = ", ".join(f"{{client_id = '{one}', secret = 'env:{one}'}}" for one in ids)
    return f"application_users = [{listed}]"


def test_the_environment_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(file).tenant == "of the file"
    monkeypatch.setenv("CONNECT_DYNAMICS_TENANT", "of the environment")
    assert load_settings(file).tenant == "of the environment"


def test_the_environment_can_name_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECT_DYNAMICS_SETTINGS", str(file))
    assert load_settings().pipelines == ("a", "b")


def test_an_empty_variable_is_one_that_is_not_set(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TENANT", "CA_FILE", "SECRET_EXPIRES", "POLL_S"):
        monkeypatch.setenv(f"CONNECT_DYNAMICS_{name}", "")
    settings = load_settings(file)
    assert settings.tenant == "of the file"
    assert (settings.ca_file, settings.secret_expires) == (None, None)


def test_lists_are_comma_separated(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECT_DYNAMICS_PIPELINES", "phonecall, ./mine.toml,")
    assert load_settings(file).pipelines == ("phonecall", "./mine.toml")


def test_the_scope_follows_the_environment_s_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECT_DYNAMICS_ENVIRONMENT_URL", "https://org.test/")
    assert load_settings().token_scope == "https://org.test/.default"
    monkeypatch.setenv("CONNECT_DYNAMICS_SCOPE", "api://other")
    assert load_settings().token_scope == "api://other"


def test_templates_see_only_the_constants_that_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().constants == {}
    monkeypatch.setenv("CONNECT_DYNAMICS_APP_ID", "an app")
    assert load_settings().constants == {"AppId": "an app"}


def test_a_client_id_and_a_secret_are_one_application_user(file: Path) -> None:
    file.write_text("client_id = 'a'\nsecret = 'env:A'\nsecret_expires = 2027-06-30")
    (only,) = load_settings(file).users
    assert (only.client_id, only.secret) == ("a", "env:A")
    assert str(only.secret_expires) == "2027-06-30"


def test_of_several_application_users_the_single_one_is_the_first(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("client_id = 'a'\nsecret = 'env:A'\n" + users("b"))
    assert [user.client_id for user in load_settings(file).users] == ["a", "b"]
    text = '[{"client_id": "{c}", "secret": "env:C", "secret_expires": "2027-06-30"}]'
    monkeypatch.setenv("CONNECT_DYNAMICS_APPLICATION_USERS", text)
    assert [user.client_id for user in load_settings(file).users] == ["a", "c"]


def test_a_list_of_application_users_is_enough_to_reach_dynamics(file: Path) -> None:
    file.write_text("environment_url = 'https://org.test'\ntenant = 't'\n" + users("a", "b"))
    settings = load_settings(file)
    assert settings.missing(*DYNAMICS) == []
    assert len(settings.users) == 2
    halved = settings.model_copy(update={"client_id": "c"})
    assert halved.missing(*DYNAMICS) == ["CONNECT_DYNAMICS_SECRET"]


@pytest.mark.parametrize("start", ["now", "earliest", "2026-01-02T03:04:05Z", "2026-01-02"])
def test_streams_start_now_at_the_earliest_or_at_a_time(
    monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    monkeypatch.setenv("CONNECT_DYNAMICS_CONTACT_EVENTS_START", start)
    assert load_settings().contact_events_start == start


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tennant = 'x'", "there is no such setting; did you mean tenant?"),
        ("poll_s = 'x'", "CONNECT_DYNAMICS_POLL_S"),
        ("contact_records_start = 'later'", "must be now, earliest or an ISO time"),
        ("authority = 'http://x'", "(authority): must begin with https://"),
        ("= x", "not TOML"),
        ("application_users = 'secret:x'", "must be JSON"),
        ("application_users = [{client_id = 'a'}]", "(application_users.0.secret): is missing"),
        (users("a", "A"), "a client id is there twice"),
        ("client_id = 'b'\nsecret = 'env:B'\n" + users("a", "{B}"), "or is the setting client_id"),
        (users(*map(str, range(13))), "there can be 12 users"),
    ],
)
def test_what_must_be_mended_is_named(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match=r".+") as raised:
        load_settings(file)
    assert told in str(raised.value)


def test_several_wrong_settings_are_a_line_each_and_never_show_their_values(file: Path) -> None:
    """Someone may have put the secret itself where its name belongs (I8)."""
    file.write_text("secret = 5\npoll_s = 'hunter2'\nlog_level = 'hunter2'")
    with pytest.raises(ConfigError) as raised:
        load_settings(file)
    assert len(str(raised.value).splitlines()) == 3
    assert "hunter2" not in str(raised.value)
    file.write_text(
        "application_users = [{client_id = 'a', secret = 5, secret_expires = 'hunter2'}]"
    )
    with pytest.raises(ConfigError) as raised:
        load_settings(file)
    assert "hunter2" not in str(raised.value)
