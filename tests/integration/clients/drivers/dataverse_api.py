"""dataverse-api: what its README and its docstrings show, one operation each."""

from __future__ import annotations

import logging

from typing import Any

import pandas as pd
import requests

from dataverse_api import DataverseAPIError, DataverseClient
from dataverse_api.metadata.attributes import StringAttributeMetadata
from dataverse_api.metadata.entity import define_entity
from dataverse_api.metadata.helpers import Publisher, Solution
from dataverse_api.metadata.relationships import define_relationship
from dataverse_api.utils.batching import BatchCommand, RequestMethod

from outside import Ground, Operations, new_id, same


GROUND = Ground()
FORMATTED = "OData.Community.Display.V1.FormattedValue"
FAILED = 400


class Refused(Exception):  # noqa: N818 - what an answer is that the client hands back as it is
    """An answer that says no."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(response.text)
        self.response = response


def refusal(error: Exception) -> str:
    """Status and code of an answer."""
    if not isinstance(error, (DataverseAPIError, Refused)):
        return ""
    try:
        code = error.response.json()["error"]["code"]
    except ValueError:
        code = ""
    return f"{error.response.status_code} {code}".strip()


operation = Operations(refusal)
logging.disable()
session = requests.Session()
session.headers["Authorization"] = f"Bearer {GROUND.token}"
client = DataverseClient(session=session, environment_url=GROUND.url)


class _Entities:
    """Interfaces to tables, made when they are first asked for: that takes four requests."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return self._made.setdefault(name, None) or self._make(name)

    def _make(self, name: str) -> Any:
        self._made[name] = client.entity(logical_name=name)
        return self._made[name]


entities = _Entities()


def taken(responses: list[requests.Response]) -> list[requests.Response]:
    """Answers that say yes; raises Refused."""
    for response in responses:
        if response.status_code >= FAILED:
            raise Refused(response)
    return responses


def made(**columns: Any) -> str:
    """A new account's id."""
    (response,) = taken(entities.account.create([{"name": "Made", **columns}]))
    return response.headers["OData-EntityId"].rpartition("(")[2].rstrip(")")


def names(text: str) -> list[str]:
    """The names of the accounts that a filter takes."""
    return [row["name"] for row in entities.account.read(filter=text, order_by="name")]


@operation("an interface to a table is made")
def _() -> None:
    account = entities.account
    same((account.entity_set_name, account.primary_id_attr), ("accounts", "accountid"))
    same((account.supports_create_multiple, account.supports_update_multiple), (True, True))


@operation("an interface knows alternate keys and relations")
def _() -> None:
    account = entities.account
    assert ["accountnumber"] in account.alternate_keys.values(), account.alternate_keys
    relations = account.relationships
    assert "primarycontactid" in relations.single_valued, relations.single_valued
    assert "contact_customer_accounts" in relations.collection_valued, relations.collection_valued


@operation("rows are read by column, filter and order, the first of them")
def _() -> None:
    found = entities.contact.read(
        select=["lastname"], filter="jobtitle eq 'Seeded'", top=2, order_by="lastname desc"
    )
    same([row["lastname"] for row in found], ["Clark", "Baker"])


@operation("pages are followed")
def _() -> None:
    same(len(entities.contact.read(filter="jobtitle eq 'Seeded'", page_size=2)), 3)


@operation("rows are read with what they lead to")
def _() -> None:
    (row,) = entities.account.read(
        filter="accountnumber eq 'SEED'",
        expand="primarycontactid($select=lastname),contact_customer_accounts($select=lastname)",
    )
    same(row["primarycontactid"]["lastname"], "Adams")
    same(len(row["contact_customer_accounts"]) >= 3, True)


@operation("rows are read with labels")
def _() -> None:
    (row,) = entities.account.read(filter="accountnumber eq 'SEED'", return_formatted_values=True)
    same(row[f"statecode@{FORMATTED}"], "Active")


@operation("rows are created one by one")
def _() -> None:
    rows = [{"name": "Single 1"}, {"name": "Single 2"}]
    answers = taken(entities.account.create(rows, return_created=True))
    same([one.json()["name"] for one in answers], ["Single 1", "Single 2"])


@operation("rows are created one by one in threads")
def _() -> None:
    rows = [{"name": f"Thread {number}"} for number in range(4)]
    taken(entities.account.create(rows, threading=True))
    same(len(names("startswith(name,'Thread')")), 4)


@operation("rows are created from a data frame")
def _() -> None:
    taken(entities.account.create(pd.DataFrame([{"name": "Frame 1"}, {"name": "Frame 2"}])))
    same(names("startswith(name,'Frame')"), ["Frame 1", "Frame 2"])


@operation("rows are created at once")
def _() -> None:
    kind = "Microsoft.Dynamics.CRM.account"
    rows = [{"@odata.type": kind, "name": f"Multiple {number}"} for number in (1, 2)]
    taken(entities.account.create(rows, mode="multiple"))
    same(names("startswith(name,'Multiple')"), ["Multiple 1", "Multiple 2"])


@operation("rows are created at once without their type")
def _() -> None:
    taken(entities.account.create([{"name": "Typeless"}], mode="multiple"))
    same(names("name eq 'Typeless'"), ["Typeless"])


@operation("rows are created in a batch")
def _() -> None:
    taken(entities.account.create([{"name": "Batch 1"}, {"name": "Batch 2"}], mode="batch"))
    same(names("startswith(name,'Batch')"), ["Batch 1", "Batch 2"])


@operation("a duplicate is refused")
def _() -> None:
    twin = {"lastname": "Twin", "emailaddress1": f"{new_id()}@x.example"}
    taken(entities.lead.create([twin]))
    (answer,) = entities.lead.create([twin], detect_duplicates=True)
    same(refusal(Refused(answer)), "412 0x80040333")


@operation("rows are upserted by id")
def _() -> None:
    row = {"accountid": new_id(), "name": "By id"}
    taken(entities.account.upsert([row]))
    taken(entities.account.upsert([{**row, "name": "By id again"}]))
    same(names(f"accountid eq {row['accountid']}"), ["By id again"])


def key_name() -> Any:
    """The name of the alternate key on accountnumber."""
    return next(
        name for name, columns in entities.account.alternate_keys.items() if len(columns) == 1
    )


@operation("rows are upserted by alternate key")
def _() -> None:
    rows = [{"accountnumber": "K-1", "name": "By key"}]
    taken(entities.account.upsert(rows, altkey_name=key_name()))
    taken(entities.account.upsert(rows, altkey_name=key_name()))
    same(names("accountnumber eq 'K-1'"), ["By key"])


@operation("rows are upserted in a batch")
def _() -> None:
    rows = [{"accountnumber": f"KB-{n}", "name": f"Upserted {n}"} for n in (1, 2)]
    taken(entities.account.upsert(rows, altkey_name=key_name(), mode="batch"))
    same(names("startswith(name,'Upserted')"), ["Upserted 1", "Upserted 2"])


@operation("rows are deleted by id")
def _() -> None:
    row_id = made(name="Deleted")
    taken(entities.account.delete(ids=[row_id]))
    same(names("name eq 'Deleted'"), [])


@operation("rows are deleted by filter")
def _() -> None:
    made(name="Filtered")
    taken(entities.account.delete(filter="name eq 'Filtered'"))
    same(names("name eq 'Filtered'"), [])


@operation("rows are deleted in a batch")
def _() -> None:
    row_id = made(name="Batched away")
    taken(entities.account.delete(mode="batch", ids=[row_id]))
    same(names("name eq 'Batched away'"), [])


@operation("columns of rows are emptied")
def _() -> None:
    row_id = made(name="Emptied", telephone1="1")
    taken(entities.account.delete_columns(["telephone1"], ids=[row_id]))
    same(entities.account.read(filter="name eq 'Emptied'")[0]["telephone1"], None)


@operation("columns of rows are emptied in a batch")
def _() -> None:
    row_id = made(name="Emptied twice", telephone1="1")
    taken(entities.account.delete_columns(["telephone1"], ids=[row_id], mode="batch"))
    same(entities.account.read(filter="name eq 'Emptied twice'")[0]["telephone1"], None)


@operation("a batch is made by hand")
def _() -> None:
    row_id = made()
    commands = [
        BatchCommand("accounts", RequestMethod.POST, data={"name": "By hand"}),
        BatchCommand(f"accounts({row_id})", RequestMethod.PUT, data={"name": "Put"}),
    ]
    taken(client.submit_batch(commands))
    same(names(f"accountid eq {row_id}"), ["Put"])


@operation("the languages are listed")
def _() -> None:
    assert 1033 in client.get_language_codes()


@operation("the definition of a table is read")
def _() -> None:
    found = client.get_entity_definition("account")
    same((found.schema_name, found.is_activity), ("Account", False))


def entity(**options: Any) -> str:
    """A new table's logical name."""
    name = f"new_a{new_id()[:8]}"
    primary = StringAttributeMetadata(schema_name="new_primary_col", is_primary_name=True)
    client.create_entity(define_entity(name, attributes=[primary]), **options)
    return name


@operation("a table is created, changed and deleted")
def _() -> None:
    name = entity(return_representation=True)
    found = client.get_entity_definition(name)
    found.display_name.localized_labels[0].label = "Overridden"
    client.update_entity(found)
    shown = client.get_entity_definition(name).display_name.localized_labels[0].label
    same(shown, "Overridden")
    client.delete_entity(name)


@operation("a column is added to a table and taken away")
def _() -> None:
    table = client.entity(entity())
    table.add_attribute(StringAttributeMetadata(schema_name="new_more", max_length=20))
    taken(table.create([{"new_more": "x"}]))
    same([row["new_more"] for row in table.read(select=["new_more"])], ["x"])
    table.remove_attribute(logical_name="new_more")


@operation("an alternate key is added to a table")
def _() -> None:
    table = client.entity(entity())
    table.add_alternate_key("new_key", "Key", ["new_primary_col"])
    assert table.alternate_keys


@operation("an alternate key is taken from a table")
def _() -> None:
    before = dict(entities.account.alternate_keys)
    entities.account.remove_alternate_key(logical_name=next(iter(before)))
    assert len(entities.account.alternate_keys) < len(before)


@operation("the definition of a relation is read")
def _() -> None:
    same(
        client.get_relationship_definition("contact_customer_accounts").schema_name,
        "contact_customer_accounts",
    )


@operation("a relation is created")
def _() -> None:
    name = entity()
    client.create_relationship(define_relationship(f"new_{name}_account", name, "account", "new_x"))
    found = client.get_relationship_definition(f"new_{name}_account")
    same(found.schema_name, f"new_{name}_account")


@operation("a publisher is created")
def _() -> None:
    client.create_publisher(Publisher("Name", "unique", "About", "new", 10000))


@operation("a solution is created")
def _() -> None:
    client.create_solution(Solution("Name", "solution", "About", new_id()))


if __name__ == "__main__":
    operation.run()
