"""Rows as JSON: chosen columns, expanded rows, annotations."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.reading.paging import cookie_query
from worker.sandbox.dataverse.reading.views import FORMATTED, LOGICAL, NAVIGATION, Expansion, View
from worker.sandbox.dataverse.rows.navigation import follower


if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.sandbox.dataverse.rows.navigation import Item
    from worker.sandbox.dataverse.rows.records import Row, Rows
    from worker.sandbox.dataverse.schema.columns import Column, Table


_MOST: Final = 5000


class Presenter:
    """Shows rows of one answer: what it expands, it reads once.

    Args:
        records: Where expanded rows and the names of lookups are found.
    """

    def __init__(self, records: Rows) -> None:
        self._records = records
        self._followers: dict[tuple[str, str], Callable[[Row], list[Item]]] = {}

    def show(self, table: Table, record: Row, shown: View) -> dict[str, Any]:
        """A row as JSON, with its ETag."""
        row: dict[str, Any] = {"@odata.etag": record.etag}
        for name in table.by_property if shown.columns is None else shown.columns:
            row[name] = record.columns.get(name)
            if shown.annotations and row[name] is not None:
                self.annotate(table.by_property[name], record, row, shown.annotations)
        row[table.key] = record.id
        for expansion in shown.expanded:
            self._expand(table, record, expansion, shown, row)
        return row

    def annotate(
        self, column: Column, record: Row, row: dict[str, Any], annotations: frozenset[str]
    ) -> None:
        """Put what is wanted about a column's value beside it."""
        name = column.json_name
        target = record.targets.get(name, "")
        formatted = self.formatted(column, record.columns[name], target)
        if FORMATTED in annotations and formatted is not None:
            row[f"{name}@{FORMATTED}"] = formatted
        if target and LOGICAL in annotations:
            row[f"{name}@{LOGICAL}"] = target
        if target and NAVIGATION in annotations:
            row[f"{name}@{NAVIGATION}"] = column.nav(target)

    def formatted(self, column: Column, value: Any, target: str = "") -> str | None:
        """A value as people read it; None for what is its own text."""
        if column.type == "MultiSelectPicklist":
            return "; ".join(column.options[int(choice)] for choice in value.split(","))
        if column.options:
            return _labels(column, value)
        if column.type == "Integer":
            return f"{value:,}"
        if column.type == "DateTime":
            return datetime.fromisoformat(value).strftime("%m/%d/%Y %I:%M %p")
        return self._records.title(target, value) if target else None

    def _expand(
        self, table: Table, record: Row, expansion: Expansion, shown: View, row: dict[str, Any]
    ) -> None:
        nav = expansion.navigation
        follow = self._followers.get((table.logical, nav.name))
        if follow is None:
            follow = follower(self._records, table, nav)
            self._followers[table.logical, nav.name] = follow
        found = follow(record)
        if expansion.wanted:
            found = [(other, item) for other, item in found if expansion.wanted(item)]
        if nav.single:
            row[nav.name] = self._one(found, expansion, shown)
            return
        rows = [item for _, item in found]
        rows = expansion.order(rows) if expansion.order else rows
        end = min(shown.page_size or _MOST, _MOST if expansion.top is None else expansion.top)
        listed = rows[:end]
        row[nav.name] = [self.show(nav.target, item, expansion.view) for item in listed]
        link = f"{shown.root}{table.entity_set}({record.id})/{nav.name}"
        if shown.page_size is None:
            row[f"{nav.name}@odata.nextLink"] = f"{link}?{expansion.query}".rstrip("?")
        elif len(listed) == shown.page_size:
            query = cookie_query(nav.target, listed, 2)
            row[f"{nav.name}@odata.nextLink"] = "?".join(
                (link, "&".join(filter(None, (expansion.query, query))))
            )

    def _one(
        self, found: list[tuple[Table, Row]], expansion: Expansion, shown: View
    ) -> dict[str, Any] | None:
        if not found:
            return None
        table, row = found[0]
        if expansion.reference:
            return {"@odata.id": f"{shown.root}{table.entity_set}({row.id})"}
        return self.show(table, row, expansion.view)


def _labels(column: Column, value: Any) -> str:
    """The label of a choice, or of several: they are kept as ``1,3``."""
    values = str(int(value) if isinstance(value, bool) else value).split(",")
    return "; ".join(column.options.get(int(one), one) for one in values)
