"""Navigation properties: where they lead, and the rows they lead to.

Everything comes from the schema: a lookup leads to one row; read from the other side it is a
collection; a table with ``joins`` is a many-to-many relation; an activity has parties.
"""

from __future__ import annotations

import enum
import uuid

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from worker.sandbox.dataverse.rows.records import Party, Row, Rows
from worker.sandbox.dataverse.schema.columns import Column, Schema, Table


#: The participationtypemask of whom a lookup of the activity itself leads to.
AUTOMATIC_ROLES: Final = {"_regardingobjectid_value": 8, "_ownerid_value": 9}

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
    tables = table.schema.by_logical
    if column := table.navs.get(name):
        targets = tuple(tables[target] for target in column.navs[name] if target in tables)
        return Navigation(name, Kind.SINGLE, targets, column) if targets else None
    if table.activity and name == table.parties:
        return Navigation(name, Kind.PARTIES, (table.schema.activity_party,))
    join = table.schema.joins.get(name)
    if join and table.logical in join.joins:
        return Navigation(name, Kind.MANY, (other_side(table.schema, join, table),), join=join)
    if relation := table.collections.get(name):
        other = tables[relation.table]
        column = next(column for column in other.columns if column.name == relation.column)
        return Navigation(name, Kind.COLLECTION, (other,), column)
    return None


def related(records: Rows, table: Table, record: Row, nav: Navigation) -> list[Item]:
    """The rows a navigation property leads to from a row, with their tables, oldest first."""
    if nav.kind is Kind.PARTIES:
        return [(nav.target, row) for row in party_rows(records, record)]
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


def follower(records: Rows, table: Table, nav: Navigation) -> Callable[[Row], list[Item]]:
    """``related`` for many rows of one table, as long as nothing is written."""
    column, index = nav.column, dict[str, list[Item]]()
    if nav.kind is not Kind.COLLECTION or column is None:
        return lambda record: related(records, table, record, nav)

    def follow(record: Row) -> list[Item]:
        if not index:
            index[""] = []
            for row in records.all(nav.target):
                if row.targets.get(column.json_name) == table.logical:
                    found = index.setdefault(row.columns[column.json_name], [])
                    found.append((nav.target, row))
        return index.get(record.id, [])

    return follow


def joined(records: Rows, join: Table, table: Table, record: Row) -> list[Row]:
    """The rows a many-to-many relation leads to, in the order in which they were associated."""
    other = other_side(records.schema, join, table)
    pairs = [row for row in records.all(join) if row.columns[table.key] == record.id]
    found = (records.get(other, row.columns[other.key]) for row in pairs)
    return [row for row in found if row]


def party_rows(records: Rows, record: Row) -> list[Row]:
    """The parties of an activity as rows of their own table."""
    shown = records.switches.automatic_parties == "shown"
    rows = []
    for number, party in enumerate((*record.parties, *(_automatic(record) if shown else ()))):
        own_id = str(uuid.uuid5(uuid.UUID(record.id), str(number)))
        columns = {**party.columns, "activitypartyid": own_id, "_activityid_value": record.id}
        targets = {"_partyid_value": party.target} if party.target else {}
        rows.append(Row(own_id, record.version, columns, targets))
    return rows


def _automatic(record: Row) -> list[Party]:
    """The parties that an activity has by itself [DOC reference/entities/activityparty]."""
    return [
        Party({"_partyid_value": value, "participationtypemask": role}, record.targets[name])
        for name, role in AUTOMATIC_ROLES.items()
        if (value := record.columns.get(name))
    ]


def all_parties(records: Rows) -> list[Row]:
    """The parties of all activities."""
    activities = [table for table in records.schema.tables.values() if table.activity]
    return [
        party
        for table in activities
        for row in records.all(table)
        for party in party_rows(records, row)
    ]


def other_side(schema: Schema, join: Table, table: Table) -> Table:
    """The table a many-to-many relation leads to from one of its sides."""
    left, right = join.joins
    return schema.by_logical[right if table.logical == left else left]
