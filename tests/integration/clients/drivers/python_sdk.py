"""Microsoft's Python SDK: what its README and its guide show, one operation each."""

from __future__ import annotations

import tempfile

from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

import pandas as pd

from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.aio import AsyncDataverseClient
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError
from PowerPlatform.Dataverse.models import (
    CascadeConfiguration,
    ExpandOption,
    Label,
    LocalizedLabel,
    LookupAttributeMetadata,
    ManyToManyRelationshipMetadata,
    OneToManyRelationshipMetadata,
    UpsertItem,
    col,
)

from outside import Ground, Operations, new_id, same


GROUND = Ground()
FORMATTED = "OData.Community.Display.V1.FormattedValue"
LATER = 2**31


class Credential:
    """Hands out one token."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """The token, for ever."""
        return AccessToken(GROUND.token, LATER)


class AsyncCredential(Credential):
    """The same, awaited."""

    async def get_token(self, *_: str, **__: Any) -> AccessToken:  # type: ignore[override]
        """The token, for ever."""
        return AccessToken(GROUND.token, LATER)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Colour(IntEnum):
    """A choice."""

    RED = 1
    BLUE = 2


def refusal(error: Exception) -> str:
    """Status and code of an answer."""
    if not isinstance(error, HttpError):
        return ""
    return f"{error.status_code} {error.details.get('service_error_code') or ''}".strip()


operation = Operations(refusal)
client: Any = DataverseClient(GROUND.url, Credential())
records, query, tables = client.records, client.query, client.tables


def account(**columns: Any) -> str:
    """A new account's id."""
    made: str = records.create("account", {"name": "Made", **columns})
    return made


def label(text: str) -> Label:
    """A text in English."""
    return Label(localized_labels=[LocalizedLabel(label=text, language_code=1033)])


def name_of(row_id: str) -> Any:
    """The name of an account, None if it is gone."""
    row = records.retrieve("account", row_id, select=["name"])
    return row["name"] if row else None


# --- records ---


@operation("a row is created, read and deleted")
def _() -> None:
    row_id = records.create("account", {"name": "Contoso Ltd", "telephone1": "555-0100"})
    row = records.retrieve("account", row_id, select=["name", "telephone1"])
    same((row["name"], row["telephone1"]), ("Contoso Ltd", "555-0100"))
    records.delete("account", row_id)
    same(records.retrieve("account", row_id), None)


@operation("several rows are created at once")
def _() -> None:
    ids = records.create("contact", [{"lastname": "Doe"}, {"lastname": "Smith"}])
    same([records.retrieve("contact", one)["lastname"] for one in ids], ["Doe", "Smith"])


@operation("a row is read with what a lookup leads to")
def _() -> None:
    row = records.retrieve("account", GROUND.account, select=["name"], expand=["primarycontactid"])
    same(row["primarycontactid"]["fullname"], "Ada Adams")


@operation("a row is read with labels")
def _() -> None:
    row = records.retrieve("account", GROUND.account, include_annotations=FORMATTED)
    same(row[f"statecode@{FORMATTED}"], "Active")


@operation("a row is updated")
def _() -> None:
    row_id = account()
    records.update("account", row_id, {"name": "Changed"})
    same(name_of(row_id), "Changed")


@operation("several rows get the same change")
def _() -> None:
    ids = [account(), account()]
    records.update("account", ids, {"name": "Both"})
    same([name_of(one) for one in ids], ["Both", "Both"])


@operation("several rows get a change each")
def _() -> None:
    ids = [account(), account()]
    records.update("account", ids, [{"name": "One"}, {"name": "Two"}])
    same([name_of(one) for one in ids], ["One", "Two"])


@operation("a row is upserted by alternate key")
def _() -> None:
    for name in ("First", "Second"):
        records.upsert("account", [UpsertItem({"accountnumber": "ACC-001"}, {"name": name})])
    found = records.list("account", filter="accountnumber eq 'ACC-001'")
    same([row["name"] for row in found], ["Second"])


@operation("several rows are upserted at once")
def _() -> None:
    items = [{"alternate_key": {"accountnumber": f"M-{n}"}, "record": {"name": n}} for n in "12"]
    records.upsert("account", items)
    found = records.list("account", filter="startswith(accountnumber,'M-')", orderby=["name"])
    same([row["name"] for row in found], ["1", "2"])


@operation("a row is upserted by a key of two columns")
def _() -> None:
    key = {"accountnumber": "ACC-2", "address1_postalcode": "98052"}
    records.upsert("account", [UpsertItem(alternate_key=key, record={"name": "Two"})])
    found = records.list("account", filter="address1_postalcode eq '98052'")
    same([row["name"] for row in found], ["Two"])


@operation("a phone call is upserted by alternate key")
def _() -> None:
    for text in ("first", "second"):
        records.upsert("phonecall", [UpsertItem({"subject": "Call 1"}, {"category": text})])
    found = records.list("phonecall", filter="subject eq 'Call 1'")
    same([row["category"] for row in found], ["second"])


@operation("phone calls cannot be created at once")
def _() -> None:
    try:
        records.create("phonecall", [{"subject": "a"}, {"subject": "b"}])
    except HttpError:
        return
    raise AssertionError("no refusal")


@operation("several rows are deleted by a job")
def _() -> None:
    ids = [account(), account()]
    job = records.delete("account", ids)
    assert job, "no job's id"
    same([name_of(one) for one in ids], [None, None])


@operation("several rows are deleted one by one")
def _() -> None:
    ids = [account(), account()]
    records.delete("account", ids, use_bulk_delete=False)
    same([name_of(one) for one in ids], [None, None])


@operation("rows are listed by filter, in an order, the first of them")
def _() -> None:
    found = records.list("contact", filter="jobtitle eq 'Seeded'", orderby=["lastname desc"], top=2)
    same([row["lastname"] for row in found], ["Clark", "Baker"])


@operation("rows are listed page by page")
def _() -> None:
    pages = records.list_pages(
        "contact", filter="jobtitle eq 'Seeded'", orderby=["lastname"], page_size=2
    )
    same([len(page) for page in pages], [2, 1])


@operation("rows are listed with what their lookups lead to")
def _() -> None:
    found = records.list(
        "account", filter="accountnumber eq 'SEED'", expand=["primarycontactid"], count=True
    )
    same([row["primarycontactid"]["lastname"] for row in found], ["Adams"])


@operation("a lookup is set by a bind")
def _() -> None:
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({GROUND.account})"}
    row_id = records.create("contact", {"lastname": "Bound", **bind})
    same(records.retrieve("contact", row_id)["_parentcustomerid_value"], GROUND.account)


@operation("a choice is set by its label")
def _() -> None:
    row_id = records.create("phonecall", {"subject": "x", "prioritycode": "High"})
    same(records.retrieve("phonecall", row_id)["prioritycode"], 2)


@operation("a refusal has its code")
def _() -> None:
    try:
        records.create("phonecall", {"subject": "x" * 201})
    except HttpError as error:
        same(refusal(error), "400 0x80044331")
    else:
        raise AssertionError("no refusal")


@operation("an unknown table is told")
def _() -> None:
    try:
        records.create("new_nothing", {"new_name": "x"})
    except MetadataError:
        return
    raise AssertionError("no refusal")


# --- queries ---


def seeded() -> Any:
    """A query of the three contacts."""
    return query.builder("contact").select("lastname").where(col("jobtitle") == "Seeded")


def last_names(builder: Any) -> list[str]:
    """What a query finds, in order."""
    return [row["lastname"] for row in builder.order_by("lastname").execute()]


@operation("a query combines conditions with and, or and not")
def _() -> None:
    either = (col("lastname") == "Adams") | (col("lastname") == "Baker")
    same(last_names(seeded().where(either & ~(col("firstname") == "Ada"))), ["Baker"])


@operation("a query compares numbers, dates and nothing")
def _() -> None:
    found = (
        query.builder("account")
        .select("name")
        .where(col("numberofemployees") > 10)
        .where(col("numberofemployees").between(100, 300))
        .where(col("createdon") > datetime(2020, 1, 1, tzinfo=UTC))
        .where(col("websiteurl").is_null())
        .execute()
    )
    same([row["name"] for row in found], ["Seed Ltd"])


@operation("a query looks for parts of a text")
def _() -> None:
    parts = col("lastname").startswith("Ba") & col("lastname").endswith("er")
    same(last_names(seeded().where(parts & col("lastname").contains("ake"))), ["Baker"])


@operation("a query asks for one of several values")
def _() -> None:
    same(last_names(seeded().where(col("lastname").in_(["Adams", "Clark"]))), ["Adams", "Clark"])


@operation("a query asks for none of several values")
def _() -> None:
    same(last_names(seeded().where(col("lastname").not_in(["Adams", "Clark"]))), ["Baker"])


@operation("a query is sorted, cut and counted")
def _() -> None:
    found = seeded().order_by("lastname", descending=True).top(1).count().execute()
    same([row["lastname"] for row in found], ["Clark"])


@operation("a query brings what a lookup leads to, with chosen columns")
def _() -> None:
    option = ExpandOption("primarycontactid").select("fullname", "emailaddress1")
    found = query.builder("account").where(col("accountnumber") == "SEED").expand(option).execute()
    same(found.first()["primarycontactid"]["emailaddress1"], "ada@seed.example")


@operation("a query brings what refers to a row, filtered and sorted")
def _() -> None:
    option = ExpandOption("contact_customer_accounts").select("lastname")
    option = (
        option.filter("jobtitle eq 'Seeded' and lastname ne 'Baker'")
        .order_by("lastname", descending=True)
        .top(5)
    )
    found = query.builder("account").where(col("accountnumber") == "SEED").expand(option).execute()
    listed = found.first()["contact_customer_accounts"]
    same([row["lastname"] for row in listed], ["Clark", "Adams"])


@operation("a query brings labels")
def _() -> None:
    row = seeded().select("statecode").include_formatted_values().execute().first()
    same(row[f"statecode@{FORMATTED}"], "Active")


@operation("a query streams pages")
def _() -> None:
    same([len(page) for page in seeded().page_size(2).execute_pages()], [2, 1])


@operation("a query becomes a data frame")
def _() -> None:
    frame = seeded().order_by("lastname").execute().to_dataframe()
    same(list(frame["lastname"]), ["Adams", "Baker", "Clark"])


@operation("SQL selects rows")
def _() -> None:
    text = (
        "SELECT TOP 2 contactid, lastname FROM contact WHERE jobtitle = 'Seeded' ORDER BY lastname"
    )
    same([row["lastname"] for row in query.sql(text)], ["Adams", "Baker"])


@operation("SQL joins and counts")
def _() -> None:
    text = (
        "SELECT a.name, COUNT(c.contactid) AS people FROM account a"
        " JOIN contact c ON c.parentcustomerid = a.accountid"
        " WHERE c.jobtitle = 'Seeded' GROUP BY a.name"
    )
    same([(row["name"], row["people"]) for row in query.sql(text)], [("Seed Ltd", 3)])


@operation("FetchXML selects rows")
def _() -> None:
    xml = (
        '<fetch top="50"><entity name="contact"><attribute name="lastname"/>'
        '<order attribute="lastname"/><filter>'
        '<condition attribute="jobtitle" operator="eq" value="Seeded"/>'
        "</filter></entity></fetch>"
    )
    found = [row["lastname"] for row in query.fetchxml(xml).execute()]
    same(found, ["Adams", "Baker", "Clark"])


@operation("FetchXML goes page by page")
def _() -> None:
    xml = (
        '<fetch count="2"><entity name="contact"><attribute name="lastname"/>'
        '<order attribute="lastname"/><filter>'
        '<condition attribute="jobtitle" operator="eq" value="Seeded"/>'
        "</filter></entity></fetch>"
    )
    same([len(page) for page in query.fetchxml(xml).execute_pages()], [2, 1])


@operation("the columns for SQL are listed")
def _() -> None:
    first = query.sql_columns("account")[0]
    same((first["name"], first["is_pk"]), ("accountid", True))


@operation("the lookups of a table are listed with where they lead")
def _() -> None:
    found = {
        one["nav_property"]: one["target_entity_set"] for one in query.odata_expands("contact")
    }
    same(found.get("parentcustomerid_account"), "accounts")


# --- tables ---


def table(*columns: str) -> str:
    """A new table's schema name."""
    name = f"new_T{new_id()[:8]}"
    tables.create(name, dict.fromkeys(columns, "string"))
    return name


@operation("a table is described")
def _() -> None:
    info = tables.get("account")
    same((info["entity_set_name"], info["primary_id_attribute"]), ("accounts", "accountid"))


@operation("a table that is not there is nothing")
def _() -> None:
    same(tables.get("new_Nothing"), None)


@operation("tables are listed")
def _() -> None:
    names = {one["LogicalName"] for one in tables.list()}
    assert {"account", "contact", "phonecall"} <= names, names


@operation("tables are listed by filter with chosen properties")
def _() -> None:
    found = tables.list(filter="SchemaName eq 'Account'", select=["LogicalName", "SchemaName"])
    same([one["LogicalName"] for one in found], ["account"])


@operation("columns are listed")
def _() -> None:
    found = tables.list_columns("account", select=["LogicalName", "AttributeType"])
    types = {one["LogicalName"]: one["AttributeType"] for one in found}
    same((types["name"], types["primarycontactid"]), ("String", "Lookup"))


@operation("columns are listed with what belongs to their types")
def _() -> None:
    found = {one["LogicalName"]: one for one in tables.list_columns("account", typed=True)}
    same(found["name"]["MaxLength"], 160)


@operation("one column is described with what belongs to its type")
def _() -> None:
    same(tables.get_column("phonecall", "subject", typed=True)["MaxLength"], 200)


@operation("the alternate keys of a table are listed")
def _() -> None:
    found = [list(key.key_attributes) for key in tables.get_alternate_keys("contact")]
    assert ["emailaddress1"] in found, found


@operation("relations are listed")
def _() -> None:
    found = tables.list_relationships(select=["SchemaName"])
    assert "contact_customer_accounts" in {one["SchemaName"] for one in found}


@operation("the relations of one table are listed")
def _() -> None:
    found = {one["SchemaName"] for one in tables.list_table_relationships("account")}
    assert {"contact_customer_accounts", "account_primary_contact"} <= found, sorted(found)


@operation("one relation is described")
def _() -> None:
    found = tables.get_relationship("contact_customer_accounts")
    same((found.referenced_entity, found.referencing_entity), ("account", "contact"))


@operation("a table is created, filled, read and deleted")
def _() -> None:
    name = f"new_Product{new_id()[:8]}"
    info = tables.create(
        name,
        {
            "new_Code": "string",
            "new_Price": "decimal",
            "new_Active": "bool",
            "new_Quantity": "int",
            "new_Start": "datetime",
            "new_Colour": Colour,
            "new_Notes": {"type": "memo", "max_length": 2000, "display_name": "Notes"},
        },
        primary_column="new_ProductName",
        display_name="Product",
    )
    same(info["table_logical_name"], name.lower())
    row = {"new_ProductName": "Bolt", "new_Price": 1.5, "new_Active": True, "new_Quantity": 3}
    row_id = records.create(name, {**row, "new_Colour": "Blue"})
    seen = records.retrieve(name, row_id)
    same((seen["new_productname"], seen["new_price"], seen["new_colour"]), ("Bolt", 1.5, 2))
    tables.delete(name)
    same(tables.get(name), None)


@operation("columns are added to a table and taken away")
def _() -> None:
    name = table("new_Code")
    same(tables.add_columns(name, {"new_Category": "string"}), ["new_Category"])
    row_id = records.create(name, {"new_Name": "x", "new_Category": "Bolts"})
    same(records.retrieve(name, row_id)["new_category"], "Bolts")
    tables.remove_columns(name, ["new_Category"])
    same(tables.get_column(name, "new_Category"), None)


@operation("a column is changed")
def _() -> None:
    name = table("new_Comment")
    tables.update_column(name, "new_Comment", {"max_length": 200})
    same(tables.get_column(name, "new_Comment", typed=True)["MaxLength"], 200)


@operation("several columns are changed")
def _() -> None:
    name = table("new_A", "new_B")
    tables.update_columns(name, {"new_A": {"max_length": 20}, "new_B": {"display_name": "Bee"}})
    same(tables.get_column(name, "new_A", typed=True)["MaxLength"], 20)


@operation("a lookup column is added")
def _() -> None:
    name = table()
    tables.create_lookup_field(
        referencing_table=name.lower(),
        lookup_field_name="new_AccountId",
        referenced_table="account",
        display_name="Account",
    )
    bind = {"new_AccountId@odata.bind": f"/accounts({GROUND.account})"}
    row_id = records.create(name, {"new_Name": "x", **bind})
    same(records.retrieve(name, row_id)["_new_accountid_value"], GROUND.account)


@operation("a one-to-many relation is created and deleted")
def _() -> None:
    name = table()
    lookup = LookupAttributeMetadata(schema_name="new_OwnerAccount", display_name=label("Account"))
    relation = OneToManyRelationshipMetadata(
        schema_name=f"new_account_{name.lower()}",
        referenced_entity="account",
        referencing_entity=name.lower(),
        referenced_attribute="accountid",
        cascade_configuration=CascadeConfiguration(),
    )
    made = tables.create_one_to_many_relationship(lookup, relation)
    assert tables.get_relationship(made.relationship_schema_name)
    tables.delete_relationship(made.relationship_id)
    same(tables.get_relationship(made.relationship_schema_name), None)


@operation("a many-to-many relation is created")
def _() -> None:
    name = table()
    relation = ManyToManyRelationshipMetadata(
        schema_name=f"new_{name.lower()}_contact",
        entity1_logical_name=name.lower(),
        entity2_logical_name="contact",
    )
    made = tables.create_many_to_many_relationship(relation)
    assert tables.get_relationship(made.relationship_schema_name)


@operation("an alternate key is created, used and deleted")
def _() -> None:
    name = table("new_Code")
    made = tables.create_alternate_key(name, "new_code_key", ["new_code"])
    (found,) = tables.get_alternate_keys(name)
    same((found.schema_name, found.status), ("new_code_key", "Active"))
    records.upsert(name, [UpsertItem({"new_code": "1"}, {"new_name": "one"})])
    tables.delete_alternate_key(name, made.metadata_id)
    same(list(tables.get_alternate_keys(name)), [])


# --- data frames, files ---


@operation("a data frame is written, changed and deleted")
def _() -> None:
    frame = pd.DataFrame([{"name": "One", "telephone1": "1"}, {"name": "Two", "telephone1": "2"}])
    frame["accountid"] = client.dataframe.create("account", frame)
    frame["telephone1"] = ["3", None]
    client.dataframe.update("account", frame, id_column="accountid", clear_nulls=True)
    rows = [records.retrieve("account", one)["telephone1"] for one in frame["accountid"]]
    same(rows, ["3", None])
    client.dataframe.delete("account", frame["accountid"])
    same(name_of(frame["accountid"][0]), None)


def upload(mode: str) -> None:
    """Put a file into a file column of a new row, by one request or in chunks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.txt"
        path.write_text("text", encoding="utf-8")
        client.files.upload("account", account(), "new_Document", str(path), mode=mode)


@operation("a file is put into a file column")
def _() -> None:
    upload("small")


@operation("a file is put into a file column in chunks")
def _() -> None:
    upload("chunk")


# --- batches ---


@operation("a batch carries several operations")
def _() -> None:
    row_id = account()
    batch = client.batch.new()
    batch.records.create("account", {"name": "In a batch"})
    batch.records.update("account", row_id, {"name": "Changed"})
    batch.records.retrieve("account", row_id, select=["name"])
    batch.records.list("contact", filter="jobtitle eq 'Seeded'", top=2, count=True)
    batch.records.delete("account", row_id)
    done = batch.execute()
    same([one.error_message for one in done.failed], [])
    same(done.responses[2].data["name"], "Changed")
    same(len(done.responses[3].data["value"]), 2)


@operation("a batch writes many rows at once and upserts")
def _() -> None:
    batch = client.batch.new()
    batch.records.create("contact", [{"lastname": "a"}, {"lastname": "b"}])
    batch.records.upsert("account", [UpsertItem({"accountnumber": "B-1"}, {"name": "Batched"})])
    same(batch.execute().has_errors, False)
    same(len(records.list("account", filter="accountnumber eq 'B-1'")), 1)


@operation("a change set's requests refer to one another")
def _() -> None:
    row_id = account()
    batch = client.batch.new()
    with batch.changeset() as changes:
        made = changes.records.create("contact", {"lastname": "Alice"})
        changes.records.update("account", row_id, {"primarycontactid@odata.bind": made})
    same(batch.execute().has_errors, False)
    row = records.retrieve("account", row_id, expand=["primarycontactid"])
    same(row["primarycontactid"]["lastname"], "Alice")


@operation("a change set that fails leaves nothing")
def _() -> None:
    batch = client.batch.new()
    with batch.changeset() as changes:
        changes.records.create("account", {"name": "Undone"})
        changes.records.create("account", {"name": "x" * 200})
    same(batch.execute().has_errors, True)
    same(len(records.list("account", filter="name eq 'Undone'")), 0)


@operation("a batch goes on after an error if it is told to")
def _() -> None:
    batch = client.batch.new()
    batch.records.create("account", {"name": "x" * 200})
    batch.records.create("account", {"name": "After"})
    done = batch.execute(continue_on_error=True)
    same((len(done.failed), len(done.succeeded)), (1, 1))


@operation("a batch describes and lists tables")
def _() -> None:
    batch = client.batch.new()
    batch.tables.get("account")
    batch.tables.list(select=["LogicalName"])
    done = batch.execute()
    same(done.responses[0].data["value"][0]["EntitySetName"], "accounts")


@operation("a batch creates a table")
def _() -> None:
    name = f"new_B{new_id()[:8]}"
    batch = client.batch.new()
    batch.tables.create(name, {"new_Code": "string"})
    done = batch.execute()
    assert not done.has_errors, done.responses[0].error_message
    assert tables.get(name)


@operation("a batch selects by SQL")
def _() -> None:
    batch = client.batch.new()
    batch.query.sql("SELECT TOP 5 lastname FROM contact WHERE jobtitle = 'Seeded'")
    (answer,) = batch.execute().responses
    assert answer.is_success, f"{answer.status_code} {answer.error_message}"
    same(len(answer.data["value"]), 3)


@operation("a batch writes a data frame")
def _() -> None:
    batch = client.batch.new()
    batch.dataframe.create("account", pd.DataFrame([{"name": "Frame 1"}, {"name": "Frame 2"}]))
    same(batch.execute().has_errors, False)
    same(len(records.list("account", filter="startswith(name,'Frame')")), 2)


# --- the asynchronous client ---


@operation("the asynchronous client writes, reads, queries and batches")
async def _() -> None:
    other: Any
    async with AsyncDataverseClient(GROUND.url, AsyncCredential()) as other:
        row_id = await other.records.create("account", {"name": "Async"})
        await other.records.update("account", row_id, {"name": "Awaited"})
        same((await other.records.retrieve("account", row_id))["name"], "Awaited")
        builder = other.query.builder("contact").where(col("jobtitle") == "Seeded")
        pages = [len(page) async for page in builder.page_size(2).execute_pages()]
        same(pages, [2, 1])
        batch = other.batch.new()
        batch.records.delete("account", row_id)
        same((await batch.execute()).has_errors, False)


if __name__ == "__main__":
    operation.run()
