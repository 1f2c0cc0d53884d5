"""Rows as pages need them: values as people read them, notes, activities, search."""

from __future__ import annotations

import re

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.browser.dynamics import forms
from worker.sandbox.dataverse.reading.presenter import Presenter
from worker.sandbox.dataverse.reading.views import FORMATTED, View
from worker.sandbox.dataverse.schema.tables import ANNOTATION


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from worker.sandbox.dataverse.rows.records import Row, Rows
    from worker.sandbox.dataverse.schema.columns import Table


HITS: Final = 50  # a search page's, and a list's

_DIGITS: Final = re.compile(r"\D")
_MINIMUM_DIGITS: Final = 5  # fewer are part of any number

_FORMATTED: Final = View(annotations=frozenset({FORMATTED}))


@dataclass(frozen=True, slots=True)
class Reference:
    """A row that a page names.

    Attributes:
        table: Its logical name.
        id: Its primary key.
        name: Its primary name, or what stands for it.
    """

    table: str
    id: str
    name: str


class Reading:
    """Reads rows for pages.

    Args:
        records: The rows.
    """

    def __init__(self, records: Rows) -> None:
        self._records = records
        self._presenter = Presenter(records)

    @property
    def tables(self) -> Mapping[str, Table]:
        """Every table by logical name."""
        return self._records.schema.by_logical

    def find(self, logical: str, row_id: str) -> tuple[Table, Row] | None:
        """The row, or None: no such table or row."""
        table = self.tables.get(logical)
        row = self._records.get(table, row_id) if table else None
        return (table, row) if table and row else None

    def values(self, table: Table, row: Row) -> list[tuple[str, str, str | Reference]]:
        """Column, label and value of what a page shows and the row holds."""
        shown = self._presenter.show(table, row, _FORMATTED)
        labels = forms.COLUMNS.get(table.logical, {table.title: "Name"})
        return [
            (name, label, self._value(table, row, name, shown))
            for name, label in labels.items()
            if shown.get(name) is not None
        ]

    def name(self, table: Table, row: Row) -> str:
        """What a page calls a row."""
        one, _ = forms.NAMES.get(table.logical, (table.logical, ""))
        return str(row.columns.get(table.title) or f"{one} without a name")

    def state(self, table: Table, row: Row) -> str:
        """The label of its statecode; "" for a table without states."""
        state = table.states.get(row.columns.get("statecode", -1))
        return state.label if state else ""

    def parties(self, row: Row) -> list[tuple[str, str | Reference]]:
        """Roles and who takes part, of an activity."""
        found: list[tuple[str, str | Reference]] = []
        for party in row.parties:
            role = forms.ROLES.get(party.columns["participationtypemask"], "Other")
            who = self._reference(party.target, str(party.columns.get("_partyid_value", "")))
            given = party.columns.get("unresolvedpartyname") or party.columns.get("addressused")
            found.append((role, who or str(given or "Unknown")))
        return found

    def notes(self, row: Row) -> list[Row]:
        """The notes about a row, newest first."""
        notes = self._records.all(ANNOTATION)
        about = [note for note in notes if note.columns.get("_objectid_value") == row.id]
        return sorted(about, key=lambda note: note.version, reverse=True)

    def activities(self, row: Row) -> list[tuple[Table, Row]]:
        """The activities regarding a row or with it as a party, newest first."""
        found = [
            (table, activity)
            for table in self.tables.values()
            if table.activity
            for activity in self._records.all(table)
            if activity.columns.get("_regardingobjectid_value") == row.id
            or any(party.columns.get("_partyid_value") == row.id for party in activity.parties)
        ]
        return sorted(found, key=_when, reverse=True)[:HITS]

    def newest(self, table: Table) -> list[tuple[Table, Row]]:
        """A table's rows, newest first."""
        rows = sorted(self._records.all(table), key=lambda row: row.version, reverse=True)
        return [(table, row) for row in rows[:HITS]]

    def search(self, text: str) -> list[tuple[Table, Row]]:
        """Contacts, accounts and leads with the text in a name, number or mail address.

        Digits are compared without what people write between them, and a number without its
        country matches one that has it, and the other way round.
        """
        wanted, digits = text.strip().lower(), _national(text)
        if not wanted:
            return []
        hits = [
            (self.tables[logical], row)
            for logical, columns in forms.SEARCHED.items()
            if logical in self.tables
            for row in self._records.all(self.tables[logical])
            if _hit(row, columns, wanted, digits)
        ]
        return hits[:HITS]

    def _value(self, table: Table, row: Row, name: str, shown: dict[str, Any]) -> str | Reference:
        target = row.targets.get(name)
        if target:
            return self._reference(target, shown[name]) or str(shown[name])
        if table.by_property[name].type == "DateTime":
            return moment(shown[name])
        return str(shown.get(f"{name}@{FORMATTED}", shown[name]))

    def _reference(self, target: str, row_id: str) -> Reference | None:
        found = self.find(target, row_id)
        return Reference(target, row_id, self.name(*found)) if found else None


def moment(text: str) -> str:
    """A column's moment as a page writes it, in UTC."""
    try:
        at = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    return at.strftime("%d %b %Y, %H:%M:%S")


def _when(item: tuple[Table, Row]) -> tuple[str, int]:
    _, row = item
    columns = row.columns
    return str(columns.get("actualstart") or columns.get("createdon") or ""), row.version


def _hit(row: Row, columns: Iterable[str], wanted: str, digits: str) -> bool:
    values = [str(row.columns[name]) for name in columns if name in row.columns]
    if any(wanted in value.lower() for value in values):
        return True
    if len(digits) < _MINIMUM_DIGITS:
        return False
    numbers = (_national(value) for value in values)
    return any(_same(number, digits) for number in numbers)


def _same(one: str, other: str) -> bool:
    if min(len(one), len(other)) < _MINIMUM_DIGITS:
        return False
    return one.endswith(other) or other.endswith(one)


def _national(text: str) -> str:
    """The digits of a number without the zeros before a country's or an area's code."""
    letters = any(character.isalpha() for character in text)
    return "" if letters or "@" in text else _DIGITS.sub("", text).lstrip("0")
