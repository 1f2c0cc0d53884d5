"""Query throttling: queries that begin with a wildcard on a table of many rows.

Dataverse throttles a query that loads its database disproportionately, one with a leading wildcard
"more aggressively" [DOC query-throttling]. Which tables are too large for one, and the status that
it is refused with, are not documented: both are switches.
"""

from __future__ import annotations

import re

from typing import Final

from worker.sandbox.dataverse.odata.refusals import Refusal


CODE: Final = "0x80048644"
_LITERAL: Final = re.compile(r"'((?:[^']|'')*)'")
_WILD: Final = re.compile(r"\b(?:contains|endswith)\s*\(|\bstartswith\s*\([^,()]*,\s*'[%\[_]")


def leads_with_wildcard(text: str) -> bool:
    """Whether a filter asks for texts of which it does not say how they begin."""
    kept = _LITERAL.sub(lambda match: f"'{match[1][:1]}'", text)
    return _WILD.search(kept) is not None


def throttled(status: int) -> Refusal:
    """The refusal of such a query."""
    message = (
        "This query cannot be executed because it conflicts with Query Throttling; the query uses "
        "a leading wildcard value in a filter condition, which will cause the query to be "
        "throttled more aggressively."
    )
    return Refusal(status, CODE, message)
