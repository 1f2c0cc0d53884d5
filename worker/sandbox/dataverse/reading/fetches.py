"""FetchXML, a sensible part of it; the rest is refused.

Run are ``entity``, ``attribute``, ``all-attributes``, ``filter`` with and/or, the conditions of
``operators``, ``order``, ``link-entity`` (inner and outer), top, count, page, paging-cookie and
distinct. Properties that are null are not shown [DOC fetchxml/retrieve-data].
"""

from __future__ import annotations

import re

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.reading.conditions import Combined, Conditions, column_of
from worker.sandbox.dataverse.reading.fetchxml import TRUE, invalid, parse_fetch
from worker.sandbox.dataverse.reading.orders import rank
from worker.sandbox.dataverse.reading.paging import PAGE, last_of
from worker.sandbox.dataverse.reading.totals import totals
from worker.sandbox.dataverse.rows.navigation import all_parties
from worker.sandbox.dataverse.schema.columns import Table


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from xml.etree.ElementTree import Element

    from worker.sandbox.dataverse.reading.operators import Circumstances
    from worker.sandbox.dataverse.reading.presenter import Presenter
    from worker.sandbox.dataverse.rows.records import Row, Rows
    from worker.sandbox.dataverse.schema.columns import Column


_POSITIVE: Final = re.compile(r"0*[1-9][0-9]{0,8}")
_LINKS: Final = frozenset({"inner", "outer"})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a query found.

    Attributes:
        rows: The page, as JSON.
        last: Its rows, if there are more pages.
        page: Its number.
        total: Of all rows.
        counted: Whether their number was asked for.
        more: Whether there are more pages.
    """

    rows: list[dict[str, Any]]
    last: Sequence[Row]
    page: int
    total: int
    counted: bool
    more: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A table that is joined, or the first one.

    Attributes:
        alias: What its columns are shown under; "" for the first.
        table: Whose rows.
        element: Where its attributes, filters and links stand.
    """

    alias: str
    table: Table
    element: Element


@dataclass(frozen=True, slots=True)
class Fetching:
    """Runs FetchXML.

    Attributes:
        records: The rows.
        circumstances: What operators look at.
        presenter: Formats values.
        annotations: Annotations wanted.
    """

    records: Rows
    circumstances: Circumstances
    presenter: Presenter
    annotations: frozenset[str]

    def fetch(self, table: Table, own: Sequence[Row], text: str) -> Fetched:
        """Run a query.

        Args:
            table: Of the address it is sent to.
            own: All rows of that.
            text: FetchXML.

        Raises:
            Refusal: It cannot be read, names something that is not there, or is not run here.
        """
        fetch = parse_fetch(text)
        entity = fetch.find("entity")
        if entity is None or len(fetch) != 1:
            raise invalid("A fetch has one entity.")
        if self._table(entity.attrib.get("name", "")) is not table:
            raise invalid(f"The entity of the query is not '{table.logical}'.")
        first = Link("", table, entity)
        links = [first]
        joined: list[Combined] = [{"": row} for row in own]
        found = self._filtered(links, self._joined(first, links, joined))
        if fetch.attrib.get("aggregate") in TRUE:
            rows = totals([(link.alias, link.table, link.element) for link in links], found)
            return Fetched(rows[: _number(fetch, "top")], (), 1, len(rows), False, more=False)
        found = self._ordered(links, found)
        distinct = fetch.attrib.get("distinct") in TRUE
        shown = [self._shown(links, combined, bare=distinct) for combined in found]
        own = [row for combined in found if (row := combined[""])]
        if distinct:
            own, shown = _distinct(own, shown)
        return _page(fetch, own, shown)

    def _table(self, logical: str) -> Table:
        parties = self.records.schema.activity_party
        table = {parties.logical: parties, **self.records.schema.by_logical}.get(logical)
        if table is None:
            raise refusals.Refusal(
                400,
                "0x80041102",
                f"The entity with a name = '{logical}' with namemapping = 'Logical' was not found "
                "in the MetadataCache.",
            )
        return table

    def _rows(self, table: Table) -> Collection[Row]:
        if table is self.records.schema.activity_party:
            return all_parties(self.records)
        return self.records.all(table)

    def _joined(self, link: Link, links: list[Link], found: list[Combined]) -> list[Combined]:
        for element in link.element.findall("link-entity"):
            found = self._join(link, element, links, found)
        return found

    def _join(
        self, parent: Link, element: Element, links: list[Link], found: list[Combined]
    ) -> list[Combined]:
        kind = element.attrib.get("link-type", "inner")
        if kind not in _LINKS:
            raise invalid(f"The link-type '{kind}' is not supported here.")
        table = self._table(element.attrib.get("name", ""))
        alias = element.attrib.get("alias") or f"{table.logical}{len(links)}"
        from_ = column_of(table, element.attrib.get("from", ""))
        to = column_of(parent.table, element.attrib.get("to", ""))
        own = Link(alias, table, element)
        inner_links = [own]
        wanted = Conditions({alias: table}, self.circumstances, alias).all_of(element)
        candidates: list[Combined] = [
            {alias: row} for row in self._rows(table) if wanted({alias: row})
        ]
        candidates = self._joined(own, inner_links, candidates)
        index: dict[Any, list[Combined]] = {}
        for candidate in candidates:
            row = candidate[alias]
            value = row.columns.get(from_.json_name) if row else None
            if value is not None:
                index.setdefault(value, []).append(candidate)
        nothing: Combined = {link.alias: None for link in inner_links}
        links.extend(inner_links)
        joined: list[Combined] = []
        for combined in found:
            row = combined[parent.alias]
            value = row.columns.get(to.json_name) if row else None
            matching = index.get(value, []) if value is not None else []
            if not matching and kind == "outer":
                matching = [nothing]
            joined += [{**combined, **match} for match in matching]
        return joined

    def _filtered(self, links: list[Link], found: list[Combined]) -> list[Combined]:
        tables = {link.alias: link.table for link in links}
        wanted = Conditions(tables, self.circumstances, "").all_of(links[0].element)
        return [combined for combined in found if wanted(combined)]

    def _ordered(self, links: list[Link], found: list[Combined]) -> list[Combined]:
        orders = [(link, order) for link in links for order in link.element.findall("order")]
        for link, order in reversed(orders):
            alias = order.attrib.get("entityname", link.alias)
            table = next((other.table for other in links if other.alias == alias), None)
            if table is None:
                raise invalid(f"There is no link-entity '{alias}'.")
            column = column_of(table, order.attrib.get("attribute", ""))
            descending = order.attrib.get("descending", "false").lower() in TRUE
            found = sorted(found, key=self._rank(alias, column), reverse=descending)
        return found

    def _rank(self, alias: str, column: Column) -> Callable[[Combined], Any]:
        """Choices go by their labels here [DOC fetchxml/order-rows]."""

        def key(combined: Combined) -> tuple[bool, Any]:
            row = combined[alias]
            if row is None:
                return False, 0
            value = row.columns.get(column.json_name)
            if column.options and value is not None:
                return True, column.options.get(int(value), "").casefold()
            return rank(self.records, row, column)

        return key

    def _shown(self, links: list[Link], combined: Combined, *, bare: bool) -> dict[str, Any]:
        """A row as JSON; ``bare``: without ETag and key, unless that is chosen."""
        first = combined[""]
        shown: dict[str, Any] = {} if bare or first is None else {"@odata.etag": first.etag}
        for link in links:
            if row := combined[link.alias]:
                self._show(link, row, shown)
        if first and not bare:
            shown[links[0].table.key] = first.id
        return shown

    def _show(self, link: Link, row: Row, shown: dict[str, Any]) -> None:
        for column, name in self._columns(link):
            if row.columns.get(column.json_name) is None:
                continue
            found = {column.json_name: row.columns[column.json_name]}
            if self.annotations:
                self.presenter.annotate(column, row, found, self.annotations)
            for key, value in found.items():
                shown[name + key.removeprefix(column.json_name)] = value

    def _columns(self, link: Link) -> Iterable[tuple[Column, str]]:
        """The columns shown of a table, with their names in the answer."""
        chosen = link.element.findall("attribute")
        everything = link.element.find("all-attributes") is not None
        prefix = f"{link.alias}." if link.alias else ""
        if everything or (not chosen and not link.alias and link.element.find("no-attrs") is None):
            for column in link.table.columns:
                yield column, prefix + (column.name if prefix else column.json_name)
            return
        for attribute in chosen:
            column = column_of(link.table, attribute.attrib.get("name", ""))
            own = prefix + (column.name if prefix else column.json_name)
            yield column, attribute.attrib.get("alias") or own


def _page(fetch: Element, rows: list[Row], shown: list[dict[str, Any]]) -> Fetched:
    counted = fetch.attrib.get("returntotalrecordcount") in TRUE
    if "top" in fetch.attrib:
        if fetch.attrib.keys() & {"count", "page"}:
            raise invalid("The top attribute can't be specified with paging attribute page.")
        return Fetched(shown[: _number(fetch, "top")], (), 1, len(shown), counted, more=False)
    size, page = min(_number(fetch, "count"), PAGE), max(_number(fetch, "page", 1), 1)
    start = (page - 1) * size
    last = last_of(fetch.attrib.get("paging-cookie", ""))
    ids = [row.id for row in rows]
    if last in ids:
        start = len(ids) - ids[::-1].index(last)
    end, more = start + size, start + size < len(rows)
    return Fetched(
        shown[start:end], rows[start:end] if more else (), page, len(rows), counted, more
    )


def _distinct(
    rows: list[Row], shown: list[dict[str, Any]]
) -> tuple[list[Row], list[dict[str, Any]]]:
    seen: dict[str, tuple[Row, dict[str, Any]]] = {}
    for row, item in zip(rows, shown, strict=True):
        seen.setdefault(repr(sorted(item.items(), key=lambda pair: pair[0])), (row, item))
    return [row for row, _ in seen.values()], [item for _, item in seen.values()]


def _number(fetch: Element, name: str, default: int = PAGE) -> int:
    text = fetch.attrib.get(name)
    if text is None:
        return default
    if not _POSITIVE.fullmatch(text):
        raise invalid(f"'{text}' is no {name}.")
    return int(text)
