"""Answers to reads: rows of a collection, one row, a count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.wire import Prefer, Reply, json_reply, plain_reply, prefer
from worker.sandbox.dataverse.reading import sql
from worker.sandbox.dataverse.reading.aggregates import Applying
from worker.sandbox.dataverse.reading.fetches import Fetching
from worker.sandbox.dataverse.reading.operators import Circumstances
from worker.sandbox.dataverse.reading.paging import PAGE, cookie
from worker.sandbox.dataverse.reading.presenter import Presenter
from worker.sandbox.dataverse.reading.queries import (
    COLLECTION,
    FETCH,
    ROW,
    VIEWS,
    ResultPage,
    parse_options,
    select_page,
    select_rows,
)
from worker.sandbox.dataverse.reading.throttling import leads_with_wildcard, throttled
from worker.sandbox.dataverse.reading.views import View, Viewing, context


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from worker.sandbox.dataverse.odata.wire import Call
    from worker.sandbox.dataverse.rows.records import Row, Rows
    from worker.sandbox.dataverse.schema.columns import Table


_TOTAL: Final = "Microsoft.Dynamics.CRM.totalrecordcount"
_EXCEEDED: Final = "Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"
_COOKIE: Final = "Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
_MORE: Final = "Microsoft.Dynamics.CRM.morerecords"


@dataclass(frozen=True, slots=True)
class Listing:
    """Reads for calls.

    Attributes:
        records: The rows.
        clock: Wall-clock time (s since 1970).
    """

    records: Rows
    clock: Callable[[], float]

    def row(self, call: Call, table: Table, record: Row, status: int = 200) -> Reply:
        """One row.

        Raises:
            Refusal: Its options cannot be understood.
        """
        wanted = prefer(call.headers)
        options = parse_options(call.query, ROW)
        if call.method == "PATCH" and status == HTTPStatus.OK:
            options.pop("$expand", None)  # ignored, as documented of updates
        shown = self._viewing(call, wanted).view(table, options)
        where = f"{call.root}$metadata#{context(table, shown)}/$entity"
        body = {"@odata.context": where, **self._presenter.show(table, record, shown)}
        reply = json_reply(status, body, wanted)
        reply.headers.append(("etag", record.etag))
        return reply

    def rows(self, call: Call, table: Table, rows: Collection[Row], address: str) -> Reply:
        """The rows of a collection.

        Args:
            call: The request.
            table: Whose rows.
            rows: All of them.
            address: Of the collection, below the root.

        Raises:
            Refusal: The query cannot be understood.
        """
        wanted = prefer(call.headers)
        options = parse_options(call.query, {*COLLECTION, FETCH, sql.OPTION, *VIEWS})
        for option, logical in VIEWS.items():
            if option in options:
                message = f"{logical} With Id = {options[option]} Does Not Exist"
                raise refusals.Refusal(404, "0x80040217", message)
        self._throttle(rows, options.get("$filter", ""))
        if wanted.track_changes:
            raise refusals.invalid_argument(f"{table.logical} has no change tracking enabled.")
        if sql.OPTION in options:
            selected = sql.select(self.records, options[sql.OPTION])
            where = f"{call.root}$metadata#{table.entity_set}"
            return json_reply(200, {"@odata.context": where, "value": selected}, wanted)
        if FETCH in options:
            return self._fetched(call, table, rows, options, wanted)
        if "$apply" in options:
            return self._applied(call, table, rows, options, wanted)
        shown = self._viewing(call, wanted).view(table, options)
        found = select_rows(self.records, table, rows, options, self._circumstances(call))
        page = select_page(table, found, options, wanted.page_size)
        return self._page(call, table, shown, page, address)

    def count(self, call: Call, table: Table, rows: Collection[Row]) -> Reply:
        """How many rows a collection has, up to ``PAGE``, as plain text."""
        options = parse_options(call.query, {"$filter"})
        self._throttle(rows, options.get("$filter", ""))
        found = select_rows(self.records, table, rows, options, self._circumstances(call))
        return plain_reply(str(min(len(found), PAGE)))

    def _throttle(self, rows: Collection[Row], text: str) -> None:
        """Refuse a query that would read the whole of a large table."""
        switches = self.records.switches
        if len(rows) > switches.wildcard_rows and leads_with_wildcard(text):
            raise throttled(switches.wildcard_status)

    @property
    def _presenter(self) -> Presenter:
        return Presenter(self.records)

    def _circumstances(self, call: Call) -> Circumstances:
        return Circumstances(datetime.fromtimestamp(self.clock(), UTC), call.user)

    def _viewing(self, call: Call, wanted: Prefer) -> Viewing:
        now = self._circumstances(call)
        return Viewing(self.records, now, call.root, wanted.annotations, wanted.page_size)

    def _page(self, call: Call, table: Table, shown: View, page: ResultPage, address: str) -> Reply:
        wanted = prefer(call.headers)
        body: dict[str, Any] = {"@odata.context": f"{call.root}$metadata#{context(table, shown)}"}
        if page.count is not None:
            body["@odata.count"] = page.count
        if _wants(wanted, _TOTAL):
            body[f"@{_TOTAL}"] = -1 if page.count is None else page.count
        if _wants(wanted, _EXCEEDED):
            body[f"@{_EXCEEDED}"] = page.count is not None and page.exceeded
        presenter = self._presenter
        body["value"] = [presenter.show(table, record, shown) for record in page.records]
        if page.next_query:
            body["@odata.nextLink"] = f"{call.root}{address}?{page.next_query}"
        return json_reply(200, body, wanted)

    def _applied(
        self,
        call: Call,
        table: Table,
        rows: Collection[Row],
        options: Mapping[str, str],
        wanted: Prefer,
    ) -> Reply:
        others = sorted(COLLECTION & options.keys() - {"$apply"})
        if "$orderby" in others:
            raise refusals.no_node("SingleValueOpenPropertyAccess")
        if others:
            raise refusals.bad_query(f"The query parameter {others[0]} does not go with $apply.")
        annotations = self._viewing(call, wanted).view(table, {}).annotations
        applying = Applying(
            self.records, table, self._circumstances(call), self._presenter, annotations
        )
        value = applying.apply(options["$apply"], list(rows), options)
        where = f"{call.root}$metadata#{table.entity_set}"
        return json_reply(200, {"@odata.context": where, "value": value}, wanted)

    def _fetched(
        self,
        call: Call,
        table: Table,
        rows: Collection[Row],
        options: Mapping[str, str],
        wanted: Prefer,
    ) -> Reply:
        others = sorted(COLLECTION & options.keys() - {"$count"})
        if others:
            raise refusals.bad_query(f"The query parameter {others[0]} does not go with fetchXml.")
        annotations = self._viewing(call, wanted).view(table, {}).annotations
        fetching = Fetching(self.records, self._circumstances(call), self._presenter, annotations)
        found = fetching.fetch(table, list(rows), options[FETCH])
        where = f"{call.root}$metadata#{table.entity_set}"
        body: dict[str, Any] = {"@odata.context": where}
        if options.get("$count") == "true":
            body["@odata.count"] = min(found.total, PAGE)
        if _wants(wanted, _TOTAL):
            body[f"@{_TOTAL}"] = min(found.total, PAGE) if found.counted else -1
        if _wants(wanted, _EXCEEDED):
            body[f"@{_EXCEEDED}"] = found.counted and found.total > PAGE
        if _wants(wanted, _COOKIE) and found.last:
            body[f"@{_COOKIE}"] = cookie(table, found.last, found.page + 1)
        if _wants(wanted, _MORE):
            body[f"@{_MORE}"] = found.more
        return json_reply(200, body | {"value": found.rows}, wanted)


def _wants(wanted: Prefer, annotation: str) -> bool:
    return any(fnmatchcase(annotation, pattern) for pattern in wanted.annotations)
