"""Addresses: the row that a link of a body leads to, as the pipeline's text has it."""

from __future__ import annotations

import re

from dataclasses import dataclass
from typing import Any, Final

from pipelines.template import Query, Template


_ADDRESS: Final = re.compile(
    r"\s*/?(?:(?:https?://[^/]+/)?api/data/[^/]+/)?(\w+)\(((?:[^()']|'[^']*')*)\)\s*"
)
PLACEHOLDER: Final = re.compile(r"\{\{(?:(?!\}\}).)*\}\}", re.DOTALL)
#: The setting that is an owner's address.
_OWNER: Final = re.compile(r"/?\{\{-?\s*owner\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """The row that a link leads to.

    Attributes:
        named: Its entity set, as the pipeline has it; "" if a placeholder is the whole address.
        key: What stands in parentheses, with its placeholders.
    """

    named: str
    key: str = ""


def address_in(value: Any) -> Address | None:
    """The row that a link's value is the address of; None if it can never be one."""
    source = source_of(value)
    # A placeholder may hold anything within, and gives one value of a key, or an owner.
    plain = PLACEHOLDER.sub(lambda found: "0" * len(found[0]), source)
    if match := _ADDRESS.fullmatch(plain):
        named, key = (source[slice(*match.span(part))] for part in (1, 2))
        return None if "{{" in named else Address(named, key)
    bare = source.strip()
    whole = PLACEHOLDER.fullmatch(bare.removeprefix("/"))
    return Address("") if whole and (bare.startswith("/") or _OWNER.match(bare)) else None


def named_in(value: Any) -> str:
    """The entity set that a link's value seems to name."""
    found = re.search(r"(\w+)\(", source_of(value))
    return found[1] if found else ""


def source_of(value: Any) -> str:
    """The text that a value of compiled data was made of; "" if it is no text."""
    if isinstance(value, Query | Template):
        return value.source
    return value if isinstance(value, str) else ""
