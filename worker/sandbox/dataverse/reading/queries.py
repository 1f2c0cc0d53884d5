"""Collections: ``$filter``, ``$orderby``, ``$top``, ``$count`` and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.reading.filters import Shape, parse_filter
from worker.sandbox.dataverse.rows.records import Row, Rows
from worker.sandbox.dataverse.rows.values import folded


if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.sandbox.dataverse.schema.columns import Table


PAGE: Final = 5000  # rows, and the greatest @odata.count [DOC webapi/query/overview]
URL_LIMIT: Final = 32_768  # characters of a GET

_KNOWN: Final = frozenset(
    {"$select", "$expand", "$orderby", "$filter", "$top", "$count", "$skiptoken"}
)


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Some rows of a collection.

    Attributes:
        records: The rows.
        count: Of all rows the filter takes, at most ``PAGE``; None if it was not asked for.
        next_query: The query of the next page; "" after the last.
    """

    records: list[Row]
    count: int | None
    next_query: str


def parse_options(query: str) -> dict[str, str]:
    """A query's options, decoded; spaces may be ``+`` or ``%20``.

    Raises:
        Refusal: An option Dataverse does not have. Their names are case-sensitive.
    """
    if not query:
        return {}
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name == "$skip":
            raise refusals.bad_query("Skip Clause is not supported in CRM")
        if name.startswith("$") and name not in _KNOWN:
            raise refusals.bad_query(f"The query parameter '{name}' is not supported.")
    return options


def select_page(
    records: Rows, table: Table, options: Mapping[str, str], page_size: int | None
) -> ResultPage:
    """The rows a query asks for.

    Raises:
        Refusal: The query cannot be understood.
    """
    rows = list(records.all(table))
    if text := options.get("$filter"):
        wanted = parse_filter(Shape(table.type, table.edms), text, options)
        rows = [record for record in rows if wanted(record.columns)]
    for name, descending in reversed(_order(table, options.get("$orderby", ""))):
        rows.sort(key=lambda record: _rank(record, name), reverse=descending)
    count = min(len(rows), PAGE) if _boolean(options.get("$count", "false")) else None
    if "$top" in options:  # does not combine with pages
        return ResultPage(rows[: _whole("$top", options["$top"])], count, "")
    start = _whole("$skiptoken", options.get("$skiptoken", "0"))
    end = start + min(page_size or PAGE, PAGE)
    following = {**options, "$skiptoken": str(end)}
    return ResultPage(rows[start:end], count, urlencode(following) if end < len(rows) else "")


def _order(table: Table, text: str) -> list[tuple[str, bool]]:
    order = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = part.partition(" ")
        if name not in table.by_property:
            raise refusals.no_property(table.type, name)
        if direction.strip() not in {"", "asc", "desc"}:
            raise refusals.bad_query(f"Syntax error in '$orderby' expression '{text}'.")
        order.append((name, direction.strip() == "desc"))
    return order


def _rank(record: Row, name: str) -> tuple[bool, Any]:
    value = folded(record.columns.get(name))
    return value is not None, 0 if value is None else value


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise refusals.bad_query(f"Invalid value '{text}' for $count query option found.")
    return text == "true"


def _whole(name: str, text: str) -> int:
    if not text.isdigit():
        raise refusals.bad_query(f"Invalid value '{text}' for {name} query option found.")
    return int(text)
