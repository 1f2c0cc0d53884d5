"""Columns and their choices as rows of metadata [DOC webapi/query-metadata-web-api]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.metadata.definitions import (
    MODEL,
    Fields,
    is_custom,
    label,
    metadata_id,
)
from worker.sandbox.dataverse.schema.columns import Column


if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.sandbox.dataverse.schema.columns import Schema, Table


#: Classes of metadata that are not named like the type, and AttributeType where it differs.
_CLASSES: Final = {"Uniqueidentifier": "AttributeMetadata"}
_ATTRIBUTE_TYPES: Final = {"MultiSelectPicklist": "Virtual"}

_CHOICES: Final = ("Boolean", "MultiSelectPicklist", "Picklist", "State", "Status")
_PRECISIONS: Final = {"Decimal": 10, "Double": 5, "Money": 2}


def column_row(table: Table, column: Column) -> Fields:
    """AttributeMetadata of the class that fits the column's type."""
    kind = column.lookup or column.type
    row: Fields = {
        "@odata.type": f"#{MODEL}{_class(column)}",
        "MetadataId": metadata_id(table.logical, column.name),
        "LogicalName": column.name,
        "SchemaName": column.name.capitalize() if "_" not in column.name else column.name,
        "EntityLogicalName": table.logical,
        "AttributeType": _ATTRIBUTE_TYPES.get(kind, kind),
        "AttributeTypeName": {"Value": f"{kind}Type"},
        "AttributeOf": None,
        "IsPrimaryId": column.name == table.key,
        "IsPrimaryName": column.name == table.title,
        "IsValidForCreate": column.create and column.type != "State",
        "IsValidForUpdate": column.update,
        "IsValidForRead": True,
        "IsCustomAttribute": is_custom(column.name),
        "IsManaged": not is_custom(column.name),
        "IsLogical": False,
        "RequiredLevel": {"Value": column.required},
        "DisplayName": label(column.name.capitalize()),
        "Description": label(""),
    }
    return row | _bounds(column) | _defaults(column)


def _class(column: Column) -> str:
    return _CLASSES.get(column.type, f"{column.type}AttributeMetadata")


def _bounds(column: Column) -> Fields:
    row: Fields = {}
    if column.max_length is not None:
        row |= {"MaxLength": column.max_length, "Format": "Text", "FormatName": {"Value": "Text"}}
    if column.maximum is not None:
        row |= {"MinValue": column.minimum, "MaxValue": column.maximum}
    if column.type in _PRECISIONS:
        row["Precision"] = _PRECISIONS[column.type]
    if column.type == "DateTime":
        row |= {"Format": "DateAndTime", "DateTimeBehavior": {"Value": "UserLocal"}}
    if column.type == "Lookup":
        row["Targets"] = sorted(column.targets)
    return row


def _defaults(column: Column) -> Fields:
    if column.type == "Boolean":
        return {"DefaultValue": bool(column.default)}
    if column.type in _CHOICES:
        return {"DefaultFormValue": -1 if column.default is None else column.default}
    return {}


def options_of(table: Table, column: Column) -> tuple[Fields | None, Fields | None]:
    """OptionSet and GlobalOptionSet of a column; None for what it has not.

    A column with a global choice shows it as both, as clients expect that read one of them.
    """
    if column.type not in _CHOICES:
        return None, None
    if column.choice:
        shared = _option_set(column.choice, column, _options(column.options), shared=True)
        return shared, shared
    name = f"{table.logical}_{column.name}"
    if column.type == "Boolean":
        return _two_options(name, column), None
    listed = _status_options(table, column) if table.states else _options(column.options)
    return _option_set(name, column, listed, shared=False), None


def option_sets(schema: Schema, more: Mapping[str, Fields]) -> list[Fields]:
    """OptionSetMetadata of every global choice, and of more with their ``options``."""
    shared = {
        column.choice: column
        for table in schema.tables.values()
        for column in table.columns
        if column.choice
    }
    alone = {
        name: Column("", "Picklist", options=fields["options"])
        for name, fields in more.items()
        if name not in shared
    }
    return [
        _option_set(name, column, _options(column.options), shared=True)
        for name, column in (shared | alone).items()
    ]


def _option_set(name: str, column: Column, options: list[Fields], *, shared: bool) -> Fields:
    kind = column.type if column.type in {"State", "Status"} else "Picklist"
    return {
        "@odata.type": f"#{MODEL}OptionSetMetadata",
        "MetadataId": metadata_id("choice", name),
        "Name": name,
        "IsGlobal": shared,
        "IsCustomOptionSet": is_custom(name),
        "IsManaged": not is_custom(name),
        "OptionSetType": kind,
        "DisplayName": label(name),
        "Description": label(""),
        "Options": options,
    }


def _two_options(name: str, column: Column) -> Fields:
    return {
        "@odata.type": f"#{MODEL}BooleanOptionSetMetadata",
        "MetadataId": metadata_id("choice", name),
        "Name": name,
        "IsGlobal": False,
        "OptionSetType": "Boolean",
        "TrueOption": _option(1, column.options.get(1, "Yes")),
        "FalseOption": _option(0, column.options.get(0, "No")),
    }


def _status_options(table: Table, column: Column) -> list[Fields]:
    """Options of statecode with their default statuses, of statuscode with their states."""
    if column.type == "State":
        return [
            {
                "@odata.type": f"#{MODEL}StateOptionMetadata",
                **_option(value, state.label),
                "DefaultStatus": state.default,
                "InvariantName": state.label,
            }
            for value, state in table.states.items()
        ]
    if column.type == "Status":
        return [
            {
                "@odata.type": f"#{MODEL}StatusOptionMetadata",
                **_option(status, text),
                "State": value,
                "TransitionData": None,
            }
            for value, state in table.states.items()
            for status, text in state.statuses.items()
        ]
    return _options(column.options)


def _options(labels: Mapping[int, str]) -> list[Fields]:
    return [_option(value, text) for value, text in labels.items()]


def _option(value: int, text: str) -> dict[str, Any]:
    return {
        "Value": value,
        "Label": label(text),
        "Description": label(""),
        "Color": None,
        "IsManaged": True,
    }
