"""``?sql=SELECT …``: queries in SQL, read-only, as Microsoft's Python SDK sends them.

The rows of the tables that a query names go into a database in memory, which runs it there. Columns
have their logical names, lookups too. What Dataverse's endpoint refuses is refused: writes, UNION,
HAVING, WITH, subqueries, ``SELECT *``, right and full joins.
"""

from __future__ import annotations

import re
import sqlite3

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.reading.paging import PAGE


if TYPE_CHECKING:
    from worker.sandbox.dataverse.rows.records import Rows
    from worker.sandbox.dataverse.schema.columns import Table


OPTION: Final = "sql"

_TEXT: Final = re.compile(r"'(?:[^']|'')*'")
_REFUSED: Final = re.compile(
    r"\b(?:INSERT|UPDATE|DELETE|DROP|CREATE|ALTER|ATTACH|PRAGMA|UNION|HAVING|WITH|RIGHT|FULL)\b"
    r"|;|--|/\*|\(\s*SELECT\b|SELECT\s+(?:DISTINCT\s+)?(?:TOP\s+\d+\s+)?\*",
    re.IGNORECASE,
)
_SELECT: Final = re.compile(
    r"\s*SELECT\s+(?P<distinct>DISTINCT\s+)?(?:TOP\s+\(?(?P<top>\d+)\)?\s+)?(?P<rest>.+)",
    re.IGNORECASE | re.DOTALL,
)
_TABLE: Final = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)", re.IGNORECASE)


def select(records: Rows, text: str) -> list[dict[str, Any]]:
    """The rows a query selects, by the names of its columns; without what is null.

    Args:
        records: The rows.
        text: The query.

    Raises:
        Refusal: It is none, or not one that is run.
    """
    match = _SELECT.fullmatch(text)
    if match is None or _REFUSED.search(_TEXT.sub("''", text)):
        raise refusals.bad_query(
            "Only a single SELECT without UNION, HAVING, WITH, * and ; is run."
        )
    most = min(int(match["top"] or PAGE), PAGE)
    query = f"SELECT {match['distinct'] or ''}{match['rest']} LIMIT {most}"
    with closing(sqlite3.connect(":memory:")) as database:
        for name in dict.fromkeys(name.lower() for name in _TABLE.findall(_TEXT.sub("''", text))):
            table = records.schema.by_logical.get(name)
            if table is None:
                raise refusals.bad_query(f"There is no table '{name}'.")
            _fill(database, records, table)
        try:
            cursor = database.execute(query)
        except sqlite3.Error as error:
            raise refusals.bad_query(f"The SQL query cannot be run: {error}.") from None
        columns = [column[0] for column in cursor.description]
        rows = [dict(zip(columns, values, strict=True)) for values in cursor]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _fill(database: sqlite3.Connection, records: Rows, table: Table) -> None:
    names = [column.json_name for column in table.columns]
    columns = ", ".join(f'"{column.name}" COLLATE NOCASE' for column in table.columns)
    database.execute(f'CREATE TABLE "{table.logical}" ({columns})')
    places = ", ".join("?" * len(names))
    database.executemany(
        f'INSERT INTO "{table.logical}" VALUES ({places})',  # noqa: S608 - names of the schema
        ([row.columns.get(name) for name in names] for row in records.all(table)),
    )
