"""Metadata: tables, columns and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, fromstring

import pytest


if TYPE_CHECKING:
    import httpx


MEMBERSHIP = "RelationshipDefinitions(SchemaName='teammembership_association')"
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
        (
            "subject",
            {"RequiredLevel": {"Value": "ApplicationRequired"}, "IsCustomAttribute": False},
        ),
        ("ownerid", {"AttributeType": "Owner", "Targets": ["systemuser", "team"]}),
        ("cr8a1_reason", {"AttributeTypeName": {"Value": "StringType"}, "IsCustomAttribute": True}),
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


async def read(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_one_question_tells_all_that_a_worker_needs_of_a_table(
    http: httpx.AsyncClient,
) -> None:
    relation = "ReferencingAttribute,ReferencingEntityNavigationPropertyName,ReferencedEntity"
    body = await read(
        http,
        "EntityDefinitions(LogicalName='fax')"
        "?$select=LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,IsActivity,"
        "TableType&$expand=Attributes($select=LogicalName,AttributeType),Keys,"
        f"ManyToOneRelationships($select={relation})",
    )
    assert body["EntitySetName"] == "faxes"
    assert body["PrimaryIdAttribute"] == "activityid"
    assert body["IsActivity"] is True
    assert body["TableType"] == "Standard"
    assert {"activityid": "Uniqueidentifier", "regardingobjectid": "Lookup"}.items() <= {
        row["LogicalName"]: row["AttributeType"] for row in body["Attributes"]
    }.items()
    navs = {
        (row["ReferencingAttribute"], row["ReferencedEntity"]): row[
            "ReferencingEntityNavigationPropertyName"
        ]
        for row in body["ManyToOneRelationships"]
    }
    assert navs["regardingobjectid", "incident"] == "regardingobjectid_incident_fax"
    assert navs["ownerid", "owner"] == "ownerid_fax"


@pytest.mark.parametrize(
    ("logical", "entity_set", "key"),
    [
        ("incident", "incidents", "incidentid"),
        ("queue", "queues", "queueid"),
        ("queueitem", "queueitems", "queueitemid"),
        ("team", "teams", "teamid"),
        ("businessunit", "businessunits", "businessunitid"),
        ("transactioncurrency", "transactioncurrencies", "transactioncurrencyid"),
        ("opportunity", "opportunities", "opportunityid"),
        ("letter", "letters", "activityid"),
        ("campaignresponse", "campaignresponses", "activityid"),
        ("activityparty", "activityparties", "activitypartyid"),
        ("cr8a1_smsmessage", "cr8a1_smsmessages", "activityid"),
        ("cr8a1_category", "cr8a1_categories", "cr8a1_categoryid"),
    ],
)
async def test_names_and_keys_are_those_of_dynamics(
    http: httpx.AsyncClient, logical: str, entity_set: str, key: str
) -> None:
    row = await read(http, f"EntityDefinitions(LogicalName='{logical}')")
    assert (row["EntitySetName"], row["PrimaryIdAttribute"]) == (entity_set, key)


async def test_an_elastic_table_says_so(http: httpx.AsyncClient) -> None:
    path = "EntityDefinitions(LogicalName='cr8a1_callevent')?$select=TableType&$expand=Keys"
    row = await read(http, path)
    assert row["TableType"] == "Elastic"
    assert row["Keys"][0]["KeyAttributes"] == ["cr8a1_calleventid", "partitionid"]


async def test_tables_are_filtered_by_what_they_are(http: httpx.AsyncClient) -> None:
    path = "EntityDefinitions?$select=LogicalName&$filter=IsActivity eq true and IsCustomEntity eq"
    rows = (await read(http, f"{path} true"))["value"]
    assert [row["LogicalName"] for row in rows] == ["cr8a1_smsmessage"]


async def test_columns_are_filtered_inside_an_expansion(http: httpx.AsyncClient) -> None:
    code = "Microsoft.Dynamics.CRM.AttributeTypeCode'Memo'"
    expand = f"Attributes($select=LogicalName;$filter=AttributeType eq {code})"
    row = await read(http, f"EntityDefinitions(LogicalName='task')?$expand={expand}")
    names = {column["LogicalName"] for column in row["Attributes"]}
    assert names == {"description", "activityadditionalparams"}


async def test_a_status_names_its_state_and_a_state_its_default(http: httpx.AsyncClient) -> None:
    columns = "EntityDefinitions(LogicalName='phonecall')/Attributes(LogicalName='{}')/{}"
    cast = "Microsoft.Dynamics.CRM.{}AttributeMetadata?$expand=OptionSet"
    status = await read(http, columns.format("statuscode", cast.format("Status")))
    states = {option["Value"]: option["State"] for option in status["OptionSet"]["Options"]}
    assert states == {1: 0, 2: 1, 4: 1, 100000001: 1, 3: 2}
    state = await read(http, columns.format("statecode", cast.format("State")))
    defaults = {o["Value"]: o["DefaultStatus"] for o in state["OptionSet"]["Options"]}
    assert defaults == {0: 1, 1: 2, 2: 3}


async def test_yes_and_no_have_their_labels(http: httpx.AsyncClient) -> None:
    cast = "Attributes/Microsoft.Dynamics.CRM.BooleanAttributeMetadata"
    path = f"EntityDefinitions(LogicalName='phonecall')/{cast}?$expand=OptionSet"
    rows = (await read(http, path))["value"]
    direction = next(row for row in rows if row["LogicalName"] == "directioncode")
    option = direction["OptionSet"]["TrueOption"]
    assert option["Label"]["UserLocalizedLabel"]["Label"] == "Outgoing"


async def test_choices_are_shown_when_they_are_expanded(http: httpx.AsyncClient) -> None:
    path = f"EntityDefinitions(LogicalName='phonecall')/{CAST}PicklistAttributeMetadata"
    rows = (await read(http, path))["value"]
    assert all("OptionSet" not in row for row in rows)


async def test_a_global_choice_has_a_definition_of_its_own(http: httpx.AsyncClient) -> None:
    named = await read(http, "GlobalOptionSetDefinitions(Name='budgetstatus')")
    assert [option["Value"] for option in named["Options"]] == [0, 1, 2, 3]
    listed = (await read(http, "GlobalOptionSetDefinitions?$select=Name"))["value"]
    assert {row["Name"] for row in listed} == {"budgetstatus", "cr8a1_channel"}
    column = "Attributes(LogicalName='budgetstatus')"
    cast = "Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
    row = await read(
        http,
        f"EntityDefinitions(LogicalName='lead')/{column}/{cast}?$expand=GlobalOptionSet",
    )
    assert row["GlobalOptionSet"]["MetadataId"] == named["MetadataId"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "RelationshipDefinitions(SchemaName='contact_customer_accounts')",
            {
                "ReferencingEntity": "contact",
                "ReferencingAttribute": "parentcustomerid",
                "ReferencedEntity": "account",
                "ReferencedAttribute": "accountid",
                "ReferencingEntityNavigationPropertyName": "parentcustomerid_account",
                "ReferencedEntityNavigationPropertyName": "contact_customer_accounts",
                "RelationshipType": "OneToManyRelationship",
            },
        ),
        (
            f"{MEMBERSHIP}/Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata",
            {
                "Entity1LogicalName": "team",
                "Entity2LogicalName": "systemuser",
                "IntersectEntityName": "teammembership",
                "Entity1NavigationPropertyName": "teammembership_association",
            },
        ),
    ],
)
async def test_a_relation_is_found_by_its_name(
    http: httpx.AsyncClient, path: str, expected: dict[str, str]
) -> None:
    assert (await read(http, path)).items() >= expected.items()


async def test_a_table_lists_its_relations(http: httpx.AsyncClient) -> None:
    table = "EntityDefinitions(LogicalName='incident')"
    single = (await read(http, f"{table}/OneToManyRelationships"))["value"]
    assert {"Incident_Phonecalls", "Incident_QueueItem", "incident_activity_parties"} <= {
        row["SchemaName"] for row in single
    }
    many = (await read(http, "EntityDefinitions(LogicalName='team')/ManyToManyRelationships"))[
        "value"
    ]
    assert [row["SchemaName"] for row in many] == ["teammembership_association"]


async def test_relations_are_filtered_by_their_class(http: httpx.AsyncClient) -> None:
    cast = "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata"
    where = "ReferencingEntity eq 'queueitem' and ReferencingAttribute eq 'workerid'"
    rows = (await read(http, f"RelationshipDefinitions/{cast}?$filter={where}"))["value"]
    assert {row["ReferencingEntityNavigationPropertyName"] for row in rows} == {
        "workerid_systemuser",
        "workerid_team",
    }


async def test_metadata_takes_no_order(http: httpx.AsyncClient) -> None:
    answer = await http.get("EntityDefinitions?$orderby=LogicalName")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "EntityDefinitions(LogicalName='nothing')",
        "RelationshipDefinitions(SchemaName='nothing')",
        "GlobalOptionSetDefinitions(Name='nothing')",
        "EntityDefinitions(LogicalName='task')/Nothing",
        "EntityDefinitions(LogicalName='task')/Attributes(LogicalName='nothing')",
    ],
)
async def test_what_is_not_there_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 404


EDM = "{http://docs.oasis-open.org/odata/ns/edm}"


async def document(http: httpx.AsyncClient) -> Element:
    answer = await http.get("$metadata")
    assert answer.headers["content-type"] == "application/xml"
    return fromstring(answer.content)


async def test_the_service_document_describes_every_set_with_its_key(
    http: httpx.AsyncClient,
) -> None:
    root = await document(http)
    sets = {e.attrib["Name"]: e.attrib["EntityType"] for e in root.iter(f"{EDM}EntitySet")}
    assert sets["faxes"] == "mscrm.fax"
    assert sets["activityparties"] == "mscrm.activityparty"
    types = {e.attrib["Name"]: e for e in root.iter(f"{EDM}EntityType")}
    key = types["fax"].find(f"{EDM}Key/{EDM}PropertyRef")
    assert key is not None
    assert key.attrib["Name"] == "activityid"
    edms = {p.attrib["Name"]: p.attrib["Type"] for p in types["fax"].iter(f"{EDM}Property")}
    assert edms["_regardingobjectid_value"] == "Edm.Guid"
    assert edms["numberofpages"] == "Edm.Int32"
    assert types["fax"].attrib["BaseType"] == "mscrm.crmbaseentity"


async def test_navigation_properties_have_partners_that_lead_back(http: httpx.AsyncClient) -> None:
    root = await document(http)
    navs = {
        (entity.attrib["Name"], nav.attrib["Name"]): nav.attrib
        for entity in root.iter(f"{EDM}EntityType")
        for nav in entity.iter(f"{EDM}NavigationProperty")
    }
    to = navs["contact", "parentcustomerid_account"]
    assert to == {
        "Name": "parentcustomerid_account",
        "Type": "mscrm.account",
        "Partner": "contact_customer_accounts",
    }
    assert navs["account", "contact_customer_accounts"]["Type"] == "Collection(mscrm.contact)"
    for (name, _), nav in navs.items():
        if partner := nav.get("Partner"):
            kind = nav["Type"].removeprefix("Collection(").removesuffix(")").removeprefix("mscrm.")
            assert (kind, partner) in navs, f"{name} has no partner {partner}"
    assert navs["phonecall", "ownerid"]["Type"] == "mscrm.principal"
    parties = navs["phonecall", "phonecall_activity_parties"]
    assert parties["Type"] == "Collection(mscrm.activityparty)"


async def test_every_type_the_service_document_names_is_in_it(http: httpx.AsyncClient) -> None:
    root = await document(http)
    known = {
        e.attrib["Name"] for kind in ("EntityType", "ComplexType") for e in root.iter(EDM + kind)
    }
    for element in root.iter():
        named = element.attrib.get("Type", "") or element.attrib.get("EntityType", "")
        kind = named.removeprefix("Collection(").removesuffix(")")
        assert kind.startswith("Edm.") or kind.removeprefix("mscrm.") in {*known, ""}


async def test_the_version_is_told(http: httpx.AsyncClient) -> None:
    assert (await read(http, "RetrieveVersion()"))["Version"].startswith("9.2.")
