"""Metadata: tables, columns and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    import httpx


CAST = "Attributes/Microsoft.Dynamics.CRM."


@pytest.mark.parametrize("text", ["LogicalName eq 'phonecall'", "EntitySetName eq 'phonecalls'"])
async def test_a_table_is_found_by_its_names(http: httpx.AsyncClient, text: str) -> None:
    select = "$select=LogicalName,EntitySetName,PrimaryIdAttribute"
    answer = await http.get(f"EntityDefinitions?{select}&$filter={text}")
    row = answer.json()["value"][0]
    del row["MetadataId"]
    assert row == {
        "LogicalName": "phonecall",
        "EntitySetName": "phonecalls",
        "PrimaryIdAttribute": "activityid",
    }


async def test_a_table_is_read_with_its_columns_and_keys(http: httpx.AsyncClient) -> None:
    expand = "$expand=Attributes($select=LogicalName,MaxLength),Keys($select=KeyAttributes)"
    path = f"EntityDefinitions(LogicalName='contact')?$select=LogicalName&{expand}"
    body = (await http.get(path)).json()
    lengths = {row["LogicalName"]: row.get("MaxLength") for row in body["Attributes"]}
    assert (lengths["telephone1"], lengths["statecode"]) == (50, None)
    assert body["Keys"][0]["KeyAttributes"] == ["emailaddress1"]


async def test_a_table_is_found_by_its_metadata_id(http: httpx.AsyncClient) -> None:
    row = (await http.get("EntityDefinitions(LogicalName='contact')")).json()
    again = (await http.get(f"EntityDefinitions({row['MetadataId']})")).json()
    assert again == row


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("subject", {"AttributeType": "String", "MaxLength": 200, "IsPrimaryName": True}),
        ("description", {"AttributeType": "Memo", "MaxLength": 2000}),
        ("activityid", {"IsValidForCreate": True, "IsValidForUpdate": False}),
        ("createdon", {"AttributeType": "DateTime", "IsValidForUpdate": False}),
        ("statecode", {"AttributeType": "State", "IsValidForCreate": False}),
        ("actualdurationminutes", {"MinValue": 0, "MaxValue": 2**31 - 1}),
        ("regardingobjectid", {"Targets": ["account", "contact", "lead"]}),
    ],
)
async def test_a_column_tells_what_it_takes(
    http: httpx.AsyncClient, column: str, expected: dict[str, object]
) -> None:
    path = f"EntityDefinitions(LogicalName='phonecall')/Attributes(LogicalName='{column}')"
    row = (await http.get(path)).json()
    assert row.items() >= expected.items()


async def test_columns_are_listed_and_filtered(http: httpx.AsyncClient) -> None:
    path = "EntityDefinitions(LogicalName='task')/Attributes"
    query = "$select=LogicalName&$filter=AttributeType eq 'Memo'"
    rows = (await http.get(f"{path}?{query}")).json()["value"]
    assert {row["LogicalName"] for row in rows} == {"description", "activityadditionalparams"}


async def test_choices_are_listed_with_their_labels(http: httpx.AsyncClient) -> None:
    query = "$select=LogicalName&$expand=OptionSet($select=Options)"
    path = f"EntityDefinitions(LogicalName='phonecall')/{CAST}PicklistAttributeMetadata?{query}"
    rows = (await http.get(path)).json()["value"]
    assert [row["LogicalName"] for row in rows] == ["prioritycode"]
    options = rows[0]["OptionSet"]["Options"]
    assert [option["Label"]["UserLocalizedLabel"]["Label"] for option in options] == [
        "Low",
        "Normal",
        "High",
    ]


async def test_a_table_without_choices_lists_none(http: httpx.AsyncClient) -> None:
    path = f"EntityDefinitions(LogicalName='annotation')/{CAST}PicklistAttributeMetadata"
    assert (await http.get(path)).json()["value"] == []


async def test_keys_are_listed(http: httpx.AsyncClient) -> None:
    keys = (await http.get("EntityDefinitions(LogicalName='phonecall')/Keys")).json()["value"]
    assert [key["KeyAttributes"] for key in keys] == [["subject"]]


@pytest.mark.parametrize(
    "path",
    [
        "EntityDefinitions(LogicalName='nothing')",
        "EntityDefinitions(LogicalName='task')/Nothing",
        "EntityDefinitions(LogicalName='task')/Attributes(LogicalName='nothing')",
    ],
)
async def test_what_is_not_there_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404
