"""Rows as JSON: chosen columns, expanded lookups and parties, annotations."""

from __future__ import annotations

import re
import uuid

from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.associations import other_side, related
from worker.sandbox.dataverse.odata import refusals


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.sandbox.dataverse.rows.records import Party, Row, Rows
    from worker.sandbox.dataverse.schema.columns import Column, Table


FORMATTED: Final = "OData.Community.Display.V1.FormattedValue"
LOGICAL: Final = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION: Final = "Microsoft.Dynamics.CRM.associatednavigationproperty"
ANNOTATIONS: Final = (FORMATTED, LOGICAL, NAVIGATION)

_PARTY_COLUMNS: Final = (
    "activitypartyid",
    "_activityid_value",
    "_partyid_value",
    "participationtypemask",
    "addressused",
    "unresolvedpartyname",
)
_PARTY_TYPE: Final = "Microsoft.Dynamics.CRM.activityparty"
_EXPANSION: Final = re.compile(r"\s*(\w+)(?:\(([^()]*)\))?\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class View:
    """How rows of a table are shown.

    Attributes:
        columns: What is chosen; None for all.
        expanded: Navigation properties with the columns chosen of each.
        annotations: Which of ``ANNOTATIONS`` are wanted.
    """

    columns: tuple[str, ...] | None = None
    expanded: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    annotations: frozenset[str] = frozenset()


def view(table: Table, options: Mapping[str, str], annotations: Sequence[str]) -> View:
    """Read ``$select``, ``$expand`` and the wish for annotations.

    Raises:
        Refusal: A column or navigation property that is not there.
    """
    wanted = frozenset(n for n in ANNOTATIONS if any(fnmatchcase(n, p) for p in annotations))
    columns = _select(table, options.get("$select"))
    return View(columns, _expand(table, options.get("$expand", "")), wanted)


def context(table: Table, shown: View) -> str:
    """What comes after ``$metadata#``."""
    chosen = f"({','.join(shown.columns)})" if shown.columns else ""
    return f"{table.entity_set}{chosen}"


class Presenter:
    """Shows rows.

    Args:
        records: Where expanded rows and the names of lookups are found.
    """

    def __init__(self, records: Rows) -> None:
        self._records = records

    def show(self, table: Table, record: Row, shown: View) -> dict[str, Any]:
        """A row as JSON, with its ETag."""
        row: dict[str, Any] = {"@odata.etag": record.etag}
        for name in shown.columns or table.by_property:
            row[name] = record.columns.get(name)
            if shown.annotations and row[name] is not None:
                self._annotate(table.by_property[name], record, row, shown.annotations)
        row[table.key] = record.id
        for nav, columns in shown.expanded.items():
            row[nav] = self._expanded(table, record, nav, columns, shown.annotations)
        return row

    def parties(
        self, record: Row, columns: Sequence[str] | None, annotations: frozenset[str]
    ) -> list[dict[str, Any]]:
        """The parties of an activity as JSON."""
        return [
            self._party(record, number, party, columns, annotations)
            for number, party in enumerate(record.parties)
        ]

    def _expanded(
        self,
        table: Table,
        record: Row,
        nav: str,
        columns: tuple[str, ...] | None,
        annotations: frozenset[str],
    ) -> Any:
        if nav == table.parties:
            return self.parties(record, columns, annotations)
        if join := table.schema.joins.get(nav):
            other, shown = other_side(join, table), View(columns, {}, annotations)
            rows = related(self._records, join, table, record)
            return [self.show(other, row, shown) for row in rows]
        name = table.navs[nav].json_name
        target = record.targets.get(name)
        if target is None or target not in table.navs[nav].navs[nav]:
            return None
        other = table.schema.by_logical[target]
        found = self._records.get(other, record.columns[name])
        return found and self.show(other, found, View(columns, {}, annotations))

    def _party(
        self,
        record: Row,
        number: int,
        party: Party,
        columns: Sequence[str] | None,
        annotations: frozenset[str],
    ) -> dict[str, Any]:
        own_id = str(uuid.uuid5(uuid.UUID(record.id), str(number)))
        values = {**party.columns, "activitypartyid": own_id, "_activityid_value": record.id}
        row = {name: values.get(name) for name in columns or _PARTY_COLUMNS}
        row["activitypartyid"] = own_id
        if party.target and LOGICAL in annotations:
            row[f"_partyid_value@{LOGICAL}"] = party.target
        if party.target and NAVIGATION in annotations:
            row[f"_partyid_value@{NAVIGATION}"] = f"partyid_{party.target}"
        return row

    def _annotate(
        self, column: Column, record: Row, row: dict[str, Any], annotations: frozenset[str]
    ) -> None:
        name = column.json_name
        target = record.targets.get(name, "")
        formatted = self._formatted(column, record.columns[name], target)
        if FORMATTED in annotations and formatted is not None:
            row[f"{name}@{FORMATTED}"] = formatted
        if target and LOGICAL in annotations:
            row[f"{name}@{LOGICAL}"] = target
        if target and NAVIGATION in annotations:
            row[f"{name}@{NAVIGATION}"] = column.nav(target)

    def _formatted(self, column: Column, value: Any, target: str) -> str | None:
        if column.options:
            return column.options[int(value)]
        if column.type == "Integer":
            return f"{value:,}"
        if column.type == "DateTime":
            return datetime.fromisoformat(value).strftime("%m/%d/%Y %I:%M %p")
        if target:
            other = self._records.schema.by_logical[target]
            found = self._records.get(other, value)
            return str(found.columns.get(other.title, "")) if found else None
        return None


def _select(table: Table, text: str | None) -> tuple[str, ...] | None:
    if not text:
        return None
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in table.by_property:
            raise refusals.no_property(table.type, name)
    return names


def _expand(table: Table, text: str) -> dict[str, tuple[str, ...] | None]:
    expanded: dict[str, tuple[str, ...] | None] = {}
    at = 0
    while at < len(text):
        match = _EXPANSION.match(text, at)
        if not match:
            raise refusals.bad_query("Syntax error in $expand; only $select may stand inside it.")
        nav, inner = match.groups()
        expanded[nav] = _select_inside(table, nav, inner or "")
        at = match.end()
    return expanded


def _select_inside(table: Table, nav: str, text: str) -> tuple[str, ...] | None:
    option, _, names = text.partition("=")
    if text and option.strip() != "$select":
        raise refusals.bad_query("Syntax error in $expand; only $select may stand inside it.")
    if table.activity and nav == table.parties:
        chosen = tuple(name.strip() for name in names.split(",")) if names else None
        for name in chosen or ():
            if name not in _PARTY_COLUMNS:
                raise refusals.no_property(_PARTY_TYPE, name)
        return chosen
    join = table.schema.joins.get(nav)
    if join and table.logical in join.joins:
        return _select(other_side(join, table), names)
    column = table.navs.get(nav)
    if column is None:
        raise refusals.no_property(table.type, nav)
    return _select(table.schema.by_logical[column.navs[nav][0]], names)
