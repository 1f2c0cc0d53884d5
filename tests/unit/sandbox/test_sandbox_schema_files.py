"""Schemas in files: what they may say, and what is said about their mistakes."""

from __future__ import annotations

import json

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from worker.errors import ConfigError
from worker.sandbox.dataverse.app import create_dataverse
from worker.sandbox.dataverse.schema.description import describe
from worker.sandbox.dataverse.schema.document import read_schema
from worker.sandbox.dataverse.schema.files import load_schema, save_schema
from worker.sandbox.dataverse.schema.tables import SHIPPED


if TYPE_CHECKING:
    from collections.abc import AsyncIterator


README = Path(__file__).parents[3] / "worker" / "sandbox" / "README.md"
CUSTOMER = "aaaa0000-0000-4000-8000-000000000001"

DOCUMENT: dict[str, Any] = {
    "tables": {
        "contact": {
            "columns": {"new_code": {"type": "String", "length": 5}},
            "keys": {"new_code": ["new_code"]},
        },
        "phonecall": {
            "columns": {"prioritycode": {"choices": {"7": "Now"}}},
            "states": {"1": {"reasons": {"100000007": "Called back"}}},
        },
        "new_visit": {
            "set": "new_visitations",
            "kind": "activity",
            "columns": {
                "new_place": {"type": "Lookup", "navigation": {"new_Place": ["new_branch"]}}
            },
        },
        "new_branch": {
            "set": "new_branches",
            "has": ["activities", "parties"],
            "columns": {"new_size": {"type": "Decimal", "min": 0, "max": 10}},
        },
    },
    "relations": {"new_branch_contact": {"tables": ["new_branch", "contact"]}},
}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An organisation with the tables of ``DOCUMENT``."""
    schema = read_schema(DOCUMENT, SHIPPED)
    dataverse = create_dataverse(auth=False, schema=schema, random=Random(1))
    dataverse.put("contacts", {"contactid": CUSTOMER, "new_code": "A1"})
    transport = httpx.ASGITransport(app=dataverse.app)
    root = "https://org.test/api/data/v9.2/"
    async with httpx.AsyncClient(transport=transport, base_url=root) as client:
        yield client
    dataverse.close()


async def created(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post(path, json=body, headers={"prefer": "return=representation"})
    assert answer.status_code == 201, answer.text
    row: dict[str, Any] = answer.json()
    return row


async def test_a_column_of_the_file_has_its_length(http: httpx.AsyncClient) -> None:
    assert (await http.post("contacts", json={"new_code": "12345"})).status_code == 204
    refused = await http.post("contacts", json={"new_code": "123456"})
    assert refused.json()["error"]["code"] == "0x80044331"


async def test_a_key_of_the_file_names_a_row(http: httpx.AsyncClient) -> None:
    row = (await http.get("contacts(new_code='A1')?$select=contactid")).json()
    assert row["contactid"] == CUSTOMER


async def test_a_choice_of_the_file_is_taken_beside_those_shipped(http: httpx.AsyncClient) -> None:
    for priority, status in ((7, 204), (2, 204), (8, 400)):
        answer = await http.post("phonecalls", json={"prioritycode": priority})
        assert answer.status_code == status


async def test_a_status_reason_of_the_file_closes_a_call(http: httpx.AsyncClient) -> None:
    call = await created(http, "phonecalls", {"subject": "x"})
    closing = {"statecode": 1, "statuscode": 100000007}
    answer = await http.patch(f"phonecalls({call['activityid']})", json=closing)
    assert answer.status_code == 204


async def test_an_activity_of_the_file_has_all_that_activities_have(
    http: httpx.AsyncClient,
) -> None:
    branch = (await created(http, "new_branches", {"new_name": "North"}))["new_branchid"]
    body = {
        "subject": "x",
        "regardingobjectid_new_branch_new_visit@odata.bind": f"/new_branches({branch})",
        "new_Place@odata.bind": f"/new_branches({branch})",
        "new_visit_activity_parties": [
            {
                "partyid_new_branch@odata.bind": f"/new_branches({branch})",
                "participationtypemask": 2,
            }
        ],
    }
    visit = await created(http, "new_visitations", body)
    assert visit["_regardingobjectid_value"] == visit["_new_place_value"] == branch
    expanded = await http.get(
        f"new_visitations({visit['activityid']})?$expand=new_visit_activity_parties"
    )
    assert expanded.json()["new_visit_activity_parties"][0]["_partyid_value"] == branch


async def test_activities_shipped_may_be_regarding_a_table_of_the_file(
    http: httpx.AsyncClient,
) -> None:
    branch = (await created(http, "new_branches", {"new_name": "North"}))["new_branchid"]
    bind = {"regardingobjectid_new_branch_phonecall@odata.bind": f"/new_branches({branch})"}
    call = await created(http, "phonecalls", {"subject": "x", **bind})
    assert call["_regardingobjectid_value"] == branch
    calls = await http.get(f"new_branches({branch})?$expand=New_branch_Phonecalls($select=subject)")
    assert [row["subject"] for row in calls.json()["New_branch_Phonecalls"]] == ["x"]


async def test_rows_are_associated_by_a_relation_of_the_file(http: httpx.AsyncClient) -> None:
    branch = (await created(http, "new_branches", {"new_name": "North"}))["new_branchid"]
    where = f"new_branches({branch})/new_branch_contact"
    body = {"@odata.id": f"https://org.test/api/data/v9.2/contacts({CUSTOMER})"}
    assert (await http.post(f"{where}/$ref", json=body)).status_code == 204
    rows = (await http.get(f"{where}?$select=new_code")).json()["value"]
    assert [row["new_code"] for row in rows] == ["A1"]


async def test_a_number_with_digits_after_the_point_has_its_bounds(
    http: httpx.AsyncClient,
) -> None:
    assert (await http.post("new_branches", json={"new_size": 2.5})).status_code == 204
    assert (await http.post("new_branches", json={"new_size": 10.5})).status_code == 400
    rows = (await http.get("new_branches?$filter=new_size gt 2.4&$select=new_size")).json()
    assert [row["new_size"] for row in rows["value"]] == [2.5]


def test_a_schema_written_down_is_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    schema = read_schema(DOCUMENT, SHIPPED)
    save_schema(path, describe(schema))
    assert describe(load_schema(path)) == describe(schema)


def test_the_example_of_the_readme_is_a_schema() -> None:
    text = README.read_text("utf-8").partition("```json\n")[2].partition("```")[0]
    schema = read_schema(json.loads(text), SHIPPED)
    assert schema.tables["new_children"].keys == {"new_by_name": ("new_name",)}
    assert "regardingobjectid_new_child_new_visit" in schema.by_logical["new_visit"].navs


def test_without_a_file_tables_are_those_shipped() -> None:
    assert load_schema(None) is SHIPPED


WRONG = [
    (
        {"tables": {"phonecall": {"columns": {"new_x": {"type": "Strng"}}}}},
        "table phonecall, column new_x: 'type' is 'Strng'; write 'String'",
    ),
    (
        {"tables": {"phonecall": {"columns": {"new_x": {"type": "String", "lenght": 5}}}}},
        "table phonecall, column new_x: 'lenght' is not known; write 'length'",
    ),
    (
        {"tables": {"phonecall": {"columns": {"new_x": {"length": 5}}}}},
        'table phonecall, column new_x: has no type; write "type"',
    ),
    (
        {"tables": {"phonecall": {"columns": {"New_X": {"type": "String"}}}}},
        "table phonecall, column New_X: is no logical name; write 'new_x'",
    ),
    (
        {"tables": {"phonecall": {"columns": {"subject": {"type": "Memo"}}}}},
        "table phonecall, column subject: is of the type String, which stays",
    ),
    (
        {"tables": {"phonecall": {"columns": {"new_x": {"type": "Picklist"}}}}},
        'table phonecall, column new_x: has no choices; write "choices": {"1": "Phone"}',
    ),
    (
        {"tables": {"phonecall": {"columns": {"new_x": {"type": "Lookup"}}}}},
        'table phonecall, column new_x: leads nowhere; write "navigation": {"new_x": ["contact"]}',
    ),
    (
        {
            "tables": {
                "phonecall": {
                    "columns": {"new_x": {"type": "Lookup", "navigation": {"new_X": ["contcat"]}}}
                }
            }
        },
        "table phonecall, column new_x: there is no table 'contcat'; write 'contact'",
    ),
    (
        {
            "tables": {
                "phonecall": {
                    "columns": {"new_x": {"type": "Picklist", "choices": {"1": "A"}, "default": 2}}
                }
            }
        },
        "table phonecall, column new_x: has no choice 2; write one of 1 as its default",
    ),
    (
        {
            "tables": {
                "phonecall": {
                    "columns": {"new_x": {"type": "Lookup", "navigation": {"ownerid": ["contact"]}}}
                }
            }
        },
        "table phonecall, column new_x: 'ownerid' leads from",
    ),
    (
        {"tables": {"phonecall": {"keys": {"new_k": ["new_code"]}}}},
        "table phonecall: key new_k has no column 'new_code'",
    ),
    (
        {"tables": {"phonecall": {"states": {"1": {"default": 9}}}}},
        "table phonecall, state 1: its default 9 is none of its reasons",
    ),
    (
        {"tables": {"phonecall": {"set": "phonecallss"}}},
        "table phonecall: its 'set' is 'phonecalls', which stays; leave it out",
    ),
    (
        {"tables": {"new_branch": {}}},
        'table new_branch: has no name in URLs; write "set": "new_branchs", or what its plural is',
    ),
    (
        {"tables": {"new_branch": {"set": "contacts"}}},
        "table new_branch: 'contacts' is the set of contact; write another",
    ),
    (
        {"tables": {"new_branch": {"set": "new_branches", "kind": "activty"}}},
        "table new_branch: 'kind' is 'activty'; write 'activity'",
    ),
    (
        {"tables": {"new_branch": {"set": "new_branches", "has": ["note"]}}},
        "table new_branch: 'has' 'note' is not known; write 'notes'",
    ),
    (
        {"tables": {"new_branch": {"set": "new_branches", "ownership": "Mine"}}},
        "table new_branch: 'ownership' is 'Mine'; write one of",
    ),
    (
        {"relations": {"new_both": {"tables": ["contact", "acount"]}}},
        "relation new_both: there is no table 'acount'; write 'account'",
    ),
    (
        {"extends": "nothing", "tables": {}},
        "there is no table systemuser, which every organisation has; describe it",
    ),
    ({"tabels": {}}, "'tabels' is not known; write 'tables'"),
    ([], "is no object; write it in braces: {…}"),
]


@pytest.mark.parametrize(("document", "told"), WRONG)
def test_a_mistake_is_told_with_its_place_and_what_to_write_instead(
    document: Any, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(ConfigError) as raised:
        load_schema(path)
    assert f"{path}: {told}" in str(raised.value)


def test_all_mistakes_are_told_at_once() -> None:
    columns = {"new_a": {"type": "Strng"}, "new_b": {"type": "Picklist"}}
    with pytest.raises(ConfigError) as raised:
        read_schema({"tables": {"phonecall": {"columns": columns}}}, SHIPPED)
    assert len(str(raised.value).splitlines()) == 2


def test_a_file_that_is_no_json_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{"tables":\n nothing}', "utf-8")
    with pytest.raises(ConfigError, match="line 2, column 2: this is no JSON"):
        load_schema(path)


def test_rows_of_a_table_that_is_gone_are_told(tmp_path: Path) -> None:
    data = tmp_path / "records.sqlite"
    dataverse = create_dataverse(path=data, schema=read_schema(DOCUMENT, SHIPPED))
    dataverse.put("new_branches", {"new_name": "North"})
    dataverse.close()
    with pytest.raises(ConfigError, match="new_branches, of which there is no table; name the"):
        create_dataverse(path=data)
