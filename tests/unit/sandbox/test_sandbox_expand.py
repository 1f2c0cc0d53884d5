"""Related rows in the answer: ``$expand``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


ROOT = "https://org.test/api/data/v9.2/"
LTD = "0a0b0c0d-0001-4002-8003-000000000001"
ADA = "0a0b0c0d-0001-4002-8003-00000000000a"
BOB = "0a0b0c0d-0001-4002-8003-00000000000b"
CALL = "0a0b0c0d-0001-4002-8003-0000000000c1"
SESSION = "0a0b0c0d-0001-4002-8003-0000000000d1"


@pytest.fixture(autouse=True)
def rows(dataverse: Dataverse) -> None:
    dataverse.put("contacts", {"contactid": ADA, "lastname": "Old"})
    primary = {"primarycontactid@odata.bind": f"/contacts({ADA})"}
    dataverse.put("accounts", {"accountid": LTD, "name": "Ltd", **primary})
    at = {"parentcustomerid_account@odata.bind": f"/accounts({LTD})"}
    dataverse.put("contacts", {"contactid": BOB, "lastname": "New", **at})
    dataverse.put("contacts", {"lastname": "Newer", "jobtitle": "x", **at})
    parties = [
        {"partyid_contact@odata.bind": f"/contacts({BOB})", "participationtypemask": 1},
        {"addressused": "+4930", "participationtypemask": 2},
    ]
    about = {"regardingobjectid_contact_phonecall@odata.bind": f"/contacts({BOB})"}
    call = {"activityid": CALL, "subject": "one", **about}
    dataverse.put("phonecalls", {**call, "phonecall_activity_parties": parties})
    dataverse.put("msdyn_sessiontemplates", {"msdyn_sessiontemplateid": SESSION})


async def row(http: httpx.AsyncClient, path: str, expand: str, prefer: str = "") -> dict[str, Any]:
    headers = {"Prefer": prefer} if prefer else {}
    answer = await http.get(f"{path}?$select=createdon&$expand={expand}", headers=headers)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return dict(body["value"][0] if "value" in body else body)


def lastnames(rows: list[dict[str, Any]]) -> list[str]:
    return [str(item["lastname"]) for item in rows]


async def test_expansions_nest(http: httpx.AsyncClient) -> None:
    expand = (
        "regardingobjectid_contact_phonecall($select=lastname;"
        "$expand=parentcustomerid_account($select=name;$expand=primarycontactid($select=lastname)))"
    )
    contact = (await row(http, f"phonecalls({CALL})", expand))[
        "regardingobjectid_contact_phonecall"
    ]
    assert contact["lastname"] == "New"
    assert contact["parentcustomerid_account"]["name"] == "Ltd"
    assert contact["parentcustomerid_account"]["primarycontactid"]["lastname"] == "Old"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("$select=lastname", ["New", "Newer"]),
        ("$select=lastname;$orderby=lastname desc", ["Newer", "New"]),
        ("$select=lastname;$filter=jobtitle eq 'x'", ["Newer"]),
        ("$select=lastname;$filter=contains(lastname,';(')", []),
        ("$orderby=lastname desc;$top=1", ["Newer"]),
        ("$top=0", []),
    ],
)
async def test_a_collection_is_chosen_filtered_ordered_and_cut(
    http: httpx.AsyncClient, options: str, expected: list[str]
) -> None:
    shown = await row(http, "accounts", f"contact_customer_accounts({options})")
    assert lastnames(shown["contact_customer_accounts"]) == expected


async def test_a_collection_has_a_link_to_itself_with_its_options(http: httpx.AsyncClient) -> None:
    options = "$select=lastname;$orderby=lastname desc;$top=1"
    shown = await row(http, "accounts", f"contact_customer_accounts({options})")
    link = shown["contact_customer_accounts@odata.nextLink"]
    assert link.startswith(f"{ROOT}accounts({LTD})/contact_customer_accounts?$select=lastname")
    again = (await http.get(link)).json()["value"]
    assert lastnames(again) == lastnames(shown["contact_customer_accounts"])


async def test_pages_reach_into_a_nested_expansion(http: httpx.AsyncClient) -> None:
    expand = "contact_customer_accounts($select=lastname;$expand=createdby($select=fullname))"
    shown = await row(http, "accounts", expand, "odata.maxpagesize=1")
    assert lastnames(shown["contact_customer_accounts"]) == ["New"]
    link = shown["contact_customer_accounts@odata.nextLink"]
    headers = {"Prefer": "odata.maxpagesize=1"}
    second = (await http.get(link, headers=headers)).json()
    assert lastnames(second["value"]) == ["Newer"]
    assert second["value"][0]["createdby"]["systemuserid"]
    assert "@odata.nextLink" not in second


async def test_pages_do_not_reach_into_a_single_expansion(http: httpx.AsyncClient) -> None:
    expand = "contact_customer_accounts($select=lastname)"
    shown = await row(http, "accounts", expand, "odata.maxpagesize=1")
    assert lastnames(shown["contact_customer_accounts"]) == ["New", "Newer"]


async def test_parties_are_expanded_with_who_they_are(http: httpx.AsyncClient) -> None:
    expand = (
        "phonecall_activity_parties($filter=participationtypemask eq 1;$expand=partyid_contact)"
    )
    shown = await row(http, f"phonecalls({CALL})", expand)
    (party,) = shown["phonecall_activity_parties"]
    assert (party["_partyid_value"], party["partyid_contact"]["lastname"]) == (BOB, "New")


async def test_a_reference_is_an_address(http: httpx.AsyncClient) -> None:
    shown = await row(http, "accounts", "primarycontactid/$ref")
    assert shown["primarycontactid"] == {"@odata.id": f"{ROOT}contacts({ADA})"}


async def test_an_expanded_lookup_that_is_filtered_out_is_null(http: httpx.AsyncClient) -> None:
    shown = await row(http, "accounts", "primarycontactid($filter=lastname eq 'x')")
    assert shown["primarycontactid"] is None


async def test_the_context_names_what_is_expanded(http: httpx.AsyncClient) -> None:
    expand = "primarycontactid($select=lastname),contact_customer_accounts"
    body = (await http.get(f"accounts?$select=name&$expand={expand}")).json()
    inside = "name,primarycontactid(lastname),contact_customer_accounts()"
    assert body["@odata.context"] == f"{ROOT}$metadata#accounts({inside})"


ONLY = (
    "Only $select and $filter clause can be provided while doing $expand on many-to-one "
    "relationship or nested one-to-many relationship."
)


@pytest.mark.parametrize(
    ("path", "expand", "message"),
    [
        ("accounts", "primarycontactid($top=1)", ONLY),
        ("accounts", "primarycontactid($orderby=lastname)", ONLY),
        ("accounts", "contact_customer_accounts($top=1;$expand=createdby)", ONLY),
        ("accounts", "contact_customer_accounts($orderby=lastname;$expand=createdby)", ONLY),
        ("accounts", "contact_customer_accounts($top=1),primarycontactid($expand=createdby)", ONLY),
        (
            "accounts",
            "contact_customer_accounts/$ref",
            "Expand with $ref is only supported on lookup type navigation property.",
        ),
        ("accounts", "Contact_Customer_Accounts", "Could not find a property named"),
        ("accounts", "contact_customer_accounts($select=nothing)", "named 'nothing'"),
        ("accounts", "contact_customer_accounts($filter=nothing eq 1)", "named 'nothing'"),
        ("accounts", "contact_customer_accounts($expand=nothing)", "named 'nothing'"),
        ("accounts", "contact_customer_accounts($count=true)", "'$count' is not supported there"),
        ("accounts", "contact_customer_accounts($select=lastname", "unbalanced bracket"),
        ("accounts", "contact_customer_accounts($filter=lastname eq @p)", "Parameter aliases"),
        (
            f"msdyn_sessiontemplates({SESSION})",
            "msdyn_sessiontemplate_applicationtab($expand=createdby)",
            "Many-to-many relationships are not expanded together with others.",
        ),
    ],
)
async def test_an_expansion_that_dataverse_does_not_do_is_refused(
    http: httpx.AsyncClient, path: str, expand: str, message: str
) -> None:
    answer = await http.get(f"{path}?$expand={expand}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize(("count", "status"), [(15, 200), (16, 400)])
async def test_a_query_has_at_most_fifteen_expansions(
    http: httpx.AsyncClient, count: int, status: int
) -> None:
    expand = "createdby"
    for _ in range(count - 1):
        expand = f"createdby($expand={expand})"
    assert (await http.get(f"accounts?$expand={expand}")).status_code == status
