"""Conditions: which contacts a pipeline's or a step's ``when`` admits.

A condition is data; ``truth`` evaluates it (``pipelines.when`` reads it from a file). There are
three answers, for a name without a value may still get one: before the contact record has come,
nobody knows whether a contact is going to have an attribute. What is not known admits nobody yet.
"""

from __future__ import annotations

import re

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from pipelines.conversion import NUMBER
from pipelines.names import second
from pipelines.template import resolve
from pipelines.value import ABSENT
from pipelines.view import CONSTANTS, Names


#: A name, part by part: ``Queue.Name`` has two.
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Is:
    """The value is one of these texts (in lower case), or an ARN that ends in one.

    ``written`` is how the file writes them.
    """

    path: Path
    values: frozenset[str]
    written: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Present:
    """There is a value, and it is not empty."""

    path: Path


@dataclass(frozen=True, slots=True)
class Prefix:
    """The value begins with one of these texts (in lower case); ``written``: see ``Is``."""

    path: Path
    prefixes: tuple[str, ...]
    written: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Compared:
    """The value, a number or a timestamp, stands in this relation (see ``COMPARISONS``)."""

    path: Path
    word: str
    bound: Decimal | str


@dataclass(frozen=True, slots=True)
class Not:
    """The other condition does not hold."""

    one: Condition


@dataclass(frozen=True, slots=True)
class Every:
    """All of these hold; without any, always."""

    of: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of these holds."""

    of: tuple[Condition, ...]


Condition = Is | Present | Prefix | Compared | Not | Every | Either

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

#: The condition of a pipeline or step without ``when``.
ALWAYS = Every()

#: How a value may compare with a bound.
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "above": lambda value, bound: bool(value > bound),
    "at_least": lambda value, bound: bool(value >= bound),
    "below": lambda value, bound: bool(value < bound),
    "at_most": lambda value, bound: bool(value <= bound),
}

#: Names that a contact has from its beginning or never gets, in lower case: the first event tells.
FROM_THE_BEGINNING = frozenset(
    name.lower()
    for name in (
        *CONSTANTS,
        "Channel",
        "ContactId",
        "InitialContactId",
        "InitiationMethod",
        "InitiationTimestamp",
        "InstanceARN",
        "PreviousContactId",
        "RelatedContactId",
        "SegmentAttributes",
    )
)


def truth(when: Condition, values: Mapping[str, Any], *, settled: bool) -> bool | None:
    """Whether a contact fits a condition; None: that is not known yet.

    Args:
        when: The condition.
        values: The contact's names and values so far.
        settled: Names without a value will not get one any more.
    """
    names = values if isinstance(values, Names) else Names(values)
    match when:
        case Not(one):
            inner = truth(one, names, settled=settled)
            return None if inner is None else not inner
        case Every(of):
            return _first_of(False, of, names, settled=settled)
        case Either(of):
            return _first_of(True, of, names, settled=settled)
        case _:
            value = resolve(names, when.path)
            if value is ABSENT and not (settled or when.path[0].lower() in FROM_THE_BEGINNING):
                return None
            return value is not ABSENT and _fits(when, value)


def _first_of(
    decisive: bool,
    of: Iterable[Condition],
    names: Names,
    *,
    settled: bool,
) -> bool | None:
    """The decisive answer if one of these conditions has it; else None if one is not known yet."""
    known: bool | None = not decisive
    for one in of:
        found = truth(one, names, settled=settled)
        if found is decisive:
            return decisive
        known = None if found is None else known
    return known


def admits(when: Condition, values: Mapping[str, Any], *, settled: bool = False) -> bool:
    """Whether a contact is known to fit; see ``truth``."""
    return truth(when, values, settled=settled) is True


def may_admit(when: Condition, values: Mapping[str, Any]) -> bool:
    """Whether it fits by what is known so far, or may come to."""
    return truth(when, values, settled=False) is not False


def certain(when: Condition) -> Iterator[Is]:
    """What the value of a name must be, whatever else the condition asks."""
    match when:
        case Every(of):
            for one in of:
                yield from certain(one)
        case Is():
            yield when


def paths(when: Condition) -> Iterator[Path]:
    """The paths of the names that a condition reads."""
    match when:
        case Not(one):
            yield from paths(one)
        case Every(of) | Either(of):
            for one in of:
                yield from paths(one)
        case _:
            yield when.path


def names_in(when: Condition) -> set[str]:
    """The first parts of these, in lower case."""
    return {path[0].lower() for path in paths(when)}


def _fits(test: Is | Present | Prefix | Compared, value: Any) -> bool:
    if isinstance(test, Present):
        return value not in ("", [], {})
    if isinstance(value, dict | list):
        return False  # the others are about texts, numbers and truths
    text = str(value).strip().lower()
    match test:
        case Is(values=allowed):
            # An ARN's last part fits too: ids of instances and queues are what people have at hand.
            return text in allowed or text.rpartition("/")[2] in allowed
        case Prefix(prefixes=prefixes):
            return text.startswith(prefixes)
        case Compared(_, word, bound):
            comparable = bound_of(value)
            return type(comparable) is type(bound) and COMPARISONS[word](comparable, bound)


def bound_of(value: Any) -> Decimal | str | None:
    """A number, or a timestamp as a UTC second; None if it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, date):
        value = value.isoformat()
    if isinstance(value, str) and _DAY.fullmatch(value):
        value = f"{value}T00:00:00Z"
    if NUMBER.fullmatch(str(value).strip()):
        return Decimal(str(value).strip())
    return second(value) if isinstance(value, str) else None
