"""Queries of Prometheus, as far as it takes to see whether they name what there is.

It is no parser of PromQL (``promtool`` is, where it is installed); it finds the series with their
labels, the functions and the brackets.
"""

from __future__ import annotations

import re

from dataclasses import dataclass

from worker.telemetry.metrics import PREFIX


#: Labels that Prometheus adds when it scrapes.
ADDED = frozenset(("job", "instance"))

FUNCTIONS = frozenset(
    ("abs", "absent", "histogram_quantile", "increase", "max", "min", "rate", "sum", "time")
) | {"topk", "vector"}
KEYWORDS = frozenset(("and", "by", "on", "or", "unless", "without"))

#: What a counter's series are called; they are of use as a rate or an increase only.
COUNTERS = ("_total", "_bucket", "_sum", "_count")

_TEXT = re.compile(r'"[^"]*"')
_SERIES = re.compile(rf"({PREFIX}\w+)(\{{[^}}]*\}})?(\[\d+[smhd]\])?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_GROUPS = re.compile(r"\b(?:by|on|without)\s*\(([^)]*)\)")
_CALL = re.compile(r"\b([a-z_]+)\s*\(")


@dataclass(frozen=True, slots=True)
class Series:
    """A series that a query selects.

    Attributes:
        name: Its name.
        matchers: Label -> the value or pattern it is to have.
        ranged: Whether it is taken over a time.
    """

    name: str
    matchers: dict[str, str]
    ranged: bool


def series_in(query: str) -> list[Series]:
    """All series that a query selects."""
    return [
        Series(found[1], dict(_MATCHER.findall(found[2] or "")), bool(found[3]))
        for found in _SERIES.finditer(query)
    ]


def groups_in(query: str) -> set[str]:
    """The labels by which a query groups."""
    return {label.strip() for found in _GROUPS.findall(query) for label in found.split(",")}


def mistakes_in(query: str, known: dict[str, set[str]], outcomes: dict[str, set[str]]) -> list[str]:
    """What is wrong with a query; nothing if all is right.

    Args:
        query: The query.
        known: The name of every series there is, with its labels.
        outcomes: The same, with the values of its label ``outcome``.
    """
    found = series_in(query)
    bare = _TEXT.sub("", query)
    calls = set(_CALL.findall(bare)) - KEYWORDS
    mistakes = [f"no function {name}" for name in sorted(calls - FUNCTIONS)]
    mistakes += [] if found else ["no series"]
    mistakes += [] if _balanced(bare) else ["brackets do not match"]
    labels: set[str] = set(ADDED)
    for one in found:
        if one.name not in known:
            mistakes.append(f"no series {one.name}")
            continue
        labels |= known[one.name]
        mistakes += [
            f"{one.name} has no label {label}"
            for label in sorted(one.matchers.keys() - known[one.name] - ADDED)
        ]
        mistakes += [
            f"{one.name} has no outcome {value}"
            for value in one.matchers.get("outcome", "").split("|")
            if value and value not in outcomes[one.name]
        ]
        if one.ranged != one.name.endswith(COUNTERS):
            mistakes.append(f"{one.name} is to be taken over a time if it is a counter, only then")
    return mistakes + [f"no label {label}" for label in sorted(groups_in(bare) - labels)]


def _balanced(text: str) -> bool:
    opened = []
    for character in text:
        if character in "([{":
            opened.append(character)
        elif character in ")]}" and (not opened or opened.pop() + character not in "()[]{}"):
            return False
    return not opened
