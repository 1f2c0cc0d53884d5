"""The messages there are, and what each does.

Dataverse has some hundred. Here are those that somebody needs who keeps contacts and activities;
the others that clients know of are refused by name, so that nobody takes them for a typing error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.keys import resolve, split_reference


if TYPE_CHECKING:
    from worker.sandbox.dataverse.rows.keys import Key
    from worker.sandbox.dataverse.rows.records import Row, Rows
    from worker.sandbox.dataverse.rows.writes import RowWriter
    from worker.sandbox.dataverse.schema.columns import Schema, Table
    from worker.sandbox.dataverse.switches import Switches


Fields = dict[str, Any]

#: A row and its table.
Item = tuple["Table", "Row"]

MODEL: Final = "Microsoft.Dynamics.CRM."
ENGLISH: Final = 1033

#: Nobody is kept from anything here: the sandbox has no roles.
_RIGHTS: Final = (
    "ReadAccess, WriteAccess, AppendAccess, AppendToAccess, CreateAccess, DeleteAccess, "
    "ShareAccess, AssignAccess"
)

#: Tables whose rows may be merged [DOC webapi/reference/merge].
_MERGED: Final = frozenset({"account", "contact", "incident", "lead"})

#: Messages of Dataverse that clients call and the sandbox does not have.
ELSEWHERE: Final = frozenset(
    {
        "CalculatePrice",
        "CancelSalesOrder",
        "CloseQuote",
        "ConvertQuoteToSalesOrder",
        "ExpandCalendar",
        "ExportSolution",
        "FormatAddress",
        "GetDefaultPriceLevel",
        "InitializeFrom",
        "RetrieveDuplicates",
        "ReviseQuote",
        "SendEmailFromTemplate",
        "WinQuote",
    }
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message is asked with.

    Attributes:
        records: The rows.
        switches: What is done where Dataverse's behaviour is not documented.
        writer: Writes.
        new_id: Makes ids.
        user: Who asks.
        given: Arguments by name.
        bound: What it is asked of: a row of a table; None for the organisation.
    """

    records: Rows
    switches: Switches
    writer: RowWriter
    new_id: Callable[[], str]
    user: str
    given: Fields
    bound: Item | None = None

    def text(self, name: str) -> str:
        """An argument that is a text.

        Raises:
            Refusal: It is missing.
        """
        value = self.given.get(name)
        if not isinstance(value, str) or not value:
            raise refusals.invalid_argument(f"The parameter '{name}' is missing.")
        return value

    def row(self, name: str) -> Item:
        """An argument that names a row, by ``@odata.id`` or by type and primary key.

        Raises:
            Refusal: It names none, or one that is not there.
        """
        value = self.given.get(name)
        named = self._reference(value) if isinstance(value, dict) else None
        if named is None:
            raise refusals.invalid_argument(f"The parameter '{name}' names no row.")
        table, key = named
        found = resolve(self.records, self.switches, table, key)
        if found is None:
            raise refusals.no_row(table, str(key))
        return table, found

    def table(self, logical: str) -> Table:
        """The table of that name.

        Raises:
            Refusal: There is none.
        """
        table = self.schema.by_logical.get(logical)
        if table is None:
            raise refusals.invalid_argument(f"There is no table '{logical}'.")
        return table

    @property
    def schema(self) -> Schema:
        """The tables there are."""
        return self.records.schema

    def _reference(self, value: Fields) -> tuple[Table, Key] | None:
        if isinstance(value.get("@odata.id"), str):
            return split_reference(self.schema, value["@odata.id"])
        kind = str(value.get("@odata.type", "")).lstrip("#").removeprefix(MODEL)
        table = self.schema.by_logical.get(kind)
        key = value.get(table.key) if table else None
        return (table, key.strip("{}").lower()) if table and isinstance(key, str) else None


Answer = Callable[[Asked], Fields | None]


# --- functions ---


def _languages(_: Asked) -> Fields:
    return {"LocaleIds": [ENGLISH]}


def _version(_: Asked) -> Fields:
    return {"Version": "9.2.24044.00193"}


def _access(asked: Asked) -> Fields:
    asked.row("Target")
    return {"AccessRights": _RIGHTS}


def _referenced(asked: Asked) -> Fields:
    """The tables that rows of a table may refer to."""
    table = asked.table(asked.text("ReferencingEntityName"))
    leads = {name for column in table.columns for name in column.targets}
    return {"EntityNames": sorted(leads & asked.schema.by_logical.keys())}


def _referencing(asked: Asked) -> Fields:
    """The tables whose rows may refer to those of a table."""
    wanted = asked.table(asked.text("ReferencedEntityName")).logical
    found = {
        table.logical
        for table in asked.schema.tables.values()
        if any(wanted in column.targets for column in table.columns)
    }
    return {"EntityNames": sorted(found)}


def _many_to_many(asked: Asked) -> Fields:
    tables = asked.schema.by_logical.items()
    return {"EntityNames": sorted(name for name, table in tables if not table.joins)}


# --- actions ---


def _bulk_delete(asked: Asked) -> Fields:
    """Delete what queries find. The job is done when its id is answered."""
    queries = asked.given.get("QuerySet")
    if not isinstance(queries, list) or not queries:
        raise refusals.invalid_argument("The QuerySet parameter is missing or empty.")
    for query in queries:
        table = asked.table(str(query.get("EntityName", "")))
        for row in [row for row in asked.records.all(table) if _takes(table, query, row)]:
            asked.writer.delete(table, row)
    return {"JobId": asked.new_id()}


def _takes(table: Table, query: Fields, row: Row) -> bool:
    """Whether a QueryExpression takes a row; only what BulkDelete is sent by clients."""
    criteria = query.get("Criteria") or {}
    if criteria.get("Filters") or criteria.get("FilterOperator", "And") != "And":
        raise refusals.invalid_argument("The sandbox takes one filter, whose conditions all hold.")
    return all(_holds(table, condition, row) for condition in criteria.get("Conditions", ()))


def _holds(table: Table, condition: Fields, row: Row) -> bool:
    name = str(condition.get("AttributeName", ""))
    column = next((column for column in table.columns if column.name == name), None)
    if column is None or condition.get("Operator") not in {"In", "Equal"}:
        raise refusals.invalid_argument("The sandbox takes columns In or Equal to values.")
    values = [
        str(value.get("Value") if isinstance(value, dict) else value).strip("{}").lower()
        for value in condition.get("Values", ())
    ]
    return str(row.columns.get(column.json_name)).lower() in values


def _merge(asked: Asked) -> None:
    """Give one row the other's content and what refers to it, and end the other.

    Columns of the other that are to be taken over are in ``UpdateContent``
    [DOC webapi/reference/merge].
    """
    table, target = asked.row("Target")
    other_table, other = asked.row("Subordinate")
    if table != other_table or table.logical not in _MERGED or target.id == other.id:
        raise refusals.invalid_argument("Two rows of one table are merged: account, contact, lead.")
    content = {
        name: value
        for name, value in (asked.given.get("UpdateContent") or {}).items()
        if not name.startswith("@odata.") and name != table.key
    }
    asked.writer.update(table, target, content, asked.user)
    _led_over(asked, table, other.id, target.id)
    state = next(value for value in sorted(table.states, reverse=True) if value)
    asked.writer.update(table, other, {"statecode": state}, asked.user)


def _led_over(asked: Asked, table: Table, before: str, after: str) -> None:
    """Let every lookup that leads to a row lead to another of the same table."""
    for referring in asked.schema.tables.values():
        names = [column for column in referring.columns if table.logical in column.targets]
        for row in list(asked.records.all(referring)) if names else ():
            binds = {
                f"{column.nav(table.logical)}@odata.bind": f"/{table.entity_set}({after})"
                for column in names
                if column.update and row.columns.get(column.json_name) == before
            }
            if binds:
                asked.writer.update(referring, row, binds, asked.user)


def _add_to_queue(asked: Asked) -> Fields:
    """Put a row into a queue; one that is in a queue already moves."""
    table, target = asked.row("Target")
    queue = asked.bound[1] if asked.bound else None
    items = asked.table("queueitem")
    if queue is None:
        raise refusals.invalid_argument("AddToQueue is asked of a queue.")
    body = {"queueid@odata.bind": f"/queues({queue.id})"}
    for row in asked.records.all(items):
        if row.columns.get("_objectid_value") == target.id:
            return {"QueueItemId": asked.writer.update(items, row, body, asked.user).id}
    nav = items.by_property["_objectid_value"].nav(table.logical)
    body[f"{nav}@odata.bind"] = f"/{table.entity_set}({target.id})"
    return {"QueueItemId": asked.writer.create(items, body, asked.user).id}


#: Functions (GET) of the organisation, and of a row by its table.
FUNCTIONS: Final[dict[tuple[str, str], Answer]] = {
    ("", "GetValidManyToMany"): _many_to_many,
    ("", "GetValidReferencedEntities"): _referenced,
    ("", "GetValidReferencingEntities"): _referencing,
    ("", "RetrieveAvailableLanguages"): _languages,
    ("", "RetrieveVersion"): _version,
    ("systemuser", "RetrievePrincipalAccess"): _access,
}

#: Actions (POST), in the same way.
ACTIONS: Final[dict[tuple[str, str], Answer]] = {
    ("", "BulkDelete"): _bulk_delete,
    ("", "Merge"): _merge,
    ("queue", "AddToQueue"): _add_to_queue,
}


def find(method: str, logical: str, name: str) -> Answer | None:
    """The message of that name, if there is one.

    Args:
        method: HTTP method: GET for functions, POST for actions.
        logical: The table of the row it is asked of; "" for the organisation.
        name: Without namespace.

    Raises:
        Refusal: Dataverse has it, the sandbox does not.
    """
    if name in ELSEWHERE:
        message = f"The sandbox does not have the message '{name}'."
        raise refusals.Refusal(501, "0x80040203", message)
    return {"GET": FUNCTIONS, "POST": ACTIONS}.get(method, {}).get((logical, name))
