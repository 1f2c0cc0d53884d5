"""Filters of FetchXML and their conditions [DOC fetchxml/filter-rows, fetchxml/reference]."""

from __future__ import annotations

import operator

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.reading import operators
from worker.sandbox.dataverse.reading.fetchxml import invalid
from worker.sandbox.dataverse.reading.operators import Circumstances, Wanted, typed_value
from worker.sandbox.dataverse.rows.records import Row
from worker.sandbox.dataverse.rows.values import folded
from worker.sandbox.dataverse.schema.columns import Column, Table


if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


#: A row of a join: the row of each table by alias, None where an outer join found none.
Combined = Mapping[str, Row | None]

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "neq": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_LIKE: Final = {"like": "{}", "begins-with": "{}%", "ends-with": "%{}"}
_NOT_LIKE: Final = {"not-like": "{}", "not-begin-with": "{}%", "not-end-with": "%{}"}

#: Names of ``operators`` that do not follow from those of FetchXML.
_NAMES: Final = {
    "eq-userid": "EqualUserId",
    "ne-userid": "NotEqualUserId",
    "not-contain-values": "DoesNotContainValues",
    "last-seven-days": "Last7Days",
    "next-seven-days": "Next7Days",
}


@dataclass(frozen=True, slots=True)
class Conditions:
    """Reads filters.

    Attributes:
        tables: Those that conditions may be about, by alias.
        circumstances: What operators look at.
        alias: Of the table that conditions are about which name none.
    """

    tables: Mapping[str, Table]
    circumstances: Circumstances
    alias: str

    def all_of(self, element: Element) -> Callable[[Combined], bool]:
        """A test of all filters of an entity or link-entity.

        Raises:
            Refusal: A column or operator that is not there, a value that does not fit.
        """
        tests = [self._filter(child) for child in element.findall("filter")]
        return lambda combined: all(test(combined) for test in tests)

    def _filter(self, element: Element) -> Callable[[Combined], bool]:
        tests = [
            self._filter(child) if child.tag == "filter" else self._condition(child)
            for child in element
        ]
        every = any if element.attrib.get("type", "and") == "or" else all
        return lambda combined: not tests or every(test(combined) for test in tests)

    def _condition(self, element: Element) -> Callable[[Combined], bool]:
        alias = element.attrib.get("entityname", self.alias)
        table = self.tables.get(alias)
        if table is None:
            raise invalid(f"There is no link-entity '{alias}'.")
        name = column_of(table, element.attrib.get("attribute", "")).json_name
        if "valueof" in element.attrib:
            return self._columns(element, alias, table, name)
        wanted = self._wanted(element, table.by_property[name].edm)

        def test(combined: Combined) -> bool:
            row = combined[alias]
            return wanted(row.columns.get(name) if row else None)

        return test

    def _columns(
        self, element: Element, alias: str, table: Table, name: str
    ) -> Callable[[Combined], bool]:
        """A comparison with another column of the same row."""
        compare = _COMPARE.get(element.attrib.get("operator", ""))
        if compare is None:
            raise _no_operator(element.attrib.get("operator", ""))
        other = column_of(table, element.attrib["valueof"]).json_name

        def test(combined: Combined) -> bool:
            columns = row.columns if (row := combined[alias]) else {}
            one, two = folded(columns.get(name)), folded(columns.get(other))
            return one is not None and two is not None and compare(one, two)

        return test

    def _wanted(self, element: Element, edm: str) -> Wanted:
        name, values = element.attrib.get("operator", ""), _values(element)
        if name in {"null", "not-null"}:
            return (lambda value: value is None) if name == "null" else _present
        if compare := _COMPARE.get(name):
            other = typed_value(edm, _one(name, values))
            return operators.compared(compare, other, null=name in {"ne", "neq"})
        if name in _LIKE:
            return operators.matches(_LIKE[name].format(_one(name, values)))
        if name in _NOT_LIKE:
            pattern = _NOT_LIKE[name].format(_one(name, values))
            return operators.negated(operators.matches(pattern))
        wanted = operators.wanted(_function(name), edm, values, self.circumstances)
        if wanted is None:
            raise _no_operator(name)
        return wanted


def column_of(table: Table, name: str) -> Column:
    """The column of that logical name.

    Raises:
        Refusal: QueryBuilderNoAttribute: there is none.
    """
    column = next((column for column in table.columns if column.name == name), None)
    if column is None:
        raise refusals.no_attribute(table.logical, name)
    return column


def _present(value: Any) -> bool:
    return value is not None


def _values(element: Element) -> list[str]:
    if "value" in element.attrib:
        return [element.attrib["value"]]
    return [child.text or "" for child in element.findall("value")]


def _one(name: str, values: list[str]) -> str:
    if len(values) != 1:
        raise invalid(f"The operator '{name}' takes one value.")
    return values[0]


def _function(name: str) -> str:
    """``last-x-hours`` as ``LastXHours``."""
    words = name.replace("olderthan", "older-than").split("-")
    return _NAMES.get(name) or "".join(word.capitalize() for word in words)


def _no_operator(name: str) -> refusals.Refusal:
    return invalid(f"The operator '{name}' is not supported.")
