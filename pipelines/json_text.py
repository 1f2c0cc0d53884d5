"""JSON as people write it in a pipeline: what is wrong with it is said in words that help."""

from __future__ import annotations

import json
import re

from collections.abc import Callable
from typing import Any, Final


class JsonError(ValueError):
    """A text that is no JSON; ``index`` is where in it, counted in characters."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


#: What stands at the place where JSON ends to be one, and what to do; the first that fits.
_ADVICE: Final = (
    (r",[}\]]", "take out the comma before this"),
    (r".?'", "JSON has double quotes, and within them single ones"),
    (r".?(\{\{|\{%)", 'placeholders stand in quotes: "{{Name}}"'),
    (r".?[\u2018\u2019“”„«»]", "write straight quotes"),
    (r".?(True|False)\b", "true and false are written in small letters"),
    (r".?(None|NULL|Null|nil|undefined)\b", "write null"),
    (r".?(//|#|/\*)", "JSON has no comments; put it before the step, after #"),
    (r".?\w", 'texts and names of columns stand in quotes: "subject"'),
)


def read_json(text: str) -> Any:
    r"""The data of a JSON text; text copied from a page's source (\") or with “these” is taken too.

    Of a member that is there twice, the last one holds: see `twice_in`.

    Raises:
        JsonError: It is none.
    """
    return _read(text, dict)


def twice_in(text: str) -> list[tuple[str, int]]:
    """The members of a JSON text that are there twice, in quotes, and where the last one is."""
    found: list[str] = []

    def noted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        found.extend(name for name in dict.fromkeys(names) if names.count(name) > 1)
        return dict(pairs)

    _read(text, noted)
    quoted = [json.dumps(name, ensure_ascii=False) for name in found]
    return [(name, max(text.rfind(name), 0)) for name in quoted]


def _read(text: str, made: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> Any:
    try:
        return json.loads(text, strict=False, object_pairs_hook=made)
    except json.JSONDecodeError as error:
        mended = re.sub("[“”„]", '"', text.replace('\\"', '"'))
        try:
            return json.loads(mended, strict=False, object_pairs_hook=made)
        except json.JSONDecodeError:
            raise JsonError(_advice(text, error), error.pos) from error


def _advice(text: str, error: json.JSONDecodeError) -> str:
    before, rest = text[: error.pos].rstrip(), text[error.pos :]
    if before.rfind("{{") > before.rfind("}}") and not before.endswith("{"):
        return "arguments of filters stand in single quotes: default: 'unknown'"
    if error.msg.startswith("Unterminated"):
        return "the quote that begins here is not closed"
    if not rest:
        return f"it ends too early ({error.msg}); is a brace or a quote not closed?"
    if error.msg.startswith("Expecting ','"):
        return "a comma is missing before this, or a quote within a text has ended it; write '"
    found = (advice for pattern, advice in _ADVICE if re.match(pattern, before[-1:] + rest))
    return next(found, f'{error.msg}; placeholders stand in quotes: "{{{{Name}}}}"')
