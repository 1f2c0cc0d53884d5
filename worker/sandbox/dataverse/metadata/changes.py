"""What a schema becomes when clients define tables, columns, keys and relations: pure functions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from worker.sandbox.dataverse.metadata.columns import logical_name, read_column
from worker.sandbox.dataverse.metadata.definitions import Fields, is_custom
from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.schema.columns import Column, Schema, Table
from worker.sandbox.dataverse.schema.kinds import create_only, guid, read_only, required
from worker.sandbox.dataverse.schema.shared import ACTIVE_STATES, audit, owner, state_columns


if TYPE_CHECKING:
    from collections.abc import Callable


def with_table(schema: Schema, body: Fields, choices: Callable[[str], Any]) -> Schema:
    """The schema with the table that EntityMetadata defines.

    Raises:
        Refusal: There is one of that name, or it has no primary name column.
    """
    logical = logical_name(body)
    if logical in schema.by_logical:
        raise refusals.invalid_argument(f"There is a table '{logical}' already.")
    if body.get("IsActivity"):
        raise refusals.invalid_argument("Custom activities come with --schema.")
    given = [item for item in body.get("Attributes") or () if isinstance(item, dict)]
    titles = [logical_name(item) for item in given if item.get("IsPrimaryName")]
    if len(titles) != 1:
        raise refusals.invalid_argument("A table needs one column with IsPrimaryName.")
    owned = str(body.get("OwnershipType") or "UserOwned") == "UserOwned"
    columns = (
        required(create_only(guid(f"{logical}id"))),
        *(read_column(item, choices) for item in given),
        *state_columns(ACTIVE_STATES),
        *audit(),
        *((owner(),) if owned else ()),
    )
    table = Table(
        logical,
        _plural(logical),
        f"{logical}id",
        titles[0],
        columns,
        ACTIVE_STATES,
        schema_name=body["SchemaName"],
        ownership="UserOwned" if owned else "OrganizationOwned",
        has_activities=bool(body.get("HasActivities")),
        has_notes=bool(body.get("HasNotes")),
        bulk=True,
    )
    return Schema((*schema.tables.values(), table))


def without_table(schema: Schema, table: Table) -> Schema:
    """The schema without a table, and without the lookups and relations that lead to it.

    Raises:
        Refusal: It is not a custom one.
    """
    _own(table.logical)
    rest = [
        replace(other, columns=tuple(_not_to(table.logical, other.columns)))
        for other in schema.tables.values()
        if other.logical != table.logical and table.logical not in other.joins
    ]
    return Schema(rest)


def with_column(schema: Schema, table: Table, column: Column) -> Schema:
    """The schema with a new column.

    Raises:
        Refusal: There is one of that name.
    """
    if any(other.name == column.name for other in table.columns):
        raise refusals.invalid_argument(f"There is a column '{column.name}' already.")
    return _with(schema, replace(table, columns=(*table.columns, column)))


def with_changed(schema: Schema, table: Table, column: Column) -> Schema:
    """The schema with a column in place of the one of its name."""
    columns = tuple(column if c.name == column.name else c for c in table.columns)
    return _with(schema, replace(table, columns=columns))


def without_column(schema: Schema, table: Table, column: Column) -> Schema:
    """The schema without a column.

    Raises:
        Refusal: It is not a custom one, or a key needs it.
    """
    _own(column.name)
    if column.name in {table.key, table.title, *(n for key in table.keys.values() for n in key)}:
        raise refusals.invalid_argument(f"A key or the name of its table needs '{column.name}'.")
    columns = tuple(other for other in table.columns if other.name != column.name)
    return _with(schema, replace(table, columns=columns))


def with_key(schema: Schema, table: Table, body: Fields) -> Schema:
    """The schema with the alternate key that EntityKeyMetadata defines.

    Raises:
        Refusal: There is one of that name, or it names no columns.
    """
    name, columns = logical_name(body), body.get("KeyAttributes")
    known = {column.name for column in table.columns}
    if not isinstance(columns, list) or not columns or not known.issuperset(columns):
        raise refusals.invalid_argument("KeyAttributes must name columns of the table.")
    if name in {key.lower() for key in table.keys}:
        raise refusals.invalid_argument(f"There is a key '{name}' already.")
    return _with(schema, replace(table, keys={**table.keys, body["SchemaName"]: tuple(columns)}))


def without_key(schema: Schema, table: Table, name: str) -> Schema:
    """The schema without an alternate key."""
    keys = {key: columns for key, columns in table.keys.items() if key != name}
    return _with(schema, replace(table, keys=keys))


def with_lookup(schema: Schema, body: Fields) -> Schema:
    """The schema with the lookup of a one-to-many relation.

    Raises:
        Refusal: Its tables are not there, or there is a relation or column of that name.
    """
    name = _new_relation(schema, body)
    target = table_of(schema, body.get("ReferencedEntity"))
    table = table_of(schema, body.get("ReferencingEntity"))
    lookup = body.get("Lookup")
    if not isinstance(lookup, dict):
        raise refusals.invalid_argument("A one-to-many relation needs a Lookup.")
    nav = {lookup["SchemaName"]: (target.logical,)} if "SchemaName" in lookup else {}
    column = Column(logical_name(lookup), "Lookup", navs=nav, relations={target.logical: name})
    return with_column(schema, table, column)


def with_join(schema: Schema, body: Fields) -> Schema:
    """The schema with a many-to-many relation.

    Raises:
        Refusal: Its tables are not there, or there is a relation of that name.
    """
    name = _new_relation(schema, body)
    sides = tuple(table_of(schema, body.get(f"Entity{n}LogicalName")) for n in "12")
    logical = str(body.get("IntersectEntityName") or name).lower()
    ids = (f"{logical}id", *(side.key for side in sides))
    columns = (*(read_only(guid(key)) for key in ids), read_only(Column("versionnumber", "BigInt")))
    if logical in schema.by_logical or sides[0] == sides[1]:
        raise refusals.invalid_argument(f"'{logical}' is a table already, or its sides are one.")
    join = Table(
        logical,
        f"{logical}set",
        ids[0],
        ids[0],
        columns,
        {},
        ownership="None",
        joins=tuple(side.logical for side in sides),
        association=name,
    )
    return Schema((*schema.tables.values(), join))


def without_relation(schema: Schema, row: Fields) -> Schema:
    """The schema without a relation: its lookup, or its table.

    Raises:
        Refusal: It is not a custom one.
    """
    if join := schema.joins.get(row["SchemaName"]):
        _own(join.logical)
        return Schema(table for table in schema.tables.values() if table != join)
    table = schema.by_logical[row["ReferencingEntity"]]
    column = next(c for c in table.columns if c.name == row["ReferencingAttribute"])
    return without_column(schema, table, column)


def table_of(schema: Schema, logical: Any) -> Table:
    """The table of that name.

    Raises:
        Refusal: There is none.
    """
    table = schema.by_logical.get(str(logical))
    if table is None:
        raise refusals.invalid_argument(f"There is no table '{logical}'.")
    return table


def _with(schema: Schema, table: Table) -> Schema:
    tables = schema.tables.values()
    return Schema(table if other.logical == table.logical else other for other in tables)


def _new_relation(schema: Schema, body: Fields) -> str:
    logical_name(body)
    name = str(body["SchemaName"])
    taken = {relation.name for table in schema.tables.values() for relation in table.relations}
    if name in {*taken, *schema.joins}:
        raise refusals.invalid_argument(f"There is a relation '{name}' already.")
    return name


def _not_to(logical: str, columns: tuple[Column, ...]) -> list[Column]:
    """Columns with no way to a table; those that lead nowhere else are gone."""
    kept = []
    for column in columns:
        if logical not in column.targets:
            kept.append(column)
            continue
        navs = {
            nav: left
            for nav, targets in column.navs.items()
            if (left := tuple(target for target in targets if target != logical))
        }
        relations = {to: name for to, name in column.relations.items() if to != logical}
        if navs:
            kept.append(replace(column, navs=navs, relations=relations))
    return kept


def _own(name: str) -> None:
    if not is_custom(name):
        raise refusals.invalid_argument(f"'{name}' is Microsoft's and stays.")


def _plural(name: str) -> str:
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "z", "ch", "sh")) else f"{name}s"
