"""``$orderby``: null comes first, lookups go by the name they show, choices by their number.

[DOC webapi/query/order-rows]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.records import Row, Rows
from worker.sandbox.dataverse.rows.values import folded
from worker.sandbox.dataverse.schema.columns import Column, Table


#: Sorts rows.
Order = Callable[[list[Row]], list[Row]]


def parse_order(records: Rows, table: Table, text: str, aliases: Mapping[str, str]) -> Order:
    """Read an order by several columns.

    Raises:
        Refusal: A column that is not there, or a direction that is none.
    """
    columns = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = part.partition(" ")
        name = aliases.get(name, name) if name.startswith("@") else name
        if name not in table.by_property:
            raise refusals.no_property(table.type, name)
        if direction.strip() not in {"", "asc", "desc"}:
            raise refusals.bad_query(f"Syntax error in '$orderby' expression '{text}'.")
        columns.append((table.by_property[name], direction.strip() == "desc"))
    return lambda rows: ordered(records, rows, columns)


def ordered(records: Rows, rows: list[Row], columns: list[tuple[Column, bool]]) -> list[Row]:
    """The rows by these columns, the first of them first; True for descending."""
    for column, descending in reversed(columns):
        rows = sorted(rows, key=lambda row: rank(records, row, column), reverse=descending)
    return rows


def rank(records: Rows, row: Row, column: Column) -> tuple[bool, Any]:
    """A key that sorts rows by one column."""
    value = row.columns.get(column.json_name)
    if column.type == "Lookup" and value is not None:
        value = records.title(row.targets.get(column.json_name, ""), value)
    value = folded(value)
    return value is not None, 0 if value is None else value
