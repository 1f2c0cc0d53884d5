"""Lookups and activity parties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


PERSON = "0a0b0c0d-0001-4002-8003-00000000000a"
ALL = {"Prefer": 'odata.include-annotations="*"'}
LONG = "regardingobjectid_contact_phonecall"
SHORT = "regardingobjectid_contact"


@pytest.fixture(autouse=True)
def person(dataverse: Dataverse) -> str:
    body = {"contactid": PERSON, "lastname": "Ada", "emailaddress1": "ada@x.example"}
    return dataverse.put("contacts", body)


@pytest.mark.parametrize("nav", [LONG, SHORT])
@pytest.mark.parametrize(
    "target",
    [
        f"/contacts({PERSON})",
        f"contacts({PERSON})",
        f"https://org.test/api/data/v9.2/contacts({PERSON})",
        "/contacts(emailaddress1='ada@x.example')",
    ],
)
async def test_a_bind_may_be_written_in_several_ways(
    http: httpx.AsyncClient, dataverse: Dataverse, nav: str, target: str
) -> None:
    answer = await http.post("phonecalls", json={f"{nav}@odata.bind": target})
    assert answer.status_code == 204
    assert dataverse.dump()["phonecalls"][0]["_regardingobjectid_value"] == PERSON


@pytest.mark.parametrize(
    ("entity_set", "nav"),
    [
        ("tasks", "regardingobjectid_contact_task"),
        ("emails", "regardingobjectid_contact_email"),
        ("appointments", "regardingobjectid_contact_appointment"),
        ("annotations", "objectid_contact"),
        ("accounts", "primarycontactid"),
    ],
)
async def test_each_table_has_navigation_properties_of_its_own(
    http: httpx.AsyncClient, entity_set: str, nav: str
) -> None:
    body = {f"{nav}@odata.bind": f"/contacts({PERSON})"}
    assert (await http.post(entity_set, json=body)).status_code == 204


@pytest.mark.parametrize("nav", [LONG, SHORT])
async def test_a_lookup_is_emptied_by_its_own_name(
    http: httpx.AsyncClient, dataverse: Dataverse, nav: str
) -> None:
    call = dataverse.put("phonecalls", {f"{LONG}@odata.bind": f"/contacts({PERSON})"})
    assert (await http.patch(f"phonecalls({call})", json={nav: None})).status_code == 204
    assert "_regardingobjectid_value" not in dataverse.dump()["phonecalls"][0]


async def test_a_reader_of_parties_sees_the_regarding_and_the_owner_among_them(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    call = dataverse.put("phonecalls", {f"{LONG}@odata.bind": f"/contacts({PERSON})"})
    owner = dataverse.dump()["phonecalls"][0]["_ownerid_value"]
    path = f"phonecalls({call})/phonecall_activity_parties"
    assert (await http.put(path, json={"value": []})).status_code == 204
    shown = (await http.get(path, headers=ALL)).json()["value"]
    assert [(p["participationtypemask"], p["_partyid_value"]) for p in shown] == [
        (8, PERSON),
        (9, owner),
    ]
    assert "phonecall_activity_parties" not in dataverse.dump()["phonecalls"][0]


async def test_a_lookup_is_read_with_its_annotations(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    call = dataverse.put("phonecalls", {f"{LONG}@odata.bind": f"/contacts({PERSON})"})
    row = (await http.get(f"phonecalls({call})", headers=ALL)).json()
    name = "_regardingobjectid_value"
    assert row[name] == PERSON
    assert row[f"{name}@Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"
    assert row[f"{name}@Microsoft.Dynamics.CRM.associatednavigationproperty"] == LONG
    assert row[f"{name}@OData.Community.Display.V1.FormattedValue"] == "Ada"


async def test_only_annotations_asked_for_are_given(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    call = dataverse.put("phonecalls", {})
    headers = {"Prefer": 'odata.include-annotations="OData.Community.*"'}
    row = (await http.get(f"phonecalls({call})", headers=headers)).json()
    kinds = {name.partition("@")[2] for name in row if not name.startswith("@") and "@" in name}
    assert kinds == {"OData.Community.Display.V1.FormattedValue"}
    assert row["statuscode@OData.Community.Display.V1.FormattedValue"] == "Open"
    assert row["createdon@OData.Community.Display.V1.FormattedValue"] == "01/02/2026 03:04 AM"


async def test_lookups_and_parties_can_be_expanded(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    body = {
        f"{LONG}@odata.bind": f"/contacts({PERSON})",
        "phonecall_activity_parties": [
            {"partyid_contact@odata.bind": f"/contacts({PERSON})", "participationtypemask": 1},
            {"addressused": "+4930", "participationtypemask": 2},
        ],
    }
    call = dataverse.put("phonecalls", body)
    expand = f"{LONG}($select=lastname),phonecall_activity_parties($select=participationtypemask)"
    row = (await http.get(f"phonecalls({call})?$select=subject&$expand={expand}")).json()
    assert row[LONG]["lastname"] == "Ada"
    masks = [party["participationtypemask"] for party in row["phonecall_activity_parties"]]
    assert masks == [1, 2, 8, 9]  # the regarding and the owner are there by themselves


async def test_a_lookup_that_leads_nowhere_expands_to_null(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    call = dataverse.put("phonecalls", {})
    assert (await http.get(f"phonecalls({call})?$expand={LONG}")).json()[LONG] is None


async def test_a_put_replaces_the_parties(http: httpx.AsyncClient, dataverse: Dataverse) -> None:
    first = [{"addressused": "+4930", "participationtypemask": 1}]
    call = dataverse.put("phonecalls", {"phonecall_activity_parties": first})
    second = [{"partyid_contact@odata.bind": f"/contacts({PERSON})", "participationtypemask": 1}]
    path = f"phonecalls({call})/phonecall_activity_parties"
    assert (await http.put(path, json={"value": second})).status_code == 204
    dumped = dataverse.dump()["phonecalls"][0]["phonecall_activity_parties"]
    assert dumped == [{"_partyid_value": PERSON, "participationtypemask": 1}]
    shown = (await http.get(path, headers=ALL)).json()["value"]
    assert shown[0]["_partyid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"


@pytest.mark.parametrize(
    "party",
    [
        {"participationtypemask": 99, "addressused": "x"},
        {"participationtypemask": "1", "addressused": "x"},
        {"participationtypemask": 1, "addressused": 5},
        {"participationtypemask": 1, "addressused": "x" * 321},
        {"participationtypemask": 1, "nothing": 1},
        {"participationtypemask": 1, "partyid_Contact@odata.bind": f"/contacts({PERSON})"},
        {"participationtypemask": 1, "partyid_contact@odata.bind": f"/systemusers({PERSON})"},
        {"addressused": "x"},
        "x",
    ],
)
async def test_a_party_that_does_not_fit_is_refused(http: httpx.AsyncClient, party: Any) -> None:
    answer = await http.post("phonecalls", json={"phonecall_activity_parties": [party]})
    assert answer.status_code == 400
