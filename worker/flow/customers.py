"""Customers: the tables that hold them, and the lookup of the one who is calling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipelines.entity import Entity, entity
from pipelines.lookup import By, Search, Way, search, status
from pipelines.pipeline import Pipeline
from pipelines.step import LookupStep
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
        name: Its column of names.
        columns: Where a number or an address is looked for if the pipeline looks in another table.
    """

    table: Entity
    name: str
    columns: Mapping[By, tuple[str, ...]]


#: By logical name.
CUSTOMERS = {
    one.table.logical: one
    for one in (
        Customers(
            entity("contacts"),
            "fullname",
            {
                "phone": ("telephone1", "mobilephone", "telephone2"),
                "email": ("emailaddress1", "emailaddress2"),
            },
        ),
        Customers(
            entity("accounts"),
            "name",
            {
                "phone": ("telephone1", "telephone2", "telephone3"),
                "email": ("emailaddress1", "emailaddress2"),
            },
        ),
        Customers(
            entity("leads"),
            "fullname",
            {"phone": ("telephone1", "mobilephone"), "email": ("emailaddress1",)},
        ),
    )
}

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
        if not isinstance(step, LookupStep) or not step.ways:
            continue
        if step.table.logical in CUSTOMERS and table in (None, step.table):
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

    ``contactid`` is the customer's primary key, whatever its table.

    Raises:
        Declined: There is nothing to look for.
        DynamicsError: Dynamics does not answer.
    """
    where = customers(asked.entity or "contact")
    table = where.table
    returning = [where.name, *table.links & {"accountid"}]
    if asked.customer_id:
        sought: Search | None = by_id(table, asked.customer_id, returning)
    else:
        names = Names(view(asked.contact))
        sought = search(table, _ways(session.pipeline, where), names, returning)
    if sought is None:
        raise Declined("the contact has no number, address or id to look for")
    found = await session.look_up(sought)
    return {
        **status(found["LookupStatus"]),
        "entity": table.logical,
        "contactid": found.get(table.key),
        "fullname": found.get(where.name),
        "accountid": found.get("accountid"),
    }


def _ways(pipeline: Pipeline, where: Customers) -> tuple[Way, ...]:
    """The pipeline's ways to look in this table, or those it has for another, adapted to it."""
    if (step := step_of(pipeline, where.table)) is not None:
        return step.ways
    other = step_of(pipeline)
    return tuple(
        replace(way, columns=where.columns[way.by])
        for way in (other.ways if other else ())
        if way.by in where.columns
    )
