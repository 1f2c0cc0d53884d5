"""``check --online`` where Entra gives no token, or the address is not quite the environment's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from worker.dynamics.aadsts import ADVICE
from worker.sandbox.entra import OUTCOMES


Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def stream(amazon: Any) -> None:
    """A stream to read, as the settings name it."""
    del amazon


@pytest.mark.parametrize("code", [code for code in OUTCOMES if code != "AADSTS90033"])
def test_each_refusal_of_entra_s_is_a_failure_with_its_code_and_what_to_do(
    command: Command, reached: Any, code: Any
) -> None:
    reached.dataverse.tokens.outcome = code
    ended = command("check", "--online")
    assert ended.status == 1
    assert f"{code}: {ADVICE[int(code.removeprefix('AADSTS'))]}" in ended.out


@pytest.mark.parametrize("behind", ["/", "/api/data/v9.2/", "/main.aspx?appid=1&etn=contact"])
def test_a_pasted_address_reaches_the_environment_itself(
    command: Command, reached: Any, monkeypatch: pytest.MonkeyPatch, behind: str
) -> None:
    monkeypatch.setenv("CONNECT_DYNAMICS_ENVIRONMENT_URL", f"{reached.url}{behind}")
    ended = command("check", "--online")
    assert f"ok   {reached.url} knows us as user" in ended.out


def test_an_authority_of_another_cloud_is_found_without_asking_anybody(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://org.crm.microsoftdynamics.us"
    monkeypatch.setenv("CONNECT_DYNAMICS_ENVIRONMENT_URL", url)
    monkeypatch.setenv("CONNECT_DYNAMICS_AUTHORITY", "https://login.microsoftonline.com")
    ended = command("check")
    assert (
        "FAIL CONNECT_DYNAMICS_AUTHORITY: the environment is in the cloud 'GCC High'" in ended.out
    )
