"""Rows for a sandbox to begin with, from a file.

JSON is ``[[entity set, {column: value, …}], …]``. CSV has a column of the table for each of its own
and may have one named ``set``, without which all are contacts; empty cells are left out.
"""

from __future__ import annotations

import csv
import json
import uuid

from typing import TYPE_CHECKING, Any, Final

from worker.errors import ConfigError
from worker.sandbox.dataverse.odata.refusals import Refusal
from worker.sandbox.dataverse.schema.entries import instead


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worker.sandbox.dataverse.organisation import Organisation
    from worker.sandbox.dataverse.schema.columns import Column, Table


_NAMESPACE: Final = uuid.UUID("7c0a7f0e-6a51-4d0e-9d0f-3b1c2a5e4f60")
_PEOPLE: Final = "contacts"
_NUMBERS: Final = frozenset({"Integer", "Picklist", "State", "Status", "BigInt"})
_DECIMALS: Final = frozenset({"Decimal", "Double", "Money"})
_WORDS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

#: Where a row stands in the file, its entity set, and its columns.
Given = tuple[str, str, Any]


def seed(organisation: Organisation, path: Path, user: str) -> int:
    """Put the rows of a file into an organisation; how many they are.

    Rows may refer to rows further down. A row without an id gets one that follows from it, so that
    the same file makes no second row when it is read again.

    Args:
        organisation: Where.
        path: The file, JSON or CSV.
        user: The systemuserid they are made by.

    Raises:
        ConfigError: The file cannot be read, or has wrong rows; each is named. None is kept.
    """
    rows = list(_csv(path) if path.suffix.lower() == ".csv" else _json(path))
    mistakes: list[str] = []
    with organisation.records.transaction():
        waiting = rows
        while waiting:
            wrong = [
                (row, reason)
                for row in waiting
                if (reason := _put(organisation, row, user)) is not None
            ]
            if len(wrong) == len(waiting):
                mistakes = [f"{path}, {row[0]}: {reason}" for row, reason in wrong]
                break
            waiting = [row for row, _ in wrong]
        if mistakes:
            raise ConfigError("\n".join(mistakes))
    return len(rows)


def _put(organisation: Organisation, given: Given, user: str) -> str | None:
    """Put one row in; why it cannot be, or None."""
    _, entity_set, values = given
    table = organisation.records.schema.tables.get(entity_set)
    if table is None:
        return f"there is no table {entity_set!r}; {instead(entity_set, _sets(organisation))}"
    if not isinstance(values, dict):
        return "its columns are no object; write {…}"
    try:
        body = {name: _typed(table, name, value) for name, value in values.items()}
        text = json.dumps([entity_set, values], sort_keys=True)
        key = str(body.get(table.key) or uuid.uuid5(_NAMESPACE, text)).lower()
        rest = {name: value for name, value in body.items() if name != table.key}
        with organisation.records.transaction():
            organisation.writer.upsert(table, key, rest, user)
    except Refusal as refusal:
        return refusal.message
    return None


def _sets(organisation: Organisation) -> list[str]:
    return list(organisation.records.schema.tables)


def _json(path: Path) -> Iterator[Given]:
    try:
        rows = json.loads(_text(path))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(f"{path}, {where}: this is no JSON: {error.msg}") from None
    if not isinstance(rows, list):
        raise ConfigError(f'{path} is no list; write [["contacts", {{"lastname": "…"}}], …]')
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) != 2 or not isinstance(row[0], str):  # noqa: PLR2004
            example = '["contacts", {"lastname": "…"}]'
            raise ConfigError(f"{path}, row {number}: write the table and its columns: {example}")
        yield f"row {number} ({row[0]})", row[0], row[1]


def _csv(path: Path) -> Iterator[Given]:
    reader = csv.DictReader(_text(path).splitlines(), restkey="")
    for number, row in enumerate(reader, 2):
        if "" in row or None in row.values():
            raise ConfigError(f"{path}, line {number}: it has not as many cells as the first line")
        cells = {name: Cell(text) for name, text in row.items() if text}
        entity_set = str(cells.pop("set", _PEOPLE))
        yield f"line {number} ({entity_set})", entity_set, cells


class Cell(str):
    """A cell: a text that stands for a value of its column's type."""

    __slots__ = ()


def _typed(table: Table, name: str, value: Any) -> Any:
    """A cell as a value of its column; all else as it is."""
    column = table.by_property.get(name)
    if not isinstance(value, Cell) or column is None:
        return str(value) if isinstance(value, Cell) else value
    return _value(column, value)


def _value(column: Column, text: str) -> Any:
    if column.type == "Boolean":
        return _WORDS.get(text.lower(), text)
    if column.type in _NUMBERS and text.lstrip("-").isdigit():
        return int(text)
    if column.type in _DECIMALS:
        try:
            return float(text)
        except ValueError:
            return str(text)
    return str(text)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a file of rows") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text in UTF-8; save it as UTF-8") from None
