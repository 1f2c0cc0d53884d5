"""``EntityDefinitions``: the metadata of tables and columns [DOC webapi/query-metadata]."""

from __future__ import annotations

import re
import uuid

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.reading.filters import Shape, parse_filter
from worker.sandbox.dataverse.schema.tables import BY_LOGICAL, TABLES


if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.sandbox.dataverse.odata.paths import Path
    from worker.sandbox.dataverse.rows.records import Rows
    from worker.sandbox.dataverse.schema.columns import Column, Table


_MODEL: Final = "Microsoft.Dynamics.CRM."
_NAMESPACE: Final = uuid.UUID("5d0c4f6e-52f9-4bb6-9f9c-6a3c7b1f5b10")
_SHAPE: Final = Shape(
    f"{_MODEL}EntityMetadata",
    {
        "LogicalName": "Edm.String",
        "SchemaName": "Edm.String",
        "EntitySetName": "Edm.String",
        "PrimaryIdAttribute": "Edm.String",
        "PrimaryNameAttribute": "Edm.String",
        "IsActivity": "Edm.Boolean",
        "MetadataId": "Edm.Guid",
    },
)
_COLUMN_SHAPE: Final = Shape(
    f"{_MODEL}AttributeMetadata",
    {
        "LogicalName": "Edm.String",
        "AttributeType": "Edm.String",
        "IsValidForCreate": "Edm.Boolean",
        "IsValidForUpdate": "Edm.Boolean",
        "MetadataId": "Edm.Guid",
    },
)
_EXPANSION: Final = re.compile(r"(Attributes|Keys)(?:\(\$select=([^)]*)\))?")


def answer(path: Path, options: Mapping[str, str], records: Rows, root: str) -> dict[str, Any]:
    """The answer to a GET.

    Raises:
        Refusal: No such table, column or property.
    """
    where = {"@odata.context": f"{root}$metadata#EntityDefinitions"}
    if path.key is None:
        wanted = parse_filter(_SHAPE, options["$filter"], options) if "$filter" in options else None
        rows = [_table(table) for table in TABLES.values()]
        chosen = [row for row in rows if wanted is None or wanted(row)]
        return {**where, "value": [_shown(row, options, records) for row in chosen]}
    table = _named(unquote(path.key))
    if not path.member:
        return {"@odata.context": f"{root}$metadata#EntityDefinitions/$entity"} | _shown(
            _table(table), options, records
        )
    return where | _members(table, unquote(path.member), options, records)


def _members(
    table: Table, member: str, options: Mapping[str, str], records: Rows
) -> dict[str, Any]:
    kind, _, cast = member.partition("/")
    if kind == "Keys":
        return {"value": _keys(table, records)}
    match = re.fullmatch(r"Attributes(?:\(LogicalName='(\w+)'\))?", kind)
    if not match:
        raise refusals.no_segment("0x80060888", kind)
    rows = [_column(table, column) for column in table.columns]
    if cast:
        rows = [row for row in rows if row["@odata.type"] == f"#{cast}"]
        rows = [_with_options(table, row) for row in rows]
    if match[1]:
        found = [row for row in rows if row["LogicalName"] == match[1]]
        if not found:
            raise _no_entity("attribute", match[1])
        return _select(found[0], options.get("$select"))
    if "$filter" in options:
        wanted = parse_filter(_COLUMN_SHAPE, options["$filter"], options)
        rows = [row for row in rows if wanted(row)]
    return {"value": [_select(row, options.get("$select"), "OptionSet") for row in rows]}


def _named(key: str) -> Table:
    match = re.fullmatch(r"LogicalName='(\w+)'", key)
    tables = (
        [BY_LOGICAL.get(match[1])]
        if match
        else [table for table in TABLES.values() if _id(table.logical) == key.lower()]
    )
    found = next(iter(tables), None)
    if found is None:
        raise _no_entity("entity", match[1] if match else key)
    return found


def _no_entity(kind: str, name: str) -> refusals.Refusal:
    message = f"Could not find an {kind} with the specified name: {name}."
    return refusals.Refusal(404, "0x80060888", message)


def _shown(row: dict[str, Any], options: Mapping[str, str], records: Rows) -> dict[str, Any]:
    shown = _select(row, options.get("$select"))
    table = BY_LOGICAL[row["LogicalName"]]
    for kind, names in _EXPANSION.findall(options.get("$expand", "")):
        members = (
            _keys(table, records)
            if kind == "Keys"
            else [_column(table, column) for column in table.columns]
        )
        shown[kind] = [_select(member, names) for member in members]
    return shown


def _select(row: dict[str, Any], names: str | None, *always: str) -> dict[str, Any]:
    if not names:
        return row
    wanted = {"@odata.type", "MetadataId", *always, *(name.strip() for name in names.split(","))}
    return {name: value for name, value in row.items() if name in wanted}


def _table(table: Table) -> dict[str, Any]:
    return {
        "MetadataId": _id(table.logical),
        "LogicalName": table.logical,
        "SchemaName": table.logical.capitalize(),
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.entity_set,
        "PrimaryIdAttribute": table.key,
        "PrimaryNameAttribute": table.title,
        "IsActivity": table.activity,
        "IsCustomEntity": False,
        "IsOptimisticConcurrencyEnabled": True,
        "DisplayName": _label(table.logical.capitalize()),
    }


def _column(table: Table, column: Column) -> dict[str, Any]:
    row: dict[str, Any] = {
        "@odata.type": f"#{_MODEL}{_metadata_type(column)}",
        "MetadataId": _id(table.logical, column.name),
        "LogicalName": column.name,
        "SchemaName": column.name.capitalize(),
        "EntityLogicalName": table.logical,
        "AttributeType": column.type,
        "AttributeTypeName": {"Value": f"{column.type}Type"},
        "IsPrimaryId": column.name == table.key,
        "IsPrimaryName": column.name == table.title,
        "IsValidForCreate": column.create and column.type != "State",
        "IsValidForUpdate": column.update,
        "IsValidForRead": True,
        "DisplayName": _label(column.name.capitalize()),
        "RequiredLevel": {"Value": "None"},
    }
    if column.max_length is not None:
        row["MaxLength"] = column.max_length
    if column.maximum is not None:
        row |= {"MinValue": column.minimum, "MaxValue": column.maximum}
    if column.navs:
        row["Targets"] = sorted({name for names in column.navs.values() for name in names})
    return row


def _metadata_type(column: Column) -> str:
    """The class of a column's metadata; ids have none of their own."""
    if column.type == "Uniqueidentifier":
        return "AttributeMetadata"
    return f"{column.type}AttributeMetadata"


def _with_options(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    column = next(c for c in table.columns if c.name == row["LogicalName"])
    options = [{"Value": value, "Label": _label(text)} for value, text in column.options.items()]
    return {**row, "OptionSet": {"Options": options}} if options else row


def _keys(table: Table, records: Rows) -> list[dict[str, Any]]:
    return [
        {
            "MetadataId": _id(table.logical, *columns),
            "LogicalName": "_".join(columns),
            "EntityLogicalName": table.logical,
            "KeyAttributes": list(columns),
            "EntityKeyIndexStatus": "Active",
        }
        for columns in records.keys.get(table.entity_set, ())
    ]


def _label(text: str) -> dict[str, Any]:
    label = {"Label": text, "LanguageCode": 1033}
    return {"LocalizedLabels": [label], "UserLocalizedLabel": label}


def _id(*names: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))
