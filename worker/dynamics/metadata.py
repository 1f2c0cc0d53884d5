"""Metadata: what Dataverse says of a table that the program does not know.

Primary key, logical name and types of columns are an organization's own affair: a custom activity
has the key ``activityid``, a table may have any name. They are read once, kept in the state, and
read again when Dataverse refuses what was written by them (powerapps-docs
``webapi/query-metadata-web-api``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import quote

import orjson
import structlog

from pipelines.action import Change, Verb
from pipelines.entity import LINKING, Entity, entity
from worker.cache import TtlCache
from worker.clock import Clock
from worker.dynamics.errors import Forbidden, Refused
from worker.dynamics.protocol import Dynamics, Request
from worker.errors import StoreUnavailable


#: How long (s) a table is known to this process, and a guess is one.
KNOWN_S: Final = 86_400.0
GUESSED_S: Final = 600.0
MOST_TABLES: Final = 200

#: How long asking may take (s).
ASK_S: Final = 30.0

#: Codes of a refusal that says that a column, a navigation property or a table is another one
#: (powerapps-docs ``web-api-client-errors``).
UNKNOWN_NAME: Final = frozenset(("0x80060888", "0x80048d19", "0x8006088a"))

#: What is read of its columns.
_TYPES: Final = "Attributes($select=LogicalName,AttributeType)"

#: How a table is written down in the state.
FORM: Final = 1

_log = structlog.get_logger(__name__)


class Tables(Protocol):
    """Tells what a table is."""

    async def learn(self, entity_set: str, *, anew: bool = False) -> Entity:
        """The table with this entity set; ``anew``: what was known of it was refused.

        Where nobody can tell, it is ``entity``'s guess, which is logged.

        Raises:
            DynamicsError: Dynamics does not answer.
        """
        ...


class Memory(Protocol):
    """What a contact store keeps under names."""

    async def recall(self, name: str) -> str | None:
        """See ``ContactStore.recall``."""
        ...

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """See ``ContactStore.replace``."""
        ...


@dataclass(frozen=True, slots=True)
class KnownTables:
    """In-memory twin of ``Metadata``: tells what it was told, and guesses what it was not.

    Attributes:
        tables: By entity set.
    """

    tables: Mapping[str, Entity] = field(default_factory=dict)

    async def learn(self, entity_set: str, *, anew: bool = False) -> Entity:
        """See ``Tables``."""
        del anew
        return self.tables.get(entity_set) or said(entity(entity_set))


async def table_for(change: Change, tables: Tables, *, anew: bool = False) -> Entity:
    """The table of a change: what the program knows, or else what ``tables`` tells.

    Raises:
        DynamicsError: Dynamics does not answer.
    """
    table = entity(change.entity)
    names_it = change.verb in (Verb.CREATE, Verb.NOTE) or bool(change.partition)
    if table.known or not names_it or (change.key_column and change.verb is not Verb.NOTE):
        return table
    return await tables.learn(change.entity, anew=anew)


async def described(table: Entity, tables: Tables) -> Entity:
    """A table as a pipeline has it, with what ``tables`` tells if the program does not know it.

    Raises:
        DynamicsError: Dynamics does not answer.
    """
    if entity(table.set).known:
        return table
    learned = await tables.learn(table.set)
    return replace(learned, key=table.key) if table.stated else learned


class Metadata:
    """Reads tables from Dataverse, and keeps them in the state.

    Args:
        dynamics: Who is asked.
        memory: The state; None: nothing outlives the process.
        clock: Its ``monotonic`` says how old an answer is.
    """

    def __init__(
        self, dynamics: Dynamics, memory: Memory | None = None, clock: Clock | None = None
    ) -> None:
        self._dynamics = dynamics
        self._memory = memory
        self._tables: TtlCache[str, Entity] = TtlCache(_good_s, MOST_TABLES, clock)
        self._anew: TtlCache[str, Entity] = TtlCache(GUESSED_S, MOST_TABLES, clock)

    async def learn(self, entity_set: str, *, anew: bool = False) -> Entity:
        """See ``Tables``; of many who were refused at once, one asks anew.

        Raises:
            DynamicsError: Dynamics does not answer.
        """
        if not anew:
            return await self._tables.get(entity_set, partial(self._recall, entity_set))
        table = await self._anew.get(entity_set, partial(self._ask, entity_set))
        self._tables.put(entity_set, table)
        return table

    async def _recall(self, entity_set: str) -> Entity:
        kept = _read(await self._kept(entity_set))
        return kept or await self._ask(entity_set)

    async def _ask(self, entity_set: str) -> Entity:
        try:
            row = await definition(self._dynamics, entity_set, _TYPES, timeout_s=ASK_S)
        except (Refused, Forbidden) as error:
            _log.warning("dynamics.metadata_refused", table=entity_set, code=error.code)
            row = None
        if row is None:
            return said(entity(entity_set))
        table = table_of(entity_set, row)
        await self._keep(table)
        return table

    async def _kept(self, entity_set: str) -> str | None:
        try:
            return await self._memory.recall(_name(entity_set)) if self._memory else None
        except StoreUnavailable:
            return None  # Dataverse can tell as well

    async def _keep(self, table: Entity) -> None:
        try:
            if self._memory:
                old = await self._memory.recall(_name(table.set))
                await self._memory.replace(_name(table.set), old, _written(table))
        except StoreUnavailable:
            return  # it is asked for again


def said(table: Entity) -> Entity:
    """The table; if it is a guess, the log says so."""
    if not table.known:
        _log.error("dynamics.table_guessed", table=table.set, key=table.key)
    return table


async def definition(
    dynamics: Dynamics, entity_set: str, expand: str, *, timeout_s: float
) -> dict[str, Any] | None:
    """The metadata of the table with this entity set; None if there is none.

    Args:
        dynamics: Who is asked.
        entity_set: Its name.
        expand: Which of its parts are wanted.
        timeout_s: How long that may take.

    Raises:
        DynamicsError: Dynamics refuses that, or does not answer.
    """
    path = (
        "EntityDefinitions?$select=LogicalName,EntitySetName,PrimaryIdAttribute,"
        "PrimaryNameAttribute,IsActivity,TableType,EnforceStateTransitions"
        f"&$filter=EntitySetName eq '{quote(entity_set)}'"
        f"&$expand={expand}"
    ).replace(" ", "%20")
    body = (await dynamics.send(Request("GET", path), timeout_s=timeout_s)).body
    rows: list[dict[str, Any]] = body.get("value") or []
    return rows[0] if rows else None


def table_of(entity_set: str, row: Mapping[str, Any]) -> Entity:
    """A table as its metadata describes it, beside what the program knows of it."""
    types = {
        str(column.get("LogicalName")): str(column.get("AttributeType"))
        for column in row.get("Attributes") or ()
    }
    table = entity(entity_set)
    return replace(
        table,
        logical=str(row.get("LogicalName") or table.logical),
        key=str(row.get("PrimaryIdAttribute") or table.key),
        title=table.title or str(row.get("PrimaryNameAttribute") or ""),
        links=table.links | {name for name, kind in types.items() if kind in LINKING},
        types=types,
        known=True,
    )


def _good_s(table: Entity) -> float:
    return KNOWN_S if table.known else GUESSED_S


def _name(entity_set: str) -> str:
    return f"table/{entity_set}"


def _written(table: Entity) -> str:
    """What is kept: columns that hold text are what all others are taken for."""
    types = {name: kind for name, kind in table.types.items() if table.holds(name) != "text"}
    kept = {"LogicalName": table.logical, "PrimaryIdAttribute": table.key}
    kept["PrimaryNameAttribute"] = table.title
    attributes = [{"LogicalName": n, "AttributeType": kind} for n, kind in sorted(types.items())]
    return orjson.dumps({"form": FORM, "set": table.set, **kept, "Attributes": attributes}).decode()


def _read(text: str | None) -> Entity | None:
    """The table in a text; None if it cannot be read: then Dataverse is asked."""
    if text is None:
        return None
    try:
        document = orjson.loads(text)
        return table_of(document["set"], document) if document["form"] == FORM else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
