"""FetchXML with ``aggregate='true'``: values of groups [DOC fetchxml/aggregate-data].

A group's null is not shown, and nothing is made of values that are all null, but for a count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.reading.aggregates import MOST_ROWS
from worker.sandbox.dataverse.reading.conditions import Combined, column_of
from worker.sandbox.dataverse.reading.fetchxml import TRUE, invalid
from worker.sandbox.dataverse.reading.tokens import DATES, NUMBERS


if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from worker.sandbox.dataverse.schema.columns import Table


_METHODS: Final[dict[str, Callable[[Sequence[Any]], Any]]] = {
    "avg": lambda values: sum(values) / len(values),
    "countcolumn": len,
    "max": max,
    "min": min,
    "sum": sum,
}
_NUMERIC: Final = frozenset({"avg", "sum"})

_PARTS: Final[dict[str, Callable[[datetime], int]]] = {
    "day": lambda moment: moment.day,
    "week": lambda moment: moment.isocalendar().week,
    "month": lambda moment: moment.month,
    "quarter": lambda moment: (moment.month + 2) // 3,
    "year": lambda moment: moment.year,
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """An attribute: its alias, and how its value comes from the rows of a group."""

    alias: str
    make: Callable[[Sequence[Combined]], Any]
    grouped: bool


def totals(
    links: Sequence[tuple[str, Table, Element]], found: Sequence[Combined]
) -> list[dict[str, Any]]:
    """One row for each group, in the order that the query says.

    Args:
        links: Alias, table and element of each table.
        found: The joined rows.

    Raises:
        Refusal: An attribute neither groups nor aggregates, or there are too many rows.
    """
    if len(found) > MOST_ROWS:
        message = "AggregateQueryRecordLimit exceeded. Cannot perform this operation."
        raise refusals.Refusal(400, "0x8004e023", message)
    attributes = [
        _attribute(alias, table, element)
        for alias, table, inside in links
        for element in inside.findall("attribute")
    ]
    if not attributes:
        raise invalid("An aggregate query needs attributes.")
    groups = [shown for shown in attributes if shown.grouped]
    members: dict[tuple[Any, ...], list[Combined]] = {} if groups else {(): []}
    for combined in found:
        members.setdefault(tuple(shown.make([combined]) for shown in groups), []).append(combined)
    rows = [{shown.alias: shown.make(group) for shown in attributes} for group in members.values()]
    for _, _, inside in reversed(links):
        for order in reversed(inside.findall("order")):
            rows.sort(key=_rank(order, rows), reverse=order.attrib.get("descending") in TRUE)
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _rank(order: Element, rows: Sequence[Mapping[str, Any]]) -> Callable[[Any], Any]:
    alias = order.attrib.get("alias", "")
    if rows and alias not in rows[0]:
        raise invalid("An order of an aggregate query names an alias.")
    return lambda row: (row[alias] is not None, 0 if row[alias] is None else row[alias])


def _attribute(alias: str, table: Table, element: Element) -> _Shown:
    column = column_of(table, element.attrib.get("name", ""))
    name, method = element.attrib.get("alias"), element.attrib.get("aggregate")
    if not name:
        raise invalid("An attribute of an aggregate query has an alias.")

    def values(group: Sequence[Combined]) -> list[Any]:
        rows = [row for combined in group if (row := combined[alias])]
        return [value for row in rows if (value := row.columns.get(column.json_name)) is not None]

    if element.attrib.get("groupby") in TRUE:
        part = element.attrib.get("dategrouping")
        if column.edm in DATES:
            if part not in _PARTS:
                raise invalid(f"The dategrouping '{part}' is not supported here.")
            take = _PARTS[part]
            return _Shown(
                name,
                lambda group: next(
                    (take(datetime.fromisoformat(value)) for value in values(group)), None
                ),
                grouped=True,
            )
        return _Shown(name, lambda group: next(iter(values(group)), None), grouped=True)
    if method == "count":
        return _Shown(
            name,
            lambda group: sum(combined[alias] is not None for combined in group),
            grouped=False,
        )
    make = _METHODS.get(method or "")
    if make is None or (method in _NUMERIC and column.edm not in NUMBERS):
        raise invalid(f"The aggregate '{method}' is not for '{column.name}'.")
    once = element.attrib.get("distinct") in TRUE

    def made(group: Sequence[Combined]) -> Any:
        given = list(dict.fromkeys(values(group))) if once else values(group)
        return make(given) if given or method == "countcolumn" else None

    return _Shown(name, made, grouped=False)
