"""One value of a body: of its column's type, within its column's bounds, in its stored form."""

from __future__ import annotations

import re

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals


if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.sandbox.dataverse.schema.columns import Column, Table


GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
INT32_MIN: Final = -(2**31)

#: What no XML 1.0 document can hold, and so no column (https://www.w3.org/TR/xml/#charsets).
NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def coerce(table: Table, column: Column, value: Any) -> Any:
    """The value as it is stored; None for null and for empty text.

    Raises:
        Refusal: Wrong type, too long, out of range, no such choice.
    """
    return None if value is None else _BY_TYPE[column.type](table, column, value)


def moment(text: str) -> str | None:
    """An ISO 8601 time with its offset, as UTC ``YYYY-MM-DDTHH:MM:SSZ``; None if it is not one."""
    if "T" not in text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        return None
    try:
        return f"{when.astimezone(UTC).isoformat()[:19]}Z"
    except OverflowError:  # before the year 1, or after 9999
        return None


def text(entity_set: str, logical: str, name: str, value: Any, limit: int) -> str | None:
    """A text as it is stored; None for an empty one.

    Raises:
        Refusal: It is no text, too long, or XML 1.0 cannot hold it.
    """
    if not isinstance(value, str):
        raise refusals.wrong_type(entity_set, "Edm.String")
    if not value.isprintable() and (found := NO_XML.search(value)):
        raise refusals.no_xml(name, found[0])
    # Lengths are those of .NET strings: UTF-16 units. At most two per character.
    if len(value) * 2 > limit and len(value.encode("utf-16-le", "surrogatepass")) > limit * 2:
        raise refusals.too_long(logical, name, limit)
    return value or None


def _text(table: Table, column: Column, value: Any) -> str | None:
    return text(table.entity_set, table.logical, column.name, value, column.max_length or 0)


def _boolean(table: Table, _: Column, value: Any) -> bool:
    if not isinstance(value, bool):
        raise refusals.wrong_type(table.entity_set, "Edm.Boolean")
    return value


def _integer(table: Table, column: Column, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise refusals.wrong_type(table.entity_set, "Edm.Int32")
    low = INT32_MIN if column.minimum is None else column.minimum
    if not low <= value <= (column.maximum or 0):
        raise refusals.out_of_range(table, column.name)
    return value


def _number(table: Table, column: Column, value: Any) -> float:
    """Decimal, Double and Money."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refusals.wrong_type(table.entity_set, column.edm)
    if not (column.minimum or 0) <= value <= (column.maximum or 0):
        raise refusals.out_of_range(table, column.name)
    return value


def _long(table: Table, _: Column, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise refusals.wrong_type(table.entity_set, "Edm.Int64")
    return value


def _choices(table: Table, column: Column, value: Any) -> str | None:
    """Several choices: their values with commas between them."""
    if not isinstance(value, str):
        raise refusals.wrong_type(table.entity_set, "Edm.String")
    parts = [part.strip() for part in value.split(",") if part.strip()]
    for part in parts:
        if not part.lstrip("-").isdigit():
            raise refusals.wrong_type(table.entity_set, "Edm.Int32")
        _choice(table, column, int(part))
    return ",".join(parts) or None


def _choice(table: Table, column: Column, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise refusals.wrong_type(table.entity_set, "Edm.Int32")
    if value not in column.options:
        options = ",".join(map(str, column.options))
        raise refusals.no_such_option(table, column.name, value, options)
    return value


def _date(table: Table, _: Column, value: Any) -> str:
    stored = moment(value) if isinstance(value, str) else None
    if stored is None:
        raise refusals.wrong_type(table.entity_set, "Edm.DateTimeOffset")
    return stored


def _guid(table: Table, _: Column, value: Any) -> str:
    if not isinstance(value, str) or not GUID.fullmatch(value):
        raise refusals.wrong_type(table.entity_set, "Edm.Guid")
    return value.lower()


_BY_TYPE: Final[dict[str, Callable[[Table, Column, Any], Any]]] = {
    "BigInt": _long,
    "Boolean": _boolean,
    "DateTime": _date,
    "Decimal": _number,
    "Double": _number,
    "EntityName": _text,
    "File": _guid,
    "Integer": _integer,
    "Memo": _text,
    "Money": _number,
    "MultiSelectPicklist": _choices,
    "Picklist": _choice,
    "State": _choice,
    "Status": _choice,
    "String": _text,
    "Uniqueidentifier": _guid,
}


def folded(value: Any) -> Any:
    """A value as comparisons see it: text ignores case."""
    return value.casefold() if isinstance(value, str) else value
