"""Values: what templates give, as JSON that requests, ledger and Dataverse can hold.

One rule, applied to every template's result: text is kept without what XML cannot hold; numbers are
kept that are finite and, if whole, fit into 64 bits (Dataverse's widest, ``Edm.Int64``);
objects and lists are kept with what of them can be held. Anything else is ``ABSENT``, as if there
were no value: no request is worth a number that Dataverse would refuse.
"""

from __future__ import annotations

import json
import math

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from liquid import Undefined

from pipelines.text import sound


class Nothing:
    """A value that is not there; ``ABSENT`` and ``HELD`` are the two there are."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    def __bool__(self) -> bool:
        return False


#: A placeholder alone that has no value: the column is left out.
ABSENT: Final = Nothing("ABSENT")

#: Text with a name that has no value yet: the column waits.
HELD: Final = Nothing("HELD")

#: Most levels of a structure; orjson writes 254, and a request has some of its own around it.
MOST_LEVELS = 100

#: The whole numbers there are.
WHOLE = range(-(2**63), 2**63)


def plain(value: Any, levels: int = MOST_LEVELS) -> Any:
    """The value as JSON that can be held, or ABSENT.

    Args:
        value: Whatever a template, a filter or a constant has come to.
        levels: How many levels of objects and lists it may have.
    """
    kind = type(value)  # isinstance would touch a strict Undefined, which raises
    if issubclass(kind, str):
        return sound(value)
    if value is None or issubclass(kind, Undefined):
        return ABSENT
    if issubclass(kind, bool):
        return value
    if issubclass(kind, int | float | Decimal):
        return _number(value)
    if issubclass(kind, Mapping | list | tuple):
        return _structure(value, levels - 1) if levels else ABSENT
    return ABSENT


def _number(value: float | Decimal) -> Any:
    if isinstance(value, Decimal):
        value = float(value) if value.is_finite() else math.nan
    if isinstance(value, int):
        return int(value) if value in WHOLE else ABSENT
    return value if math.isfinite(value) else ABSENT


def _structure(value: Any, levels: int) -> Any:
    def member(inner: Any) -> Any:
        return None if inner is None else plain(inner, levels)

    if isinstance(value, Mapping):
        named = ((sound(str(name)), member(inner)) for name, inner in value.items())
        return {name: inner for name, inner in named if inner is not ABSENT}
    return [inner for inner in map(member, value) if inner is not ABSENT]


def as_text(value: Any) -> str:
    """A JSON value inside text: booleans as JSON has them."""
    bare = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value) if bare else json.dumps(value, ensure_ascii=False)
