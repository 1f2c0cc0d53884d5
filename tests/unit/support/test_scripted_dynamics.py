"""The Dynamics that tests send to fails as its script says and lets people edit its records."""

from __future__ import annotations

import pytest

from twins.dynamics import PERSON_ID, USER_ID, Failure, ScriptedDynamics, in_turn
from worker.dynamics.errors import Closed, DynamicsError, Missing, Unavailable
from worker.dynamics.protocol import Request


KEY = "11111111-2222-4333-8444-555555555555"
CREATE = Request("POST", "phonecalls", body={"activityid": KEY, "subject": "one"})


def update(**columns: object) -> Request:
    return Request("PATCH", f"phonecalls({KEY})", {"If-Match": "*"}, columns)


async def test_scripted_failures_come_before_or_after_the_write_and_all_requests_are_kept() -> None:
    lost: DynamicsError = Unavailable("lost")
    dynamics = ScriptedDynamics(script=in_turn(Failure(lost), None, Failure(lost, committed=True)))
    with pytest.raises(Unavailable):
        await dynamics.send(CREATE, timeout_s=1)
    assert not dynamics.records
    await dynamics.send(CREATE, timeout_s=1)
    with pytest.raises(Unavailable):
        await dynamics.send(update(subject="two"), timeout_s=1)
    assert dynamics.records["phonecalls", KEY]["subject"] == "two"
    await dynamics.send(update(subject="three"), timeout_s=1)
    assert [request.method for request in dynamics.requests] == ["POST", "POST", "PATCH", "PATCH"]


async def test_people_edit_and_delete_records() -> None:
    dynamics = ScriptedDynamics()
    await dynamics.send(CREATE, timeout_s=1)
    assert dynamics.records["phonecalls", KEY]["_modifiedby_value"] == USER_ID
    dynamics.edit("phonecalls", KEY, subject="mine", category=None)
    record = dynamics.records["phonecalls", KEY]
    assert (record["subject"], record["category"]) == ("mine", None)
    assert record["_modifiedby_value"] == PERSON_ID
    dynamics.delete("phonecalls", KEY)
    assert list(dynamics.records) == []
    with pytest.raises(Missing):
        await dynamics.send(update(subject="x"), timeout_s=1)


@pytest.mark.parametrize("refuses", [False, True])
async def test_closed_records_take_or_refuse_updates_as_asked(refuses: bool) -> None:
    dynamics = ScriptedDynamics(refuse_closed=refuses)
    await dynamics.send(CREATE, timeout_s=1)
    await dynamics.send(update(statecode=1, statuscode=4), timeout_s=1)
    if refuses:
        with pytest.raises(Closed):
            await dynamics.send(update(subject="late"), timeout_s=1)
        await dynamics.send(update(statecode=0, statuscode=1), timeout_s=1)
    await dynamics.send(update(subject="late"), timeout_s=1)
    assert dynamics.records["phonecalls", KEY]["subject"] == "late"
