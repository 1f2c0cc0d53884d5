"""Actions: what they do [DOC webapi/use-web-api-actions]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse.messages.asked import Answer, Asked, Fields
from worker.sandbox.dataverse.odata import refusals


if TYPE_CHECKING:
    from worker.sandbox.dataverse.rows.records import Row
    from worker.sandbox.dataverse.schema.columns import Table


#: Tables whose rows may be merged [DOC webapi/reference/merge].
_MERGED: Final = frozenset({"account", "contact", "incident", "lead"})


def _create_entities(asked: Asked) -> None:
    """Make tables with their columns."""
    entities = asked.given.get("Entities")
    if not isinstance(entities, list) or not entities:
        raise refusals.invalid_argument("The Entities parameter is missing or empty.")
    for entity in entities:
        asked.definitions.create_table(entity)


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
    place = items.by_property["_queueid_value"]
    for row in asked.records.all(items):
        if row.columns.get("_objectid_value") == target.id:
            # An update of the row cannot do that.
            moved = asked.writer.link(items, row, place, ("queue", queue.id), asked.user)
            return {"QueueItemId": moved.id}
    body = {"queueid@odata.bind": f"/queues({queue.id})"}
    nav = items.by_property["_objectid_value"].nav(table.logical)
    body[f"{nav}@odata.bind"] = f"/{table.entity_set}({target.id})"
    return {"QueueItemId": asked.writer.create(items, body, asked.user).id}


#: By the table of the row they are asked of, "" for the organisation, and name.
ACTIONS: Final[dict[tuple[str, str], Answer]] = {
    ("", "BulkDelete"): _bulk_delete,
    ("", "CreateEntities"): _create_entities,
    ("", "Merge"): _merge,
    ("queue", "AddToQueue"): _add_to_queue,
}
