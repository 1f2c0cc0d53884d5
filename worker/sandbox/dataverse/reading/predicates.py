"""Tests of items, and tests made of tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from worker.sandbox.dataverse.reading.operators import Wanted
from worker.sandbox.dataverse.reading.scopes import Operand
from worker.sandbox.dataverse.rows.values import folded


#: Tells whether an item is wanted.
Test = Callable[[Any], bool]


def any_of(tests: Sequence[Test]) -> Test:
    """Whether one of them holds."""
    return tests[0] if len(tests) == 1 else lambda item: any(test(item) for test in tests)


def all_of(tests: Sequence[Test]) -> Test:
    """Whether all of them hold."""
    return tests[0] if len(tests) == 1 else lambda item: all(test(item) for test in tests)


def opposite(test: Test) -> Test:
    """Whether it does not hold."""
    return lambda item: not test(item)


def tested(operand: Operand, wanted: Wanted) -> Test:
    """Whether the value of a column is wanted."""
    get = operand.get
    return lambda item: wanted(get(item))


def columns(
    left: Operand, right: Operand, compare: Callable[[Any, Any], bool], *, null: bool
) -> Test:
    """A comparison of two columns; ``null``: whether it holds if one of them is null."""

    def test(item: Any) -> bool:
        one, other = folded(left.get(item)), folded(right.get(item))
        return null if one is None or other is None else compare(one, other)

    return test


def present(value: Any) -> bool:
    """Not null."""
    return value is not None


def absent(value: Any) -> bool:
    """Null."""
    return value is None
