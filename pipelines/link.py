"""Links: columns that point to another record.

A link is written under the name of a navigation property, ``<name>@odata.bind``, as the address of
a record. A lookup that leads to one of several tables has a navigation property to each, and yet is
*one* column: whichever of its names was written last is what it holds.
"""

from __future__ import annotations

import re

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pipelines.entity import ENTITIES
from pipelines.odata import GUID


#: Ending of a column that links to another record.
LINK: Final = "@odata.bind"

#: Lookups that lead to one of several tables (Web API entity reference: activity pointer,
#: annotation, queue item, contact, incident, opportunity, activity party, connection, mail).
_TO_ONE_OF: Final = frozenset(
    [
        "acceptingentityid",
        "customerid",
        "emailsender",
        "objectid",
        "ownerid",
        "parentcustomerid",
        "partyid",
        "record1id",
        "record2id",
        "regardingobjectid",
    ]
)

_BRACED: Final = re.compile(r"\{(" + GUID.pattern + r")\}", re.ASCII)

_LOOKUP: Final = "@Microsoft.Dynamics.CRM."


def lookup_of(column: str) -> str:
    """What is the same for all names of one lookup; "" of a column that is no link."""
    name = column.removesuffix(LINK)
    if name == column:
        return ""
    stem = name.partition("_")[0]
    return stem if stem in _TO_ONE_OF else name


def is_bare_link(column: str) -> bool:
    """Whether it is a name of a lookup without what makes it a link."""
    return column.partition("_")[0] in _TO_ONE_OF and not column.endswith(LINK)


def rivals(column: str, columns: Iterable[str]) -> list[str]:
    """Those of the columns that are other names of the same lookup."""
    lookup = lookup_of(column)
    return [c for c in columns if c != column and lookup_of(c) == lookup] if lookup else []


def one_each(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns with one name of each lookup: the last that has a value, if one has."""
    kept: dict[str, Any] = {}
    for column, value in columns.items():
        others = rivals(column, kept)
        if value is not None or not others:
            kept = {c: v for c, v in kept.items() if c not in others} | {column: value}
    return kept


def emptied(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns as a request has them: a link is emptied by its own name, never by a null bind.

    Organisations were seen to refuse a null bind, to fail on it and to ignore it.
    """
    return {
        column.removesuffix(LINK) if value is None else column: value
        for column, value in columns.items()
    }


def unbraced(text: str) -> str:
    """Text whose GUIDs in braces, as .NET and the record's page write them, stand without."""
    return _BRACED.sub(lambda found: found[1].lower(), text) if "{" in text else text


# --- what a record that was read says of a link ---


def linked(row: Mapping[str, Any], column: str) -> tuple[str | None, str]:
    """Whom a link of a record leads to, and the name under which it does.

    Args:
        row: The record, read with annotations.
        column: Any name of the lookup.

    Returns:
        The primary key, None if it leads nowhere; and the column, ``column`` if that is not told.
    """
    lookup = lookup_of(column)
    place = f"_{lookup}_value" if lookup in _TO_ONE_OF else _place(row, column)
    value = row.get(place)
    if not isinstance(value, str):
        return None, column
    told = row.get(f"{place}{_LOOKUP}associatednavigationproperty")
    return value, f"{told}{LINK}" if told else column


def address(row: Mapping[str, Any], column: str) -> str:
    """The address that a link of a record leads to, as we write it; "" if it is not told."""
    value, name = linked(row, column)
    lookup = lookup_of(column)
    place = f"_{lookup}_value" if lookup in _TO_ONE_OF else _place(row, name)
    logical = row.get(f"{place}{_LOOKUP}lookuplogicalname")
    if value is None or not logical:
        return ""
    found = (table.set for table in ENTITIES.values() if table.logical == logical)
    return f"/{next(found, f'{logical}s')}({value})"


def _place(row: Mapping[str, Any], column: str) -> str:
    """Where a record that was read has a link that has one name only."""
    name, told = column.removesuffix(LINK), f"{_LOOKUP}associatednavigationproperty"
    values = (key for key in row if key.startswith("_") and key.endswith("_value"))
    return next((key for key in values if row.get(key + told) == name), "")
