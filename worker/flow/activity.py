"""The activity that a flow's contact is on the customer's timeline.

It is the very record that the worker makes: planned by the same pipeline, under the same key.
Whoever comes first makes it. The worker brings a record made here up to date, for its creator is
the same application user; here, where less is known, one that is there only gets what is empty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pipelines import ledger
from pipelines.condition import admits
from pipelines.entity import Entity
from pipelines.identity import record_id
from pipelines.lookup import status
from pipelines.pipeline import Pipeline, Step
from pipelines.plan import Terms, plan
from pipelines.view import view
from pipelines.write import Kind, Write
from worker.dynamics.errors import Closed, Exists
from worker.flow.asked import Asked
from worker.flow.customers import by_id, customers, step_of
from worker.flow.errors import Declined
from worker.flow.session import FlowSession


#: No systemuserid: records that are there are treated as somebody else's.
NOBODY = "-"

#: A plan comes to rest after fewer rounds: look up, create, adopt, fill.
MOST_ROUNDS = 8

ACTIVITY_KEY = "activityid"


async def add(asked: Asked, session: FlowSession) -> dict[str, Any]:
    """Make the contact's activity, or fill what it lacks; its id.

    Raises:
        Declined: The pipeline makes no such activity of this contact.
        DynamicsError: Dynamics refuses it, or does not answer.
    """
    step = _creating(session.pipeline, asked)
    assert step.table is not None  # noqa: S101 - a step that creates has a table
    if not asked.timeline:
        return {"outcome": "Skipped"}
    customer = await _customer(asked, session) if asked.customer_id else None
    pipeline = _regarding(session.pipeline, step, customer) if customer else session.pipeline
    key = record_id(asked.contact.id, pipeline.name, step.name)
    draft = _Draft(asked, session, pipeline, f"{step.table.set}({key})", customer)
    outcome = await draft.settle()
    return {"outcome": outcome, "entity": step.table.logical, ACTIVITY_KEY: key}


def _creating(pipeline: Pipeline, asked: Asked) -> Step:
    """The step that makes the contact's activity, of this entity if one is named."""
    values = view(asked.contact)
    if admits(pipeline.when, values):
        for step in pipeline.steps:
            table = step.table
            if step.method != "POST" or table is None or table.key != ACTIVITY_KEY:
                continue
            if asked.entity in ("", table.logical) and admits(step.when, values):
                return step
    raise Declined("the pipeline makes no such activity of this contact")


@dataclass(frozen=True, slots=True)
class _Customer:
    """The customer that the flow names: found in Dynamics."""

    table: Entity
    key: str


async def _customer(asked: Asked, session: FlowSession) -> _Customer:
    table = customers(asked.customer_entity).table
    step = step_of(session.pipeline, table)
    found = await session.look_up(by_id(table, asked.customer_id, step.reads if step else ()))
    if found["LookupStatus"] != "SingleMatch":
        raise Declined("ms_contact_id is no customer's")
    return _Customer(table, asked.customer_id)


def _regarding(pipeline: Pipeline, step: Step, customer: _Customer) -> Pipeline:
    """The pipeline, its activity regarding this customer and no other."""
    assert step.table is not None  # noqa: S101 - a step that creates has a table
    link = f"regardingobjectid_{customer.table.logical}_{step.table.logical}@odata.bind"
    body = {c: v for c, v in step.body.items() if not c.startswith("regardingobjectid")}
    changed = replace(step, body=body | {link: f"/{customer.table.set}({customer.key})"})
    return replace(pipeline, steps=tuple(changed if s is step else s for s in pipeline.steps))


@dataclass(frozen=True, slots=True)
class _Draft:
    """One record on its way into Dynamics."""

    asked: Asked
    session: FlowSession
    pipeline: Pipeline
    record: str
    customer: _Customer | None

    async def settle(self) -> str:
        """Bring the record to where the plan has nothing more for it; what became of it."""
        found = False
        for _ in range(MOST_ROUNDS):
            writes = self._writes()
            if not writes:
                break
            for write in writes:
                try:
                    await self._perform(write)
                except Exists:
                    ledger.taken(self.asked.contact, write)
                    found = True
                    break
                except Closed:
                    return "Exists"  # it stays as it is: the worker knows how to reopen it
        return "Exists" if found else "Created"

    def _writes(self) -> list[Write]:
        planned = plan(self.asked.contact, [self.pipeline], 0.0, Terms()).writes
        return [w for w in planned if w.kind is Kind.LOOKUP or w.record == self.record]

    async def _perform(self, write: Write) -> None:
        contact = self.asked.contact
        if write.kind is Kind.LOOKUP:
            ledger.acknowledge(contact, write, await self._look_up(write))
            return
        answer = await self.session.write(write)
        if write.kind is Kind.ADOPT:
            ledger.adopt(contact, write, answer.body, NOBODY, overwrite=False)
        else:
            ledger.acknowledge(contact, write, answer.body)

    async def _look_up(self, write: Write) -> dict[str, Any]:
        """Who a step of the pipeline finds; the customer that the flow names is not looked for."""
        search = write.search
        if search is None:
            return status("NoMatch")  # a query of a step's own: the worker's
        if self.customer is not None and search.table == self.customer.table:
            search = by_id(search.table, self.customer.key, search.returning)
        return await self.session.look_up(search)
