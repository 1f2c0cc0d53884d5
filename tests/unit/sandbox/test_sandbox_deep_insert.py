"""A row and the rows it is related to, in one create."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


CALL = "0a0b0c0d-0001-4002-8003-0000000000c1"


async def account(http: httpx.AsyncClient, address: str) -> dict[str, Any]:
    expand = (
        "primarycontactid($select=lastname),contact_customer_accounts($select=lastname),"
        "Account_Phonecalls($select=subject)"
    )
    return dict((await http.get(f"{address}?$expand={expand}")).json())


async def test_nested_rows_are_made_and_related(http: httpx.AsyncClient) -> None:
    body = {
        "name": "Ltd",
        "primarycontactid": {"lastname": "Primary"},
        "contact_customer_accounts": [
            {"lastname": "Ada", "Contact_Phonecalls": [{"subject": "about Ada"}]},
            {"lastname": "Bob"},
        ],
        "Account_Phonecalls": [{"subject": "about Ltd"}],
    }
    made = await http.post("accounts", json=body)
    assert made.status_code == 204
    shown = await account(http, made.headers["odata-entityid"])
    assert shown["primarycontactid"]["lastname"] == "Primary"
    assert [row["lastname"] for row in shown["contact_customer_accounts"]] == ["Ada", "Bob"]
    assert [row["subject"] for row in shown["Account_Phonecalls"]] == ["about Ltd"]
    calls = await http.get(
        "phonecalls?$filter=regardingobjectid_contact_phonecall/lastname eq 'Ada'"
    )
    assert [row["subject"] for row in calls.json()["value"]] == ["about Ada"]


async def test_rows_that_are_there_are_bound_to_a_new_row(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    dataverse.put("phonecalls", {"activityid": CALL, "subject": "there"})
    body = {"name": "Ltd", "Account_Phonecalls@odata.bind": [f"/phonecalls({CALL})"]}
    made = await http.post("accounts", json=body)
    shown = await account(http, made.headers["odata-entityid"])
    assert [row["subject"] for row in shown["Account_Phonecalls"]] == ["there"]


async def test_the_answer_shows_what_was_made(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        "accounts?$select=name&$expand=primarycontactid($select=lastname)",
        json={"name": "Ltd", "primarycontactid": {"lastname": "Primary"}},
        headers={"Prefer": "return=representation"},
    )
    assert (answer.status_code, answer.json()["primarycontactid"]["lastname"]) == (201, "Primary")


async def test_many_to_many_relations_are_made_too(http: httpx.AsyncClient) -> None:
    relation = "msdyn_sessiontemplate_applicationtab"
    body = {"msdyn_name": "Voice", relation: [{"msdyn_name": "Tab"}]}
    made = await http.post("msdyn_sessiontemplates", json=body)
    address = made.headers["odata-entityid"]
    tabs = (await http.get(f"{address}/{relation}?$select=msdyn_name")).json()["value"]
    assert [tab["msdyn_name"] for tab in tabs] == ["Tab"]
    more = await http.post(f"{address}/{relation}", json={"msdyn_name": "Another"})
    assert more.status_code == 204
    assert (await http.get(f"{address}/{relation}/$count")).text == "2"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"primarycontactid": {"nothing": "x"}}, 400),
        ({"primarycontactid": "x"}, 400),
        ({"ownerid": {"fullname": "x"}}, 400),
        ({"contact_customer_accounts": {"lastname": "x"}}, 400),
        ({"contact_customer_accounts": [1]}, 400),
        ({"contact_customer_accounts": [{"lastname": 1}]}, 400),
        ({"contact_customer_accounts@odata.bind": ["/accounts(x)"]}, 400),
        ({"contact_customer_accounts@odata.bind": [f"/contacts({CALL})"]}, 404),
        ({"Contact_Customer_Accounts": []}, 400),
    ],
)
async def test_nothing_is_made_where_a_nested_row_is_refused(
    http: httpx.AsyncClient, dataverse: Dataverse, body: dict[str, Any], status: int
) -> None:
    before = dataverse.dump()
    answer = await http.post("accounts", json={"name": "Ltd", **body})
    assert (answer.status_code, dataverse.dump()) == (status, before)


async def test_an_update_makes_no_nested_rows(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    key = dataverse.put("accounts", {"name": "Ltd"})
    answer = await http.patch(f"accounts({key})", json={"primarycontactid": {"lastname": "x"}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80048d19")
