"""Dynamics in this process answers as the client is answered over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random

import httpx
import pytest

from twins.dynamics import connect_in_process
from worker.dynamics.errors import Closed, DynamicsError, Exists, Missing, Refused, Unauthorized
from worker.dynamics.protocol import WHO_AM_I, Answer, Dynamics, Request
from worker.sandbox.dataverse.app import create_dataverse
from worker.sandbox.dataverse.organisation import create_organisation
from worker.sandbox.dataverse.schema.tables import SYSTEMUSER
from worker.sandbox.dataverse.switches import Switches
from worker.sandbox.inprocess import InProcessDynamics


KEY, OTHER = "11111111-2222-4333-8444-555555555555", "22222222-2222-4333-8444-555555555555"
NOW = 1_767_322_800.0
IF_MATCH = {"If-Match": "*"}
RETURNED = {"Prefer": "return=representation"}
CREATE = Request("POST", "phonecalls", body={"activityid": KEY, "subject": "one"})
CLOSE = Request("PATCH", f"phonecalls({KEY})", IF_MATCH, {"statecode": 1, "statuscode": 4})
REGARDING = {"regardingobjectid_contact_phonecall@odata.bind": f"/contacts({OTHER})"}

#: What a worker sends, and what Dataverse does not take.
REQUESTS = (
    WHO_AM_I,
    CREATE,
    CREATE,
    Request("PATCH", f"phonecalls({KEY})", {"If-None-Match": "*"}, {"subject": "two"}),
    Request("POST", "contacts", RETURNED, {"contactid": OTHER, "lastname": "O'Hara"}),
    Request("GET", f"phonecalls({KEY})?$select=subject,category"),
    Request("GET", "contacts?$filter=fullname%20eq%20'o''hara'&$top=2&$select=fullname"),
    Request("GET", "contacts?$filter=fullname eq 'O''Hara'"),
    Request("GET", "contacts?$filter=contains(nothing,'x')"),
    Request("PATCH", f"phonecalls({KEY})", IF_MATCH, {"category": "VOICE", **REGARDING}),
    Request("PATCH", f"phonecalls({OTHER})", IF_MATCH, {"category": "VOICE"}),
    Request("PATCH", f"phonecalls({OTHER})", RETURNED, {"subject": "upserted"}),
    Request(
        "PUT",
        f"phonecalls({KEY})/phonecall_activity_parties",
        body={"value": [{"participationtypemask": 1, "addressused": "+49301"}]},
    ),
    CLOSE,
    Request("PATCH", f"phonecalls({KEY})", IF_MATCH, {"subject": "late"}),
    Request("PATCH", f"phonecalls({KEY})", IF_MATCH, {"statecode": 0, "statuscode": 1}),
    Request("POST", "phonecalls", body={"nosuchcolumn": 1}),
    Request("POST", "nosuchtable", body={}),
    Request("DELETE", f"phonecalls({KEY})"),
    Request("GET", f"phonecalls({KEY})"),
    Request("GET", "a/b/c?d"),
    Request("GET", f"contacts?$filter=fullname eq '{'x' * 40_000}'"),
)

Outcome = tuple[object, ...]


async def outcome(dynamics: Dynamics, request: Request) -> Outcome:
    """Everything a caller can see of what came of a request, but whose organization answers."""
    try:
        answer = await dynamics.send(request, timeout_s=5)
    except DynamicsError as error:
        return type(error), str(error), error.status, error.code, error.detail
    body = {name: value for name, value in answer.body.items() if name != "OrganizationId"}
    return answer.status, body, answer.headers.get("odata-entityid")


@pytest.fixture
def switches() -> Switches:
    return Switches(closed="0x80040230")


@pytest.fixture
def inprocess(switches: Switches) -> InProcessDynamics:
    return InProcessDynamics(
        create_organisation(switches=switches, clock=lambda: NOW, random=Random(1))
    )


@pytest.fixture
async def over_http(switches: Switches) -> AsyncIterator[Dynamics]:
    dataverse = create_dataverse(auth=False, switches=switches, clock=lambda: NOW, random=Random(1))
    async with connect_in_process(httpx.ASGITransport(dataverse.app)) as client:
        yield client
    dataverse.close()


async def test_every_request_ends_in_process_as_it_ends_over_http(
    inprocess: InProcessDynamics, over_http: Dynamics
) -> None:
    assert await inprocess.user_id() == await over_http.user_id()
    for request in REQUESTS:
        assert await outcome(inprocess, request) == await outcome(over_http, request), request


async def test_refusals_are_the_declared_errors(inprocess: InProcessDynamics) -> None:
    ended = [(await outcome(inprocess, request))[0] for request in REQUESTS]
    assert {Exists, Missing, Closed, Refused} <= set(ended)
    assert 200 in ended
    assert 204 in ended


async def test_a_disabled_application_user_is_unauthorized(inprocess: InProcessDynamics) -> None:
    user = await inprocess.user_id()
    body = {"isdisabled": True}
    await inprocess.send(Request("PATCH", f"systemusers({user})", IF_MATCH, body), timeout_s=1)
    with pytest.raises(Unauthorized):
        await inprocess.send(WHO_AM_I, timeout_s=1)


async def test_the_caller_keeps_its_own_body(inprocess: InProcessDynamics) -> None:
    party = {"participationtypemask": 1, "addressused": "+49301"}
    body = {"activityid": KEY, "phonecall_activity_parties": [party]}
    await inprocess.send(Request("POST", "phonecalls", body=body), timeout_s=1)
    party["addressused"] = "+49302"
    (row,) = inprocess.organisation.records.dump()["phonecalls"]
    assert row["phonecall_activity_parties"][0]["addressused"] == "+49301"


async def test_clients_write_as_their_own_application_users() -> None:
    organisation = create_organisation(clients=["other"])
    one, two = InProcessDynamics(organisation), InProcessDynamics(organisation, "other")
    assert await one.user_id() != await two.user_id()
    await one.send(CREATE, timeout_s=1)
    answer: Answer = await two.send(CLOSE, timeout_s=1)
    (row,) = organisation.records.dump()["phonecalls"]
    assert answer.status == 204
    assert row["_createdby_value"] == await one.user_id()
    assert row["_modifiedby_value"] == await two.user_id()
    assert len(organisation.records.all(SYSTEMUSER)) == 2
