"""Whether a series of looks stays flat: its slope by least squares, against a bound."""

from __future__ import annotations

import csv

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Final, TextIO


#: The column of times (s since the run began).
TIME: Final = "time_s"

HOUR_S: Final = 3600.0

Row = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Trend:
    """How a column changed.

    Attributes:
        name: The column.
        first: The median of the first tenth of its values.
        last: The median of the last tenth.
        greatest: The greatest value.
        per_hour: The slope.
        error: Its standard error.
        bound: Up to which slope it is flat.
    """

    name: str
    first: float
    last: float
    greatest: float
    per_hour: float
    error: float
    bound: float

    @property
    def flat(self) -> bool:
        """Whether it grows no faster than the bound."""
        return self.per_hour <= self.bound


class Table:
    """Rows in a CSV file, written at once: an interrupted run keeps what it has.

    Args:
        file: Where to.
        columns: The columns; a value that a row lacks stays empty.
    """

    def __init__(self, file: TextIO, columns: Sequence[str]) -> None:
        self._file = file
        self._writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        self._writer.writeheader()

    def add(self, row: Row) -> None:
        """Write one row."""
        self._writer.writerow({name: f"{value:.10g}" for name, value in row.items()})
        self._file.flush()


def read(path: Path) -> list[dict[str, float]]:
    """The rows of a CSV file; what is empty is left out."""
    with path.open(encoding="ascii", newline="") as file:
        return [
            {name: float(value) for name, value in row.items() if value}
            for row in csv.DictReader(file)
        ]


def trend(rows: Sequence[Row], name: str, bound: float) -> Trend:
    """The trend of a column that has three values or more."""
    points = [(row[TIME] / HOUR_S, row[name]) for row in rows if name in row]
    slope, error = _fit(points)
    values = [value for _, value in points]
    tenth = max(1, len(values) // 10)
    first, last = _median(values[:tenth]), _median(values[-tenth:])
    return Trend(name, first, last, max(values), slope, error, bound)


def per_step(rows: Sequence[Row], name: str, by: str, parts: int) -> list[float]:
    """How much a column grew for each one that another grew, in equal parts of the rows.

    A part in which the other did not grow is left out.
    """
    marks = [rows[round(n * (len(rows) - 1) / parts)] for n in range(parts + 1)]
    return [
        (after[name] - before[name]) / (after[by] - before[by])
        for before, after in pairwise(marks)
        if after[by] > before[by]
    ]


def _fit(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Slope and its standard error, by least squares."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    return slope, sqrt(rest / max(1, count - 2) / spread)


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
