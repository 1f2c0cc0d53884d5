"""A schema written down as a document; ``document`` reads it again."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.schema.columns import Column, Schema, Table


if TYPE_CHECKING:
    from collections.abc import Mapping


#: Attributes of a column, by their names in the document.
COLUMN_KEYS: Final = {
    "length": "max_length",
    "min": "minimum",
    "max": "maximum",
    "choice": "choice",
    "required": "required",
    "create": "create",
    "update": "update",
    "default": "default",
}

#: What a table may have, by its name in the document.
FEATURES: Final = {
    "activities": "has_activities",
    "notes": "has_notes",
    "queues": "in_queues",
    "parties": "is_party",
    "bulk": "bulk",
}

_USUAL: Final = {field.name: field.default for field in fields(Column)}


def describe(schema: Schema) -> dict[str, Any]:
    """A document of all of a schema; ``read_schema`` makes the same schema of it."""
    tables = sorted(schema.tables.values(), key=lambda table: table.logical)
    return {
        "extends": "nothing",
        "tables": {table.logical: _table(table) for table in tables if not table.joins},
        "relations": {
            table.association or table.logical: {
                "tables": list(table.joins),
                "table": table.logical,
                "set": table.entity_set,
                "key": table.key,
            }
            for table in tables
            if table.joins
        },
    }


def _table(table: Table) -> dict[str, Any]:
    described: dict[str, Any] = {
        "set": table.entity_set,
        "key": table.key,
        "name": table.title,
        "schema_name": table.capitalized,
        "kind": kind(table),
        "ownership": table.ownership,
        "has": [name for name, attribute in FEATURES.items() if getattr(table, attribute)],
        "columns": {column.name: _column(table, column) for column in _sorted(table)},
        "keys": {name: list(columns) for name, columns in sorted(table.keys.items())},
        "states": {
            str(value): {
                "label": state.label,
                "reasons": _texts(state.statuses),
                "default": state.default,
            }
            for value, state in sorted(table.states.items())
        },
    }
    return {key: value for key, value in described.items() if value not in ([], {})}


def kind(table: Table) -> str:
    """``activity``, ``elastic`` or ``standard``."""
    return "activity" if table.activity else "elastic" if table.elastic else "standard"


def _sorted(table: Table) -> list[Column]:
    return sorted(table.columns, key=lambda column: column.name)


def _column(table: Table, column: Column) -> dict[str, Any]:
    described: dict[str, Any] = {"type": column.lookup or column.type}
    for key, attribute in COLUMN_KEYS.items():
        value = getattr(column, attribute)
        if value != _USUAL[attribute]:
            described[key] = value
    if column.options:
        described["choices"] = _texts(column.options)
    if column.navs:
        relations = {r.target: r.name for r in table.relations if r.column == column.name}
        described["navigation"] = {nav: sorted(names) for nav, names in column.navs.items()}
        described["relations"] = dict(sorted(relations.items()))
    return described


def _texts(labels: Mapping[int, str]) -> dict[str, str]:
    return {str(value): label for value, label in sorted(labels.items())}
