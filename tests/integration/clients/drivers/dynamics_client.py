"""dynamics-client: what its README and the docstrings of its client show, one operation each."""

from __future__ import annotations

import os
import re
import warnings

from typing import Any


warnings.simplefilter("ignore")  # the library that it gets its tokens by warns of what it uses

from dynamics import DynamicsClient, apl, ftr  # noqa: E402
from dynamics.client.aio import DynamicsClient as AsyncDynamicsClient  # noqa: E402
from dynamics.enums import EntityFilter, TargetFieldType  # noqa: E402
from dynamics.exceptions import DynamicsException, NotFound  # noqa: E402
from dynamics.fetchxml import FetchXMLBuilder  # noqa: E402

from outside import Ground, Operations, new_id, same  # noqa: E402


GROUND = Ground()
FORMATTED = "OData.Community.Display.V1.FormattedValue"
SEEDED = ftr.eq("jobtitle", "Seeded")


def refusal(error: Exception) -> str:
    """Status of an answer; the client does not tell its code."""
    if not isinstance(error, DynamicsException):
        return ""
    found = re.match(r"\[(\d+)\]", str(error))
    return found[1] if found else ""


operation = Operations(refusal)
OPTIONS: dict[str, Any] = {
    "api_url": GROUND.api.removesuffix("/"),
    "token_url": f"{GROUND.url}/tenant/oauth2/v2.0/token",
    "client_id": os.environ["OUTSIDE_CLIENT_ID"],
    "client_secret": os.environ["OUTSIDE_CLIENT_SECRET"],
    "scope": f"{GROUND.url}/.default",
    "cache_token": False,
}
client: Any = DynamicsClient(**OPTIONS)


def at(table: str, row_id: str = "", **options: Any) -> Any:
    """The client, set to a table or a row."""
    client.reset_query()
    client.table = table
    client.row_id = row_id
    for name, value in options.items():
        setattr(client, name, value)
    return client


def last_names(**options: Any) -> list[str]:
    """What a query of the contacts finds, sorted by last name unless it says otherwise."""
    found = at("contacts", **{"select": ["lastname"], "orderby": {"lastname": "asc"}, **options})
    return [row["lastname"] for row in found.get().data]


@operation("a token is fetched by client credentials")
def _() -> None:
    assert at("", action="WhoAmI()").get().data[0]["UserId"]


@operation("a client is made from the environment")
def _() -> None:
    names = ("api_url", "token_url", "client_id", "client_secret", "scope")
    os.environ.update({f"DYNAMICS_{name.upper()}": str(OPTIONS[name]) for name in names})
    os.environ["DYNAMICS_CACHE_TOKEN"] = "0"
    other = DynamicsClient.from_environment()
    assert other.functions.whoami()


@operation("rows are read by column, filter and order")
def _() -> None:
    same(last_names(filter=[SEEDED]), ["Adams", "Baker", "Clark"])


@operation("filters are combined with or")
def _() -> None:
    wanted = {ftr.eq("lastname", "Adams"), ftr.eq("lastname", "Baker")}
    same(last_names(filter=wanted), ["Adams", "Baker"])


@operation("filters compare dates and numbers by Dynamics' own functions")
def _() -> None:
    at(
        "accounts",
        select=["accountid", "name"],
        filter=[
            ftr.on_or_after("createdon", "2020-01-01T00:00:00Z"),
            ftr.ge("numberofemployees", 200),
        ],
    )
    same([row["name"] for row in client.get().data], ["Seed Ltd"])


@operation("filters ask for values in, between and not in a list")
def _() -> None:
    same(last_names(filter=[SEEDED, ftr.in_("lastname", ["Adams", "Clark"])]), ["Adams", "Clark"])
    same(last_names(filter=[SEEDED, ftr.not_in("lastname", ["Adams", "Clark"])]), ["Baker"])
    number = ftr.between("numberofemployees", (100, 300))
    same(len(at("accounts", filter=[number]).get().data), 1)


@operation("filters know today and the days before")
def _() -> None:
    for wanted in (ftr.today("createdon"), ftr.last_x_days("createdon", 3)):
        same(last_names(filter=[SEEDED, wanted]), ["Adams", "Baker", "Clark"])
    for wanted in (ftr.yesterday("createdon"), ftr.older_than_x_months("createdon", 1)):
        same(len(at("contacts", filter=[SEEDED, wanted]).get(not_found_ok=True).data), 0)


@operation("filters know the user who asks")
def _() -> None:
    same(last_names(filter=[SEEDED, ftr.equal_user_id("ownerid")]), ["Adams", "Baker", "Clark"])


@operation("filters look for parts of a text")
def _() -> None:
    parts = [ftr.startswith("lastname", "Ba"), ftr.endswith("lastname", "er")]
    same(last_names(filter=[SEEDED, *parts, ftr.contains("lastname", "ake")]), ["Baker"])


@operation("filters look at what refers to a row: any and all")
def _() -> None:
    is_baker = ftr.eq("lastname", "Baker", lambda_indicator="c")
    for wanted, found in (
        (ftr.any_("contact_customer_accounts", "c", is_baker), 1),
        (ftr.all_("contact_customer_accounts", "c", is_baker), 0),
    ):
        at("accounts", filter=[ftr.eq("accountnumber", "SEED"), wanted])
        same(len(client.get(not_found_ok=True).data), found)


@operation("what a lookup leads to is brought along")
def _() -> None:
    expand = {"primarycontactid": {"select": ["emailaddress1"]}}
    row = at("accounts", GROUND.account, select=["name"], expand=expand).get().data[0]
    same(row["primarycontactid"]["emailaddress1"], "ada@seed.example")


@operation("what refers to a row is brought along, filtered and sorted")
def _() -> None:
    inner = {
        "select": ["lastname"],
        "filter": {ftr.eq("lastname", "Adams"), ftr.eq("lastname", "Clark")},
        "orderby": {"lastname": "desc"},
        "top": 5,
    }
    expand = {"contact_customer_accounts": inner}
    row = at("accounts", GROUND.account, expand=expand).get().data[0]
    same([one["lastname"] for one in row["contact_customer_accounts"]], ["Clark", "Adams"])


@operation("what is brought along brings more along")
def _() -> None:
    inner = {"select": ["lastname"], "expand": {"parentcustomerid_account": {"select": ["name"]}}}
    row = at("accounts", GROUND.account, expand={"primarycontactid": inner}).get().data[0]
    same(row["primarycontactid"]["parentcustomerid_account"]["name"], "Seed Ltd")


@operation("the first rows are taken")
def _() -> None:
    same(last_names(filter=[SEEDED], top=2), ["Adams", "Baker"])


@operation("rows are counted")
def _() -> None:
    same(at("contacts", filter=[SEEDED], count=True).get().count, 3)


@operation("pages are followed")
def _() -> None:
    client.pagesize = 2
    try:
        at("contacts", select=["lastname"], filter=[SEEDED])
        same(len(client.get(pagination_rules={"pages": 5}).data), 3)
    finally:
        client.pagesize = 5000


@operation("a row is read by id")
def _() -> None:
    same(at("accounts", GROUND.account).get().data[0]["name"], "Seed Ltd")


@operation("a row is read by alternate key")
def _() -> None:
    same(at("accounts", "accountnumber='SEED'").get().data[0]["name"], "Seed Ltd")


@operation("a missing row is not found")
def _() -> None:
    try:
        at("accounts", new_id()).get()
    except NotFound:
        return
    raise AssertionError("no refusal")


@operation("a query begins at what refers to a row")
def _() -> None:
    at("accounts", GROUND.account, pre_expand="contact_customer_accounts", select=["lastname"])
    client.orderby = {"lastname": "asc"}
    same([row["lastname"] for row in client.get().data], ["Adams", "Baker", "Clark"])


@operation("labels are shown")
def _() -> None:
    row = at("accounts", GROUND.account, show_annotations=True).get().data[0]
    same(row[f"statecode@{FORMATTED}"], "Active")


@operation("rows are grouped and aggregated")
def _() -> None:
    total = apl.aggregate(col_="numberofemployees", with_="sum", as_="people")
    at("accounts", apply=apl.groupby(["accountnumber"], total))
    found = {row.get("accountnumber"): row["people"] for row in client.get().data}
    same(found["SEED"], 250)


@operation("rows are filtered, then grouped")
def _() -> None:
    at("contacts", apply=apl.filter([SEEDED], ["lastname"]))
    same({row["lastname"] for row in client.get().data}, {"Adams", "Baker", "Clark"})


@operation("FetchXML selects rows with what they lead to")
def _() -> None:
    builder = FetchXMLBuilder(mapping="logical")
    entity = builder.add_entity(name="contact").add_attribute(name="lastname")
    entity.filter(type_="and").add_condition(attribute="jobtitle", operator="eq", value="Seeded")
    entity.add_linked_entity(
        name="account", from_="accountid", to="parentcustomerid", alias="a", link_type="inner"
    ).add_attribute(name="name", alias="company")
    entity.order(attribute="lastname")
    found = at("contacts", fetch_xml=builder.build()).get().data
    same(next((row["lastname"], row["company"]) for row in found), ("Adams", "Seed Ltd"))


@operation("FetchXML aggregates")
def _() -> None:
    builder = FetchXMLBuilder(mapping="logical", aggregate=True)
    entity = builder.add_entity(name="contact")
    entity.add_attribute(name="contactid", aggregate="count", alias="people")
    entity.filter(type_="and").add_condition(attribute="jobtitle", operator="eq", value="Seeded")
    same(at("contacts", fetch_xml=builder.build()).get().data[0]["people"], 3)


@operation("a row is created and shown")
def _() -> None:
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({GROUND.account})"}
    at("contacts", select=["firstname", "lastname", "_parentcustomerid_value"])
    made = client.post(data={"firstname": "New", "lastname": "Person", **bind}).data
    same((made["lastname"], made["_parentcustomerid_value"]), ("Person", GROUND.account))
    assert made["contactid"]


@operation("a duplicate is refused, and taken if it is told to")
def _() -> None:
    twin = {"lastname": "Twin", "emailaddress2": "x", "emailaddress1": f"{new_id()}@x.example"}
    at("leads").post(data=twin)
    try:
        at("leads").post(data=twin)
    except DynamicsException as error:
        same(refusal(error), "412")
    else:
        raise AssertionError("no refusal")
    at("leads", suppress_duplicate_detection=True).post(data=twin)


@operation("a row is changed and shown")
def _() -> None:
    made = at("contacts").post(data={"lastname": "Before"}).data
    at("contacts", made["contactid"], select=["lastname"])
    same(client.patch(data={"lastname": "After"}).data["lastname"], "After")


@operation("a change of a missing row is not found")
def _() -> None:
    try:
        at("contacts", new_id()).patch(data={"lastname": "x"})
    except NotFound:
        return
    raise AssertionError("no refusal")


@operation("a row is deleted")
def _() -> None:
    made = at("contacts").post(data={"lastname": "Gone"}).data
    at("contacts", made["contactid"]).delete()
    same(at("contacts", filter=[ftr.eq("lastname", "Gone")]).get(not_found_ok=True).data, [])


@operation("a row is linked to another")
def _() -> None:
    made = at("contacts").post(data={"lastname": "Linked"}).data
    at("accounts", GROUND.account, add_ref_to_property="contact_customer_accounts")
    client.post(data={"@odata.id": f"{GROUND.api}contacts({made['contactid']})"})
    row = at("contacts", made["contactid"]).get().data[0]
    same(row["_parentcustomerid_value"], GROUND.account)
    client.delete(query=f"{GROUND.api}contacts({made['contactid']})")


@operation("the function WhoAmI is called")
def _() -> None:
    same(client.functions.whoami().data[0]["UserId"], GROUND.user)


@operation("a function initializes a row from another")
def _() -> None:
    found = client.functions.initialize_from(
        "contacts", GROUND.contacts[0], "account", TargetFieldType.ALL
    )
    same(found.data[0].get("@odata.type"), "#Microsoft.Dynamics.CRM.account")


@operation("a function describes one table")
def _() -> None:
    found = client.functions.retrieve_entity(
        "00000000-0000-0000-0000-000000000000", "account", EntityFilter.ENTITY
    )
    same(found.data[0]["EntityMetadata"]["LogicalName"], "account")


@operation("a function describes all tables")
def _() -> None:
    found = client.functions.retrieve_all_entities(EntityFilter.ENTITY)
    names = {one["LogicalName"] for one in found.data[0]["EntityMetadata"]}
    assert {"account", "contact"} <= names, names


@operation("functions list the tables that relations may have")
def _() -> None:
    names = client.functions.get_valid_many_to_many().data[0]["EntityNames"]
    assert "contact" in names, names
    names = client.functions.get_valid_referenced_entities("contact").data[0]["EntityNames"]
    assert "account" in names, names


@operation("a function lists the tables that may refer to a table")
def _() -> None:
    names = client.functions.get_valid_referencing_entities("account").data[0]["EntityNames"]
    assert "contact" in names, names


@operation("a function formats an address")
def _() -> None:
    found = client.functions.format_address("1 High St", "Town", "State", "12345", "USA")
    assert "High St" in found.data[0]["Address"]


@operation("a function expands a calendar")
def _() -> None:
    client.functions.expand_calendar("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")


@operation("a function tells the price list of the user")
def _() -> None:
    client.functions.get_default_price_level()


@operation("a function looks for duplicates")
def _() -> None:
    client.functions.retrieve_duplicates("contacts", GROUND.contacts[0], "contact")


@operation("an action sends a mail from a template")
def _() -> None:
    client.actions.send_email_from_template(
        new_id(), "contact", GROUND.contacts[0], GROUND.user, [GROUND.contacts[1]]
    )


@operation("actions turn a quote into an order and close it")
def _() -> None:
    client.actions.calculate_quote_price(new_id())
    client.actions.activate_quote(new_id())
    client.actions.win_quote(new_id())
    client.actions.close_quote(new_id())
    client.actions.revise_quote(new_id())
    client.actions.convert_quote_to_order(new_id())
    client.actions.cancel_order(new_id())


@operation("the asynchronous client writes, reads and deletes")
async def _() -> None:
    other = AsyncDynamicsClient(**OPTIONS)
    other.table = "contacts"
    made = (await other.post(data={"lastname": "Async"})).data
    other.row_id = made["contactid"]
    same((await other.get()).data[0]["lastname"], "Async")
    await other.delete()


if __name__ == "__main__":
    operation.run()
