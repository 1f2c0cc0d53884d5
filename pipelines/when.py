"""``when``: how conditions are written in a pipeline.

A table of names and what is said of each; TOML takes a name apart at its dots.
"""

from __future__ import annotations

import re

from typing import Any

from pipelines.condition import (
    COMPARISONS,
    Compared,
    Condition,
    Either,
    Every,
    Is,
    Not,
    Path,
    Prefix,
    Present,
    bound_of,
)
from pipelines.names import FREE, MEMBERS, PLAIN
from pipelines.step import RESPONSE
from pipelines.view import CONSTANTS, DERIVED


class ConditionError(ValueError):
    """A table that is no condition; the message says why and what to write."""


#: What may be said of a name beside its values.
OPERATORS = ("not", "missing", "present", "prefix", *COMPARISONS)

#: What joins whole conditions.
GROUPS = ("any", "all", "not")

_PART = re.compile(r"""(?:^|\.)([^.\[\]'"]+)|\[(?:'([^']*)'|"([^"]*)")\]""")


def path_of(name: str) -> Path:
    """A name as a path: ``Queue.Name`` is two parts, and so is ``Attributes['my.key']``.

    Raises:
        ConditionError: It is no name.
    """
    found, end = [], 0
    for match in _PART.finditer(name):
        if match.start() != end:
            break
        found.append(next(part for part in match.groups() if part is not None))
        end = match.end()
    if not found or end != len(name):
        raise ConditionError(f"{name!r} is no name: write Queue.Name, or Attributes['my.key']")
    return _joined(tuple(found))


def _joined(path: Path) -> Path:
    """Attributes and tags are texts: dots belong to their names."""
    return (path[0], ".".join(path[1:])) if path[0].lower() in _TEXTS_IN and path[1:] else path


def parse(table: Any) -> Condition:
    """The condition in a ``when``.

    Raises:
        ConditionError: It is none.
    """
    if not isinstance(table, dict):
        raise ConditionError('a table is needed: { Channel = ["VOICE"] }')
    return _every([_entry((), key, value) for key, value in table.items()])


def _every(found: list[Condition]) -> Condition:
    return found[0] if len(found) == 1 else Every(tuple(found))


def _entry(above: Path, key: str, value: Any) -> Condition:
    """One line of a table: a group, or what is said of a name."""
    if not above and key in GROUPS:
        return _group(key, value)
    path = _joined((*above, *path_of(key)))
    if not isinstance(value, dict):
        return _is(path, value)
    if not value:
        raise ConditionError(f"{_name(path)}: one value, or a list of values")
    found: list[Condition] = []
    for word, given in value.items():
        if word in OPERATORS:
            found.append(_operator(path, word, given))
        elif _ends(path) or (_like_operator(word) and not _is_free(path)):
            raise ConditionError(
                f"{_name(path)}: there is no operator {word!r}; there are {', '.join(OPERATORS)}"
            )
        else:
            found.append(_entry(path, word, given))
    return _every(found)


def _group(word: str, value: Any) -> Condition:
    if word == "not":
        return Not(parse(value))
    if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
        raise ConditionError(
            f'{word} is a list of conditions: {word} = [{{ Channel = "VOICE" }}, {{ … }}]'
        )
    of = tuple(parse(one) for one in value)
    return Either(of) if word == "any" else Every(of)


def _operator(path: Path, word: str, given: Any) -> Condition:
    if word in ("missing", "present"):
        if not isinstance(given, bool):
            raise ConditionError(f"{_name(path)}: {word} is true or false")
        return Present(path) if given is (word == "present") else Not(Present(path))
    if _is_free(path):
        raise ConditionError(
            f"{_name(path)} has no value of its own: name a member; if it is called {word!r}, "
            f"write \"{_name(path)}['{word}']\""
        )
    if word == "not":
        if isinstance(given, dict):
            return Not(_named(path, given))
        return Not(_is(path, given))
    if word == "prefix":
        written = _texts(path, given)
        return Prefix(path, tuple(sorted({text.lower() for text in written})), written)
    bound = bound_of(given)
    if bound is None:
        raise ConditionError(f"{_name(path)}: {word} needs a number or a timestamp")
    return Compared(path, word, bound)


def _named(path: Path, given: dict[str, Any]) -> Condition:
    """Operators of a name inside ``not``."""
    unknown = [word for word in given if word not in OPERATORS]
    if unknown or not given:
        raise ConditionError(
            f"{_name(path)}: there is no operator {next(iter(unknown), '')!r}; "
            f"there are {', '.join(OPERATORS)}"
        )
    return _every([_operator(path, word, one) for word, one in given.items()])


def _is(path: Path, value: Any) -> Is:
    written = _texts(path, value)
    return Is(path, frozenset(text.lower() for text in written), written)


def _texts(path: Path, value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str | int) for one in values):
        raise ConditionError(f"{_name(path)}: one value, or a list of values")
    return tuple(str(one).lower() if isinstance(one, bool) else str(one).strip() for one in values)


def _name(path: Path) -> str:
    return ".".join(path)


def _is_free(path: Path) -> bool:
    """Whether it is a structure whose members others name, which stands for no value."""
    return len(path) == 1 and path[0].lower() in _FREE


def _like_operator(word: str) -> bool:
    """Whether it is written like an operator; Amazon's names begin with a capital."""
    return word.lower() in (*OPERATORS, *GROUPS) or re.fullmatch(r"[a-z_]+", word) is not None


_FREE = {name.lower() for name in FREE}
_SINGLE = {name.lower() for name in PLAIN | DERIVED | CONSTANTS}
_TEXTS_IN = {"attributes", "tags"}
_MEMBERS = {name.lower() for name in MEMBERS}

#: Members of these that have members of their own.
_DEEP = {"hierarchygroups", "routingprofile", "deviceinfo", "capabilities", "statetransitions"}


def _ends(path: Path) -> bool:
    """Whether nothing can stand below it: what does is a misspelt operator."""
    first = path[0].lower()
    if first in _SINGLE:
        return True
    if len(path) == 1:
        return False
    if first in _MEMBERS:
        return path[1].lower() not in _DEEP
    return first in _TEXTS_IN or first.endswith(RESPONSE.lower())
