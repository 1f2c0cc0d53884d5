"""Check: whether settings and pipelines will work, offline and against Dynamics.

Every finding says what to do about it.
"""

from __future__ import annotations

import asyncio
import difflib
import os
import re

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipelines.changes import departures
from pipelines.conversion import Kind
from pipelines.entity import Entity, is_party_list
from pipelines.lookup import column_of, fields_of
from pipelines.pipeline import Pipeline, doubles, type_doubt
from pipelines.step import CreateStep, LookupStep, RecordStep, TableStep, tables_of
from pipelines.template import Template
from worker import aws
from worker.commands import check_access
from worker.definitions import find
from worker.dynamics.connection import open_dynamics
from worker.dynamics.errors import DynamicsError, Missing
from worker.dynamics.protocol import Dynamics, Request
from worker.dynamics.secret import read_secret
from worker.engine.remembered_steps import recall_steps
from worker.errors import ConfigError, WorkerError
from worker.operations import file_of
from worker.settings import DYNAMICS, PREFIX, Settings, nothing_to_read
from worker.stores import open_store


#: Timeout of one request to Dynamics (s).
ASK_S = 30.0

#: Dataverse's attribute types, and the Python types of the values that fit them.
FITTING: Mapping[str, tuple[type, ...]] = {
    "String": (str,),
    "Memo": (str,),
    "Boolean": (bool,),
    "Integer": (int,),
    "BigInt": (int,),
    "Picklist": (int,),
    "State": (int,),
    "Status": (int,),
    "Decimal": (int, float),
    "Double": (int, float),
    "Money": (int, float),
    "DateTime": (str,),
    "Uniqueidentifier": (str,),
}


#: Dataverse's attribute types that are no text, as kinds of columns.
KINDS: Mapping[str, Kind] = {
    "Boolean": "boolean",
    **dict.fromkeys(("Integer", "BigInt", "Picklist", "State", "Status"), "integer"),
    **dict.fromkeys(("Decimal", "Double", "Money"), "decimal"),
}


#: How findings name the type of a value in a pipeline.
WORDS: Mapping[type, str] = {
    str: "a text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: an error if ``wrong``, in order if ``fine``, else a warning."""

    text: str
    wrong: bool = True
    fine: bool = False


def good(text: str) -> Finding:
    """Something that is in order."""
    return Finding(text, wrong=False, fine=True)


async def check_offline(settings: Settings) -> list[Finding]:
    """Check without Dynamics: settings, secret, state and pipelines."""
    found = [Finding(_unset(name)) for name in DYNAMICS if not getattr(settings, name)]
    if unread := nothing_to_read(settings):
        found.append(Finding(unread))
    found += [Finding(text) for text in check_access.clouds(settings)]
    found += await _secret(settings)
    found += await _state(settings)
    for name in settings.pipelines:
        found += _pipeline(name)
    return found + [Finding(text) for text in doubles(_usable(settings))]


def _usable(settings: Settings) -> list[Pipeline]:
    """The pipelines that can be used; ``_pipeline`` reports the others."""
    pipelines = []
    for name in settings.pipelines:
        with suppress(ConfigError):
            pipelines.append(find(name))
    return pipelines


def _unset(name: str) -> str:
    return f"set {PREFIX}{name.upper()}: {Settings.model_fields[name].description}"


async def _secret(settings: Settings) -> list[Finding]:
    if not settings.secret:
        return []
    try:
        await read_secret(settings.secret, aws.secrets)
    except WorkerError as error:
        return [Finding(f"{PREFIX}SECRET: {error}")]
    return [good("the client secret can be read")]


async def _state(settings: Settings) -> list[Finding]:
    path = file_of(settings.state)
    if path is not None and not path.exists():
        return [await asyncio.to_thread(_can_be_created, path)]
    try:
        store = await asyncio.to_thread(open_store, settings.state)
    except WorkerError as error:
        advice = "; name a file of its own" if path and isinstance(error, ConfigError) else ""
        return [Finding(f"{PREFIX}STATE: {error}{advice}")]
    pipelines = _usable(settings)
    try:
        versions = await recall_steps(store, pipelines)
    except WorkerError as error:
        return [Finding(f"{PREFIX}STATE: {error}")]
    finally:
        await store.close()
    changes = [
        Finding(f"{pipeline.source}: step {step} {what}", wrong=False)
        for pipeline in pipelines
        for step, what in departures(pipeline, versions[pipeline.name])
    ]
    return [good(f"state {settings.state} can be used"), *changes]


def _can_be_created(path: Path) -> Finding:
    """Whether a state file can be created. Not by creating it: the service's user is to own it."""
    if path.parent.is_dir() and os.access(path.parent, os.W_OK | os.X_OK):
        return good(f"state {path} can be made")
    return Finding(
        f"{PREFIX}STATE: {path.parent} is not a folder that can be written; name another"
    )


def _pipeline(name: str) -> list[Finding]:
    try:
        pipeline = find(name)
    except ConfigError as error:
        return [Finding(str(error))]
    warnings = [Finding(text, wrong=False) for text in pipeline.warnings()]
    return [*warnings, good(f"pipeline {pipeline.name}: {len(pipeline.steps)} steps")]


async def check_online(settings: Settings) -> list[Finding]:
    """Check with Dynamics: token, environment, and every table and column that pipelines name."""
    try:
        async with open_dynamics(settings, aws.secrets) as client:
            return await ask(client, settings, _usable(settings))
    except ConfigError as error:
        return [Finding(str(error))]


async def ask(
    dynamics: Dynamics, settings: Settings, pipelines: Iterable[Pipeline]
) -> list[Finding]:
    """Check settings and pipelines against what Dynamics answers."""
    try:
        user = await dynamics.user_id()
    except DynamicsError as error:
        return [Finding(f"{settings.environment_url}: {error}. {_advice(error)}")]
    found = [good(f"{settings.environment_url} knows us as user {user}")]
    pipelines = list(pipelines)
    found += await _impersonation(dynamics, user, pipelines)
    tables: dict[str, dict[str, Any] | Finding] = {}
    for pipeline in pipelines:
        for step in pipeline.steps:
            if not isinstance(step, TableStep):
                continue
            for table in tables_of(step):
                if table.set not in tables:
                    tables[table.set] = known = await _definition(dynamics, table)
                    found.append(known if isinstance(known, Finding) else _key(table, known))
                definition = tables[table.set]
                if not isinstance(definition, Finding):
                    where = f"{pipeline.source}: step {step.name}"
                    found += _mismatches(where, step, table, definition)
    return found


async def _impersonation(dynamics: Dynamics, user: str, pipelines: list[Pipeline]) -> list[Finding]:
    holds, text = await check_access.impersonation(dynamics, user, pipelines)
    return [Finding(text, wrong=holds is False, fine=holds is True)] if text else []


def _mismatches(
    where: str, step: TableStep, table: Entity, definition: Mapping[str, Any]
) -> list[Finding]:
    """Columns that a step names and the table lacks, or has with another type."""
    if isinstance(step, LookupStep):
        return _lookup(where, step, table, definition)
    return _columns(where, step, definition)


async def _definition(dynamics: Dynamics, table: Entity) -> dict[str, Any] | Finding:
    """The table's metadata with its columns by logical name, or why it cannot be read."""
    path = (
        "EntityDefinitions?$select=LogicalName,EntitySetName,PrimaryIdAttribute"
        f"&$filter=EntitySetName eq '{quote(table.set)}'&$expand=Attributes"
    ).replace(" ", "%20")
    try:
        answer = await dynamics.send(Request("GET", path), timeout_s=ASK_S)
    except Missing:
        rows: list[dict[str, Any]] = []
    except DynamicsError as error:
        return Finding(f"{table.set}: its definition cannot be read: {error}. {_advice(error)}")
    else:
        rows = answer.body.get("value") or []
    if not rows:
        return Finding(
            f"there is no entity set {table.set!r}; mind the plural and the publisher's prefix"
        )
    columns = {column["LogicalName"]: column for column in rows[0].get("Attributes") or []}
    return {**rows[0], "columns": columns}


def _key(table: Entity, definition: Mapping[str, Any]) -> Finding:
    key = definition.get("PrimaryIdAttribute")
    if key != table.key:
        return Finding(f"{table.set}: its key is {key!r}, this program takes it for {table.key!r}")
    return good(f"{table.set} is there")


def _columns(where: str, step: RecordStep, definition: Mapping[str, Any]) -> list[Finding]:
    found = []
    table, creating = step.table, isinstance(step, CreateStep)
    for column, value in step.body.items():
        if is_party_list(column) or column.endswith("@odata.bind"):
            continue  # navigation properties; Dynamics names them in its answer if wrong
        known = definition["columns"].get(column)
        if known is None:
            text = f"{where}: {table.set} has no column {column!r}"
            found.append(Finding(f"{text}; {_suggestion(column, definition['columns'])}"))
            continue
        converted = table.kind(column) is not None
        doubts = _type_mismatch(known, value, converted=converted)
        found += [Finding(f"{where}: {column}: {text}") for text in doubts]
        if not known.get("IsValidForCreate" if creating else "IsValidForUpdate", True):
            verb = "created" if creating else "updated"
            text = f"{where}: {column} cannot be set when a record is {verb}; leave it out"
            found.append(Finding(text))
        length, assumed = known.get("MaxLength"), table.lengths.get(column)
        if isinstance(length, int) and assumed is not None and length < assumed:
            text = f"{where}: {column} holds {length} characters here; use | fit: {length}"
            found.append(Finding(text, wrong=False))
    return found


def _lookup(
    where: str, step: LookupStep, table: Entity, definition: Mapping[str, Any]
) -> list[Finding]:
    """Columns of a table in which a lookup searches, and those that steps read of its match."""
    ways = [way for place in step.places if place.table == table for way in place.ways]
    sought = {column for way in ways for column in way.columns}
    fields = fields_of(step.places, table, step.reads) if ways else set()
    wanted = {column_of(table, field) for field in fields} - {""}
    known = definition["columns"]
    return [
        Finding(f"{where}: {table.set} has no column {column!r}; {_suggestion(column, known)}")
        for column in sorted(sought | wanted)
        if re.sub(r"^_(\w+)_value$", r"\1", column) not in known
    ]


def _suggestion(column: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(column, list(known), 1)
    return f"did you mean {near[0]}?" if near else "mind the publisher's prefix"


def _type_mismatch(known: Mapping[str, Any], value: Any, *, converted: bool) -> list[str]:
    """Why Dynamics will refuse a value; ``converted``: its text is made to fit, see ``Entity``."""
    if value is None:
        return []
    kind = str(known.get("AttributeType"))
    fitting = FITTING.get(kind)
    if isinstance(value, Template):
        doubt = type_doubt(value, KINDS.get(kind), converted=converted)
        return [doubt] if doubt and not (converted and value.whole) else []
    if fitting is None or (isinstance(value, fitting) and not _bool_for_int(value, fitting)):
        length = known.get("MaxLength")
        if isinstance(value, str) and isinstance(length, int) and len(value) > length:
            return [f"is longer than the column's {length} characters; shorten it"]
        return []
    is_, wanted = WORDS.get(type(value), "a structure"), " or ".join(WORDS[t] for t in fitting)
    return [f"is {is_}, but the column is {kind}: write {wanted}"]


def _bool_for_int(value: Any, fitting: tuple[type, ...]) -> bool:
    return isinstance(value, bool) and bool not in fitting


def _advice(error: DynamicsError) -> str:
    if error.status == 403:  # noqa: PLR2004 - HTTP
        return "Give the application user a security role that may do this."
    if error.status is None:
        return "Check address, network and credentials."
    return "Check that the application user exists in this environment."
