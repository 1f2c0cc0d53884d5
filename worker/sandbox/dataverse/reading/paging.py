"""Pages of a collection, and the cookie that leads from one to the next.

A cookie names the page and the first and last row of the page before: the next one begins behind
that row, whatever was created or deleted meanwhile [DOC webapi/query/page-results]. It is opaque
to clients, and encoded twice, as Dataverse's is.
"""

from __future__ import annotations

import re

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

from worker.sandbox.dataverse.odata import refusals


if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.sandbox.dataverse.rows.records import Row
    from worker.sandbox.dataverse.schema.columns import Table


PAGE: Final = 5000  # rows, and the greatest @odata.count [DOC webapi/query/overview]

_LAST: Final = re.compile(r'last="\{([0-9A-Fa-f-]{36})\}"')


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins.

    Attributes:
        page: Its number, from 1.
        last: Id of the row before it; "" for the first page.
    """

    page: int = 1
    last: str = ""


def page_of(rows: Sequence[Row], place: Place, size: int) -> tuple[list[Row], bool]:
    """The rows of a page, and whether more come after it."""
    start = (place.page - 1) * size
    if place.last:
        ids = [row.id for row in rows]
        start = ids.index(place.last) + 1 if place.last in ids else start
    return list(rows[start : start + size]), start + size < len(rows)


def inner_cookie(table: Table, rows: Sequence[Row], page: int) -> str:
    """What FetchXML's ``paging-cookie`` holds after the rows of a page."""
    ids = " ".join(
        f'{name}="{{{row.id.upper()}}}"' for name, row in (("last", rows[-1]), ("first", rows[0]))
    )
    return f'<cookie page="{page}"><{table.key} {ids} /></cookie>'


def cookie(table: Table, rows: Sequence[Row], following: int) -> str:
    """The cookie of the page after these rows."""
    encoded = quote(quote(inner_cookie(table, rows, following - 1), safe=""), safe="")
    return f'<cookie pagenumber="{following}" pagingcookie="{encoded}" istracking="False" />'


def cookie_query(table: Table, rows: Sequence[Row], following: int) -> str:
    """The same as an option of a query."""
    return f"$skiptoken={quote(cookie(table, rows, following), safe='')}"


def read_cookie(text: str | None) -> Place:
    """Where the page begins that ``$skiptoken`` asks for.

    Raises:
        Refusal: It is no cookie of a page.
    """
    if text is None:
        return Place()
    try:
        found = ET.fromstring(text)  # noqa: S314 - written by the sandbox itself
        page = int(found.attrib["pagenumber"])
    except (ET.ParseError, KeyError, ValueError):
        raise malformed() from None
    return Place(page, last_of(unquote(unquote(found.attrib.get("pagingcookie", "")))))


def last_of(text: str) -> str:
    """The id of the last row an inner cookie names; "" if it names none."""
    match = _LAST.search(text)
    return match[1].lower() if match else ""


def malformed() -> refusals.Refusal:
    """A cookie nobody gave out; text and code are not documented."""
    return refusals.bad_query("Malformed XML in the paging cookie.")
