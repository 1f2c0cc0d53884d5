"""A schema as a JSON document, which a person or ``sandbox --like`` writes; see the room's README.

A document describes a schema completely (``"extends": "nothing"``, what ``description`` makes), or
says what there is beside the tables it extends: tables, and columns, keys, choices and status
reasons of tables that are there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from worker.errors import ConfigError
from worker.sandbox.dataverse.schema.activities import CUSTOM_STATES, activity_columns
from worker.sandbox.dataverse.schema.columns import Column, Schema, StateCode, Table
from worker.sandbox.dataverse.schema.description import FEATURES, kind
from worker.sandbox.dataverse.schema.entries import Entry, instead
from worker.sandbox.dataverse.schema.fields import read_column
from worker.sandbox.dataverse.schema.kinds import (
    create_only,
    guid,
    number,
    read_only,
    required,
    text,
)
from worker.sandbox.dataverse.schema.shared import ACTIVE_STATES, audit, owner, state_columns


if TYPE_CHECKING:
    from collections.abc import Mapping


KINDS: Final = ("standard", "activity", "elastic")
OWNERSHIPS: Final = (
    *("UserOwned", "TeamOwned", "BusinessOwned", "OrganizationOwned", "BusinessParented", "None"),
)

_TABLE_KEYS: Final = (
    *("set", "key", "name", "schema_name", "kind", "ownership", "has", "columns", "keys", "states"),
)
#: The key of every elastic table [DOC use-elastic-tables].
_PARTITION_KEY: Final = "KeyForNoSqlEntityWithPKPartitionId"


def read_schema(document: Any, base: Schema, name: str = "schema") -> Schema:
    """The schema a document describes.

    Args:
        document: Parsed JSON.
        base: What it extends, unless it says that it extends nothing.
        name: Of the file, for messages.

    Raises:
        ConfigError: Mistakes, each with its table and column and what to write instead.
    """
    found: list[str] = []
    top = Entry(found, "", document)
    top.only("extends", "tables", "relations")
    exact = top.one_of("extends", ("shipped", "nothing"), "shipped") == "nothing"
    tables = {} if exact else dict(base.by_logical)
    for logical, entry in top.entries("tables", "table"):
        entry.only(*_TABLE_KEYS)
        known = tables.get(logical)
        tables[logical] = _extended(known, entry) if known else _new(logical, entry, exact=exact)
        _check_table(tables[logical], entry)
    for relation, entry in top.entries("relations", "relation"):
        join = _join(relation, entry, tables)
        tables[join.logical] = join
    _check_all(tables, found)
    if found:
        raise ConfigError("\n".join(f"{name}: {mistake}" for mistake in found))
    return Schema(tables.values())


def _extended(known: Table, entry: Entry) -> Table:
    """A table that is there, with more columns, keys, choices and status reasons."""
    for key, value in (
        ("set", known.entity_set),
        ("key", known.key),
        ("name", known.title),
        ("schema_name", known.capitalized),
        ("kind", kind(known)),
        ("ownership", known.ownership),
    ):
        if entry.text(key, value) != value:
            entry.mistake(f"its {key!r} is {value!r}, which stays; leave it out")
    states = _states(entry, known.states)
    columns = {column.name: column for column in known.columns}
    if entry.has("states"):
        columns |= {column.name: column for column in state_columns(states)}
    return replace(
        known,
        columns=_columns(entry, columns),
        states=states,
        keys={**known.keys, **_keys(entry)},
        **_features(entry),
    )


def _new(logical: str, entry: Entry, *, exact: bool) -> Table:
    if not entry.has("set"):
        entry.mistake(f'has no name in URLs; write "set": "{logical}s", or what its plural is')
    chosen = entry.one_of("kind", KINDS, "standard")
    activity = chosen == "activity"
    prefix = logical.partition("_")[0]
    title = entry.text("name", "subject" if activity else f"{prefix}_name")
    ownership = entry.one_of("ownership", OWNERSHIPS, "UserOwned")
    states = _states(entry, {})
    if not (states or exact):
        states = CUSTOM_STATES if activity else ACTIVE_STATES
    table = Table(
        logical,
        entry.text("set", f"{logical}s"),
        entry.text("key", "activityid" if activity else f"{logical}id"),
        title,
        (),
        states,
        schema_name=entry.text("schema_name"),
        ownership=ownership,
        activity=activity,
        elastic=chosen == "elastic",
    )
    usual = () if exact else _usual_columns(table)
    features = _features(entry)
    if not exact:
        features |= {"has_notes": True, "in_queues": True} if activity else {"bulk": True}
    keys = {_PARTITION_KEY: (table.key, "partitionid")} if table.elastic and not exact else {}
    return replace(
        table,
        columns=_columns(entry, {column.name: column for column in usual}),
        keys={**keys, **_keys(entry)},
        **features,
    )


def _usual_columns(table: Table) -> tuple[Column, ...]:
    """What a new table has without being told."""
    if table.activity:
        return activity_columns(table.logical, table.states)
    elastic = (create_only(text("partitionid", 100)), number("ttlinseconds"))
    return (
        required(create_only(guid(table.key))),
        text(table.title, 100),
        *(elastic if table.elastic else ()),
        *state_columns(table.states),
        *audit(),
        *((owner(),) if table.ownership == "UserOwned" else ()),
    )


def _columns(entry: Entry, known: Mapping[str, Column]) -> tuple[Column, ...]:
    read = {
        name: read_column(name, inner, known.get(name))
        for name, inner in entry.entries("columns", "column")
    }
    return tuple({**known, **read}.values())


def _keys(entry: Entry) -> dict[str, tuple[str, ...]]:
    value = entry.value("keys") or {}
    if not isinstance(value, dict):
        entry.mistake('\'keys\' is no object; write it like {"cr8a1_code": ["cr8a1_code"]}')
        return {}
    inner = Entry(entry.found, f"{entry.where}, key", value)
    return {name: inner.names(name) for name in value}


def _features(entry: Entry) -> dict[str, Any]:
    """The attributes of a table that its ``has`` switches on."""
    names = entry.names("has")
    for name in names:
        if name not in FEATURES:
            entry.mistake(f"'has' {name!r} is not known; {instead(name, FEATURES)}")
    return {FEATURES[name]: True for name in names if name in FEATURES}


def _states(entry: Entry, known: Mapping[int, StateCode]) -> dict[int, StateCode]:
    states = dict(known)
    for name, inner in entry.entries("states", "state"):
        inner.only("label", "reasons", "default")
        if not name.isdigit():
            inner.mistake('is no number; write it like "1": {…}')
            continue
        before = states.get(int(name), StateCode("", {}, -1))
        reasons = {**before.statuses, **inner.labels("reasons")}
        label = inner.text("label", before.label)
        first = before.default if before.statuses else min(reasons, default=0)
        default = inner.whole("default", first)
        if not label:
            inner.mistake('has no label; write "label": "Open"')
        if default not in reasons:
            inner.mistake(
                f'its default {default} is none of its reasons; write "reasons": {{"1": "Open"}}'
            )
        states[int(name)] = StateCode(label, reasons, default or 0)
    if states and 0 not in states:
        entry.mistake('has no state 0, in which rows begin; write "states": {"0": {…}}')
        return {}
    return dict(sorted(states.items()))


def _join(relation: str, entry: Entry, tables: Mapping[str, Table]) -> Table:
    """The table of a many-to-many relation."""
    entry.only("tables", "table", "set", "key")
    sides = entry.names("tables")
    if len(set(sides)) != 2:  # noqa: PLR2004 - a relation has two sides
        entry.mistake('has no two tables; write "tables": ["account", "cr8a1_case"]')
    for side in sides:
        if side not in tables:
            entry.mistake(f"there is no table {side!r}; {instead(side, tables)}")
    logical = entry.text("table", relation.lower())
    key = entry.text("key", f"{logical}id")
    ids = [tables[side].key for side in sides if side in tables]
    columns = (
        *(read_only(guid(name)) for name in (key, *ids)),
        read_only(Column("versionnumber", "BigInt")),
    )
    name = entry.text("set", f"{logical}set")
    return Table(
        logical, name, key, key, columns, {}, ownership="None", joins=sides, association=relation
    )


def _check_table(table: Table, entry: Entry) -> None:
    names = {column.name for column in table.columns}
    for what, name in (("key", table.key), ("name", table.title)):
        if name not in names:
            entry.mistake(f"its {what!r} is {name!r}, of which it has no column; {_add(name)}")
    for key, columns in table.keys.items():
        for name in columns:
            if name not in names:
                entry.mistake(f"key {key} has no column {name!r}; {instead(name, names)}")
    if not (table.states or names.isdisjoint({"statecode", "statuscode"})):
        entry.mistake('has a state, but none is described; write "states": {"0": {…}}')


def _add(name: str) -> str:
    return f'write it among "columns": {{"{name}": {{"type": "String"}}}}'


def _check_all(tables: Mapping[str, Table], found: list[str]) -> None:
    """What can be said only when all tables are read."""
    if "systemuser" not in tables:
        found.append("there is no table systemuser, which every organisation has; describe it")
    sets: dict[str, str] = {}
    for table in tables.values():
        first = sets.setdefault(table.entity_set, table.logical)
        if first != table.logical:
            found.append(
                f"table {table.logical}: {table.entity_set!r} is the set of {first}; write another"
            )
        navs: dict[str, str] = {}
        for column in table.columns:
            for nav in column.navs:
                first_column = navs.setdefault(nav, column.name)
                if first_column != column.name:
                    wrong = f"{nav!r} leads from {first_column} already; write another"
                    found.append(f"table {table.logical}, column {column.name}: {wrong}")
            for target in column.targets:
                if target not in tables:
                    where = f"table {table.logical}, column {column.name}"
                    found.append(
                        f"{where}: there is no table {target!r}; {instead(target, tables)}"
                    )
