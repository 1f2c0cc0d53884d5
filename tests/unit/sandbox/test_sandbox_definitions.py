"""Clients define tables, columns, keys, relations and choices; the sandbox goes by them at once."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from worker.sandbox.dataverse.app import create_dataverse


if TYPE_CHECKING:
    from pathlib import Path

    from worker.sandbox.dataverse.app import Dataverse


MODEL = "Microsoft.Dynamics.CRM."
NAME = "new_thing"
TABLE = f"EntityDefinitions(LogicalName='{NAME}')"


def label(text: str) -> dict[str, Any]:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


def column(name: str, kind: str = "String", **more: Any) -> dict[str, Any]:
    return {"@odata.type": f"{MODEL}{kind}AttributeMetadata", "SchemaName": name, **more}


def table(*columns: dict[str, Any], name: str = "new_Thing", **more: Any) -> dict[str, Any]:
    title = column("new_Name", IsPrimaryName=True, MaxLength=50)
    return {
        "@odata.type": f"{MODEL}EntityMetadata",
        "SchemaName": name,
        "DisplayName": label("Thing"),
        "Attributes": [title, *columns],
        **more,
    }


async def made(answer: httpx.Response) -> str:
    assert answer.status_code == 204, answer.text
    return answer.headers["odata-entityid"].rpartition("(")[2].rstrip(")")


@pytest.fixture
async def thing(http: httpx.AsyncClient) -> str:
    """The MetadataId of a table with a code."""
    return await made(await http.post("EntityDefinitions", json=table(column("new_Code"))))


async def named(http: httpx.AsyncClient, path: str) -> httpx.Response:
    return await http.get(f"{TABLE}/{path}")


@pytest.mark.usefixtures("thing")
async def test_a_table_that_is_defined_takes_rows_at_once(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    shown = (await http.get(TABLE)).json()
    assert (shown["EntitySetName"], shown["PrimaryNameAttribute"]) == ("new_things", "new_name")
    assert shown["DisplayName"]["UserLocalizedLabel"]["Label"] == "Thing"
    answer = await http.post("new_things", json={"new_name": "x", "new_code": "1"})
    assert answer.status_code == 204
    assert dataverse.dump()["new_things"][0]["new_code"] == "1"
    answer = await http.post("new_things", json={"new_name": "x" * 51})
    assert answer.json()["error"]["code"] == "0x80044331"


async def test_a_table_can_be_answered_whole(http: httpx.AsyncClient) -> None:
    headers = {"Prefer": "return=representation"}
    answer = await http.post("EntityDefinitions", json=table(), headers=headers)
    assert (answer.status_code, answer.json()["LogicalName"]) == (201, NAME)


async def test_tables_that_are_created_together_are_there(http: httpx.AsyncClient) -> None:
    entities = [table(name="new_Box"), table(name="new_City"), table(name="new_Day")]
    for entity in entities:
        for item in entity["Attributes"]:
            item["@odata.type"] = f"{MODEL}ComplexStringAttributeMetadata"
    assert (await http.post("CreateEntities", json={"Entities": entities})).status_code == 204
    answer = await http.get(
        "EntityDefinitions?$select=EntitySetName&$filter=IsCustomEntity eq true"
    )
    sets = {row["EntitySetName"] for row in answer.json()["value"]}
    assert {"new_boxes", "new_cities", "new_days"} <= sets


async def test_a_table_that_is_deleted_takes_its_rows_and_what_led_to_it_with_it(
    http: httpx.AsyncClient, dataverse: Dataverse, thing: str
) -> None:
    await http.post("new_things", json={"new_name": "x"})
    relation = {
        "@odata.type": f"{MODEL}OneToManyRelationshipMetadata",
        "SchemaName": "new_thing_contact",
        "ReferencedEntity": NAME,
        "ReferencingEntity": "contact",
        "Lookup": {"SchemaName": "new_ThingId"},
    }
    await made(await http.post("RelationshipDefinitions", json=relation))
    assert (await http.get("contacts?$select=_new_thingid_value")).status_code == 200
    assert (await http.delete(f"EntityDefinitions({thing})")).status_code == 204
    assert (await http.get("new_things")).status_code == 404
    assert "new_things" not in dataverse.dump()
    assert (await http.get("contacts?$select=_new_thingid_value")).status_code == 400


@pytest.mark.usefixtures("thing")
async def test_a_column_is_added_changed_and_taken_away(http: httpx.AsyncClient) -> None:
    await http.post("new_things", json={"new_name": "x"})
    new = column("new_Size", "Integer", MinValue=1, MaxValue=5)
    own = await made(await http.post(f"{TABLE}/Attributes", json=new))
    assert (await http.post("new_things", json={"new_size": 6})).status_code == 400
    change = {
        **new,
        "MaxValue": 9,
        "DisplayName": label("Size"),
        "RequiredLevel": {"Value": "None"},
    }
    assert (await http.put(f"{TABLE}/Attributes({own})", json=change)).status_code == 204
    assert (await http.post("new_things", json={"new_size": 6})).status_code == 204
    shown = (await named(http, "Attributes(LogicalName='new_size')")).json()
    assert (shown["MaxValue"], shown["DisplayName"]["UserLocalizedLabel"]["Label"]) == (9, "Size")
    assert (await http.delete(f"{TABLE}/Attributes({own})")).status_code == 204
    assert (await http.post("new_things", json={"new_size": 6})).status_code == 400
    assert (await http.get("new_things")).status_code == 200


async def test_a_choice_has_its_own_options_or_those_of_a_global_one(
    http: httpx.AsyncClient,
) -> None:
    options = [{"Value": 1, "Label": label("Red")}, {"Value": 2, "Label": label("Blue")}]
    body = {"Name": "new_colours", "OptionSetType": "Picklist", "Options": options}
    shared = await made(await http.post("GlobalOptionSetDefinitions", json=body))
    bind = {"GlobalOptionSet@odata.bind": f"/GlobalOptionSetDefinitions({shared})"}
    own = column("new_Own", "Picklist", OptionSet={"Options": options[:1]})
    answer = await http.post(
        "EntityDefinitions", json=table(own, column("new_Shared", "Picklist", **bind))
    )
    await made(answer)
    assert (await http.post("new_things", json={"new_own": 1, "new_shared": 2})).status_code == 204
    assert (await http.post("new_things", json={"new_own": 2})).status_code == 400
    answer = await http.delete(f"GlobalOptionSetDefinitions({shared})")
    assert answer.status_code == 204
    listed = (await http.get("GlobalOptionSetDefinitions(Name='new_colours')")).json()
    assert [option["Value"] for option in listed["Options"]] == [1, 2]


@pytest.mark.usefixtures("thing")
async def test_an_alternate_key_is_used_as_soon_as_it_is_there(http: httpx.AsyncClient) -> None:
    key = {"SchemaName": "new_CodeKey", "KeyAttributes": ["new_code"]}
    for code in ("1", "1", "2"):
        await http.post("new_things", json={"new_code": code})
    answer = await http.post(f"{TABLE}/Keys", json=key)
    assert answer.json()["error"]["code"] == "0x80060892"
    rows = (await http.get("new_things?$filter=new_code eq '1'")).json()["value"]
    await http.delete(f"new_things({rows[0]['new_thingid']})")
    own = await made(await http.post(f"{TABLE}/Keys", json=key))
    assert (await http.patch("new_things(new_code='1')", json={"new_name": "a"})).is_success
    assert (await http.get("new_things(new_code='1')")).json()["new_name"] == "a"
    assert (await named(http, "Keys")).json()["value"][0]["KeyAttributes"] == ["new_code"]
    assert (await http.delete(f"{TABLE}/Keys({own})")).status_code == 204
    assert (await http.get("new_things(new_code='1')")).status_code == 400


@pytest.mark.usefixtures("thing")
async def test_a_relation_brings_a_lookup_and_a_collection(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    relation = {
        "@odata.type": f"{MODEL}OneToManyRelationshipMetadata",
        "SchemaName": "new_account_thing",
        "ReferencedEntity": "account",
        "ReferencingEntity": NAME,
        "Lookup": {"SchemaName": "new_AccountId", "DisplayName": label("Account")},
    }
    own = await made(await http.post("RelationshipDefinitions", json=relation))
    company = dataverse.put("accounts", {"name": "A"})
    bind = {"new_AccountId@odata.bind": f"/accounts({company})"}
    assert (await http.post("new_things", json={"new_name": "x", **bind})).status_code == 204
    rows = (await http.get(f"accounts({company})/new_account_thing")).json()["value"]
    assert [row["new_name"] for row in rows] == ["x"]
    again = await http.post("RelationshipDefinitions", json=relation)
    assert again.status_code == 400
    assert (await http.delete(f"RelationshipDefinitions({own})")).status_code == 204
    assert (await http.get(f"accounts({company})/new_account_thing")).status_code == 404


@pytest.mark.usefixtures("thing")
async def test_a_many_to_many_relation_links_rows(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    relation = {
        "@odata.type": f"{MODEL}ManyToManyRelationshipMetadata",
        "SchemaName": "new_things_contacts",
        "Entity1LogicalName": NAME,
        "Entity2LogicalName": "contact",
    }
    own = await made(await http.post("RelationshipDefinitions", json=relation))
    person = dataverse.put("contacts", {"lastname": "a"})
    one = dataverse.put("new_things", {"new_name": "x"})
    target = {"@odata.id": f"contacts({person})"}
    address = f"new_things({one})/new_things_contacts"
    assert (await http.post(f"{address}/$ref", json=target)).status_code == 204
    assert [row["lastname"] for row in (await http.get(address)).json()["value"]] == ["a"]
    assert (await http.delete(f"RelationshipDefinitions({own})")).status_code == 204
    assert (await http.get(address)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "EntityDefinitions", table(name="Account")),
        ("POST", "EntityDefinitions", table(name="new_Thing")),
        ("POST", "EntityDefinitions", {"SchemaName": "new_Other"}),
        ("POST", "EntityDefinitions", table(name="new_Act", IsActivity=True)),
        ("POST", "EntityDefinitions", table(column("new_F", "Image"), name="new_Other")),
        ("POST", "EntityDefinitions", table(column("new_P", "Picklist"), name="new_Other")),
        ("POST", f"{TABLE}/Attributes", column("new_Code")),
        ("POST", f"{TABLE}/Attributes", column("size")),
        ("POST", f"{TABLE}/Attributes", column("new_N", "Integer", MinValue="1")),
        ("POST", f"{TABLE}/Keys", {"SchemaName": "new_Key", "KeyAttributes": ["nothing"]}),
        ("POST", "RelationshipDefinitions", {"SchemaName": "new_r", "ReferencedEntity": "no"}),
        ("POST", "GlobalOptionSetDefinitions", {"Name": "colours"}),
        ("DELETE", "EntityDefinitions(LogicalName='account')", None),
        ("DELETE", "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='name')", None),
        ("DELETE", f"{TABLE}/Attributes(LogicalName='new_name')", None),
        ("DELETE", "RelationshipDefinitions(SchemaName='contact_customer_accounts')", None),
    ],
)
@pytest.mark.usefixtures("thing")
async def test_a_definition_that_does_not_fit_is_refused_and_changes_nothing(
    http: httpx.AsyncClient, dataverse: Dataverse, method: str, path: str, body: Any
) -> None:
    before = dataverse.records.schema
    answer = await http.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80040203")
    assert dataverse.records.schema is before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PATCH", TABLE, 405),
        ("DELETE", "EntityDefinitions", 405),
        ("DELETE", f"{TABLE}/Attributes", 405),
        ("POST", TABLE, 405),
        ("DELETE", "EntityDefinitions(LogicalName='nothing')", 404),
    ],
)
@pytest.mark.usefixtures("thing")
async def test_definitions_do_not_take_every_method(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    assert (await http.request(method, path, json={})).status_code == status


async def test_an_organisation_that_keeps_its_records_takes_its_tables_from_a_file_alone(
    tmp_path: Path,
) -> None:
    dataverse = create_dataverse(auth=False, path=tmp_path / "records.sqlite")
    transport = httpx.ASGITransport(app=dataverse.app)
    root = "https://org.test/api/data/v9.2/"
    async with httpx.AsyncClient(transport=transport, base_url=root) as http:
        answer = await http.post("EntityDefinitions", json=table())
    dataverse.close()
    assert answer.status_code == 501
    assert "--schema" in answer.json()["error"]["message"]


@pytest.mark.usefixtures("thing")
async def test_definitions_are_retrieved_by_functions_too(http: httpx.AsyncClient) -> None:
    kind = f"{MODEL}EntityFilters"
    nothing = "00000000-0000-0000-0000-000000000000"
    given = f"EntityFilters={kind}'Attributes',LogicalName='{NAME}',MetadataId={nothing}"
    answer = await http.get(f"RetrieveEntity({given},RetrieveAsIfPublished=false)")
    shown = answer.json()["EntityMetadata"]
    assert {"new_name", "new_code"} <= {row["LogicalName"] for row in shown["Attributes"]}
    given = f"EntityFilters={kind}'Entity',RetrieveAsIfPublished=false"
    answer = await http.get(f"RetrieveAllEntities({given})")
    assert NAME in {row["LogicalName"] for row in answer.json()["EntityMetadata"]}
    query = {
        "Properties": {"PropertyNames": ["LogicalName"]},
        "Criteria": {"Conditions": [condition("LogicalName", NAME)]},
        "AttributeQuery": {
            "Properties": {"PropertyNames": ["MaxLength"]},
            "Criteria": {"Conditions": [condition("LogicalName", "new_name")]},
        },
    }
    answer = await http.get("RetrieveMetadataChanges(Query=@q)", params={"@q": json.dumps(query)})
    (entity,) = answer.json()["EntityMetadata"]
    assert [row["MaxLength"] for row in entity["Attributes"]] == [50]


def condition(name: str, value: str) -> dict[str, Any]:
    own = {"Type": "System.String", "Value": value}
    return {"PropertyName": name, "ConditionOperator": "Equals", "Value": own}


@pytest.mark.parametrize(
    ("logical", "names"),
    [("contact", {"CreateMultiple", "UpdateMultiple"}), ("phonecall", set())],
)
async def test_the_messages_that_a_table_takes_are_told(
    http: httpx.AsyncClient, logical: str, names: set[str]
) -> None:
    either = "sdkmessageid/name eq 'CreateMultiple' or sdkmessageid/name eq 'UpdateMultiple'"
    answer = await http.get(
        "sdkmessagefilters",
        params={
            "$select": "sdkmessagefilterid",
            "$expand": "sdkmessageid($select=name)",
            "$filter": f"({either}) and primaryobjecttypecode eq '{logical}'",
        },
    )
    assert {row["sdkmessageid"]["name"] for row in answer.json()["value"]} == names
    assert (await http.post("sdkmessages", json={"name": "x"})).status_code == 400
