"""Changes in a user's name, and in our own where that may not be: said once, never parked."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from pipelines.action import Change, Verb
from pipelines.caller import Caller
from pipelines.entity import OWNER
from pipelines.outcome import Done, Missing
from twins.clock import Turned
from twins.dynamics import USER_ID, ScriptedDynamics
from worker.dynamics.errors import Forbidden, NotAs
from worker.dynamics.impersonation import PAUSE_S, Refusals, in_name_of, is_about
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Request
from worker.files import MemoryFiles
from worker.sandbox.dataverse.users import ACT_ON_BEHALF


KEY = "11111111-2222-5333-8444-555555555555"
OTHER_KEY = "11111111-2222-5333-8444-666666666666"
AGENT = "0a0b0c0d-0001-4002-8003-0000000000aa"
OBJECT = "0a0b0c0d-0001-4002-8003-0000000000ab"
NOBODY = "0a0b0c0d-0001-4002-8003-0000000000ac"


class Desk:
    """A Dynamics with an agent in it, and a performer whose clock is turned."""

    def __init__(self) -> None:
        self.time = Turned()
        self.dynamics = ScriptedDynamics()
        self.dynamics.records["systemusers", AGENT] = {
            "systemuserid": AGENT,
            "azureactivedirectoryobjectid": OBJECT,
        }
        clock = self.time.clock()
        self.performer = Performer(self.dynamics, clock, MemoryFiles(), refusals=Refusals(clock))

    @property
    def denied(self) -> set[tuple[str, str]]:
        return self.dynamics.organisation.denied

    async def create(self, caller: Caller | None, key: str = KEY, **columns: Any) -> Any:
        body = {"subject": "x", **columns}
        change = Change(Verb.CREATE, ("p/S",), f"phonecalls({key})", body, caller=caller)
        return await self.performer.perform(change, timeout_s=1)

    def by(self, key: str = KEY) -> tuple[str, str | None]:
        record = self.dynamics.records["phonecalls", key]
        return record["_createdby_value"], record["_createdonbehalfby_value"]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("caller", [Caller(AGENT), Caller(OBJECT, entra=True)])
async def test_what_an_agent_s_step_makes_is_created_by_the_agent_on_our_behalf(
    desk: Desk, caller: Caller
) -> None:
    assert type(await desk.create(caller)) is Done
    assert desk.by() == (AGENT, USER_ID)


@pytest.mark.parametrize(
    "trouble",
    [
        *("0x80072560", "0x80041d1f", "0x80040217"),
        *("disabled 403", "disabled 401", "no privilege", "no right", "no id"),
    ],
)
async def test_where_the_user_may_not_the_record_is_made_in_our_own_name_and_it_is_said_once(
    desk: Desk, trouble: str
) -> None:
    switches = desk.dynamics.organisation.switches
    caller = Caller(AGENT)
    match trouble:
        case "disabled 403" | "disabled 401":
            switches.disabled_status = 403 if trouble.endswith("403") else 401
            row = desk.dynamics.records["systemusers", AGENT]
            desk.dynamics.records["systemusers", AGENT] = {**row, "isdisabled": True}
        case "no privilege":
            desk.denied.add((USER_ID, ACT_ON_BEHALF))
        case "no right":
            desk.denied.add((AGENT, "prvCreateActivity"))
        case "no id":
            caller = Caller("lena.fischer@contoso.example")
        case code:
            switches.unknown_caller = code  # type: ignore[assignment]
            caller = Caller(NOBODY)
    with structlog.testing.capture_logs() as lines:
        for key in (KEY, OTHER_KEY):
            assert type(await desk.create(caller, key)) is Done
            assert desk.by(key) == (USER_ID, None)
    assert [line["event"] for line in lines] == ["dynamics.caller_refused"]
    assert "lena" not in str(lines)


async def test_a_refused_user_is_not_tried_again_before_the_pause_is_over_and_then_is(
    desk: Desk,
) -> None:
    desk.denied.add((AGENT, "prvCreateActivity"))
    await desk.create(Caller(AGENT))
    desk.denied.clear()
    desk.time.now += PAUSE_S - 1
    sent = len(desk.dynamics.requests)
    await desk.create(Caller(AGENT), OTHER_KEY)
    assert len(desk.dynamics.requests) == sent + 1
    assert desk.by(OTHER_KEY) == (USER_ID, None)
    desk.time.now += 1
    third = "11111111-2222-5333-8444-777777777777"
    with structlog.testing.capture_logs() as lines:
        await desk.create(Caller(AGENT), third)
    assert desk.by(third) == (AGENT, USER_ID)
    assert [line["event"] for line in lines] == ["dynamics.caller_accepted"]


async def test_without_the_privilege_no_user_is_tried_until_the_pause_is_over(desk: Desk) -> None:
    desk.denied.add((USER_ID, ACT_ON_BEHALF))
    with structlog.testing.capture_logs() as lines:
        await desk.create(Caller(AGENT))
        sent = len(desk.dynamics.requests)
        await desk.create(Caller(NOBODY), OTHER_KEY)
    assert len(desk.dynamics.requests) == sent + 1
    assert [line["user"] for line in lines] == ["anybody"]


async def test_another_user_is_tried_although_one_was_refused(desk: Desk) -> None:
    await desk.create(Caller(NOBODY))
    await desk.create(Caller(AGENT), OTHER_KEY)
    assert desk.by(OTHER_KEY) == (AGENT, USER_ID)


async def test_what_is_forbidden_in_our_own_name_too_is_forbidden_and_no_user_s_fault(
    desk: Desk,
) -> None:
    desk.denied.add((USER_ID, "prvCreateActivity"))
    with structlog.testing.capture_logs() as lines, pytest.raises(Forbidden):
        await desk.create(Caller(AGENT))
    assert lines == []
    assert not desk.performer.refusals.holds(Caller(AGENT))


async def test_a_record_that_is_not_there_is_missing_in_whosever_name_it_is_changed(
    desk: Desk,
) -> None:
    change = Change(
        Verb.UPDATE, ("p/S",), f"phonecalls({KEY})", {"subject": "y"}, caller=Caller(AGENT)
    )
    assert type(await desk.performer.perform(change, timeout_s=1)) is Missing
    assert len(desk.dynamics.requests) == 1


async def test_a_record_keeps_its_owner_if_only_the_user_is_refused(desk: Desk) -> None:
    desk.denied.add((AGENT, "prvCreateActivity"))
    with structlog.testing.capture_logs() as lines:
        await desk.create(Caller(AGENT), **{OWNER: f"/systemusers({AGENT})"})
    assert desk.dynamics.records["phonecalls", KEY]["_ownerid_value"] == AGENT
    assert [line["event"] for line in lines] == ["dynamics.caller_refused"]


def test_what_is_no_id_never_becomes_a_header() -> None:
    request = Request("GET", "WhoAmI")
    for text in ("x", f"{AGENT}\r\nAuthorization: x", f"{{{AGENT}}}", ""):
        assert in_name_of(request, Caller(text)) == request


@pytest.mark.parametrize(
    ("status", "code", "detail", "about"),
    [
        (403, "", "", True),
        (401, "", "Unauthorized", False),
        (401, "0x80040225", "", True),
        (401, "0x80072560", "", True),
        (400, "0x80041d1f", "", True),
        (404, "0x80040217", f"systemuser With Id = {AGENT} Does Not Exist", True),
        (404, "", f"SystemUser With Id = {AGENT.upper()} Does Not Exist", True),
        (404, "0x80040217", f"phonecall With Id = {KEY} Does Not Exist", False),
        (400, "0x80048d19", "", False),
        (412, "0x80040237", "", False),
        (429, "0x80072322", "", False),
        (500, "0x80040220", "", False),
        (None, "0x80040220", "", False),
    ],
)
def test_a_refusal_is_about_the_user_if_it_says_so(
    status: int | None, code: str, detail: str, about: bool
) -> None:
    assert is_about(AGENT, status, code, detail) is about


async def test_memory_of_refused_users_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.dynamics.impersonation.MOST_REFUSED", 3)
    refusals = Refusals(Turned().clock())
    for number in range(10):
        refusals.note(Caller(str(number)), NotAs("x", status=403))
    assert list(refusals.until) == [Caller("7"), Caller("8"), Caller("9")]
