"""Records in Dynamics that hold a person's number or mail address; they are read, never changed.

Looked at are the tables that pipelines write to, in the columns that they fill with whom a contact
is with: by the whole value where a column holds nothing else, and by text that contains it where no
column does. Of mails and the like the parties are asked.
"""

from __future__ import annotations

import re

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from pipelines.entity import Entity, is_party_list
from pipelines.odata import literal
from pipelines.pipeline import Pipeline
from pipelines.step import CreateStep, UpdateStep
from pipelines.template import Template
from worker.dynamics.errors import Missing
from worker.dynamics.protocol import Dynamics, Request
from worker.errors import WorkerError


#: Names that are a customer's number or address.
PEOPLE: Final = frozenset(("CustomerEndpoint", "From", "To", "Cc", "Bcc"))

#: A value and nothing beside it, filters perhaps.
_ALONE: Final = re.compile(r"\s*\{\{[^{}]*\}\}\s*")

#: How many records of a table are listed, and how long one request may take (s).
MOST: Final = 500
REQUEST_S: Final = 60.0

#: Parties of activities, and what they are listed as.
_PARTIES: Final = "activityparties"
_ACTIVITIES: Final = "activitypointers"


@dataclass(frozen=True, slots=True)
class InDynamics:
    """A record in Dynamics that is of a person.

    Attributes:
        record: Its address below the Web API.
        known_by: ``state``: a contact that was erased made it; else the column with the value.
        made: When, UTC; "" if Dynamics did not say.
        ours: Whether our application user made it; null: Dynamics did not say.
    """

    record: str
    known_by: str
    made: str = ""
    ours: bool | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: a table, and the columns that hold or contain whom a contact is with."""

    table: Entity
    columns: tuple[str, ...]
    whole: bool


def places(pipelines: Iterable[Pipeline]) -> list[Place]:
    """Where the records of these pipelines hold people."""
    whole: defaultdict[str, set[str]] = defaultdict(set)
    within: defaultdict[str, set[str]] = defaultdict(set)
    tables: dict[str, Entity] = {}
    for step in (step for pipeline in pipelines for step in pipeline.steps):
        if isinstance(step, CreateStep | UpdateStep):
            tables[step.table.set] = step.table
            for column, template in _of_people(step.body):
                alone = _ALONE.fullmatch(template.source)
                (whole if alone else within)[step.table.set].add(column)
    return [
        Place(tables[name], tuple(sorted(whole[name] or within[name])), whole=bool(whole[name]))
        for name in sorted({*whole, *within})
        if whole[name] or within[name]
    ]


def has_parties(pipelines: Iterable[Pipeline]) -> bool:
    """Whether any of these pipelines writes parties, who may be no records of Dynamics."""
    bodies = (
        step.body
        for pipeline in pipelines
        for step in pipeline.steps
        if isinstance(step, CreateStep | UpdateStep)
    )
    return any(is_party_list(column) for body in bodies for column in body)


def _of_people(body: Mapping[str, Any]) -> Iterator[tuple[str, Template]]:
    for column, template in body.items():
        if isinstance(template, Template) and PEOPLE & {path[0] for path, _ in template.names}:
            yield column, template


@dataclass(frozen=True, slots=True)
class Search:
    """Searches one environment.

    Attributes:
        dynamics: Is asked; it only reads.
        users: Ids of our application users, lower case.
    """

    dynamics: Dynamics
    users: frozenset[str]

    async def holding(
        self, pipelines: Sequence[Pipeline], spellings: Sequence[str]
    ) -> tuple[list[InDynamics], list[str]]:
        """The records that hold a value, and of each table what was searched, or why not.

        Args:
            pipelines: They say where to look.
            spellings: The value, as it may have been written.
        """
        found: list[InDynamics] = []
        told: list[str] = []
        for place in places(pipelines):
            table, columns = place.table, ", ".join(place.columns)
            condition = _condition(place, spellings)
            rows = await self._rows(table.set, table.key, condition, told, columns)
            for row in rows:
                record = f"{table.set}({row.get(table.key, '')})"
                found.append(self._found(record, columns, row))
        if has_parties(pipelines):
            either = " or ".join(f"addressused eq {literal(one)}" for one in spellings)
            key = "_activityid_value"
            rows = await self._rows(_PARTIES, key, either, told, "addressused")
            records = dict.fromkeys(f"{_ACTIVITIES}({row.get(key, '')})" for row in rows)
            found += [InDynamics(record, f"{_PARTIES}.addressused") for record in records]
        return found, told

    async def _rows(
        self, entity_set: str, key: str, condition: str, told: list[str], columns: str
    ) -> list[dict[str, Any]]:
        dated = "" if entity_set == _PARTIES else ",createdon,_createdby_value"
        query = f"$select={key}{dated}&$filter={quote(condition)}&$top={MOST}"
        try:
            request = Request("GET", f"{entity_set}?{query}")
            answer = await self.dynamics.send(request, timeout_s=REQUEST_S)
        except WorkerError as error:
            told.append(f"{entity_set}: not searched: {error}")
            return []
        rows: list[dict[str, Any]] = answer.body.get("value", [])
        more = f", the first {MOST} only" if len(rows) == MOST else ""
        told.append(f"{entity_set}: {columns}{more}")
        return rows

    async def still_there(self, records: Mapping[str, str]) -> list[InDynamics]:
        """Of records that contacts made, or may have made, those that are there.

        Args:
            records: Address -> whether it is there, as far as the state knows.
        """
        found = []
        for record, state in records.items():
            try:
                request = Request("GET", f"{record}?$select=createdon,_createdby_value")
                row = (await self.dynamics.send(request, timeout_s=REQUEST_S)).body
            except Missing:
                continue
            except WorkerError:
                found.append(InDynamics(record, f"state: {state}"))
            else:
                found.append(self._found(record, "state", row))
        return found

    def _found(self, record: str, known_by: str, row: Mapping[str, Any]) -> InDynamics:
        maker = row.get("_createdby_value")
        ours = str(maker).lower() in self.users if maker else None
        return InDynamics(record, known_by, str(row.get("createdon", "")), ours)


def _condition(place: Place, spellings: Sequence[str]) -> str:
    form = "{} eq {}" if place.whole else "contains({},{})"
    return " or ".join(
        form.format(column, literal(one)) for column in place.columns for one in spellings
    )
