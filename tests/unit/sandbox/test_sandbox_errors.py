"""Error codes and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


ID = "0a0b0c0d-0001-4002-8003-00000000000a"
OTHER = "0a0b0c0d-0001-4002-8003-00000000000b"
BIND = "regardingobjectid_contact_phonecall@odata.bind"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "message"),
    [
        (
            "GET",
            f"phonecalls({OTHER})",
            None,
            404,
            "0x80040217",
            f"phonecall With Id = {OTHER} Does Not Exist",
        ),
        (
            "GET",
            "contacts(emailaddress1='nobody@x.example')",
            None,
            404,
            "0x80060891",
            "A record with the specified key values does not exist in contact entity",
        ),
        (
            "POST",
            "contacts",
            {"emailaddress1": "TAKEN@x.example"},
            412,
            "0x80060892",
            (
                "Entity Key emailaddress1 violated. A record with the same value for emailaddress1 "
                "already exists."
            ),
        ),
        (
            "POST",
            "phonecalls",
            {"activityid": ID},
            412,
            "0x80040237",
            "A record with matching key values already exists.",
        ),
        (
            "POST",
            "phonecalls",
            {"RegardingObjectId_contact_phonecall@odata.bind": f"/contacts({ID})"},
            400,
            "0x80048d19",
            (
                "An undeclared property 'RegardingObjectId_contact_phonecall' which only has "
                "property annotations"
            ),
        ),
        (
            "POST",
            "phonecalls",
            {"Subject": "x"},
            400,
            "0x80048d19",
            "Invalid property 'Subject' was found in entity 'Microsoft.Dynamics.CRM.phonecall'.",
        ),
        (
            "POST",
            "phonecalls",
            {"_regardingobjectid_value": ID},
            400,
            "0x80060888",
            "CRM do not support direct update of Entity Reference properties",
        ),
        (
            "GET",
            "nothings",
            None,
            404,
            "0x80060888",
            "Resource not found for the segment 'nothings'.",
        ),
        (
            "GET",
            "contacts?$filter=nothing eq 1",
            None,
            400,
            "0x80060888",
            "Could not find a property named 'nothing' on type 'Microsoft.Dynamics.CRM.contact'.",
        ),
        (
            "GET",
            "contacts?$skip=1",
            None,
            400,
            "0x80060888",
            "Skip Clause is not supported in CRM",
        ),
        (
            "POST",
            "tasks",
            {"subject": "x" * 201},
            400,
            "0x80044331",
            (
                "A validation error occurred.  The length of the 'subject' attribute of the 'task' "
                "entity exceeded the maximum allowed length of '200'."
            ),
        ),
        (
            "POST",
            "phonecalls",
            {"prioritycode": 9},
            400,
            "0x8004431a",
            "is outside the valid range. Accepted Values: 0,1,2",
        ),
        (
            "POST",
            "phonecalls",
            {"actualdurationminutes": -1},
            400,
            "0x80044330",
            "The value of 'actualdurationminutes' on record of type 'phonecall'",
        ),
        (
            "PATCH",
            f"phonecalls({ID})",
            {"statecode": 0, "statuscode": 4},
            400,
            "0x80048408",
            "4 is not a valid status code for state code PhonecallState.Open",
        ),
        (
            "POST",
            "phonecalls",
            {BIND: f"/contacts({OTHER})"},
            404,
            "0x80040217",
            f"contact With Id = {OTHER} Does Not Exist",
        ),
        (
            "POST",
            "phonecalls",
            {BIND: f"/accounts({OTHER})"},
            400,
            "0x80048d19",
            "does not name a row of a table this property leads to",
        ),
        (
            "POST",
            "phonecalls/Microsoft.Dynamics.CRM.CreateMultiple",
            {"Targets": [{}]},
            400,
            "0x80040800",
            "The 'CreateMultiple' method does not support entities of type 'phonecall'.",
        ),
        (
            "GET",
            "phonecalls(firstly)",
            None,
            400,
            "0x80060888",
            "Bad Request - Error in query syntax",
        ),
        (
            "GET",
            "contacts(telephone1='1')",
            None,
            400,
            "0x80060888",
            "The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.contact'",
        ),
    ],
)
async def test_a_refusal_has_its_status_code_and_text(
    *,
    http: httpx.AsyncClient,
    dataverse: Dataverse,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    status: int,
    code: str,
    message: str,
) -> None:
    dataverse.put("phonecalls", {"activityid": ID})
    dataverse.put("contacts", {"emailaddress1": "taken@x.example"})
    before = dataverse.dump()
    answer = await http.request(method, path, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert message in error["message"]
    assert dataverse.dump() == before


async def test_malformed_json_is_a_bad_payload(http: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await http.post("contacts", content=b"{", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "0x80048d19"


async def test_details_of_an_error_come_with_all_annotations(http: httpx.AsyncClient) -> None:
    headers = {"Prefer": 'odata.include-annotations="*"'}
    error = (await http.get("nothings", headers=headers)).json()["error"]
    assert "@Microsoft.PowerApps.CDS.HelpLink" in error
    assert "innererror" not in error
