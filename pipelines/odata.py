"""Values inside OData queries, escaped as Dataverse wants it.

Powerapps-docs ``webapi/query/filter-rows``: a quote is doubled; ``%``, ``_`` and ``[`` are
wildcards of contains, startswith and endswith; everything is percent-encoded at the very end.
"""

from __future__ import annotations

import re

from urllib.parse import quote


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


def encoded(query: str) -> str:
    """A query, percent-encoded."""
    return quote(query, safe=PLAIN)
