"""Navigation properties: where they lead, and the rows they lead to.

Everything comes from the schema: a lookup leads to one row; read from the other side it is a
collection; a table with ``joins`` is a many-to-many relation; an activity has parties.
"""

from __future__ import annotations

import enum
import uuid

from dataclasses import dataclass

from worker.sandbox.dataverse.rows.records import Row, Rows
from worker.sandbox.dataverse.schema.columns import Column, Schema, Table


#: A row and its table.
Item = tuple[Table, Row]


class Kind(enum.Enum):
    """What a navigation property leads to."""

    SINGLE = "single"
    COLLECTION = "collection"
    MANY = "many-to-many"
    PARTIES = "parties"


@dataclass(frozen=True, slots=True)
class Navigation:
    """A navigation property.

    Attributes:
        name: As it is written, case included.
        kind: What it leads to.
        targets: The tables it leads to; several only of a lookup like ownerid.
        column: The lookup behind it: the table's own, or for a collection the other table's.
        join: The table of a many-to-many relation.
    """

    name: str
    kind: Kind
    targets: tuple[Table, ...]
    column: Column | None = None
    join: Table | None = None

    @property
    def target(self) -> Table:
        """The table it leads to; the first of several."""
        return self.targets[0]

    @property
    def single(self) -> bool:
        """Whether it leads to one row at most."""
        return self.kind is Kind.SINGLE


def navigation(table: Table, name: str) -> Navigation | None:
    """The navigation property of a table; None if there is none. Names are case-sensitive."""
    if column := table.navs.get(name):
        targets = tuple(table.schema.by_logical[target] for target in column.navs[name])
        return Navigation(name, Kind.SINGLE, targets, column)
    if table.activity and name == table.parties:
        return Navigation(name, Kind.PARTIES, (table.schema.activity_party,))
    join = table.schema.joins.get(name)
    if join and table.logical in join.joins:
        return Navigation(name, Kind.MANY, (other_side(table.schema, join, table),), join=join)
    if relation := table.collections.get(name):
        other = table.schema.by_logical[relation.table]
        column = next(c for c in other.columns if c.name == relation.column)
        return Navigation(name, Kind.COLLECTION, (other,), column)
    return None


def related(records: Rows, table: Table, record: Row, nav: Navigation) -> list[Item]:
    """The rows a navigation property leads to from a row, with their tables, oldest first."""
    if nav.kind is Kind.PARTIES:
        return [(nav.target, row) for row in party_rows(record)]
    if nav.join:
        return [(nav.target, row) for row in joined(records, nav.join, table, record)]
    if nav.column is None:
        return []
    name = nav.column.json_name
    if nav.single:
        target = record.targets.get(name, "")
        other = table.schema.by_logical.get(target)
        row = records.get(other, record.columns[name]) if other in nav.targets and other else None
        return [(other, row)] if other and row else []
    return [
        (nav.target, row)
        for row in records.all(nav.target)
        if row.columns.get(name) == record.id and row.targets.get(name) == table.logical
    ]


def joined(records: Rows, join: Table, table: Table, record: Row) -> list[Row]:
    """The rows a many-to-many relation leads to, in the order in which they were associated."""
    other = other_side(records.schema, join, table)
    pairs = [row for row in records.all(join) if row.columns[table.key] == record.id]
    found = (records.get(other, row.columns[other.key]) for row in pairs)
    return [row for row in found if row]


def party_rows(record: Row) -> list[Row]:
    """The parties of an activity as rows of their own table."""
    rows = []
    for number_, party in enumerate(record.parties):
        own_id = str(uuid.uuid5(uuid.UUID(record.id), str(number_)))
        columns = {**party.columns, "activitypartyid": own_id, "_activityid_value": record.id}
        targets = {"_partyid_value": party.target} if party.target else {}
        rows.append(Row(own_id, record.version, columns, targets))
    return rows


def other_side(schema: Schema, join: Table, table: Table) -> Table:
    """The table a many-to-many relation leads to from one of its sides."""
    left, right = join.joins
    return schema.by_logical[right if table.logical == left else left]
