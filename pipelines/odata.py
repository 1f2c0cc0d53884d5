"""Values inside OData queries, escaped as Dataverse wants it.

Powerapps-docs ``webapi/query/filter-rows``: a quote is doubled; ``%``, ``_`` and ``[`` are
wildcards of contains, startswith and endswith; everything is percent-encoded at the very end.
"""

from __future__ import annotations

import re

from datetime import UTC, datetime
from urllib.parse import quote

from pipelines.conversion import Holds, boolean, decimal, integer
from pipelines.value import ABSENT


#: What may stand as it is in a query's URL.
PLAIN = "$=()',/:@-._~"

GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", re.ASCII)


def doubled(text: str) -> str:
    """Text to stand between quotes."""
    return text.replace("'", "''")


def unwild(text: str) -> str:
    """Text whose wildcards mean themselves; it still has to be ``doubled``."""
    return re.sub(r"([%_\[])", r"[\1]", text)


def literal(text: str) -> str:
    """A string literal."""
    return f"'{doubled(text)}'"


def bare_guid(text: str) -> str:
    """A GUID as queries have it, whatever its case and its braces; "" if it is none."""
    bare = text.strip().removeprefix("{").removesuffix("}")
    return bare.lower() if GUID.fullmatch(bare) else ""


def typed(text: str, holds: Holds) -> str:
    """A text as the literal of a column that holds such values; "" if it cannot be one of them."""
    match holds:
        case "guid":
            return bare_guid(text)
        case "date":
            return _moment(text.strip())
        case "boolean" | "integer" | "decimal":
            convert = {"boolean": boolean, "integer": integer, "decimal": decimal}[holds]
            value = convert(text)
            return "" if value is ABSENT else str(value).lower()
        case _:
            return literal(text)


def _moment(text: str) -> str:
    """A date, or a moment with its zone as Dataverse tells it: in UTC, to the second."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return ""
    return text if re.fullmatch(r"[0-9]{4}(-[0-9]{2}){2}", text) else ""


def encoded(query: str) -> str:
    """A query, percent-encoded."""
    # Blanks apart: ``quote`` is quick if there is nothing else to encode.
    return quote(query, safe=PLAIN + " ").replace(" ", "%20")
