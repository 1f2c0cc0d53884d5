"""The path of a request: ``phonecalls(<key>)/description``."""

from __future__ import annotations

import re

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.nesting import opened, split


_PATH: Final = re.compile(
    r"""(?P<name>\$?\w+)(?:\((?P<key>(?:(?:'|%27)(?:[^'%]|%(?!27)|''|%27%27)*(?:'|%27)|[^'()%]|%(?!27))*)\))?
    (?:/(?P<member>.+))?/?""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Path:
    """A path, still percent-encoded.

    Attributes:
        name: Entity set, function or ``$batch``.
        key: Between the parentheses; None without parentheses.
        member: What follows, "" if nothing does.
    """

    name: str
    key: str | None
    member: str


def parse_path(text: str) -> Path:
    """Read a path.

    Raises:
        Refusal: It is none.
    """
    match = _PATH.fullmatch(text)
    if not match:
        raise refusals.bad_query("Bad Request - Error in query syntax.")
    key = match["key"]
    member = match["member"] or ""
    return Path(match["name"], key or None, member)


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of what follows a row's key, decoded: a name, and a key if one stands behind it."""

    name: str
    key: str | None = None


def parse_segments(text: str) -> list[Segment]:
    """Read the member of a path: ``contact_customer_accounts(<key>)/$ref``.

    Raises:
        Refusal: It is none.
    """
    return [Segment(*opened(unquote(part))) for part in split(text, "/")]
