"""The cause of a parked write: what is the same about all that were refused for one reason.

Dynamics repeats values and ids in what it says, so that no two of its answers are alike. A cause is
the table, the code and the answer without these. What an organization's own plug-in says may still
tell of a person.
"""

from __future__ import annotations

import re

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from pipelines.contact import Parked


#: In place of what differs.
ELLIPSIS: Final = "…"

#: In place of a code: a bug of ours, not a refusal of Dynamics'.
BUG: Final = "bug"

#: What Dataverse puts before the reason why it does not understand a body.
_WRAPPED = re.compile(r"^Error identified in Payload .*?InnerException : ", re.DOTALL)

_GUID = r"\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?"
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[0-9:.]*(?:Z|[+-]\d\d:\d\d)?"
_ADDRESS = r"[^\s'\"<>()@]+@[^\s'\"<>()@]+\.\w+"
_DIGITS = r"\+?\d[\d ()/-]{4,}\d"

_DIFFERS = re.compile(f"{_GUID}|{_TIME}|{_ADDRESS}|{_DIGITS}", re.IGNORECASE)

#: A text in a filter or a key.
_LITERAL = re.compile(r"'((?:[^']|'')*)'")

#: What is quoted and is no name of a column, a table or a type.
_QUOTED = re.compile(r"(?<!\w)(['\"])(?![\w.@:#,-]*\1)[^'\"]*\1(?!\w)")


@dataclass(frozen=True, slots=True, order=True)
class Cause:
    """Why writes are parked.

    Attributes:
        table: The entity set, or the lookup's; "" of a bug.
        code: Dataverse's code; ``BUG`` of a bug of ours.
        status: HTTP status, or ""; they sort so.
        message: What Dynamics says, without ids and values.
    """

    table: str
    code: str
    status: str
    message: str

    @property
    def codes(self) -> set[str]:
        """What it may be called: its status and its code, in lower case."""
        return {self.status, self.code.lower()} - {""}


def cause_of(place: str, parked: Parked) -> Cause:
    """The cause of a write that is parked under ``place``, its record's address or its step."""
    status = "" if parked.status is None else str(parked.status)
    return Cause(_table(place, parked.request), parked.code, status, _message(parked))


def _table(place: str, request: Mapping[str, Any]) -> str:
    path = place if "(" in place else str(request.get("path", ""))
    return re.split(r"[(?]", path.lstrip("/"), maxsplit=1)[0]


def _message(parked: Parked) -> str:
    text = " ".join(_WRAPPED.sub("", parked.answer).split())
    sent = {*_values(parked.request.get("body")), *_asked(str(parked.request.get("path", "")))}
    for value in sorted(sent, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", ELLIPSIS, text)
    text = _QUOTED.sub(rf"\1{ELLIPSIS}\1", _DIFFERS.sub(ELLIPSIS, text))
    return re.sub(rf"{ELLIPSIS}(?:[ ,]*{ELLIPSIS})+", ELLIPSIS, text)


def _asked(path: str) -> Iterator[str]:
    """The values that a lookup asked for."""
    yield from filter(None, _LITERAL.findall(unquote(path)))


def _values(body: Any) -> Iterator[str]:
    """The values that were sent, as Dynamics may repeat them."""
    match body:
        case Mapping():
            for value in body.values():
                yield from _values(value)
        case list():
            for value in body:
                yield from _values(value)
        case str():
            if text := " ".join(body.split()):
                yield text
        case bool() | None:
            pass
        case _:
            yield str(body)
