"""Conditions: which contacts a pipeline's or a step's ``when`` admits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.template import resolve
from pipelines.value import ABSENT
from pipelines.view import Names


#: Name -> allowed values, in lower case.
When = Mapping[str, frozenset[str]]


def path_of(name: str) -> tuple[str, ...]:
    """A condition's name as a path of names: ``Queue.Name`` is two."""
    return tuple(name.split("."))


def admits(when: When, values: Mapping[str, Any]) -> bool:
    """Whether a contact fits every condition."""
    return all(_allowed(value, when[name]) for name, value in _found(when, values))


def may_admit(when: When, values: Mapping[str, Any]) -> bool:
    """Whether it fits every condition whose name has a value so far."""
    return all(v is ABSENT or _allowed(v, when[name]) for name, v in _found(when, values))


def _found(when: When, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    names = values if isinstance(values, Names) else Names(values)
    return [(name, resolve(names, path_of(name))) for name in when]


def _allowed(value: Any, allowed: frozenset[str]) -> bool:
    if isinstance(value, dict | list):
        return False  # a condition names texts, numbers and truths
    text = str(value).lower()
    # The last part of an ARN fits too: instance and queue ids are what people have at hand.
    return value is not ABSENT and bool(allowed & {text, text.rpartition("/")[2]})
