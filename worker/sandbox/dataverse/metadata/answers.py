"""Answers to questions about metadata: ``EntityDefinitions`` and the like, ``$metadata``.

[DOC webapi/query-metadata-web-api], [DOC webapi/retrieve-metadata-name-metadataid]
"""

from __future__ import annotations

import re

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from worker.sandbox.dataverse.metadata import attributes, definitions
from worker.sandbox.dataverse.metadata.definitions import MODEL, Fields
from worker.sandbox.dataverse.metadata.options import Wanted, chosen, read_options, selected
from worker.sandbox.dataverse.odata import refusals


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.sandbox.dataverse.odata.paths import Path
    from worker.sandbox.dataverse.schema.columns import Schema, Table


#: The sets of metadata, with the class of what is in them.
SETS: Final = {
    "EntityDefinitions": "EntityMetadata",
    "RelationshipDefinitions": "RelationshipMetadataBase",
    "GlobalOptionSetDefinitions": "OptionSetMetadataBase",
}

_KEY: Final = re.compile(r"(?:LogicalName|SchemaName|Name)='(\w+)'|([0-9a-fA-F-]{36})")
_STEP: Final = re.compile(r"([\w.]+)(?:\(([^()]*)\))?")
_CLASS: Final = {
    "Attributes": "AttributeMetadata",
    "Keys": "EntityKeyMetadata",
    "ManyToOneRelationships": "OneToManyRelationshipMetadata",
    "OneToManyRelationships": "OneToManyRelationshipMetadata",
    "ManyToManyRelationships": "ManyToManyRelationshipMetadata",
}


@dataclass(frozen=True, slots=True)
class Noted:
    """What clients defined that is no part of a schema, because rows do not depend on it.

    Attributes:
        properties: Labels and the like, by MetadataId.
        choices: Global choices without a column, by name, with the labels of their ``options``.
    """

    properties: dict[str, Fields] = field(default_factory=dict)
    choices: dict[str, Fields] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is asked.

    Attributes:
        schema: The tables.
        key_status: Of the indexes of a table's alternate keys, by logical name.
        noted: What is shown in place of what follows from the schema.
    """

    schema: Schema
    key_status: Callable[[str], str]
    noted: Noted

    def answer(self, path: Path, query: Mapping[str, str], root: str) -> Fields:
        """The answer to a GET of one of ``SETS``.

        Raises:
            Refusal: No such table, column, property or option.
        """
        rows = self.rows(path.name)
        wanted = read_options(query)
        where = f"{root}$metadata#{path.name}"
        steps = [unquote(step) for step in path.member.split("/")] if path.member else []
        if path.key is None:
            found: list[Fields] | Fields = self._cast(rows, steps, path.name)
        else:
            found = self.one(rows, path.name, unquote(path.key), steps)
            where = where if isinstance(found, list) else f"{where}/$entity"
        return {"@odata.context": where, **self._shown(found, wanted, SETS[path.name])}

    def rows(self, name: str) -> list[Fields]:
        """All rows of one of ``SETS``."""
        if name == "EntityDefinitions":
            tables = definitions.every(self.schema)
            return self._as_noted([definitions.table_row(table) for table in tables])
        if name == "RelationshipDefinitions":
            return self._as_noted(definitions.relations(self.schema))
        return self._as_noted(attributes.option_sets(self.schema, self.noted.choices))

    def _as_noted(self, rows: list[Fields]) -> list[Fields]:
        noted = self.noted.properties
        return [row | noted.get(row["MetadataId"], {}) for row in rows] if noted else rows

    def one(
        self, rows: list[Fields], what: str, key: str, steps: list[str]
    ) -> Fields | list[Fields]:
        """What a path leads to from one row of a set.

        Raises:
            Refusal: It leads nowhere.
        """
        row = _named(rows, what, key)
        if not steps:
            return row
        match = _STEP.fullmatch(steps[0])
        name, inner = (match[1], match[2]) if match else (steps[0], None)
        if name.startswith(MODEL):
            cast = self._cast([row], steps[:1], what)
            return self.one(cast, what, key, steps[1:]) if cast else _missing(what, key)
        if name in _CLASS and what == "EntityDefinitions":
            members = self.members(row["LogicalName"], name)
            if inner is not None:
                return self.one(members, name, inner, steps[1:])
            return self._cast(members, steps[1:], name)
        if name in {"OptionSet", "GlobalOptionSet"} and what == "Attributes":
            found = self._option_sets(row)[name]
            return found if found is not None else _missing("OptionSet", key)
        if name in row and not steps[1:]:
            return {"value": row[name]}
        raise refusals.no_segment("0x80060888", name)

    def row(self, name: str, key: str, steps: list[str]) -> Fields:
        """One row of a set, or of what belongs to it.

        Raises:
            Refusal: It is not there.
        """
        found = self.one(self.rows(name), name, key, steps)
        return found if isinstance(found, dict) else _missing(name, key)

    def _cast(self, rows: list[Fields], steps: list[str], name: str) -> list[Fields]:
        """The rows of a class, ``Microsoft.Dynamics.CRM.PicklistAttributeMetadata``."""
        if not steps:
            return rows
        if len(steps) > 1 or not steps[0].startswith(MODEL):
            raise refusals.no_segment("0x80060888", steps[-1])
        base = f"{MODEL}{_CLASS.get(name) or SETS.get(name)}"
        of_class = [row for row in rows if row.get("@odata.type", f"#{base}") == f"#{steps[0]}"]
        return rows if steps[0] == base else of_class

    def members(self, logical: str, name: str) -> list[Fields]:
        """Columns, keys or relations of a table."""
        table = definitions.table(self.schema, logical)
        if table is None:
            return []
        found: dict[str, Callable[[Table], list[Fields]]] = {
            "Attributes": _columns,
            "Keys": lambda t: definitions.key_rows(t, self.key_status(t.logical)),
            "ManyToOneRelationships": lambda t: definitions.many_to_one(self.schema, t),
            "OneToManyRelationships": lambda t: definitions.one_to_many(self.schema, t),
            "ManyToManyRelationships": lambda t: definitions.many_to_many(self.schema, t),
        }
        return self._as_noted(found[name](table))

    def _shown(self, found: Fields | list[Fields], wanted: Wanted, kind: str) -> Fields:
        if isinstance(found, dict):
            return self._expanded(found, wanted)
        rows = chosen(found, wanted, f"{MODEL}{kind}")
        shown: Fields = {"@odata.count": len(rows)} if wanted.count else {}
        return {**shown, "value": [self._expanded(row, wanted) for row in rows]}

    def _expanded(self, row: Fields, wanted: Wanted) -> Fields:
        """A row with what is expanded."""
        shown = selected(row, wanted)
        for name, inner in wanted.expand.items():
            if name in _CLASS and "EntitySetName" in row:
                members = self.members(row["LogicalName"], name)
                rows = chosen(members, inner, f"{MODEL}{_CLASS[name]}")
                shown[name] = [self._expanded(member, inner) for member in rows]
            elif name in {"OptionSet", "GlobalOptionSet"} and "AttributeType" in row:
                found = self._option_sets(row)[name]
                shown[name] = None if found is None else selected(found, inner)
            else:
                raise refusals.no_property(row.get("@odata.type", MODEL).lstrip("#"), name)
        return shown

    def _option_sets(self, row: Fields) -> dict[str, Fields | None]:
        table = definitions.table(self.schema, row["EntityLogicalName"])
        if table is None:
            return {"OptionSet": None, "GlobalOptionSet": None}
        column = next(c for c in table.columns if c.name == row["LogicalName"])
        own, shared = attributes.options_of(table, column)
        return {"OptionSet": own, "GlobalOptionSet": shared}


def _columns(table: Table) -> list[Fields]:
    return [attributes.column_row(table, column) for column in table.columns]


def _named(rows: list[Fields], what: str, key: str) -> Fields:
    match = _KEY.fullmatch(key)
    if not match:
        raise refusals.bad_query(f"Bad Request - Error in query syntax, key of '{what}'.")
    name, found_id = match.groups()
    for row in rows:
        if found_id and row["MetadataId"] == found_id.lower():
            return row
        if name and name in _names(row):
            return row
    return _missing(what, name or found_id)


def _names(row: Fields) -> tuple[Any, ...]:
    """What a row is found by: tables and columns by logical name, others by schema name."""
    if "LogicalName" in row:
        return (row["LogicalName"],)
    return row.get("SchemaName"), row.get("Name")


def _missing(what: str, name: str) -> Fields:
    """Nothing has that name.

    Raises:
        Refusal: Always.
    """
    kind = {"EntityDefinitions": "entity", "Attributes": "attribute"}.get(what, "object")
    message = f"Could not find an {kind} with the specified name: {name}."
    raise refusals.Refusal(404, "0x80060888", message)
