"""Columns as clients define them: AttributeMetadata read [DOC webapi/create-update-column-…]."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.metadata.definitions import MODEL, Fields
from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.schema.columns import REQUIRED_LEVELS, Column


if TYPE_CHECKING:
    from collections.abc import Callable


#: Types that a column may be created with; lookups come with their relation.
TYPES: Final = (
    *("BigInt", "Boolean", "DateTime", "Decimal", "Double", "File", "Integer", "Memo", "Money"),
    *("MultiSelectPicklist", "Picklist", "String"),
)
_LENGTHS: Final = {"String": 100, "Memo": 2000}


def read_column(body: Fields, choices: Callable[[str], Any]) -> Column:
    """The column a body defines.

    Args:
        body: AttributeMetadata, or what CreateEntities has of it (``Complex…``).
        choices: Name and labels of the global choice that a key names; None without one.

    Raises:
        Refusal: A type that is not there, or a name without a prefix.
    """
    kind = str(body.get("@odata.type", "")).lstrip("#").removeprefix(MODEL)
    kind = kind.removeprefix("Complex").removesuffix("AttributeMetadata")
    if kind not in TYPES:
        raise refusals.invalid_argument(f"The sandbox has no columns of the type '{kind}'.")
    column = Column(logical_name(body), kind, max_length=_LENGTHS.get(kind))
    name, options = _options(body, kind, choices)
    if kind == "File":  # written by an upload alone
        column = replace(column, create=False, update=False)
    return changed(replace(column, options=options, choice=name), body)


def changed(column: Column, body: Fields) -> Column:
    """The column as a body has it: its bounds, and whether it is required.

    Raises:
        Refusal: A bound that is no number, or a level that is not there.
    """
    level = body.get("RequiredLevel")
    required = level.get("Value") if isinstance(level, dict) else None
    if required is not None and required not in REQUIRED_LEVELS:
        raise refusals.invalid_argument(f"There is no RequiredLevel '{required}'.")
    length = column.max_length if column.max_length is None else _number(body, "MaxLength")
    return replace(
        column,
        max_length=column.max_length if length is None else int(length),
        minimum=_bound(column, body, "MinValue", column.minimum),
        maximum=_bound(column, body, "MaxValue", column.maximum),
        required=required or column.required,
    )


def logical_name(body: Fields) -> str:
    """The logical name of what a body defines: its schema name in lower case.

    Raises:
        Refusal: It has none, or none with the prefix of a publisher.
    """
    name = body.get("SchemaName")
    if not isinstance(name, str) or not name.replace("_", "a").isalnum():
        raise refusals.invalid_argument("The SchemaName is missing or no name.")
    if "_" not in name:
        message = f"The SchemaName '{name}' needs a publisher's prefix, as in new_{name}."
        raise refusals.invalid_argument(message)
    return name.lower()


def labels(options: Any) -> dict[int, str]:
    """The labels of a list of options."""
    found = options if isinstance(options, list) else []
    return {int(option["Value"]): text(option.get("Label")) for option in found}


def text(label: Any) -> str:
    """The first text of a label; "" if it has none."""
    listed = label.get("LocalizedLabels") if isinstance(label, dict) else None
    return str(listed[0].get("Label", "")) if listed else ""


def _options(body: Fields, kind: str, choices: Callable[[str], Any]) -> tuple[str, dict[int, str]]:
    if kind == "Boolean":
        given = body.get("OptionSet") or {}
        true, false = (
            text((given.get(f"{n}Option") or {}).get("Label")) for n in ("True", "False")
        )
        return "", {0: false or "No", 1: true or "Yes"}
    if kind not in {"Picklist", "MultiSelectPicklist"}:
        return "", {}
    if bind := body.get("GlobalOptionSet@odata.bind"):
        shared = choices(str(bind).rpartition("(")[2].rstrip(")"))
        if shared is None:
            raise refusals.invalid_argument("There is no such global choice.")
        name, options = shared
        return name, dict(options)
    found = labels((body.get("OptionSet") or {}).get("Options"))
    if not found:
        raise refusals.invalid_argument("A choice needs options.")
    return "", found


def _bound(column: Column, body: Fields, name: str, before: float | None) -> float | None:
    if column.type not in {"Integer", "Decimal", "Double", "Money", "BigInt"}:
        return before
    value = _number(body, name)
    return before if value is None else value


def _number(body: Fields, name: str) -> float | None:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise refusals.invalid_argument(f"{name} is no number.")
    return value
