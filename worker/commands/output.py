"""Rows in the four forms of ``--output``: a table, JSON, a JSON object on each line, or CSV.

The fields of a row's dataclass are the fields in JSON and the columns in CSV; a table shows some of
them. Nothing that is stored reaches a terminal raw, in any form.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
import time

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from worker.terminal import shown, shown_lines


if TYPE_CHECKING:
    from worker.operations.listing import Listed

Form = Literal["table", "json", "ndjson", "csv"]

#: Between two columns of a table, and before what goes on a line of its own.
GAP = "  "
INDENT = "    "

#: A wide column with less room than that goes on lines of its own.
LEAST_WIDE = 30

#: What makes a formula of a cell (OWASP, "CSV Injection"); such a cell is text after an apostrophe.
FORMULA = ("=", "+", "-", "@")


def words(value: Any) -> str:
    """A value in a table."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def count(value: int) -> str:
    """A number with its thousands."""
    return f"{value:,}"


def age(moment: str) -> str:
    """How long ago a UTC time was, in its largest unit."""
    if not moment:
        return ""
    seconds = max(0, int(time.time() - datetime.fromisoformat(moment).timestamp()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit} ago"
    return f"{seconds}s ago"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        field: The row's field.
        heading: What stands above it.
        text: The field's value as text.
        right: Whether it is aligned at its right.
        wide: Whether it may be broken into lines; without much room it has lines of its own.
    """

    field: str
    heading: str = ""
    text: Callable[[Any], str] = words
    right: bool = False
    wide: bool = False

    @property
    def title(self) -> str:
        """The heading; by default the field's name."""
        return self.heading or self.field


def number(field: str, heading: str = "") -> Column:
    """A column of numbers."""
    return Column(field, heading, count, right=True)


def write(listed: Listed[Any], columns: Sequence[Column], form: Form, nothing: str) -> None:
    """Write a list to standard output, and what is to be known of it to standard error.

    Args:
        listed: Rows, all of one dataclass.
        columns: What a table shows of them.
        form: The form.
        nothing: What to say instead of an empty table.
    """
    rows = [asdict(row) for row in listed.rows]
    if form == "json":
        _print(json.dumps({"rows": rows, "more": listed.more, "note": listed.note}, **_PRETTY))
        return
    if form == "ndjson":
        for row in rows:
            _print(json.dumps(row, ensure_ascii=False))
    elif form == "csv":
        _write_csv(rows)
    elif rows:
        for line in table(rows, columns, width()):
            _print(line)
    else:
        _tell(nothing)
    if listed.note:
        _tell(listed.note)


_PRETTY: dict[str, Any] = {"ensure_ascii": False, "indent": 2}


def _print(text: str) -> None:
    sys.stdout.write(f"{shown_lines(text)}\n")


def _tell(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"{shown(text)}\n")


def _write_csv(rows: Sequence[dict[str, Any]]) -> None:
    """Rows under a line of names; without any row there are no names either."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for row in rows[:1]:
        writer.writerow(row)
    for row in rows:
        writer.writerow(map(_cell, row.values()))


def _cell(value: Any) -> str:
    """A value in CSV, which no spreadsheet takes for a formula."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    text = shown(words(value))
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text


def width() -> int | None:
    """The terminal's columns; None if the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(
    rows: Sequence[dict[str, Any]], columns: Sequence[Column], wide: int | None
) -> Iterator[str]:
    """A table in lines of at most ``wide`` cells; None: each row on one line, however long."""
    cells = [[shown(column.text(row[column.field])) for column in columns] for row in rows]
    titles = [column.title for column in columns]
    taken = [max(map(_cells, parts)) for parts in zip(titles, *cells, strict=True)]
    if wide is None or sum(taken) + len(GAP) * (len(taken) - 1) <= wide:
        yield from (_line(columns, taken, row) for row in [titles, *cells])
        return
    first = [n for n, column in enumerate(columns) if not column.wide]
    used = sum(taken[n] + len(GAP) for n in first) - len(GAP)
    if used > wide:
        yield from _stacked(titles, cells, wide)
        return
    below = sorted((n for n in range(len(columns)) if n not in first), key=taken.__getitem__)
    while below and used + len(GAP) + taken[below[0]] <= wide:
        used += len(GAP) + taken[below[0]]
        first.append(below.pop(0))
    room = wide - used - len(GAP)
    folding = below.pop() if len(below) == 1 and room >= LEAST_WIDE else None
    first = sorted([*first, *(() if folding is None else (folding,))])
    spaces = [room if n == folding else taken[n] for n in first]
    picked = [columns[n] for n in first]
    for at, row in enumerate([titles, *cells]):
        folded = [fold(row[n], spaces[k]) for k, n in enumerate(first)]
        for k in range(max(map(len, folded))):
            yield _line(picked, spaces, [part[k] if k < len(part) else "" for part in folded])
        for n in sorted(below) if at else ():
            yield from _indented(f"{titles[n]}: {row[n]}" if row[n] else "", wide)


def _line(columns: Sequence[Column], taken: Sequence[int], row: Sequence[str]) -> str:
    parts = []
    for column, space, text in zip(columns, taken, row, strict=True):
        gap = " " * (space - _cells(text))
        parts.append(gap + text if column.right else text + gap)
    return GAP.join(parts).rstrip()


def _stacked(titles: Sequence[str], cells: Sequence[Sequence[str]], wide: int) -> Iterator[str]:
    """For a terminal too narrow for columns: each value on a line of its own."""
    for row in cells:
        for n, (title, text) in enumerate(zip(titles, row, strict=True)):
            if n:
                yield from _indented(f"{title}: {text}" if text else "", wide)
            else:
                yield from fold(f"{title}: {text}", wide)


def _indented(text: str, wide: int) -> Iterator[str]:
    if text:
        yield from (INDENT + part for part in fold(text, wide - len(INDENT)))


def fold(text: str, wide: int) -> list[str]:
    """A text in lines of at most ``wide`` cells, broken between words where possible."""
    lines = [""]
    for word in text.split(" "):
        rest = word
        if _cells(lines[-1]) + _cells(rest) + 1 > wide and lines[-1]:
            lines.append("")
        while _cells(rest) > wide:
            part = _first(rest, wide)
            lines[-1] = part
            lines.append("")
            rest = rest[len(part) :]
        lines[-1] = f"{lines[-1]} {rest}" if lines[-1] else rest
    return lines


def _first(text: str, wide: int) -> str:
    """As much of a text as has room, one character at least."""
    end = 1
    while end < len(text) and _cells(text[: end + 1]) <= wide:
        end += 1
    return text[:end]


def _cells(text: str) -> int:
    """How many cells of a terminal a text takes: some characters take two, some none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
