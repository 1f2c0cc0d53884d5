"""What stands behind a row's key: columns, related rows, and relations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


ROOT = "https://org.test/api/data/v9.2/"
LTD = "0a0b0c0d-0001-4002-8003-000000000001"
INC = "0a0b0c0d-0001-4002-8003-000000000002"
ADA = "0a0b0c0d-0001-4002-8003-00000000000a"
BOB = "0a0b0c0d-0001-4002-8003-00000000000b"
CALL = "0a0b0c0d-0001-4002-8003-0000000000c1"
STAFF = f"accounts({LTD})/contact_customer_accounts"


@pytest.fixture(autouse=True)
def rows(dataverse: Dataverse) -> None:
    """Ltd. with Ada as primary contact, who works there; Inc.; Bob, who works nowhere; a call."""
    dataverse.put("accounts", {"accountid": INC, "name": "Inc", "creditonhold": True})
    dataverse.put("accounts", {"accountid": LTD, "name": "Ltd"})
    at = {"parentcustomerid_account@odata.bind": f"/accounts({LTD})"}
    mail = {"emailaddress1": "ada@example.com"}
    dataverse.put("contacts", {"contactid": ADA, "lastname": "Old", **mail, **at})
    dataverse.put("contacts", {"contactid": BOB, "lastname": "New"})
    parties = [{"addressused": "+4930", "participationtypemask": 2}]
    call = {"activityid": CALL, "actualdurationminutes": 7, "phonecall_activity_parties": parties}
    dataverse.put("phonecalls", call)


async def ids(http: httpx.AsyncClient, path: str, key: str = "contactid") -> list[Any]:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return [row[key] for row in answer.json()["value"]]


def reference(path: str) -> dict[str, str]:
    return {"@odata.id": f"{ROOT}{path}"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"phonecalls({CALL})/actualdurationminutes/$value", "7"),
        (f"accounts({INC})/creditonhold/$value", "true"),
        (f"contacts({ADA})/lastname/$value", "Old"),
        (f"{STAFF}/$count", "1"),
        (f"accounts({INC})/contact_customer_accounts/$count", "0"),
        (f"phonecalls({CALL})/phonecall_activity_parties/$count", "2"),  # and its owner
        (f"contacts({ADA})/parentcustomerid_account/name/$value", "Ltd"),
        (f"contacts({ADA})/parentcustomerid_account/contact_customer_accounts/$count", "1"),
        (f"{STAFF}({ADA})/lastname/$value", "Old"),
    ],
)
async def test_a_path_leads_to_a_value_as_text(
    http: httpx.AsyncClient, path: str, expected: str
) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.text) == (200, expected)
    assert answer.headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"contacts({BOB})/parentcustomerid_account", 204),
        (f"contacts({BOB})/parentcustomerid_account/$ref", 204),
        (f"contacts({BOB})/parentcustomerid_account/name", 204),
        (f"contacts({ADA})/parentcustomerid_contact", 204),
        (f"contacts({ADA})/jobtitle/$value", 204),
        (f"contacts({ADA})/nothing", 404),
        (f"contacts({ADA})/lastname/nothing", 404),
        (f"{STAFF}/nothing", 404),
        (f"{STAFF}({BOB})", 404),
        (f"contacts({ADA})/parentcustomerid_account/nothing", 404),
    ],
)
async def test_a_path_that_leads_nowhere_has_nothing(
    http: httpx.AsyncClient, path: str, status: int
) -> None:
    assert (await http.get(path)).status_code == status


async def test_a_lookup_leads_to_a_row(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"contacts({ADA})/parentcustomerid_account?$select=name")
    body = answer.json()
    assert (body["name"], body["accountid"]) == ("Ltd", LTD)
    assert body["@odata.context"] == f"{ROOT}$metadata#accounts(name)/$entity"


async def test_a_collection_is_queried_like_a_table(http: httpx.AsyncClient) -> None:
    await http.patch(
        f"contacts({BOB})", json={"parentcustomerid_account@odata.bind": f"/accounts({LTD})"}
    )
    assert await ids(http, STAFF) == [ADA, BOB]
    assert await ids(http, f"{STAFF}?$filter=lastname eq 'New'&$select=lastname") == [BOB]
    assert await ids(http, f"{STAFF}?$orderby=lastname&$top=1") == [BOB]
    assert await ids(http, f"{STAFF}?$apply=groupby((lastname))", "lastname") == ["Old", "New"]
    headers = {"Prefer": "odata.maxpagesize=1"}
    first = (await http.get(f"{STAFF}?$count=true", headers=headers)).json()
    assert first["@odata.count"] == 2
    assert first["@odata.nextLink"].startswith(f"{ROOT}{STAFF}?")
    second = (await http.get(first["@odata.nextLink"], headers=headers)).json()
    assert [row["contactid"] for row in second["value"]] == [BOB]


async def test_relations_are_read_as_addresses(http: httpx.AsyncClient) -> None:
    single = (await http.get(f"contacts({ADA})/parentcustomerid_account/$ref")).json()
    assert single == {
        "@odata.context": f"{ROOT}$metadata#$ref",
        "@odata.id": f"{ROOT}accounts({LTD})",
    }
    several = (await http.get(f"{STAFF}/$ref")).json()
    assert several["value"] == [reference(f"contacts({ADA})")]


@pytest.mark.parametrize("address", [f"{ROOT}contacts({BOB})", f"contacts({BOB})"])
async def test_a_lookup_is_set_and_emptied_by_its_reference(
    http: httpx.AsyncClient, address: str
) -> None:
    path = f"accounts({LTD})/primarycontactid"
    put = await http.put(f"{path}/$ref", json={"@odata.id": address})
    assert (put.status_code, (await http.get(path)).json()["contactid"]) == (204, BOB)
    gone = await http.delete(f"{path}/$ref")
    assert (gone.status_code, (await http.get(path)).status_code) == (204, 204)
    assert (await http.delete(f"{path}/$ref")).status_code == 204


async def test_a_lookup_of_several_tables_is_set_through_each_and_emptied_through_its_own(
    http: httpx.AsyncClient,
) -> None:
    contact = f"contacts({BOB})"
    await http.put(f"{contact}/parentcustomerid_contact/$ref", json=reference(f"contacts({ADA})"))
    assert (await http.delete(f"{contact}/parentcustomerid_account/$ref")).status_code == 204
    assert (await http.get(f"{contact}/parentcustomerid_contact")).json()["contactid"] == ADA
    await http.put(f"{contact}/parentcustomerid_account/$ref", json=reference(f"accounts({LTD})"))
    assert (await http.get(f"{contact}/parentcustomerid_contact")).status_code == 204
    assert (await http.get(f"{contact}/parentcustomerid_account")).json()["accountid"] == LTD


@pytest.mark.parametrize(
    "path",
    [
        f"{STAFF}({BOB})/$ref",
        f"{STAFF}/$ref?$id={ROOT}contacts({BOB})",
        f"{STAFF}/$ref?$id=contacts({BOB})",
    ],
)
async def test_a_row_joins_a_collection_and_leaves_it(http: httpx.AsyncClient, path: str) -> None:
    joined = await http.post(f"{STAFF}/$ref", json=reference(f"contacts({BOB})"))
    assert (joined.status_code, await ids(http, STAFF)) == (204, [ADA, BOB])
    assert (await http.delete(path)).status_code == 204
    assert await ids(http, STAFF) == [ADA]
    assert (await http.delete(path)).status_code == 204


async def test_a_row_is_made_in_a_collection(http: httpx.AsyncClient) -> None:
    made = await http.post(STAFF, json={"lastname": "Cy"})
    assert made.status_code == 204
    assert made.headers["odata-entityid"].startswith(f"{ROOT}contacts(")
    row = (await http.get(made.headers["odata-entityid"])).json()
    assert (row["lastname"], row["_parentcustomerid_value"]) == ("Cy", LTD)
    headers = {"Prefer": "return=representation"}
    shown = await http.post(f"{STAFF}?$select=lastname", json={"lastname": "Di"}, headers=headers)
    assert (shown.status_code, shown.json()["lastname"]) == (201, "Di")


async def test_parties_are_a_table_to_read(http: httpx.AsyncClient) -> None:
    query = "activityparties?$filter=addressused eq '%2B4930'&$select=participationtypemask"
    (party,) = (await http.get(query)).json()["value"]
    assert party["participationtypemask"] == 2
    one = await http.get(f"activityparties({party['activitypartyid']})")
    assert one.json()["_activityid_value"] == CALL
    assert (await http.get(f"activityparties({CALL})")).status_code == 404
    refused = await http.post("activityparties", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "0x80040800")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", f"accounts({LTD})/primarycontactid/$ref", reference(f"accounts({INC})"), 400),
        ("PUT", f"accounts({LTD})/primarycontactid/$ref", reference(f"contacts({LTD})"), 404),
        ("PUT", f"accounts({LTD})/primarycontactid/$ref", {}, 400),
        ("PUT", f"accounts({LTD})/primarycontactid/$ref", {"@odata.id": "nonsense"}, 400),
        ("POST", f"accounts({LTD})/primarycontactid/$ref", reference(f"contacts({ADA})"), 405),
        ("PUT", f"accounts({LTD})/primarycontactid", {"value": None}, 405),
        ("PATCH", f"accounts({LTD})/primarycontactid", {}, 405),
        ("PUT", f"{STAFF}/$ref", reference(f"contacts({ADA})"), 405),
        ("POST", f"{STAFF}({ADA})/$ref", reference(f"contacts({ADA})"), 405),
        ("DELETE", f"{STAFF}/$ref", None, 405),
        ("DELETE", f"{STAFF}({LTD})/$ref", None, 404),
        ("DELETE", f"{STAFF}({ADA})", None, 405),
        ("PUT", STAFF, {"value": []}, 405),
        ("POST", f"phonecalls({CALL})/phonecall_activity_parties", {}, 405),
        ("POST", f"phonecalls({CALL})/phonecall_activity_parties/$ref", {}, 405),
        ("POST", f"accounts({LTD})/nothing/$ref", {}, 404),
        ("PUT", f"contacts({ADA})/_parentcustomerid_value", {"value": INC}, 400),
    ],
)
async def test_what_a_relation_cannot_do_is_refused(
    http: httpx.AsyncClient, method: str, path: str, body: Any, status: int
) -> None:
    answer = await http.request(method, path, json=body)
    assert answer.status_code == status, answer.text


async def test_a_key_with_a_slash_in_it_is_one_key(http: httpx.AsyncClient) -> None:
    await http.post("contacts", json={"emailaddress1": "a/b@example.com", "lastname": "Slash"})
    answer = await http.get("contacts(emailaddress1='a%2Fb@example.com')/lastname/$value")
    assert answer.text == "Slash"
