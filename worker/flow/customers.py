"""Customers: the tables that hold them, and the lookup of the one who is calling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipelines.entity import Entity, entity
from pipelines.lookup import (
    ID,
    NAME,
    TABLE,
    By,
    Place,
    Search,
    Way,
    search,
    search_in,
    status,
)
from pipelines.pipeline import Pipeline
from pipelines.step import LookupStep, tables_of
from pipelines.template import Template
from pipelines.view import Names, view
from worker.flow.asked import Asked
from worker.flow.errors import Declined
from worker.flow.session import FlowSession


@dataclass(frozen=True, slots=True)
class Customers:
    """A table of customers.

    Attributes:
        table: The table.
        columns: Where a number or an address is looked for if the pipeline looks in another table.
    """

    table: Entity
    columns: Mapping[By, tuple[str, ...]]


#: By logical name.
CUSTOMERS = {
    one.table.logical: one
    for one in (
        Customers(
            entity("contacts"),
            {
                "phone": ("telephone1", "mobilephone", "telephone2"),
                "email": ("emailaddress1", "emailaddress2"),
            },
        ),
        Customers(
            entity("accounts"),
            {
                "phone": ("telephone1", "telephone2", "telephone3"),
                "email": ("emailaddress1", "emailaddress2"),
            },
        ),
        Customers(
            entity("leads"),
            {"phone": ("telephone1", "mobilephone"), "email": ("emailaddress1",)},
        ),
    )
}

#: What an answer has of a customer.
_RETURNING = (TABLE, ID, NAME, "accountid")

_KEY = Template("{{Attributes.ms_contact_id}}")


def customers(logical: str) -> Customers:
    """The table of this logical name.

    Raises:
        Declined: It is not a table of customers.
    """
    try:
        return CUSTOMERS[logical]
    except KeyError:
        raise Declined(f"a customer is one of {', '.join(CUSTOMERS)}") from None


def step_of(pipeline: Pipeline, table: Entity | None = None) -> LookupStep | None:
    """The pipeline's step that looks customers up, in this table or in any."""
    for step in pipeline.steps:
        tables = tables_of(step) if isinstance(step, LookupStep) and step.ways else ()
        if any(one.logical in CUSTOMERS and table in (None, one) for one in tables):
            assert isinstance(step, LookupStep)  # noqa: S101 - it has tables
            return step
    return None


def by_id(table: Entity, key: str, returning: Iterable[str]) -> Search:
    """The search for one record by its primary key."""
    names = Names({"Attributes": {"ms_contact_id": key}})
    found = search(table, [Way("attribute", _KEY, (table.key,))], names, returning)
    assert found is not None  # noqa: S101 - the key is there
    return found


async def look_up(asked: Asked, session: FlowSession) -> dict[str, Any]:
    """Who the flow's contact is: by the id the flow has, else as the pipeline looks.

    Without a table it is looked for in the pipeline's, in their order. ``contactid`` is the
    customer's primary key, whatever its table.

    Raises:
        Declined: There is nothing to look for.
        DynamicsError: Dynamics does not answer.
    """
    places = _places(session.pipeline, asked.entity)
    if asked.customer_id:
        table = customers(asked.entity or asked.customer_entity).table
        sought: Search | None = by_id(table, asked.customer_id, _RETURNING)
    else:
        sought = search_in(places, Names(view(asked.contact)), _RETURNING)
    if sought is None:
        raise Declined("the contact has no number, address or id to look for")
    found = await session.look_up(sought)
    return {
        **status(found["LookupStatus"]),
        "entity": found.get(TABLE, asked.entity),
        "contactid": found.get(ID),
        "fullname": found.get(NAME),
        "accountid": found.get("accountid"),
    }


def _places(pipeline: Pipeline, logical: str) -> tuple[Place, ...]:
    """Where the pipeline looks; of a named table its ways there, or adapted ones of another."""
    step = step_of(pipeline)
    if not logical and step is not None:
        return step.places
    where = customers(logical or "contact")
    if (step := step_of(pipeline, where.table)) is not None:
        return tuple(place for place in step.places if place.table == where.table)
    other = step_of(pipeline)
    ways = (
        replace(way, columns=where.columns[way.by])
        for way in (other.places[0].ways if other else ())
        if way.by in where.columns
    )
    return (Place(where.table, tuple(ways)),)
