"""Arguments of functions: ``RetrieveX(Name='contact',Target=@t)?@t={'@odata.id':'…'}``."""

from __future__ import annotations

import json
import re

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.nesting import split


if TYPE_CHECKING:
    from collections.abc import Mapping


_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")

#: A text in single quotes within JSON, as the documentation writes references.
_SINGLE: Final = re.compile(r"'((?:[^'\\]|\\.)*)'")


def arguments(text: str | None, query: str) -> dict[str, Any]:
    """The arguments between the parentheses, aliases replaced; percent-encoded both.

    Raises:
        Refusal: They are no pairs of name and value, or an alias has no value.
    """
    aliases = {name: value for name, value in parse_qsl(query) if name.startswith("@")}
    found: dict[str, Any] = {}
    for part in filter(None, split(unquote(text or ""), ",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise refusals.bad_query("Bad Request - Error in query syntax.")
        found[name.strip()] = _value(value.strip(), aliases)
    return found


def _value(text: str, aliases: Mapping[str, str]) -> Any:
    if text.startswith("@"):
        if text not in aliases:
            raise refusals.bad_query(f"The parameter alias '{text}' has no value.")
        text = aliases[text]
    if text.startswith("'") and text.endswith("'"):
        return text[1:-1].replace("''", "'")
    if text in {"true", "false"}:
        return text == "true"
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if text[:1] in {"{", "["}:
        return _json(text)
    return text


def _json(text: str) -> Any:
    for candidate in (text, _SINGLE.sub(lambda match: json.dumps(match[1]), text)):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    raise refusals.bad_query("A parameter's value is no JSON.")
