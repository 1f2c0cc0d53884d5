"""An owner that Dynamics refuses keeps no record from being written."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.entity import OWNER
from twins.dynamics import USER_ID, Failure, ScriptedDynamics, in_turn
from worker.dynamics.errors import (
    Closed,
    DynamicsError,
    Exists,
    Forbidden,
    Missing,
    Refused,
    Unauthorized,
    Unavailable,
)
from worker.dynamics.ownership import send_owned
from worker.dynamics.protocol import Request


KEY = "11111111-2222-5333-8444-555555555555"
AGENT = "/systemusers(22222222-0000-4000-8000-000000000002)"


def create(**columns: str) -> Request:
    return Request("POST", "tasks", body={"activityid": KEY, "subject": "x", **columns})


REFUSALS = [
    Forbidden("POST tasks answered 403", status=403, code="0x80040220"),
    Unauthorized("POST tasks answered 403", status=403, code="0x80040225"),
    Refused("POST tasks answered 400", status=400, code="0x80040203"),
]


@pytest.mark.parametrize("error", REFUSALS)
async def test_a_record_is_made_without_the_owner_that_is_refused(error: DynamicsError) -> None:
    dynamics = ScriptedDynamics(script=in_turn(Failure(error)))
    await send_owned(dynamics, create(**{OWNER: AGENT}), timeout_s=1)
    assert dynamics.records["tasks", KEY]["_ownerid_value"] == USER_ID


@pytest.mark.parametrize("status", [400, 404])
async def test_an_owner_who_is_nobody_is_left_out(status: Any) -> None:
    """The sandbox itself refuses the link."""
    dynamics = ScriptedDynamics()
    dynamics.organisation.switches.bad_bind_status = status
    await send_owned(dynamics, create(**{OWNER: AGENT}), timeout_s=1)
    assert dynamics.records["tasks", KEY]["subject"] == "x"


async def test_a_change_of_the_owner_alone_is_given_up_when_refused() -> None:
    dynamics = ScriptedDynamics(script=in_turn(Failure(REFUSALS[0])))
    change = Request("PATCH", f"tasks({KEY})", {"If-Match": "*"}, {OWNER: AGENT})
    await send_owned(dynamics, change, timeout_s=1)
    assert len(dynamics.requests) == 1


@pytest.mark.parametrize(
    ("error", "columns"),
    [
        (REFUSALS[0], {}),
        (Unauthorized("no token"), {OWNER: AGENT}),
        (Unauthorized("401", status=401), {OWNER: AGENT}),
        (Unavailable("503", status=503), {OWNER: AGENT}),
        (Exists("412", status=412), {OWNER: AGENT}),
        (Closed("400", status=400), {OWNER: AGENT}),
    ],
)
async def test_what_an_owner_has_nothing_to_do_with_is_not_sent_again(
    error: DynamicsError, columns: dict[str, str]
) -> None:
    dynamics = ScriptedDynamics(script=in_turn(Failure(error)))
    with pytest.raises(type(error)):
        await send_owned(dynamics, create(**columns), timeout_s=1)
    assert len(dynamics.requests) == 1


async def test_a_record_that_is_not_there_is_not_updated_without_its_owner() -> None:
    dynamics = ScriptedDynamics()
    body = {OWNER: f"/systemusers({USER_ID})", "subject": "x"}
    with pytest.raises(Missing):
        await send_owned(
            dynamics, Request("PATCH", f"tasks({KEY})", {"If-Match": "*"}, body), timeout_s=1
        )
    assert len(dynamics.requests) == 1


async def test_what_is_refused_without_the_owner_too_is_refused() -> None:
    dynamics = ScriptedDynamics(script=in_turn(Failure(REFUSALS[0]), Failure(REFUSALS[0])))
    with pytest.raises(Forbidden):
        await send_owned(dynamics, create(**{OWNER: AGENT}), timeout_s=1)
