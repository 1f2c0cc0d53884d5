"""``sdkmessages`` and ``sdkmessagefilters``: which messages each table takes.

The documentation asks there whether a table takes CreateMultiple and its like
[DOC bulk-operations]; the answer follows from the tables.
"""

from __future__ import annotations

import uuid

from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse.rows.records import Row, Rows
from worker.sandbox.dataverse.schema.columns import Schema, Table
from worker.sandbox.dataverse.schema.kinds import guid, lookup, read_only, text


if TYPE_CHECKING:
    from collections.abc import Iterator


_NAMESPACE: Final = uuid.UUID("9c3f2a10-7c55-4a0e-9d0b-5f1f5f0c7d42")

_READS: Final = ("Retrieve", "RetrieveMultiple")
_WRITES: Final = ("Create", "Update", "Upsert", "Delete")
_BULK: Final = ("CreateMultiple", "UpdateMultiple", "UpsertMultiple")

_MESSAGE: Final = Table(
    "sdkmessage",
    "sdkmessages",
    "sdkmessageid",
    "name",
    (read_only(guid("sdkmessageid")), read_only(text("name", 256))),
    {},
)
_FILTER: Final = Table(
    "sdkmessagefilter",
    "sdkmessagefilters",
    "sdkmessagefilterid",
    "name",
    (
        read_only(guid("sdkmessagefilterid")),
        read_only(text("name", 256)),
        read_only(text("primaryobjecttypecode", 64)),
        read_only(lookup("sdkmessageid", "sdkmessage", nav="sdkmessageid")),
    ),
    {},
)

#: The entity sets.
SETS: Final = (_MESSAGE.entity_set, _FILTER.entity_set)


def messages(schema: Schema) -> Rows:
    """The messages of every table, as rows."""
    rows = Rows(schema=Schema((_MESSAGE, _FILTER)))
    own = rows.schema.by_logical
    with rows.transaction():
        for name in (*_READS, *_WRITES, *_BULK):
            rows.put(own["sdkmessage"], _row("sdkmessageid", name, {"name": name}))
        for table in schema.tables.values():
            for name in _taken(table):
                columns = {
                    "name": table.logical,
                    "primaryobjecttypecode": table.logical,
                    "_sdkmessageid_value": _id(name),
                }
                row = _row("sdkmessagefilterid", f"{name}/{table.logical}", columns)
                rows.put(own["sdkmessagefilter"], row)
    return rows


def _taken(table: Table) -> Iterator[str]:
    yield from _READS
    if not table.joins:
        yield from _WRITES
    if table.bulk:
        yield from _BULK


def _row(key: str, name: str, columns: dict[str, str]) -> Row:
    own = _id(name)
    targets = {"_sdkmessageid_value": "sdkmessage"} if "_sdkmessageid_value" in columns else {}
    return Row(own, 1, {key: own, **columns}, targets)


def _id(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))
