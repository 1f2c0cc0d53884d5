"""Texts with parentheses and quotes in them, taken apart."""

from __future__ import annotations

import re

from typing import Final

from worker.sandbox.dataverse.odata import refusals


_QUOTED: Final = re.compile(r"'(?:[^']|'')*'")
_OPENING: Final = {"(": ")", "[": "]"}


def split(text: str, separator: str) -> list[str]:
    """The parts between separators that stand outside parentheses, brackets and quotes; trimmed.

    Raises:
        Refusal: Parentheses or quotes are not in pairs.
    """
    parts, depth, quoted, start = list[str](), list[str](), False, 0
    for at, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character in _OPENING:
            depth.append(_OPENING[character])
        elif character in _OPENING.values():
            if not depth or depth.pop() != character:
                raise unbalanced(text)
        elif character == separator and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
    if quoted or depth:
        raise unbalanced(text)
    return [*parts, text[start:].strip()]


def opened(text: str) -> tuple[str, str | None]:
    """``name(inside)`` as name and inside; without parentheses as the text and None."""
    name, parenthesis, rest = text.partition("(")
    if not parenthesis:
        return text.strip(), None
    if not rest.endswith(")"):
        raise unbalanced(text)
    return name.strip(), rest[:-1]


def unquoted(text: str) -> str:
    """The text without what stands in quotes."""
    return _QUOTED.sub("", text)


def unbalanced(text: str) -> refusals.Refusal:
    """Parentheses or quotes that are not in pairs."""
    return refusals.bad_query(f"Found an unbalanced bracket expression in '{text}'.")
