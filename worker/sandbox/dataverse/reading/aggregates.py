"""``$apply``: ``filter(…)/groupby((a,b),aggregate(x with sum as y,$count as n))``.

Grouping goes by columns, behind single-valued navigation too, but not by moments; nothing is shown
of what is null [DOC webapi/query/aggregate-data].
"""

from __future__ import annotations

import re

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.nesting import opened, split
from worker.sandbox.dataverse.reading.filters import parse_filter
from worker.sandbox.dataverse.reading.scopes import Get, TableScope, behind
from worker.sandbox.dataverse.reading.tokens import DATES, NUMBERS
from worker.sandbox.dataverse.reading.views import FORMATTED
from worker.sandbox.dataverse.rows.navigation import navigation


if TYPE_CHECKING:
    from worker.sandbox.dataverse.reading.operators import Circumstances
    from worker.sandbox.dataverse.reading.presenter import Presenter
    from worker.sandbox.dataverse.rows.records import Row, Rows
    from worker.sandbox.dataverse.schema.columns import Column, Table


MOST_ROWS: Final = 50_000

_AGGREGATE: Final = re.compile(r"(?:(\$count)|([\w/]+)\s+with\s+(\w+))\s+as\s+(\w+)")

#: Of values that are not null.
METHODS: Final[dict[str, Callable[[Sequence[Any]], Any]]] = {
    "sum": sum,
    "min": min,
    "max": max,
    "average": lambda values: sum(values) / len(values),
    "countdistinct": lambda values: len(set(values)),
}
_NUMERIC: Final = frozenset({"sum", "average"})


@dataclass(frozen=True, slots=True)
class Group:
    """A column that rows are grouped by: its name in the answer, its column, its value."""

    name: str
    column: Column
    get: Get


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A value of a group: its name in the answer, and how it comes from the group's rows."""

    name: str
    make: Callable[[Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class Applying:
    """Carries ``$apply`` out.

    Attributes:
        records: The rows.
        table: Whose.
        circumstances: What query functions look at.
        presenter: Formats values.
        annotations: Annotations wanted.
    """

    records: Rows
    table: Table
    circumstances: Circumstances
    presenter: Presenter
    annotations: frozenset[str]

    def apply(
        self, text: str, rows: Sequence[Row], aliases: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """The rows of the answer.

        Raises:
            Refusal: It cannot be understood, or Dataverse does not do it.
        """
        *filters, last = split(text, "/")
        scope = TableScope(self.records, self.table)
        found = list(rows)
        for part in filters:
            name, inside = opened(part)
            if name != "filter" or inside is None:
                raise unsupported(part)
            wanted = parse_filter(scope, inside, aliases, self.circumstances)
            found = [row for row in found if wanted(row)]
        name, inside = opened(last)
        if name == "aggregate" and inside is not None:
            return self.answer((), self._aggregates(inside), found)
        if name == "groupby" and inside is not None:
            groups, aggregates = self._groupby(inside)
            return self.answer(groups, aggregates, found)
        raise unsupported(last)

    def answer(
        self, groups: Sequence[Group], aggregates: Sequence[Aggregate], rows: Sequence[Row]
    ) -> list[dict[str, Any]]:
        """One row for each group, in the order in which they first occur.

        Raises:
            Refusal: There are more rows than Dataverse aggregates.
        """
        if len(rows) > MOST_ROWS:
            message = "AggregateQueryRecordLimit exceeded. Cannot perform this operation."
            raise refusals.Refusal(400, "0x8004e023", message)
        found: dict[tuple[Any, ...], list[Row]] = {} if groups else {(): []}
        for row in rows:
            found.setdefault(tuple(group.get(row) for group in groups), []).append(row)
        return [
            {
                **self._grouped(groups, key),
                **self._aggregated(aggregates, members),
            }
            for key, members in found.items()
        ]

    def _grouped(self, groups: Sequence[Group], key: Sequence[Any]) -> dict[str, Any]:
        row = {}
        for group, value in zip(groups, key, strict=True):
            if value is None:
                continue
            formatted = self.presenter.formatted(group.column, value)
            if FORMATTED in self.annotations and formatted is not None:
                row[f"{group.name}@{FORMATTED}"] = formatted
            row[group.name] = value
        return row

    def _aggregated(
        self, aggregates: Sequence[Aggregate], members: Sequence[Row]
    ) -> dict[str, Any]:
        row = {}
        for aggregate in aggregates:
            value = aggregate.make(members)
            if value is None:
                continue
            if FORMATTED in self.annotations and isinstance(value, int | float):
                row[f"{aggregate.name}@{FORMATTED}"] = f"{value:,}"
            row[aggregate.name] = value
        return row

    def _groupby(self, text: str) -> tuple[list[Group], list[Aggregate]]:
        columns, *rest = split(text, ",")
        name, inside = opened(columns)
        if name or not inside or len(rest) > 1:
            raise unsupported(f"groupby({text})")
        aggregates = []
        if rest:
            method, body = opened(rest[0])
            if method != "aggregate" or body is None:
                raise unsupported(rest[0])
            aggregates = self._aggregates(body)
        return [self._group(path) for path in split(inside, ",")], aggregates

    def _group(self, path: str) -> Group:
        nav, slash, name = path.rpartition("/")
        found = navigation(self.table, nav) if slash else None
        if slash and (found is None or not found.single):
            raise refusals.no_property(self.table.type, nav)
        table = found.target if found else self.table
        column = table.by_property.get(name)
        if column is None:
            raise refusals.no_property(table.type, name)
        if column.edm in DATES:
            raise refusals.bad_query("Group by on a date and time is not supported.")
        shown = f"{table.logical}_{name}" if found else name
        return Group(shown, column, self._get(path))

    def _get(self, path: str) -> Get:
        scope = TableScope(self.records, self.table)
        nav, slash, name = path.rpartition("/")
        step = scope.step(nav) if slash else None
        operand = (step.scope if step else scope).operand(name)
        if operand is None or (slash and (step is None or not step.single)):
            raise refusals.no_property(self.table.type, path)
        return (behind(step, operand) if step else operand).get

    def _aggregates(self, text: str) -> list[Aggregate]:
        return [self._aggregate(part) for part in split(text, ",")]

    def _aggregate(self, text: str) -> Aggregate:
        match = _AGGREGATE.fullmatch(text)
        if match is None:
            raise unsupported(f"aggregate({text})")
        counted, name, method, alias = match.groups()
        if counted:
            return Aggregate(alias, len)
        return self.aggregate(alias, name, method)

    def aggregate(self, alias: str, name: str, method: str) -> Aggregate:
        """A value made by one of ``METHODS`` from a column.

        Raises:
            Refusal: There is no such column or method, or the one is not for the other.
        """
        make = METHODS.get(method)
        if make is None:
            raise unsupported(f"{name} with {method}")
        get, column = self._get(name), self.table.by_property.get(name)
        if method in _NUMERIC and (column is None or column.edm not in NUMBERS):
            raise refusals.bad_query(f"The method '{method}' is not for the column '{name}'.")

        def made(members: Sequence[Any]) -> Any:
            values = [value for value in map(get, members) if value is not None]
            return make(values) if values or method == "countdistinct" else None

        return Aggregate(alias, made)


def unsupported(text: str) -> refusals.Refusal:
    """A transformation that Dataverse does not have, or that cannot be read."""
    return refusals.bad_query(f"The transformation '{text}' of $apply is not supported.")
