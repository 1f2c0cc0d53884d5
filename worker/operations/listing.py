"""What a list says beside its rows, and names that are near to one that there is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Generic, TypeVar

from worker.errors import ConfigError


T = TypeVar("T")

#: How many near names a message gives.
FEW = 3


class UnknownNameError(ConfigError):
    """Something was named that is not there; the message says what is near."""


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """Rows of a list: dataclasses, whose fields are what programs read.

    Attributes:
        rows: The rows, in order.
        more: Whether there are more than these.
        note: What is to be known of the list, such as how to go on; "": nothing.
    """

    rows: list[T] = field(default_factory=list)
    more: bool = False
    note: str = ""


def cut(rows: list[T], limit: int) -> Listed[T]:
    """The first rows; 0: all of them."""
    if not limit or len(rows) <= limit:
        return Listed(rows)
    return Listed(rows[:limit], more=True, note=f"{limit:,} of {len(rows):,}; --limit 0 for all")


def iso(at: float | None) -> str:
    """A time (s since 1970) as programs read it, UTC to the second; "" without one."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unknown(what: str, given: Iterable[str], known: Iterable[str]) -> UnknownNameError:
    """The error about names that there are not, with those that are near.

    Args:
        what: What is the matter, such as ``nothing is parked of contact``.
        given: The names.
        known: Those that there are.
    """
    names = sorted({*known})
    lines = []
    for name in sorted(given):
        near = _near(name, names)
        lines.append(f"{what} {name}" + (f"; near: {', '.join(near)}" if near else ""))
    return UnknownNameError("\n".join(lines))


def _near(name: str, known: list[str]) -> list[str]:
    """Names spelt almost so, and those that begin or end so."""
    folded = name.lower()
    alike = [k for k in known if folded and (k.lower().startswith(folded) or folded in k.lower())]
    return [*dict.fromkeys([*alike, *get_close_matches(name, known, FEW)])][:FEW]
