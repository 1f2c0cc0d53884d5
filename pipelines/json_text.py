"""JSON as people write it in a pipeline: what is wrong with it is said in words that help."""

from __future__ import annotations

import json
import re

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

    Raises:
        JsonError: It is none, or names a member twice.
    """
    try:
        return json.loads(text, strict=False, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        mended = re.sub("[“”„]", '"', text.replace('\\"', '"'))
        try:
            return json.loads(mended, strict=False, object_pairs_hook=_once)
        except (json.JSONDecodeError, _TwiceError):
            raise JsonError(_advice(text, error), error.pos) from error
    except _TwiceError as error:
        name = json.dumps(str(error), ensure_ascii=False)
        found = max(text.rfind(name), 0)
        raise JsonError(f"{name} is there twice; leave one out", found) from error


class _TwiceError(ValueError):
    """A member that is there twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _TwiceError(name)
        found[name] = value
    return found


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
