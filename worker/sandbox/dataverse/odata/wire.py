"""One request and one answer, free of HTTP servers: a part of a batch is the same thing."""

from __future__ import annotations

import re

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson


if TYPE_CHECKING:
    from collections.abc import Mapping


JSON: Final = ("content-type", "application/json; odata.metadata=minimal")

#: Characters of the URL of a GET, and of one in a batch [DOC compose-http-requests-handle-errors].
URL_LIMIT: Final = 32_768
BATCH_URL_LIMIT: Final = 65_536

_DIGITS: Final = 10  # more rows than that nobody has

_PREFERENCE: Final = re.compile(r'([\w.-]+)(?:\s*=\s*(?:"([^"]*)"|([^,;\s]*)))?')


@dataclass(slots=True)
class Call:
    """A request.

    Attributes:
        method: In capitals.
        path: After ``/api/data/v9.2/``, still percent-encoded.
        query: After the ``?``, still encoded.
        headers: By lower-case name.
        body: As it came.
        root: Absolute URL up to and including ``/api/data/v9.2/``.
        user: The systemuserid it is made by.
        was_missing: Whether an upsert's row was not there when the request came in.
        url_limit: Characters its URL may have.
        delegate: Who really made it, on behalf of ``user``; "" if that is the same.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    root: str
    user: str
    was_missing: bool = False
    url_limit: int = URL_LIMIT
    delegate: str = ""


@dataclass(slots=True)
class Reply:
    """An answer."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


@dataclass(slots=True)
class Prefer:
    """What a request would like.

    Attributes:
        representation: The row in the answer.
        annotations: Patterns of annotations, ``*`` for all.
        page_size: Rows per page.
        continue_on_error: A batch goes on after a failure.
        track_changes: A link to what changes from now on.
        applied: What ``Preference-Applied`` answers.
    """

    representation: bool = False
    annotations: tuple[str, ...] = ()
    page_size: int | None = None
    continue_on_error: bool = False
    track_changes: bool = False
    applied: str = ""


_NOTHING: Final = Prefer()


def prefer(headers: Mapping[str, str]) -> Prefer:
    """Read the ``Prefer`` header; what is not understood is left out."""
    text = headers.get("prefer")
    if not text:
        return _NOTHING
    wanted = Prefer()
    applied = []
    for match in _PREFERENCE.finditer(text):
        name, value = match[1].lower(), match[2] or match[3] or ""
        if _take(wanted, name, value):
            applied.append(match[0])
    wanted.applied = ",".join(applied)
    return wanted


def _take(wanted: Prefer, name: str, value: str) -> bool:
    if name == "return" and value == "representation":
        wanted.representation = True
    elif name == "odata.include-annotations":
        wanted.annotations = tuple(part.strip() for part in value.split(","))
    elif name == "odata.maxpagesize" and value.isdecimal() and len(value) < _DIGITS:
        wanted.page_size = int(value)
    elif name == "odata.continue-on-error":
        wanted.continue_on_error = value != "false"
    elif name == "odata.track-changes":
        wanted.track_changes = True
    else:
        return False
    return True


def json_reply(status: int, body: Mapping[str, Any], wanted: Prefer = _NOTHING) -> Reply:
    """An answer with a JSON body."""
    headers = [JSON]
    if wanted.applied:
        headers.append(("preference-applied", wanted.applied))
    return Reply(status, headers, orjson.dumps(body))


def plain_reply(text: str) -> Reply:
    """An answer of text alone: a count, a value."""
    return Reply(200, [("content-type", "text/plain")], text.encode())
