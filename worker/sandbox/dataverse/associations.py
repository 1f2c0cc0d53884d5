"""Relations of two rows: ``accounts(<id>)/primarycontactid/$ref`` and the like.

What stands behind one is a lookup, the row's own or the other row's, or for a many-to-many relation
a row of the relation's own table, which can be read, but not written
[DOC webapi/associate-disassociate-entities-using-web-api].
"""

from __future__ import annotations

import uuid

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.keys import parse_key, resolve, split_reference
from worker.sandbox.dataverse.rows.navigation import Item, Kind, Navigation, related
from worker.sandbox.dataverse.rows.records import Row, Rows


if TYPE_CHECKING:
    from worker.sandbox.dataverse.rows.writes import RowWriter
    from worker.sandbox.dataverse.schema.columns import Table
    from worker.sandbox.dataverse.switches import Switches


_NAMESPACE: Final = uuid.UUID("0b4a6d0e-4d1c-4c3e-8d2b-5e0c3f9a7b21")


@dataclass(frozen=True, slots=True)
class Associations:
    """Makes and ends relations. Only inside a transaction.

    Attributes:
        records: The rows.
        switches: What is done where Dataverse's behaviour is not documented.
        writer: Writes lookups.
    """

    records: Rows
    switches: Switches
    writer: RowWriter

    def add(self, table: Table, record: Row, nav: Navigation, reference: str, user: str) -> None:
        """Relate a row with the one a reference names.

        Raises:
            Refusal: It names none the property leads to, or they are related already.
        """
        self.relate((table, record), nav, self._named(table, nav, reference), user)

    def relate(self, item: Item, nav: Navigation, other: Item, user: str) -> None:
        """Relate two rows.

        Raises:
            Refusal: They are related already, or the row that refers is closed to changes.
        """
        if nav.join:
            pair = self._pair(nav.join, item, other)
            if self.records.get(nav.join, pair.id):
                raise refusals.already_related()
            self.records.put(nav.join, pair)
        elif nav.column:
            (table, row), (target, found) = (item, other) if nav.single else (other, item)
            self.writer.link(table, row, nav.column, (target.logical, found.id), user)

    def remove(self, table: Table, record: Row, nav: Navigation, reference: str, user: str) -> None:
        """End the relation with the row a key or reference names; none is no error.

        Args:
            table: The row's.
            record: The row.
            nav: The property.
            reference: "" for the row a single-valued property leads to.
            user: Whose request it is.

        Raises:
            Refusal: It names none.
        """
        found = related(self.records, table, record, nav)
        if nav.single and nav.column:
            if found:
                self.writer.link(table, record, nav.column, None, user)
            return
        if not reference:
            raise refusals.not_allowed("DELETE")
        other, row = self._named(table, nav, reference)
        if nav.join:
            pair = self._pair(nav.join, (table, record), (other, row))
            if self.records.get(nav.join, pair.id):
                self.records.remove(nav.join, pair.id)
        elif nav.column and any(item.id == row.id for _, item in found):
            self.writer.link(other, row, nav.column, None, user)

    def member(self, table: Table, record: Row, nav: Navigation, key: str) -> Row:
        """The row of a collection that a key names.

        Raises:
            Refusal: It has no such row.
        """
        wanted = parse_key(nav.target, key)
        row = resolve(self.records, self.switches, nav.target, wanted)
        found = related(self.records, table, record, nav)
        if row is None or all(item.id != row.id for _, item in found):
            raise refusals.no_row(nav.target, key)
        return row

    def _named(self, table: Table, nav: Navigation, reference: str) -> Item:
        """The row a key or an address names."""
        found = split_reference(table.schema, reference)
        if found is None and "/" not in reference and nav.kind is not Kind.SINGLE:
            found = nav.target, parse_key(nav.target, reference)
        if found is None or found[0] not in nav.targets:
            inner = "Microsoft.OData.ODataException: The '@odata.id' names no row of the relation."
            raise refusals.payload(table.entity_set, inner)
        other, key = found
        row = resolve(self.records, self.switches, other, key)
        if row is None:
            raise (
                refusals.no_row(other, key)
                if isinstance(key, str)
                else refusals.no_row_by_key(other)
            )
        return other, row

    def _pair(self, join: Table, item: Item, other: Item) -> Row:
        ids = {table.key: row.id for table, row in (item, other)}
        sides = {table.logical: table for table, _ in (item, other)}
        left, right = (ids[sides[side].key] for side in join.joins)
        own = str(uuid.uuid5(_NAMESPACE, f"{join.logical}/{left}/{right}"))
        version = self.records.next_version()
        return Row(own, version, {join.key: own, **ids, "versionnumber": version})
