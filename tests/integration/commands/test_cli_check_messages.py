"""The messages of ``check`` that once misled: the same mistakes, and what is said of them now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.sandbox.dataverse.faults import InjectedFault
from worker.sandbox.dataverse.users import CLIENT_ID, application_user


pytestmark = [pytest.mark.services, pytest.mark.usefixtures("amazon")]

Command = Callable[..., Any]


@pytest.fixture
def failures(command: Command) -> Callable[[], list[str]]:
    """The failures that ``check --online`` tells."""

    def told() -> list[str]:
        ended = command("check", "--online")
        assert (ended.status, ended.err) == (1, "")
        return [line for line in ended.out.splitlines() if line.startswith("FAIL")]

    return told


def test_a_dynamics_that_is_away_is_not_taken_for_a_missing_user(
    reached: Any, failures: Callable[[], list[str]]
) -> None:
    reached.dataverse.faults.always(InjectedFault(status=503))
    (line,) = failures()
    assert line == (
        f"FAIL {reached.url}: GET WhoAmI answered 503. It is away or busy, which says nothing of "
        "these settings: try again later."
    )


def test_an_address_with_a_path_is_told_to_have_none(
    reached: Any, failures: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECT_DYNAMICS_ENVIRONMENT_URL", f"{reached.url}/sales")
    (line,) = failures()
    assert "GET WhoAmI answered 404" in line
    assert line.endswith("Check the address: it is the environment's own, with no path behind it.")


def test_a_certificate_that_is_not_trusted_is_told_with_the_setting_for_it(
    reached: Any, failures: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reached.url
    monkeypatch.delenv("CONNECT_DYNAMICS_CA_FILE")
    (line,) = failures()
    assert "Entra gave no answer: its certificate is not trusted (" in line
    assert "name that authority's PEM in CONNECT_DYNAMICS_CA_FILE" in line


@pytest.mark.parametrize("code", ["AADSTS90002", "AADSTS7000222"])
def test_what_entra_refuses_is_told_once_with_its_code_and_advice(
    reached: Any, failures: Callable[[], list[str]], code: Any
) -> None:
    reached.dataverse.tokens.outcome = code
    (line,) = failures()
    assert line.count(code) == 1
    assert "Check" not in line  # the code's own advice is enough


def test_a_secret_that_cannot_be_read_is_told_once(
    reached: Any, failures: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reached.url
    monkeypatch.setenv("CONNECT_DYNAMICS_SECRET", "file:/nope/secret")
    (line,) = failures()
    assert line == (
        "FAIL CONNECT_DYNAMICS_SECRET: /nope/secret: cannot be read (No such file or directory); "
        "is it right?"
    )


def test_what_dynamics_would_refuse_for_want_of_a_privilege_is_named_before_it_does(
    reached: Any, failures: Callable[[], list[str]]
) -> None:
    user = application_user(CLIENT_ID)
    reached.dataverse.organisation.denied.add((user, "prvReadContact"))
    reached.dataverse.organisation.denied.add((user, "prvCreateActivity"))
    (line,) = failures()
    assert "lacks prvCreateActivity, to create phonecalls" in line


def test_a_certificate_as_secret_that_is_none_is_told_as_such(
    reached: Any,
    failures: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    assert reached.url
    pem = tmp_path / "secret.pem"
    pem.write_text("-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----\n")
    monkeypatch.setenv("CONNECT_DYNAMICS_SECRET", f"file:{pem}")
    (line,) = failures()
    assert "the secret must be a PEM with private key and certificate" in line
