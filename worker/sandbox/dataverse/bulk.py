"""CreateMultiple, UpdateMultiple, UpsertMultiple: all of it or nothing [DOC bulk-operations]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.wire import Reply, json_reply
from worker.sandbox.dataverse.rows.keys import split_reference


if TYPE_CHECKING:
    from worker.sandbox.dataverse.rows.writes import RowWriter
    from worker.sandbox.dataverse.schema.columns import Table


Target = dict[str, Any]


def targets(table: Table, body: dict[str, Any]) -> list[Target]:
    """The rows of a body.

    Raises:
        Refusal: There are none, or of another table.
    """
    rows = body.get("Targets")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise refusals.invalid_argument("The Targets parameter is missing or empty.")
    for row in rows:
        if row.get("@odata.type", "").lstrip("#") != table.type:
            raise refusals.invalid_argument("All Targets must name the type of this entity set.")
    return rows


def create_multiple(
    writer: RowWriter, table: Table, rows: Sequence[Target], user: str
) -> list[str]:
    """Make rows; their ids."""
    return [writer.create(table, row, user).id for row in rows]


def update_multiple(
    writer: RowWriter, table: Table, rows: Sequence[Target], user: str
) -> list[str]:
    """Change rows that are there; their ids."""
    ids = []
    for row in rows:
        record_id = str(row.get(table.key, "")).lower()
        record = writer.find(table, record_id)
        if record is None:
            raise refusals.no_row(table, record_id)
        ids.append(writer.update(table, record, row, user).id)
    return ids


def upsert_multiple(
    writer: RowWriter, table: Table, rows: Sequence[Target], user: str
) -> list[str]:
    """Change rows, or make those that are not there; their ids."""
    return [_upsert(writer, table, row, user) for row in rows]


def _upsert(writer: RowWriter, table: Table, row: Target, user: str) -> str:
    named = split_reference(table.schema, str(row.get("@odata.id", "")))
    key = named[1] if named else str(row.get(table.key, "")).lower()
    if not key:
        raise refusals.invalid_argument("A target of UpsertMultiple needs a key.")
    return writer.upsert(table, key, row, user).id


def reply(name: str, ids: Sequence[str], root: str) -> Reply:
    """The answer: ids for a create, nothing for the others."""
    if not name.endswith("CreateMultiple"):
        return Reply(204)
    return json_reply(200, {"@odata.context": f"{root}$metadata#{name}Response", "Ids": ids})


Action = Callable[["RowWriter", "Table", Sequence[Target], str], list[str]]

#: The bulk messages by name.
ACTIONS: Final[dict[str, Action]] = {
    "CreateMultiple": create_multiple,
    "UpdateMultiple": update_multiple,
    "UpsertMultiple": upsert_multiple,
}
