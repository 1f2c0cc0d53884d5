"""Reads and writes of definitions: ``EntityDefinitions(…)/Attributes`` and the others of ``SETS``.

What clients define is there as long as the sandbox runs; an organisation that keeps its records in
a file takes its tables from ``--schema`` alone. Labels and the like, which mean nothing to rows,
are noted as they were sent [DOC webapi/create-update-entity-definitions-using-web-api].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from worker.sandbox.dataverse.metadata import changes, columns
from worker.sandbox.dataverse.metadata.answers import Catalogue, Noted
from worker.sandbox.dataverse.metadata.definitions import MANY_TO_MANY, Fields, metadata_id
from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.bodies import read_object
from worker.sandbox.dataverse.odata.wire import Call, Reply, json_reply, prefer


if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.sandbox.dataverse.odata.paths import Path
    from worker.sandbox.dataverse.rows.records import Rows
    from worker.sandbox.dataverse.schema.columns import Column, Schema, Table


#: Properties that are kept as they were sent.
_KEPT: Final = (
    *("DisplayName", "DisplayCollectionName", "Description", "SchemaName", "Format", "FormatName"),
    *("Precision", "IsValidForAdvancedFind", "CascadeConfiguration", "AutoNumberFormat"),
    *("AssociatedMenuConfiguration",),
)
_CHOICES: Final = "GlobalOptionSetDefinitions"
_RELATIONS: Final = "RelationshipDefinitions"
_TABLES: Final = "EntityDefinitions"


@dataclass(frozen=True, slots=True)
class Definitions:
    """The definitions of an organisation.

    Attributes:
        records: The rows, whose tables these are.
        key_status: Of the indexes of a table's alternate keys, by logical name.
        noted: What was defined and is no part of a schema.
    """

    records: Rows
    key_status: Callable[[str], str]
    noted: Noted

    @property
    def catalogue(self) -> Catalogue:
        """What there is now."""
        return Catalogue(self.records.schema, self.key_status, self.noted)

    def answer(self, call: Call, path: Path, query: Mapping[str, str]) -> Reply:
        """The answer to a request for one of ``SETS``.

        Raises:
            Refusal: There is nothing of that name, or the change cannot be made.
        """
        if call.method == "GET":
            return json_reply(200, self.catalogue.answer(path, query, call.root))
        steps = [unquote(step) for step in path.member.split("/")] if path.member else []
        member = steps[0].partition("(")[0] if steps else ""
        what = member if member in {"Attributes", "Keys"} else path.name
        if call.method == "POST":
            return self._post(call, path, what)
        if path.key is None or (what == member and "(" not in steps[0]):
            raise refusals.not_allowed(call.method)
        inner = [] if what == path.name else steps[:1]
        row = self.catalogue.row(path.name, unquote(path.key), inner)
        if call.method == "DELETE":
            self._delete(what, row)
        elif call.method == "PUT":
            self._put(what, row, read_object(call))
        else:
            raise refusals.not_allowed(call.method)
        return Reply(204)

    def create_table(self, body: Fields) -> str:
        """Make a table; its MetadataId.

        Raises:
            Refusal: It cannot be made.
        """
        self.adopt(changes.with_table(self.records.schema, body, self._choice))
        logical = columns.logical_name(body)
        for item in body["Attributes"]:
            self._note(metadata_id(logical, columns.logical_name(item)), item)
        return self._note(metadata_id(logical), body)

    def adopt(self, schema: Schema) -> None:
        """Let the organisation have other tables.

        Raises:
            Refusal: Its records are kept in a file.
        """
        if self.records.kept:
            message = "The records are kept in a file: describe its tables with --schema."
            raise refusals.Refusal(501, "0x80040203", message)
        self.records.adopt(schema)

    def _post(self, call: Call, path: Path, what: str) -> Reply:
        body = read_object(call)
        if what in {"Attributes", "Keys"} and path.key is not None:
            row = self.catalogue.row(_TABLES, unquote(path.key), [])
            table = changes.table_of(self.records.schema, row["LogicalName"])
            made = self._add(table, what, body)
        elif path.key is None and not path.member:
            made = _CREATES[path.name](self, body)
        else:
            raise refusals.not_allowed("POST")
        where = f"{call.root}{call.path}({made})"
        wanted = prefer(call.headers)
        if not wanted.representation:
            return Reply(204, [("odata-entityid", where)])
        rows = self.catalogue.rows(path.name)
        shown = next((row for row in rows if row["MetadataId"] == made), body)
        return json_reply(201, shown, wanted)

    def _add(self, table: Table, what: str, body: Fields) -> str:
        schema, name = self.records.schema, columns.logical_name(body)
        if what == "Keys":
            self.adopt(changes.with_key(schema, table, body))
            return self._note(metadata_id(table.logical, "key", body["SchemaName"]), body)
        column = columns.read_column(body, self._choice)
        self.adopt(changes.with_column(schema, table, column))
        return self._note(metadata_id(table.logical, name), body)

    def _put(self, what: str, row: Fields, body: Fields) -> None:
        if what == "Attributes":
            table, column = self._column(row)
            changed = columns.changed(column, body)
            self.adopt(changes.with_changed(self.records.schema, table, changed))
        if row.get("Name") in self.noted.choices:
            self.noted.choices[row["Name"]].update(_kept(body))
        self._note(row["MetadataId"], body)

    def _delete(self, what: str, row: Fields) -> None:
        schema = self.records.schema
        if what == _TABLES:
            table = changes.table_of(schema, row["LogicalName"])
            self.adopt(changes.without_table(schema, table))
        elif what == _RELATIONS:
            self.adopt(changes.without_relation(schema, row))
        elif what == _CHOICES:
            if self.noted.choices.pop(row["Name"], None) is None:
                raise refusals.invalid_argument(f"A column needs the choice '{row['Name']}'.")
        elif what == "Keys":
            table = changes.table_of(schema, row["EntityLogicalName"])
            self.adopt(changes.without_key(schema, table, row["SchemaName"]))
        else:
            self.adopt(changes.without_column(schema, *self._column(row)))

    def _column(self, row: Fields) -> tuple[Table, Column]:
        table = changes.table_of(self.records.schema, row["EntityLogicalName"])
        return table, next(c for c in table.columns if c.name == row["LogicalName"])

    def _create_relation(self, body: Fields) -> str:
        schema, name = self.records.schema, str(body.get("SchemaName"))
        if str(body.get("@odata.type", "")).lstrip("#") == MANY_TO_MANY:
            self.adopt(changes.with_join(schema, body))
            return self._note(metadata_id("relation", name), body)
        self.adopt(changes.with_lookup(schema, body))
        lookup = columns.logical_name(body["Lookup"])
        self._note(metadata_id(body["ReferencingEntity"], lookup), body["Lookup"])
        return self._note(metadata_id("relation", name, body["ReferencingEntity"]), body)

    def _create_choice(self, body: Fields) -> str:
        name = body.get("Name")
        if not isinstance(name, str) or "_" not in name:
            raise refusals.invalid_argument("A global choice needs a Name with a prefix.")
        if any(row["Name"] == name for row in self.catalogue.rows(_CHOICES)):
            raise refusals.invalid_argument(f"There is a choice '{name}' already.")
        own = metadata_id("choice", name)
        options = columns.labels(body.get("Options"))
        self.noted.choices[name] = {"MetadataId": own, "options": options, **_kept(body)}
        return own

    def _choice(self, key: str) -> tuple[str, Mapping[int, str]] | None:
        for row in self.catalogue.rows(_CHOICES):
            if key.lower() in {row["MetadataId"], f"name='{row['Name'].lower()}'"}:
                return row["Name"], columns.labels(row["Options"])
        return None

    def _note(self, own: str, body: Fields) -> str:
        self.noted.properties[own] = {**self.noted.properties.get(own, {}), **_kept(body)}
        return own


def _kept(body: Fields) -> Fields:
    kept = {name: body[name] for name in _KEPT if body.get(name) is not None}
    return {name: _shown(value) for name, value in kept.items()}


def _shown(value: Any) -> Any:
    """A label as Dataverse answers it: with the one of the user."""
    if isinstance(value, dict) and isinstance(value.get("LocalizedLabels"), list):
        listed = value["LocalizedLabels"]
        return {"LocalizedLabels": listed, "UserLocalizedLabel": listed[0] if listed else None}
    return value


_CREATES: Final[dict[str, Callable[[Definitions, Fields], str]]] = {
    _TABLES: Definitions.create_table,
    _RELATIONS: Definitions._create_relation,  # noqa: SLF001 - its own
    _CHOICES: Definitions._create_choice,  # noqa: SLF001 - its own
}
