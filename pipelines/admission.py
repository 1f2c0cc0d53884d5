"""Admission: why a condition does not admit a contact, in words.

They name values of the contact, so they are for an operator's screen, never for a log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from pipelines.condition import (
    Compared,
    Condition,
    Either,
    Every,
    Is,
    Not,
    Path,
    Prefix,
    Present,
    paths,
    truth,
)
from pipelines.template import resolve
from pipelines.value import ABSENT
from pipelines.view import Names


#: Between demands all of which must be met, and between those of which one is enough.
_AND = "; "
_OR = ", or "


def why_not_admitted(when: Condition, values: Mapping[str, Any], *, settled: bool) -> str:
    """Why a contact does not fit: ``takes Channel CHAT, this is VOICE``.

    Args:
        when: The condition.
        values: The contact's names and values so far.
        settled: Names without a value will not get one any more.

    Returns:
        "" if it fits, or may still come to.
    """
    names = values if isinstance(values, Names) else Names(values)
    reasons = partial(_reasons, names=names, settled=settled)
    match _inward(when):
        case Every(of):
            return _AND.join(reasons(of))
        case one if truth(one, names, settled=settled) is not False:
            return ""
        case Either(of):
            return _OR.join(reasons(of)) or "takes no contact at all"
        case Not(one):
            return f"takes {_said(one, 'other than ', 'no ', 'not ')}, {_what_came(one, names)}"
        case one:
            return f"takes {_said(one)}, {_what_came(one, names)}"


def _reasons(of: Iterable[Condition], names: Names, *, settled: bool) -> list[str]:
    """Why it does not fit each of these that it does not fit."""
    found = (why_not_admitted(one, names, settled=settled) for one in of)
    return [*dict.fromkeys(filter(None, found))]


def _inward(when: Condition) -> Condition:
    """The same with ``not`` said of single tests alone."""
    match when:
        case Not(Every(of)):
            return Either(tuple(map(Not, of)))
        case Not(Either(of)):
            return Every(tuple(map(Not, of)))
        case Not(Not(one)):
            return _inward(one)
    return when


def names_awaited(when: Condition, values: Mapping[str, Any]) -> list[str]:
    """The names without a value on which it depends whether a contact fits; none if that is known.

    Args:
        when: The condition.
        values: The contact's names and values so far.
    """
    names = values if isinstance(values, Names) else Names(values)
    if truth(when, names, settled=False) is not None:
        return []
    missing = (path for path in paths(when) if resolve(names, path) is ABSENT)
    return list(dict.fromkeys(map(_name, missing)))


def _said(test: Condition, other_than: str = "", no: str = "", not_: str = "") -> str:
    """What a single test asks; with the words that turn it into its opposite."""
    match test:
        case Is(path, _, written):
            return f"{_name(path)} {other_than}{' or '.join(written)}"
        case Prefix(path, _, written):
            return f"{_name(path)} {other_than}{' or '.join(f'{text}…' for text in written)}"
        case Present(path):
            return f"what has {no}{_name(path)}"
        case Compared(path, word, bound):
            return f"{_name(path)} {not_}{_WORDS[word]} {bound}"
    raise TypeError(f"{type(test).__name__} is no single test")


#: Comparisons in words.
_WORDS = {"above": "above", "at_least": "of at least", "below": "below", "at_most": "of at most"}


def _what_came(test: Condition, names: Names) -> str:
    (path,) = paths(test)
    value = resolve(names, path)
    if value in (ABSENT, ""):
        return "this has none"
    if isinstance(value, bool):
        return f"this is {str(value).lower()}"  # as files write it
    return f"this is {'a structure' if isinstance(value, dict | list) else value}"


def _name(path: Path) -> str:
    return ".".join(path)
