"""Dataverse's own operators: query functions of ``$filter``, conditions of FetchXML.

``Microsoft.Dynamics.CRM.LastXHours`` and ``last-x-hours`` are one operator here, under the name of
the function [DOC webapi/reference/queryfunctions, fetchxml/reference/operators]. Days begin at
midnight UTC, weeks on Sunday. Where a span of "last x" days, weeks, months or years begins is not
documented: here at midnight, that long ago; it ends now. Fiscal periods, hierarchies and business
units are not here.
"""

from __future__ import annotations

import calendar
import re

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.reading.tokens import DATES, NUMBERS
from worker.sandbox.dataverse.rows.values import GUID, folded, moment


#: Tells whether a value, None for null, is wanted.
Wanted = Callable[[Any], bool]

#: From when (inclusive) to when (exclusive); None: without end.
Span = tuple[datetime | None, datetime | None]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an operator looks at beside the value: the time, and who asks."""

    now: datetime
    user: str


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator.

    Attributes:
        values: How many values it takes: 0, 1, or -1 for a list.
        edms: OData types it is for; None for all.
        build: Makes the test.
        typed: Whether ``build`` takes values of the column's type rather than texts.
    """

    values: int
    edms: frozenset[str] | None
    build: Callable[[Circumstances, Sequence[Any]], Wanted]
    typed: bool = False


def wanted(
    name: str, edm: str, values: Sequence[str], circumstances: Circumstances
) -> Wanted | None:
    """The test an operator makes of a column's value; None if there is no such operator here.

    Args:
        name: Of the query function, without its namespace.
        edm: OData type of the column.
        values: As they were written.
        circumstances: The time, and who asks.

    Raises:
        Refusal: It is not for such a column, or does not take these values.
    """
    operator = OPERATORS.get(name)
    if operator is None:
        return None
    if operator.edms is not None and edm not in operator.edms:
        raise refusals.bad_query(
            f"The operator '{name}' is not valid for a column of type '{edm}'."
        )
    if operator.values >= 0 and len(values) != operator.values:
        raise refusals.bad_query(f"The operator '{name}' takes {operator.values} values.")
    read = [typed_value(edm, value) if operator.typed else value for value in values]
    return operator.build(circumstances, read)


def typed_value(edm: str, text: str) -> Any:
    """A text as a value of a column's type, folded.

    Raises:
        Refusal: It is none.
    """
    found: Any = None
    if edm in NUMBERS and re.fullmatch(r"-?\d{1,30}(\.\d{1,30})?", text):
        found = float(text) if "." in text else int(text)
    elif edm in DATES:
        found = _moment(text)
    elif edm == "Edm.Boolean" and text.lower() in _FLAGS:
        found = _FLAGS[text.lower()]
    elif edm == "Edm.Guid" and GUID.fullmatch(text.strip("{}")):
        found = text.strip("{}").lower()
    elif edm == "Edm.String":
        found = text
    if found is None:
        raise refusals.bad_query(
            f"Cannot convert the literal '{text}' to the expected type '{edm}'."
        )
    return folded(found)


_FLAGS: Final = {"1": True, "true": True, "0": False, "false": False}


def _moment(text: str) -> str | None:
    return moment(text if "T" in text else f"{text}T00:00:00Z")


@lru_cache(maxsize=256)
def like(pattern: str) -> re.Pattern[str]:
    """A LIKE pattern as a regular expression: ``%`` any text, ``_`` a character, ``[…]`` one of."""
    parts = []
    for piece in re.findall(r"\[[^\]]+\]|.", pattern, re.DOTALL):
        if piece == "%":
            parts.append(".*")
        elif piece == "_":
            parts.append(".")
        elif len(piece) > 1:
            parts.append("[" + piece[1:-1].replace("\\", "\\\\").replace("[", "\\[") + "]")
        else:
            parts.append(re.escape(piece))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def matches(pattern: str) -> Wanted:
    """Whether a text is like a pattern; null never is."""
    found = like(pattern)
    return lambda value: value is not None and found.fullmatch(value) is not None


def negated(test: Wanted) -> Wanted:
    """The opposite, which null fulfils too."""
    return lambda value: not test(value)


def compared(compare: Callable[[Any, Any], bool], other: Any, *, null: bool = False) -> Wanted:
    """A comparison with a folded value; ``null``: whether null fulfils it."""
    if isinstance(other, str):  # the common case, and lookups ask it of every row
        return lambda value: null if value is None else compare(value.casefold(), other)
    return lambda value: null if value is None else compare(value, other)


def _in(_: Circumstances, values: Sequence[Any]) -> Wanted:
    found = frozenset(values)
    return lambda value: folded(value) in found


def _between(_: Circumstances, values: Sequence[Any]) -> Wanted:
    if len(values) != 2:  # noqa: PLR2004 - from, to
        raise refusals.bad_query("Between takes two values.")
    low, high = values
    return lambda value: value is not None and low <= folded(value) <= high


def _contains(_: Circumstances, values: Sequence[Any]) -> Wanted:
    found = frozenset(str(value) for value in values)
    return lambda value: value is not None and not found.isdisjoint(str(value).split(","))


def _user(circumstances: Circumstances, _: Sequence[Any]) -> Wanted:
    return lambda value: value == circumstances.user


def _not(
    build: Callable[[Circumstances, Sequence[Any]], Wanted],
) -> Callable[[Circumstances, Sequence[Any]], Wanted]:
    return lambda circumstances, values: negated(build(circumstances, values))


def _within(span: Span) -> Wanted:
    start, end = (f"{when:%Y-%m-%dT%H:%M:%SZ}" if when else "" for when in span)
    return lambda value: value is not None and start <= value and (not end or value < end)


def _midnight(when: datetime) -> datetime:
    return when.replace(hour=0, minute=0, second=0, microsecond=0)


def _shifted(when: datetime, unit: str, count: int) -> datetime:
    """The moment so many units later; the last day of a month where that has fewer."""
    if unit in _LENGTHS:
        return when + _LENGTHS[unit] * count
    months = when.year * 12 + when.month - 1 + count * (12 if unit == "Year" else 1)
    year, month = divmod(months, 12)
    day = min(when.day, calendar.monthrange(year, month + 1)[1])
    return when.replace(year=year, month=month + 1, day=day)


_LENGTHS: Final = {
    "Minute": timedelta(minutes=1),
    "Hour": timedelta(hours=1),
    "Day": timedelta(days=1),
    "Week": timedelta(days=7),
}


def _start(now: datetime, unit: str) -> datetime:
    """When the day, week, month or year of a moment began."""
    day = _midnight(now)
    if unit == "Week":
        return day - timedelta(days=(day.weekday() + 1) % 7)
    if unit == "Month":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if unit == "Year" else day


def _calendar(unit: str, offset: int) -> Operator:
    def build(circumstances: Circumstances, _: Sequence[Any]) -> Wanted:
        start = _shifted(_start(circumstances.now, unit), unit, offset)
        return _within((start, _shifted(start, unit, 1)))

    return Operator(0, DATES, build)


def _counted(make: Callable[[datetime, int], Span]) -> Operator:
    def build(circumstances: Circumstances, values: Sequence[Any]) -> Wanted:
        text = str(values[0])
        if not re.fullmatch(r"[1-9]\d{0,8}", text):
            raise refusals.bad_query(f"'{text}' is no number of periods.")
        try:
            return _within(make(circumstances.now, int(text)))
        except (OverflowError, ValueError):  # beyond the years 1 and 9999
            raise refusals.bad_query(f"'{text}' is no number of periods.") from None

    return Operator(1, DATES, build)


def _last(unit: str) -> Operator:
    def span(now: datetime, count: int) -> Span:
        from_ = now if unit == "Hour" else _midnight(now)
        return _shifted(from_, unit, -count), now + timedelta(seconds=1)

    return _counted(span)


def _next(unit: str) -> Operator:
    def span(now: datetime, count: int) -> Span:
        if unit == "Hour":
            return now, _shifted(now, unit, count) + timedelta(seconds=1)
        return now, _shifted(_midnight(now), unit, count) + timedelta(days=1)

    return _counted(span)


def _older(unit: str) -> Operator:
    def span(now: datetime, count: int) -> Span:
        return None, _shifted(now if unit in {"Minute", "Hour"} else _midnight(now), unit, -count)

    return _counted(span)


def _week(days: int) -> Operator:
    """The last seven days, or the next."""
    make = _last("Day") if days < 0 else _next("Day")
    return Operator(0, DATES, lambda circumstances, _: make.build(circumstances, ["7"]))


def _on(*, before: bool, after: bool) -> Operator:
    def build(_: Circumstances, values: Sequence[Any]) -> Wanted:
        text = _moment(str(values[0]))
        if text is None:
            raise refusals.bad_query(f"'{values[0]}' is no date.")
        day = _midnight(datetime.fromisoformat(text).astimezone(UTC))
        return _within((None if before else day, None if after else day + timedelta(days=1)))

    return Operator(1, DATES, build)


_TEXTS: Final = frozenset({"Edm.String"})
_IDS: Final = frozenset({"Edm.Guid"})

#: By the name of the query function.
OPERATORS: Final[dict[str, Operator]] = {
    "In": Operator(-1, None, _in, typed=True),
    "NotIn": Operator(-1, None, _not(_in), typed=True),
    "Between": Operator(-1, None, _between, typed=True),
    "NotBetween": Operator(-1, None, _not(_between), typed=True),
    "ContainValues": Operator(-1, _TEXTS, _contains),
    "DoesNotContainValues": Operator(-1, _TEXTS, _not(_contains)),
    "EqualUserId": Operator(0, _IDS, _user),
    "NotEqualUserId": Operator(0, _IDS, _not(_user)),
    "Today": _calendar("Day", 0),
    "Yesterday": _calendar("Day", -1),
    "Tomorrow": _calendar("Day", 1),
    "Last7Days": _week(-7),
    "Next7Days": _week(7),
    "On": _on(before=False, after=False),
    "OnOrAfter": _on(before=False, after=True),
    "OnOrBefore": _on(before=True, after=False),
    **{
        f"{which}{unit}": _calendar(unit, offset)
        for unit in ("Week", "Month", "Year")
        for which, offset in (("Last", -1), ("This", 0), ("Next", 1))
    },
    **{f"LastX{unit}s": _last(unit) for unit in ("Hour", "Day", "Week", "Month", "Year")},
    **{f"NextX{unit}s": _next(unit) for unit in ("Hour", "Day", "Week", "Month", "Year")},
    **{
        f"OlderThanX{unit}s": _older(unit)
        for unit in ("Minute", "Hour", "Day", "Week", "Month", "Year")
    },
}
