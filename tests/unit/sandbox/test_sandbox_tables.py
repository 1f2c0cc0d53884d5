"""What the shipped tables take: what is fine in Dynamics is fine here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


CONTACT = "aaaa0000-0000-4000-8000-000000000001"
ACCOUNT = "bbbb0000-0000-4000-8000-000000000001"
CASE = "cccc0000-0000-4000-8000-000000000001"
QUEUE = "cccc0000-0000-4000-8000-000000000002"
TEAM = "cccc0000-0000-4000-8000-000000000003"
CURRENCY = "cccc0000-0000-4000-8000-000000000004"
CUSTOMER = {"customerid_contact@odata.bind": f"/contacts({CONTACT})"}


@pytest.fixture
def rows(dataverse: Dataverse) -> None:
    """A customer with a case, a queue, a team and a currency."""
    dataverse.put("accounts", {"accountid": ACCOUNT, "name": "Nordlicht"})
    parent = {"parentcustomerid_account@odata.bind": f"/accounts({ACCOUNT})"}
    dataverse.put("contacts", {"contactid": CONTACT, "lastname": "Moen", **parent})
    dataverse.put("incidents", {"incidentid": CASE, "title": "Leak", **CUSTOMER})
    dataverse.put("queues", {"queueid": QUEUE, "name": "Claims"})
    dataverse.put("teams", {"teamid": TEAM, "name": "Claims"})
    euro = {"currencyname": "Euro", "isocurrencycode": "EUR"}
    dataverse.put("transactioncurrencies", {"transactioncurrencyid": CURRENCY, **euro})


async def create(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    prefer = 'return=representation,odata.include-annotations="*"'
    answer = await http.post(path, json=body, headers={"prefer": prefer})
    assert answer.status_code == 201, answer.text
    row: dict[str, Any] = answer.json()
    return row


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    "short", ["regardingobjectid_incident", "regardingobjectid_incident_phonecall"]
)
async def test_a_call_is_regarding_a_case(http: httpx.AsyncClient, short: str) -> None:
    row = await create(http, "phonecalls", {f"{short}@odata.bind": f"/incidents({CASE})"})
    lookup = "_regardingobjectid_value"
    assert row[lookup] == CASE
    assert row[f"{lookup}@Microsoft.Dynamics.CRM.lookuplogicalname"] == "incident"
    nav = row[f"{lookup}@Microsoft.Dynamics.CRM.associatednavigationproperty"]
    assert nav == "regardingobjectid_incident_phonecall"


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("nav", ["ownerid", "ownerid_phonecall"])
async def test_a_team_owns_a_call(http: httpx.AsyncClient, nav: str) -> None:
    row = await create(http, "phonecalls", {f"{nav}@odata.bind": f"/teams({TEAM})"})
    assert row["_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "team"


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("entity_set", ["phonecalls", "faxes", "letters", "cr8a1_smsmessages"])
async def test_an_activity_goes_into_a_queue(http: httpx.AsyncClient, entity_set: str) -> None:
    activity = (await create(http, entity_set, {"subject": "x"}))["activityid"]
    logical = {"faxes": "fax", "cr8a1_smsmessages": "cr8a1_smsmessage"}.get(
        entity_set, entity_set.removesuffix("s")
    )
    item = await create(
        http,
        "queueitems",
        {
            "queueid@odata.bind": f"/queues({QUEUE})",
            f"objectid_{logical}@odata.bind": f"/{entity_set}({activity})",
        },
    )
    assert (item["_queueid_value"], item["_objectid_value"]) == (QUEUE, activity)
    assert item["enteredon"] == item["createdon"]
    worker = {"workerid_team@odata.bind": f"/teams({TEAM})"}
    taken = await http.patch(f"queueitems({item['queueitemid']})", json=worker)
    assert taken.status_code == 204


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("nav", ["transactioncurrencyid", "transactioncurrencyid_phonecall"])
async def test_a_call_has_a_currency(http: httpx.AsyncClient, nav: str) -> None:
    bind = {f"{nav}@odata.bind": f"/transactioncurrencies({CURRENCY})"}
    assert (await create(http, "phonecalls", bind))["_transactioncurrencyid_value"] == CURRENCY


@pytest.mark.usefixtures("rows")
async def test_a_case_is_made_for_a_customer(http: httpx.AsyncClient) -> None:
    row = await create(http, "incidents", {"title": "Call", "caseorigincode": 1, **CUSTOMER})
    assert row["_customerid_value"] == CONTACT
    assert row["caseorigincode@OData.Community.Display.V1.FormattedValue"] == "Phone"
    where = f"contacts({CONTACT})?$expand=incident_customer_contacts($select=title)"
    cases = (await http.get(where)).json()["incident_customer_contacts"]
    assert {case["title"] for case in cases} == {"Leak", "Call"}


@pytest.mark.usefixtures("rows")
async def test_a_call_has_the_organisations_own_column_and_status(http: httpx.AsyncClient) -> None:
    call = (await create(http, "phonecalls", {"cr8a1_reason": "Claims"}))["activityid"]
    closing = {"statecode": 1, "statuscode": 100000001}
    assert (await http.patch(f"phonecalls({call})", json=closing)).status_code == 204


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("nav", "target"),
    [
        ("partyid_contact", f"/contacts({CONTACT})"),
        ("partyid_incident", f"/incidents({CASE})"),
        ("partyid_queue", f"/queues({QUEUE})"),
    ],
)
async def test_whoever_may_take_part_is_a_party(
    http: httpx.AsyncClient, nav: str, target: str
) -> None:
    party = {f"{nav}@odata.bind": target, "participationtypemask": 2}
    await create(http, "phonecalls", {"subject": "x", "phonecall_activity_parties": [party]})


@pytest.mark.usefixtures("rows")
async def test_a_team_takes_no_part_in_activities(http: httpx.AsyncClient) -> None:
    party = {"partyid_team@odata.bind": f"/teams({TEAM})", "participationtypemask": 2}
    body = {"subject": "x", "phonecall_activity_parties": [party]}
    assert (await http.post("phonecalls", json=body)).status_code == 400


@pytest.mark.usefixtures("rows")
async def test_a_note_is_about_a_case(http: httpx.AsyncClient) -> None:
    bind = {"objectid_incident@odata.bind": f"/incidents({CASE})"}
    assert (await create(http, "annotations", {"subject": "x", **bind}))["_objectid_value"] == CASE


async def test_several_choices_are_one_text(http: httpx.AsyncClient) -> None:
    row = await create(http, "cr8a1_expenses", {"cr8a1_name": "x", "cr8a1_kinds": "1, 3"})
    assert row["cr8a1_kinds"] == "1,3"
    shown = row["cr8a1_kinds@OData.Community.Display.V1.FormattedValue"]
    assert shown == "Travel; Other"
    wrong = await http.post("cr8a1_expenses", json={"cr8a1_kinds": "1,9"})
    assert wrong.json()["error"]["code"] == "0x8004431a"


async def test_an_amount_is_a_number_within_its_bounds(http: httpx.AsyncClient) -> None:
    row = await create(http, "cr8a1_expenses", {"cr8a1_amount": 12.5, "cr8a1_rate": 7})
    assert (row["cr8a1_amount"], row["cr8a1_rate"]) == (12.5, 7)
    for wrong in ({"cr8a1_rate": 101}, {"cr8a1_rate": "7"}, {"cr8a1_amount": True}):
        assert (await http.post("cr8a1_expenses", json=wrong)).status_code == 400


async def test_a_custom_table_is_read_by_its_alternate_key(http: httpx.AsyncClient) -> None:
    await create(http, "cr8a1_cases", {"cr8a1_name": "x", "cr8a1_code": "K-77"})
    row = (await http.get("cr8a1_cases(cr8a1_code='K-77')?$select=cr8a1_name")).json()
    assert row["cr8a1_name"] == "x"


async def test_a_users_teams_are_read_from_both_sides(http: httpx.AsyncClient, rows: None) -> None:
    del rows
    user = (await http.get("WhoAmI")).json()["UserId"]
    body = {"@odata.id": f"https://org.test/api/data/v9.2/systemusers({user})"}
    await http.post(f"teams({TEAM})/teammembership_association/$ref", json=body)
    where = f"systemusers({user})/teammembership_association?$select=name"
    assert [row["name"] for row in (await http.get(where)).json()["value"]] == ["Claims"]


EVENT = "eeee0000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("key", "status"),
    [
        (f"({EVENT})?partitionId=day-1", 200),
        (f"(cr8a1_calleventid={EVENT},partitionid='day-1')", 200),
        (f"({EVENT})", 404),
        (f"({EVENT})?partitionId=day-2", 404),
        (f"(cr8a1_calleventid={EVENT},partitionid='day-2')", 404),
    ],
)
async def test_a_row_of_an_elastic_table_is_named_with_its_partition(
    http: httpx.AsyncClient, key: str, status: int
) -> None:
    body = {"cr8a1_calleventid": EVENT, "partitionid": "day-1", "cr8a1_payload": "{}"}
    await create(http, "cr8a1_callevents", body)
    assert (await http.get(f"cr8a1_callevents{key}")).status_code == status


async def test_a_row_of_an_elastic_table_without_a_partition_is_named_by_its_id(
    http: httpx.AsyncClient,
) -> None:
    await create(http, "cr8a1_callevents", {"cr8a1_calleventid": EVENT, "ttlinseconds": 60})
    assert (await http.get(f"cr8a1_callevents({EVENT})")).status_code == 200


async def test_an_upsert_with_a_partition_makes_the_row_in_it(http: httpx.AsyncClient) -> None:
    where = f"cr8a1_callevents(cr8a1_calleventid={EVENT},partitionid='day-1')"
    for payload in ("one", "two"):
        answer = await http.patch(where, json={"cr8a1_payload": payload})
        assert answer.status_code == 204, answer.text
    row = (await http.get(f"{where}?$select=cr8a1_payload")).json()
    assert row["cr8a1_payload"] == "two"


@pytest.mark.usefixtures("rows")
async def test_a_lookup_that_only_a_create_may_set_stays_on_an_update(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    call = (await create(http, "phonecalls", {"subject": "x"}))["activityid"]
    bound = {
        "queueid@odata.bind": f"/queues({QUEUE})",
        "objectid_phonecall@odata.bind": f"/phonecalls({call})",
    }
    item = (await create(http, "queueitems", bound))["queueitemid"]
    other = dataverse.put("queues", {"name": "Other"})
    change = {"queueid@odata.bind": f"/queues({other})", "objectid_phonecall": None, "priority": 1}
    assert (await http.patch(f"queueitems({item})", json=change)).status_code == 204
    row = (await http.get(f"queueitems({item})")).json()
    kept = (row["_queueid_value"], row["_objectid_value"], row["priority"])
    assert kept == (QUEUE, call, 1)


async def test_who_made_a_row_cannot_be_emptied(http: httpx.AsyncClient) -> None:
    row = await create(http, "contacts", {"lastname": "x", "createdby": None})
    assert row["_createdby_value"] is not None
