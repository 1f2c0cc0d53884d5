"""Collections: ``$filter``, ``$orderby``, ``$top``, ``$count`` and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.reading.filters import parse_filter
from worker.sandbox.dataverse.reading.orders import parse_order
from worker.sandbox.dataverse.reading.paging import PAGE, cookie_query, page_of, read_cookie
from worker.sandbox.dataverse.reading.scopes import TableScope
from worker.sandbox.dataverse.reading.views import whole


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from worker.sandbox.dataverse.reading.operators import Circumstances
    from worker.sandbox.dataverse.rows.records import Row, Rows
    from worker.sandbox.dataverse.schema.columns import Table


#: Options of a collection, and of a single row.
COLLECTION: Final = frozenset(
    {"$select", "$expand", "$orderby", "$filter", "$top", "$count", "$skiptoken", "$apply"}
)
ROW: Final = frozenset({"$select", "$expand"})

#: Queries that are no OData: FetchXML, and views by their id.
FETCH: Final = "fetchXml"
VIEWS: Final = {"savedQuery": "savedquery", "userQuery": "userquery"}

#: Parameters that say nothing about the rows: a plug-in's shared variable, an elastic table's
#: partition [DOC optional-parameters, use-elastic-tables].
_IGNORED: Final = frozenset({"tag", "partitionId"})


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Some rows of a collection.

    Attributes:
        records: The rows.
        count: Of all rows the filter takes, at most ``PAGE``; None if it was not asked for.
        exceeded: Whether there are more than ``PAGE``.
        next_query: The query of the next page; "" after the last.
    """

    records: list[Row]
    count: int | None
    exceeded: bool
    next_query: str


def parse_options(query: str, allowed: Collection[str] = COLLECTION) -> dict[str, str]:
    """A query's options, decoded; spaces may be ``+`` or ``%20``.

    Args:
        query: Encoded.
        allowed: Those the resource has.

    Raises:
        Refusal: An option the resource does not have. Their names are case-sensitive.
    """
    if not query:
        return {}
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name in allowed or name.startswith("@") or name in _IGNORED:
            continue
        if name == "$skip":
            raise refusals.bad_query("Skip Clause is not supported in CRM")
        if name in COLLECTION:
            raise refusals.no_collection()
        raise refusals.bad_query(f"The query parameter {name} is not supported.")
    return options


def select_rows(
    records: Rows,
    table: Table,
    rows: Collection[Row],
    options: Mapping[str, str],
    circumstances: Circumstances,
) -> list[Row]:
    """The rows a query asks for, in its order, on all pages.

    Raises:
        Refusal: The query cannot be understood.
    """
    found = list(rows)
    if "$filter" in options:
        scope = TableScope(records, table)
        wanted = parse_filter(scope, options["$filter"], options, circumstances)
        found = [record for record in found if wanted(record)]
    if "$orderby" in options:
        found = parse_order(records, table, options["$orderby"], options)(found)
    return found


def select_page(
    table: Table, rows: list[Row], options: Mapping[str, str], page_size: int | None
) -> ResultPage:
    """One page of rows; ``$top`` is ignored where a size of pages is asked for.

    Raises:
        Refusal: The options cannot be understood.
    """
    counted = _boolean(options.get("$count", "false"))
    count, exceeded = (min(len(rows), PAGE) if counted else None), len(rows) > PAGE
    top = whole("$top", options["$top"]) if "$top" in options else None
    if top is not None and page_size is None:
        return ResultPage(rows[: min(top, PAGE)], count, exceeded, "")
    place = read_cookie(options.get("$skiptoken"))
    found, more = page_of(rows, place, min(page_size or PAGE, PAGE))
    if not more:
        return ResultPage(found, count, exceeded, "")
    kept = {name: value for name, value in options.items() if name != "$skiptoken"}
    following = cookie_query(table, found, place.page + 1)
    query = "&".join(filter(None, (urlencode(kept, safe="$,()"), following)))
    return ResultPage(found, count, exceeded, query)


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise refusals.bad_query(f"Invalid value '{text}' for $count query option found.")
    return text == "true"
