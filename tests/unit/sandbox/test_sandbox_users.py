"""Users of the sandbox: in whose name a request is, and what each may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from worker.sandbox.dataverse.users import ACT_ON_BEHALF, CLIENT_ID, application_user


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


OURS = application_user(CLIENT_ID)
AGENT = "0a0b0c0d-0001-4002-8003-0000000000aa"
OBJECT = "0a0b0c0d-0001-4002-8003-0000000000ab"
NOBODY = "0a0b0c0d-0001-4002-8003-0000000000ac"
CALL = "0a0b0c0d-0001-4002-8003-0000000000ad"
BY = ("_createdby_value", "_createdonbehalfby_value")
CHANGED_BY = ("_modifiedby_value", "_modifiedonbehalfby_value")


@pytest.fixture(autouse=True)
def agent(dataverse: Dataverse) -> None:
    user = {"systemuserid": AGENT, "azureactivedirectoryobjectid": OBJECT, "firstname": "Lena"}
    dataverse.put("systemusers", user)


async def row(http: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get(f"phonecalls({CALL})")).json()
    return found


@pytest.mark.parametrize(
    "headers",
    [
        {"MSCRMCallerID": AGENT},
        {"MSCRMCallerID": AGENT.upper()},
        {"CallerObjectId": OBJECT},
        {"CallerObjectId": OBJECT, "MSCRMCallerID": NOBODY},
    ],
)
async def test_what_is_made_in_a_user_s_name_is_theirs_on_behalf_of_the_application_user(
    http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    made = await http.post("phonecalls", json={"activityid": CALL}, headers=headers)
    assert made.status_code == 204
    found = await row(http)
    assert [found[name] for name in (*BY, *CHANGED_BY)] == [AGENT, OURS, AGENT, OURS]
    assert found["_ownerid_value"] == AGENT


async def test_a_change_of_the_application_user_s_own_is_on_nobody_s_behalf(
    http: httpx.AsyncClient,
) -> None:
    headers = {"MSCRMCallerID": AGENT}
    await http.post("phonecalls", json={"activityid": CALL}, headers=headers)
    await http.patch(f"phonecalls({CALL})", json={"subject": "x"})
    found = await row(http)
    assert [found[name] for name in (*BY, *CHANGED_BY)] == [AGENT, OURS, OURS, None]
    await http.patch(f"phonecalls({CALL})", json={"subject": "y"}, headers=headers)
    assert [(await row(http))[name] for name in CHANGED_BY] == [AGENT, OURS]


async def test_a_user_who_names_themselves_acts_for_nobody(http: httpx.AsyncClient) -> None:
    headers = {"MSCRMCallerID": OURS}
    await http.post("phonecalls", json={"activityid": CALL}, headers=headers)
    assert [(await row(http))[name] for name in BY] == [OURS, None]


@pytest.mark.parametrize(
    ("code", "status"), [("0x80072560", 403), ("0x80041d1f", 400), ("0x80040217", 404)]
)
@pytest.mark.parametrize("header", ["MSCRMCallerID", "CallerObjectId"])
async def test_a_request_in_the_name_of_nobody_is_refused_as_switched(
    http: httpx.AsyncClient, dataverse: Dataverse, code: Any, status: int, header: str
) -> None:
    dataverse.switches.unknown_caller = code
    answer = await http.get("WhoAmI", headers={header: NOBODY})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("status", [403, 401])
async def test_a_request_in_the_name_of_a_disabled_user_is_refused(
    http: httpx.AsyncClient, dataverse: Dataverse, status: Any
) -> None:
    dataverse.switches.disabled_status = status
    await http.patch(f"systemusers({AGENT})", json={"isdisabled": True})
    answer = await http.post("phonecalls", json={}, headers={"MSCRMCallerID": AGENT})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, "0x80040225")


async def test_without_the_privilege_nobody_else_can_be_named(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    dataverse.organisation.denied.add((OURS, ACT_ON_BEHALF))
    answer = await http.post("phonecalls", json={}, headers={"MSCRMCallerID": AGENT})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80040220")
    assert ACT_ON_BEHALF in answer.json()["error"]["message"]
    assert (await http.post("phonecalls", json={})).status_code == 204


@pytest.mark.parametrize("lacking", [OURS, AGENT])
async def test_in_a_user_s_name_only_what_both_may_do_is_done(
    http: httpx.AsyncClient, dataverse: Dataverse, lacking: str
) -> None:
    dataverse.organisation.denied.add((lacking, "prvCreateActivity"))
    answer = await http.post("phonecalls", json={}, headers={"MSCRMCallerID": AGENT})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80040220")
    assert f"Id={AGENT}" in answer.json()["error"]["message"]
    own = await http.post("phonecalls", json={})
    assert own.status_code == (403 if lacking == OURS else 204)


async def test_a_batch_is_in_the_name_of_the_user_that_its_request_names(
    http: httpx.AsyncClient,
) -> None:
    part = (
        f"--b\r\nContent-Type: application/http\r\n\r\nPATCH phonecalls({CALL}) HTTP/1.1\r\n\r\n"
        '{"subject": "x"}\r\n--b--\r\n'
    )
    headers = {"MSCRMCallerID": AGENT, "Content-Type": "multipart/mixed; boundary=b"}
    assert (await http.post("$batch", content=part, headers=headers)).status_code == 200
    assert [(await row(http))[name] for name in BY] == [AGENT, OURS]


async def test_a_user_s_privileges_are_those_of_all_tables_but_what_the_roles_lack(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    dataverse.organisation.denied.add((OURS, "prvCreateActivity"))
    function = "Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
    answer = await http.get(f"systemusers({OURS})/{function}")
    held = {one["PrivilegeId"]: one["PrivilegeName"] for one in answer.json()["RolePrivileges"]}
    assert "prvCreateActivity" not in held.values()
    row = (await http.get("EntityDefinitions(LogicalName='phonecall')?$select=Privileges")).json()
    of_calls = {one["PrivilegeType"]: one["PrivilegeId"] for one in row["Privileges"]}
    assert held[of_calls["Read"]] == "prvReadActivity"
    assert of_calls["Create"] not in held


@pytest.mark.parametrize("denied", [False, True])
async def test_a_user_s_privilege_can_be_asked_for_by_its_name(
    http: httpx.AsyncClient, dataverse: Dataverse, denied: bool
) -> None:
    if denied:
        dataverse.organisation.denied.add((OURS, ACT_ON_BEHALF))
    function = "Microsoft.Dynamics.CRM.RetrieveUserPrivilegeByPrivilegeName"
    answer = await http.get(f"systemusers({OURS})/{function}(PrivilegeName='{ACT_ON_BEHALF}')")
    assert answer.status_code == 200
    assert bool(answer.json()["RolePrivileges"]) is not denied
