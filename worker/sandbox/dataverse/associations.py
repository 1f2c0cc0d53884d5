"""Many-to-many relations: ``templates(<id>)/<relation>/$ref`` [DOC webapi/associate-disassociate].

Both sides have a navigation property named like the relation. A row of the relation's own table
stands for each pair; that table can be read, but not written.
"""

from __future__ import annotations

import re
import uuid

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.keys import parse_key, resolve, split_reference
from worker.sandbox.dataverse.rows.records import Row, Rows


if TYPE_CHECKING:
    from worker.sandbox.dataverse.schema.columns import Table
    from worker.sandbox.dataverse.switches import Switches


_MEMBER: Final = re.compile(r"(?P<nav>\w+)(?:\((?P<key>[^()]+)\))?(?P<ref>/\$ref)?")
_NAMESPACE: Final = uuid.UUID("0b4a6d0e-4d1c-4c3e-8d2b-5e0c3f9a7b21")


@dataclass(frozen=True, slots=True)
class Link:
    """The member of a path that names a relation.

    Attributes:
        join: The relation's table.
        other: The table of the other side.
        key: What names one row of the other side; "" for all.
        ref: Whether the relation is meant (``/$ref``), not the rows it leads to.
    """

    join: Table
    other: Table
    key: str
    ref: bool


def parse_link(table: Table, member: str) -> Link | None:
    """Read the member of a path; None if it names no relation of the table."""
    match = _MEMBER.fullmatch(unquote(member))
    join = table.schema.joins.get(match["nav"]) if match else None
    if match is None or join is None or table.logical not in join.joins:
        return None
    return Link(join, other_side(join, table), match["key"] or "", bool(match["ref"]))


def other_side(join: Table, table: Table) -> Table:
    """The table a relation leads to from one of its sides."""
    left, right = join.joins
    return table.schema.by_logical[right if table.logical == left else left]


def related(records: Rows, join: Table, table: Table, record: Row) -> list[Row]:
    """The rows a relation leads to, in the order in which they were associated."""
    other = other_side(join, table)
    pairs = [row for row in records.all(join) if row.columns[table.key] == record.id]
    found = (records.get(other, row.columns[other.key]) for row in pairs)
    return [row for row in found if row]


class Associations:
    """Makes and ends relations. Only inside a transaction.

    Args:
        records: The rows.
        switches: What is done where Dataverse's behaviour is not documented.
    """

    def __init__(self, records: Rows, switches: Switches) -> None:
        self._records = records
        self._switches = switches

    def add(self, link: Link, table: Table, record: Row, body: dict[str, Any]) -> None:
        """Relate a row with the one that ``@odata.id`` names.

        Raises:
            Refusal: It names none, or they are related already.
        """
        reference = body.get("@odata.id")
        found = split_reference(table.schema, reference) if isinstance(reference, str) else None
        if found is None or found[0] is not link.other:
            inner = "Microsoft.OData.ODataException: The '@odata.id' names no row of the relation."
            raise refusals.payload(link.join.entity_set, inner)
        target = resolve(self._records, self._switches, link.other, found[1])
        if target is None:
            raise refusals.no_row(link.other, str(found[1]))
        pair = self._pair(link, table, record, target.id)
        if self._records.get(link.join, pair.id):
            raise refusals.already_related()
        self._records.put(link.join, pair)

    def remove(self, link: Link, table: Table, record: Row) -> None:
        """End the relation with the row the link names; none is no error.

        Raises:
            Refusal: It names none.
        """
        if not link.key:
            raise refusals.not_allowed("DELETE")
        key = parse_key(link.other, link.key)
        target = resolve(self._records, self._switches, link.other, key)
        if target is None:
            raise refusals.no_row(link.other, link.key)
        pair = self._pair(link, table, record, target.id)
        if self._records.get(link.join, pair.id):
            self._records.remove(link.join, pair.id)

    def _pair(self, link: Link, table: Table, record: Row, other_id: str) -> Row:
        ids = {table.key: record.id, link.other.key: other_id}
        left, right = (ids[table.schema.by_logical[side].key] for side in link.join.joins)
        own = str(uuid.uuid5(_NAMESPACE, f"{link.join.logical}/{left}/{right}"))
        version = self._records.next_version()
        return Row(own, version, {link.join.key: own, **ids, "versionnumber": version})
