"""Steps: what a pipeline does at the milestones of a contact's life, one class for each kind.

The vocabulary is ConnectPath's (docs.dextr.cloud, "Microsoft Dynamics Integration").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipelines.caller import As
from pipelines.condition import ALWAYS, Condition
from pipelines.entity import Entity
from pipelines.lookup import Place, Way
from pipelines.template import Query, Template, templates


#: How long (s) after its end to wait for what a contact lacks, unless the step says ``within``.
WITHIN_S = 15 * 60

#: Step answers end in this: ``{{STEP2-Response.activityid}}``.
RESPONSE = "-Response"


@dataclass(frozen=True, kw_only=True)
class BaseStep:
    """What all steps have. What follows from a step is worked out once, as it is asked for often.

    Attributes:
        name: Its name; its answer is ``{{<name>-Response.<field>}}`` in other steps.
        path: ``<pipeline>/<name>``.
        on: The milestone it waits for.
        when: Which contacts it is for.
        after: Steps to wait for.
        within_s: How long after the contact's end to wait for ``after`` and for missing names.
    """

    name: str
    path: str
    on: str
    when: Condition = ALWAYS
    after: tuple[str, ...] = ()
    within_s: float | None = None

    @property
    def data(self) -> tuple[Any, ...]:
        """The compiled data that is filled in for a contact."""
        return ()

    def templates(self) -> Iterator[Template | Query]:
        """Everything in it that is filled in."""
        for data in self.data:
            yield from templates(data)

    def names(self) -> tuple[tuple[str, ...], ...]:
        """Every path of names its templates read."""
        return self._names

    @cached_property
    def _names(self) -> tuple[tuple[str, ...], ...]:
        return tuple(path for template in self.templates() for path, _ in template.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateStep(BaseStep):
    """A POST: makes a record once, and keeps its columns up to date.

    Attributes:
        table: The record's table.
        body: Compiled JSON object: column -> value, template or nested data.
        on_missing: What to do when the record to update is gone: park, recreate or skip.
        reads: Answer fields later steps name, beside the primary key.
        as_: In whose name it writes, if not in our own.
    """

    table: Entity
    body: dict[str, Any]
    on_missing: str = "park"
    reads: frozenset[str] = frozenset()
    as_: As | None = None

    @property
    def data(self) -> tuple[Any, ...]:
        """Its columns, and in whose name it writes."""
        return self.body, self.as_.user if self.as_ else None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStep(BaseStep):
    """A PATCH: updates a record that is there.

    Attributes:
        table: The record's table.
        key: The record's key in parentheses, as a query.
        body: Compiled JSON object: column -> value, template or nested data.
        on_missing: What to do when the record is not there: park, recreate or skip.
        as_: In whose name it writes, if not in our own.
    """

    table: Entity
    key: Query
    body: dict[str, Any]
    on_missing: str = "park"
    as_: As | None = None

    @property
    def data(self) -> tuple[Any, ...]:
        """Its columns, which record it is about, and in whose name it writes."""
        return self.body, self.key, self.as_.user if self.as_ else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupStep(BaseStep):
    """A GET: asks Dynamics, by ways to look or by a query of its own.

    Attributes:
        places: Where to look, and how; the first one with a match decides.
        query: Without ways: what is appended to the entity set's URI, if anything.
        reads: Answer fields later steps name.
    """

    places: tuple[Place, ...]
    query: Query | None = None
    reads: frozenset[str] = frozenset()

    @property
    def data(self) -> tuple[Any, ...]:
        """Its query, and the values it looks for."""
        return self.query, [[way.value, way.vouched_by] for way in self.ways]

    @property
    def table(self) -> Entity:
        """The first table in which it looks."""
        return self.places[0].table

    @property
    def ways(self) -> tuple[Way, ...]:
        """All its ways to look."""
        return tuple(way for place in self.places for way in place.ways)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFileStep(BaseStep):
    """Reads the file it was reached by; its answer has the fields of ``pipelines.lens``.

    Attributes:
        reads: Answer fields later steps name.
    """

    reads: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStep(BaseStep):
    """Opens a page for the agent.

    Attributes:
        page: The page below the environment's address, e.g. ``main.aspx``.
        query: Compiled JSON object of the page's query string.
        tab: Open it in a new tab, else embedded.
    """

    page: str
    query: dict[str, Any]
    tab: bool = False

    @property
    def data(self) -> tuple[Any, ...]:
        """The page's query string."""
        return (self.query,)


#: A step that lays columns over a record.
RecordStep = CreateStep | UpdateStep

#: A step that is about a table.
TableStep = CreateStep | UpdateStep | LookupStep

Step = CreateStep | UpdateStep | LookupStep | ReadFileStep | OpenStep


def tables_of(step: TableStep) -> tuple[Entity, ...]:
    """The tables that a step is about."""
    if isinstance(step, LookupStep):
        return tuple(place.table for place in step.places)
    return (step.table,)
