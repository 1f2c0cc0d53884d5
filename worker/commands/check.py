"""Check: whether settings and pipelines will work, offline and against Dynamics.

Every finding says what to do about it.
"""

from __future__ import annotations

import asyncio
import os

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipelines.changes import departures
from pipelines.entity import Entity
from pipelines.pipeline import Pipeline, doubles
from pipelines.slip import slips
from pipelines.step import RecordStep, TableStep, tables_of
from worker import aws
from worker.commands import check_access
from worker.commands.advice import advised
from worker.commands.amazon_check import check_state
from worker.commands.finding import Finding, good, note
from worker.commands.link_check import Tables, addressed
from worker.commands.settings_check import contradictions, misspelt, odd_secret, surprises, unset
from worker.commands.step_check import step_findings
from worker.definitions import find
from worker.dynamics.definitions import Definition, read_definition, read_sets
from worker.dynamics.errors import DynamicsError
from worker.dynamics.http import tls_context
from worker.dynamics.protocol import Dynamics
from worker.dynamics.secret import read_secret
from worker.engine.remembered_steps import recall_steps
from worker.errors import ConfigError, WorkerError
from worker.operations.index import OFF, index_key
from worker.operations.state import file_of
from worker.settings import DYNAMICS, PREFIX, Settings, nothing_to_read
from worker.stores import open_store


#: Timeout of one request to Dynamics (s).
ASK_S = 30.0


async def check_offline(settings: Settings) -> list[Finding]:
    """Check without Dynamics: settings, secret, state and pipelines."""
    missing = settings.missing(*DYNAMICS)
    found = [Finding(_unset(name)) for name in DYNAMICS if PREFIX + name.upper() in missing]
    if unread := nothing_to_read(settings):
        found.append(Finding(unread))
    found += [Finding(text) for text in check_access.clouds(settings)]
    secrets = [
        settings.secret,
        settings.index_key,
        *(user.secret for user in settings.application_users),
    ]
    found += [Finding(text) for text in misspelt(os.environ, secrets)]
    pipelines, today = usable(settings), datetime.now(UTC).date()
    found += [Finding(text) for text in contradictions(settings, today, os.environ)]
    found += [note(text) for text in unset(settings, pipelines)]
    found += [note(text) for text in surprises(settings, pipelines, today)]
    found += _authorities(settings)
    found += await _secrets(settings)
    found.append(await _index(settings))
    found += await _state(settings)
    for name in settings.pipelines:
        found += _pipeline(name)
    return found + [Finding(text) for text in doubles(usable(settings))]


def usable(settings: Settings) -> list[Pipeline]:
    """The pipelines that can be used; ``_pipeline`` reports the others."""
    pipelines = []
    for name in settings.pipelines:
        with suppress(ConfigError):
            pipelines.append(find(name))
    return pipelines


def _unset(name: str) -> str:
    return f"set {PREFIX}{name.upper()}: {Settings.model_fields[name].description}"


def _authorities(settings: Settings) -> list[Finding]:
    try:
        tls_context(settings.ca_file)
    except ConfigError as error:
        return [Finding(f"{PREFIX}CA_FILE: {error}" if settings.ca_file else str(error))]
    return []


async def _secrets(settings: Settings) -> list[Finding]:
    """Whether each application user's secret can be read; one may come without its client id."""
    secrets = {user.client_id: user.secret for user in settings.application_users}
    named = {f"{PREFIX}APPLICATION_USERS: {user}": secret for user, secret in secrets.items()}
    if settings.secret:
        named = {f"{PREFIX}SECRET": settings.secret, **named}
    found = []
    for name, secret in named.items():
        try:
            credential = await read_secret(secret, aws.secrets)
        except WorkerError as error:
            found.append(Finding(f"{name}: {error}"))
            continue
        if isinstance(credential, str) and (odd := odd_secret(credential)):
            found.append(Finding(f"{name}: {odd}"))
    if found or not named:
        return found
    every = "every" if len(named) > 1 else "the"
    return [good(f"{every} client secret can be read")]


async def _index(settings: Settings) -> Finding:
    """Whether contacts can be found by whom they are with."""
    try:
        key = await index_key(settings.index_key, aws.secrets)
    except WorkerError as error:
        return Finding(str(error))
    return note(OFF) if key is None else good("the index's key can be read")


async def _state(settings: Settings) -> list[Finding]:
    path = file_of(settings.state)
    if path is not None and not path.exists():
        return [await asyncio.to_thread(_can_be_created, path)]
    try:
        store = await asyncio.to_thread(open_store, settings.state)
    except WorkerError as error:
        advice = "; name a file of its own" if path and isinstance(error, ConfigError) else ""
        return [Finding(f"{PREFIX}STATE: {error}{advice}")]
    pipelines = usable(settings)
    try:
        versions = await recall_steps(store, pipelines)
    except WorkerError as error:
        told = [one for one in await check_state(settings.state) if one.wrong]
        return told or [Finding(f"{PREFIX}STATE: {error}")]
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
        found = [Finding(slip.text) for slip in slips(pipeline)]
    except ConfigError as error:
        return [Finding(line) for line in str(error).splitlines()]
    if found:
        return found
    warnings = [Finding(text, wrong=False) for text in pipeline.warnings()]
    return [*warnings, good(f"pipeline {pipeline.name}: {len(pipeline.steps)} steps")]


@dataclass(frozen=True, slots=True)
class Survey:
    """What came of asking Dynamics.

    Attributes:
        findings: What is said of it.
        tables: What is known of the tables; None: nothing.
    """

    findings: list[Finding]
    tables: Tables | None = None


async def ask(
    dynamics: Dynamics, settings: Settings, pipelines: Iterable[Pipeline]
) -> list[Finding]:
    """The findings of ``survey``."""
    return (await survey(dynamics, settings, pipelines)).findings


async def survey(dynamics: Dynamics, settings: Settings, pipelines: Iterable[Pipeline]) -> Survey:
    """Check settings and pipelines against what Dynamics answers."""
    try:
        user = await dynamics.user_id()
    except DynamicsError as error:
        return Survey([Finding(f"{settings.environment_url}: {advised(error)}")])
    found = [good(f"{settings.environment_url} knows us as user {user}")]
    pipelines = list(pipelines)
    found += await impersonation(dynamics, user, pipelines)
    try:
        sets = await read_sets(dynamics, timeout_s=ASK_S)
    except DynamicsError as error:
        text = f"the tables' definitions cannot be read: {advised(error)}"
        return Survey([*found, Finding(text)])
    steps = [step for one in pipelines for step in one.steps if isinstance(step, TableStep)]
    definitions, told = await _definitions(dynamics, steps, sets)
    found += told
    tables = Tables(sets, definitions)
    for pipeline in pipelines:
        found += step_findings(pipeline, tables)
    return Survey(found, tables)


async def impersonation(dynamics: Dynamics, user: str, pipelines: list[Pipeline]) -> list[Finding]:
    """Whether a user may act for agents, where a pipeline has them do so."""
    holds, text = await check_access.impersonation(dynamics, user, pipelines)
    return [Finding(text, wrong=holds is False, fine=holds is True)] if text else []


async def _definitions(
    dynamics: Dynamics, steps: Iterable[TableStep], sets: Mapping[str, str]
) -> tuple[dict[str, Definition], list[Finding]]:
    """Definitions of all tables that steps name, by entity set, and what is wrong with those."""
    tables: dict[str, Entity] = {}
    columns: dict[str, set[str]] = {}
    addressed_by_key: set[str] = set()
    for step in steps:
        for table in tables_of(step):
            tables.setdefault(table.set, table)
            if isinstance(step, RecordStep):
                columns.setdefault(table.set, set()).update(step.body)
                addressed_by_key |= {*addressed(step.body)}
    definitions: dict[str, Definition] = {}
    found = []
    names = [*tables, *sorted(addressed_by_key & sets.keys() - tables.keys())]
    answers = await asyncio.gather(
        *(
            read_definition(dynamics, name, columns.get(name, ()), timeout_s=ASK_S)
            for name in names
        ),
        return_exceptions=True,
    )
    for name, read in zip(names, answers, strict=True):
        if isinstance(read, DynamicsError):
            text = f"{name}: its definition cannot be read: {advised(read)}"
            found.append(Finding(text))
            continue
        if isinstance(read, BaseException):
            raise read
        if read is not None:
            definitions[name] = read
        if name in tables and read:
            found.append(_key(tables[name], read))
    return definitions, found


def _key(table: Entity, definition: Definition) -> Finding:
    if definition.key == table.key:
        return good(f"{table.set} is there")
    if not table.known:
        return good(f"{table.set} is there; its key is {definition.key!r}, as Dynamics says")
    right = f'write key = "{definition.key}"' if table.stated else "report it"
    return Finding(
        f"{table.set}: its key is {definition.key!r}, this program takes it for {table.key!r}; "
        f"{right}"
    )
