"""Answers to questions about metadata: ``EntityDefinitions`` and the like, ``$metadata``.

[DOC webapi/query-metadata-web-api], [DOC webapi/retrieve-metadata-name-metadataid]
"""

from __future__ import annotations

import re

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from worker.sandbox.dataverse.metadata import attributes, definitions
from worker.sandbox.dataverse.metadata.csdl import edmx
from worker.sandbox.dataverse.metadata.definitions import MODEL, Fields
from worker.sandbox.dataverse.metadata.options import Wanted, chosen, read_options, selected
from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.wire import Reply, json_reply
from worker.sandbox.dataverse.reading.queries import parse_options


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.sandbox.dataverse.odata.paths import Path
    from worker.sandbox.dataverse.odata.wire import Call
    from worker.sandbox.dataverse.schema.columns import Schema, Table


#: The sets of metadata, with the class of what is in them.
SETS: Final = {
    "EntityDefinitions": "EntityMetadata",
    "RelationshipDefinitions": "RelationshipMetadataBase",
    "GlobalOptionSetDefinitions": "OptionSetMetadataBase",
}

#: What is answered here: those sets, the service document, and one function.
DEFINED: Final = frozenset({*SETS, "$metadata", "RetrieveVersion"})

VERSION: Final = "9.2.24044.168"  # of a Dataverse of 2024

_KEY: Final = re.compile(r"(?:LogicalName|SchemaName|Name)='(\w+)'|([0-9a-fA-F-]{36})")
_STEP: Final = re.compile(r"([\w.]+)(?:\(([^()]*)\))?")
_CLASS: Final = {
    "Attributes": "AttributeMetadata",
    "Keys": "EntityKeyMetadata",
    "ManyToOneRelationships": "OneToManyRelationshipMetadata",
    "OneToManyRelationships": "OneToManyRelationshipMetadata",
    "ManyToManyRelationships": "ManyToManyRelationshipMetadata",
}


def answer(call: Call, path: Path, schema: Schema, key_status: Callable[[str], str]) -> Reply:
    """The answer to a GET of one of ``DEFINED``.

    Args:
        call: The request.
        path: Its path.
        schema: The tables.
        key_status: Of the indexes of a table's alternate keys, by logical name.

    Raises:
        Refusal: No such table, column, property or option.
    """
    if path.name == "$metadata":
        return Reply(200, [("content-type", "application/xml")], edmx(schema))
    if path.name == "RetrieveVersion":
        where = f"{call.root}$metadata#{MODEL}RetrieveVersionResponse"
        return json_reply(200, {"@odata.context": where, "Version": VERSION})
    catalogue = Catalogue(schema, key_status)
    return json_reply(200, catalogue.answer(path, parse_options(call.query), call.root))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is asked.

    Attributes:
        schema: The tables.
        key_status: Of the indexes of a table's alternate keys, by logical name.
    """

    schema: Schema
    key_status: Callable[[str], str]

    def answer(self, path: Path, query: Mapping[str, str], root: str) -> Fields:
        """The answer to a GET of one of ``SETS``.

        Raises:
            Refusal: No such table, column, property or option.
        """
        rows = self._rows(path.name)
        wanted = read_options(query)
        where = f"{root}$metadata#{path.name}"
        steps = [unquote(step) for step in path.member.split("/")] if path.member else []
        if path.key is None:
            found: list[Fields] | Fields = self._cast(rows, steps, path.name)
        else:
            found = self._one(rows, path.name, unquote(path.key), steps)
            where = where if isinstance(found, list) else f"{where}/$entity"
        return {"@odata.context": where, **self._shown(found, wanted, SETS[path.name])}

    def _rows(self, name: str) -> list[Fields]:
        if name == "EntityDefinitions":
            return [definitions.table_row(table) for table in definitions.every(self.schema)]
        if name == "RelationshipDefinitions":
            return definitions.relations(self.schema)
        return attributes.option_sets(self.schema)

    def _one(
        self, rows: list[Fields], what: str, key: str, steps: list[str]
    ) -> Fields | list[Fields]:
        """What a path leads to from one row of a set."""
        row = _named(rows, what, key)
        if not steps:
            return row
        match = _STEP.fullmatch(steps[0])
        name, inner = (match[1], match[2]) if match else (steps[0], None)
        if name.startswith(MODEL):
            cast = self._cast([row], steps[:1], what)
            return self._one(cast, what, key, steps[1:]) if cast else _missing(what, key)
        if name in _CLASS and what == "EntityDefinitions":
            members = self.members(row["LogicalName"], name)
            if inner is not None:
                return self._one(members, name, inner, steps[1:])
            return self._cast(members, steps[1:], name)
        if name in {"OptionSet", "GlobalOptionSet"} and what == "Attributes":
            found = self._option_sets(row)[name]
            return found if found is not None else _missing("OptionSet", key)
        if name in row and not steps[1:]:
            return {"value": row[name]}
        raise refusals.no_segment("0x80060888", name)

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
        return found[name](table)

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
