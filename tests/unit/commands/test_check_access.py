"""Check: cloud, scope, and whether our user may act for others."""

from __future__ import annotations

import pytest

from pipelines.loader import load
from twins.dynamics import USER_ID, Failure, ScriptedDynamics, in_turn
from worker.commands.check import ask
from worker.commands.check_access import clouds
from worker.dynamics.errors import Forbidden
from worker.dynamics.impersonation import PRIVILEGE
from worker.settings import Settings


STEP = """
name = "mine"
[[step]]
name = "CALL"
on = "answered"
method = "POST"
entity = "phonecalls"
body = '{"subject": "x"}'
"""
AS = f'{STEP}as = "0a0b0c0d-0001-4002-8003-0000000000aa"\n'


async def told(dynamics: ScriptedDynamics, text: str) -> list[tuple[bool, bool, str]]:
    found = await ask(dynamics, Settings(), [load(text, "mine.toml")])
    return [(f.wrong, f.fine, f.text) for f in found if "step CALL: as" in f.text]


async def test_a_step_with_as_is_in_order_if_our_user_may_act_for_others() -> None:
    assert await told(ScriptedDynamics(), AS) == [
        (False, True, "mine.toml: step CALL: as: our user may act on behalf of others")
    ]


async def test_a_step_with_as_is_a_failure_if_our_user_lacks_the_privilege() -> None:
    dynamics = ScriptedDynamics()
    dynamics.organisation.denied.add((USER_ID, PRIVILEGE))
    ((wrong, _, text),) = await told(dynamics, AS)
    assert wrong
    assert text.startswith(f"mine.toml: step CALL: as: our user lacks {PRIVILEGE}")
    assert "Act on Behalf of Another User" in text


async def test_a_privilege_that_cannot_be_asked_for_is_a_note() -> None:
    forbidden = Failure(Forbidden("GET systemusers answered 403", status=403))
    ((wrong, fine, text),) = await told(ScriptedDynamics(script=in_turn(forbidden)), AS)
    assert (wrong, fine) == (False, False)
    assert "cannot be told" in text


async def test_without_as_nothing_is_said_of_the_privilege() -> None:
    assert await told(ScriptedDynamics(), STEP) == []


@pytest.mark.parametrize(
    ("environment", "more", "found"),
    [
        ("https://org.crm.dynamics.com", {}, []),
        ("https://org.crm.microsoftdynamics.us", {}, []),
        (
            "https://org.crm.microsoftdynamics.us",
            {"authority": "https://login.microsoftonline.com"},
            ["AUTHORITY: the environment is in the cloud 'GCC High'"],
        ),
        ("https://127.0.0.1:8443", {"authority": "https://127.0.0.1:8443"}, []),
        (
            "https://org.crm.dynamics.com",
            {"scope": "https://org.crm.dynamics.com"},
            ["SCOPE: an application's scope ends in /.default"],
        ),
        (
            "https://org.crm.dynamics.com",
            {"scope": "https://other.crm.dynamics.com/.default"},
            ["SCOPE: is of another host"],
        ),
        ("https://org.crm.dynamics.com", {"scope": "https://org.crm.dynamics.com/.default"}, []),
    ],
)
def test_an_authority_or_scope_that_is_not_the_environment_s_is_found(
    environment: str, more: dict[str, str], found: list[str]
) -> None:
    texts = clouds(Settings(environment_url=environment, **more))  # type: ignore[arg-type]
    assert len(texts) == len(found)
    assert all(part in text for part, text in zip(found, texts, strict=True))
