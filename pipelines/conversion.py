"""Conversion: texts as the truths and numbers that columns want.

Contact attributes are texts, whatever they mean. What does not clearly mean a value of the type
has none: nothing is guessed.
"""

from __future__ import annotations

import re

from typing import Any, Literal

from pipelines.value import ABSENT, WHOLE, as_text


#: What a column holds, as far as JSON tells it apart.
Kind = Literal["boolean", "integer", "decimal", "text"]

#: The same, with what a query writes without quotes although JSON has text.
Holds = Kind | Literal["guid", "date"]

#: A number as people and programs write it without ambiguity.
NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?", re.ASCII)

_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def boolean(value: Any) -> Any:
    """True or false, from these words, ``yes`` and ``no``, 1 and 0; or ABSENT."""
    return _TRUTHS.get(str(value).strip().lower(), ABSENT)


def integer(value: Any) -> Any:
    """A whole number of at most 64 bits (``2``, ``2.0``), or ABSENT."""
    whole, _, rest = _digits(value).partition(".")
    if not whole or rest.strip("0"):
        return ABSENT
    return int(whole) if int(whole) in WHOLE else ABSENT


def decimal(value: Any) -> Any:
    """A number, or ABSENT."""
    digits = _digits(value)
    return float(digits) if digits else ABSENT


def _digits(value: Any) -> str:
    text = str(value).strip()
    return text if NUMBER.fullmatch(text) else ""


def fitted(value: Any, kind: Kind | None) -> Any:
    """A template's value as a column of this kind takes it; as it is where that is not clear.

    Dynamics refuses what does not fit, out loud; dropping it here would not be. An empty text is no
    value of any other kind.
    """
    if kind is None:
        return value
    if isinstance(value, str) and not value.strip() and kind != "text":
        return ABSENT
    match kind, value:
        case "boolean", str():
            found = boolean(value)
        case "integer", str():
            found = integer(value)
        case "decimal", str():
            found = decimal(value)
        case "text", bool() | int() | float():
            found = as_text(value)
        case _:
            found = value
    return value if found is ABSENT else found


def is_no(text: str, kind: Kind) -> bool:
    """Whether a text clearly means no value of a kind: it stays the text that it is."""
    return kind != "text" and fitted(text, kind) is text
