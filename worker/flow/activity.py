"""The activity for a flow's contact on the customer's timeline.

It is the same record that the worker makes: planned by the same pipeline, under the same key.
Whichever comes first makes it. The worker brings a record made here up to date, for its creator is
the same application user; here, where less is known, only a record's empty columns are filled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pipelines import outcome as outcomes
from pipelines.action import Action, Change, Lookup, Reading, Verb
from pipelines.agenda import Agenda
from pipelines.condition import admits
from pipelines.contact import Contact
from pipelines.entity import Entity
from pipelines.identity import record_id
from pipelines.lookup import Search, fields_of, status
from pipelines.outcome import Done, Found, Outcome
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from pipelines.snapshot import snapshot
from pipelines.step import CreateStep
from pipelines.view import view
from worker.dynamics.errors import Closed, Exists
from worker.dynamics.metadata import described, table_for
from worker.dynamics.refusal import refusal
from worker.dynamics.requests import request_for
from worker.flow.asked import Asked
from worker.flow.customers import by_id, customers, step_of
from worker.flow.errors import Declined
from worker.flow.session import FlowSession


#: No systemuserids: records that are there are treated as somebody else's.
NOBODY: frozenset[str] = frozenset()

#: A record is finished after fewer actions: look up, create, adopt, fill.
MOST_ACTIONS = 32

ACTIVITY_KEY = "activityid"


async def add(asked: Asked, session: FlowSession) -> dict[str, Any]:
    """Make the contact's activity, or fill what it lacks; its id.

    Raises:
        Declined: The pipeline makes no such activity of this contact.
        DynamicsError: Dynamics refuses it, or does not answer.
    """
    if not asked.wants_activity:
        return {"outcome": "Skipped"}
    step = await _creating(session, asked)
    customer = await _customer(asked, session) if asked.customer_id else None
    pipeline = _regarding(session.pipeline, step, customer) if customer else session.pipeline
    key = record_id(asked.contact.id, pipeline.name, step.name)
    record = f"{step.table.set}({key})"
    outcome = await _bring(asked.contact, pipeline, record, _Performer(session, customer))
    return {"outcome": outcome, "entity": step.table.logical, ACTIVITY_KEY: key}


async def _creating(session: FlowSession, asked: Asked) -> CreateStep:
    """The step that makes the contact's activity, of this entity if one is named."""
    values = view(asked.contact)
    steps = session.pipeline.steps if admits(session.pipeline.when, values) else ()
    for step in steps:
        if not isinstance(step, CreateStep) or not admits(step.when, values):
            continue
        table = await described(step.table, session.tables)
        if table.key == ACTIVITY_KEY and asked.entity in ("", table.logical):
            return replace(step, table=table)
    raise Declined("the pipeline makes no such activity of this contact")


@dataclass(frozen=True, slots=True)
class _Customer:
    """The customer that the flow names: found in Dynamics."""

    table: Entity
    key: str


async def _customer(asked: Asked, session: FlowSession) -> _Customer:
    table = customers(asked.customer_entity).table
    step = step_of(session.pipeline, table)
    fields = fields_of(step.places, table, step.reads) if step else ()
    found = await session.look_up(by_id(table, asked.customer_id, fields))
    if found["LookupStatus"] != "SingleMatch":
        raise Declined("ms_contact_id is no customer's")
    return _Customer(table, asked.customer_id)


def _regarding(pipeline: Pipeline, step: CreateStep, customer: _Customer) -> Pipeline:
    """The pipeline, its activity regarding this customer and no other."""
    link = f"regardingobjectid_{customer.table.logical}_{step.table.logical}@odata.bind"
    body = {c: v for c, v in step.body.items() if not c.startswith("regardingobjectid")}
    changed = replace(step, body=body | {link: f"/{customer.table.set}({customer.key})"})
    steps = (changed if s.name == step.name else s for s in pipeline.steps)
    return replace(pipeline, steps=tuple(steps))


@dataclass(frozen=True, slots=True)
class _Performer:
    """Carries out for a flow what its contact's activity needs; the worker does the rest."""

    session: FlowSession
    customer: _Customer | None

    async def perform(self, action: Action) -> Outcome:
        """Carry the action out.

        Raises:
            DynamicsError: Any failure but that the record exists or is closed.
        """
        match action:
            case Change():
                return await self._change(action)
            case Lookup(search=Search() as search):
                return Done(await self._look_up(search))
            case _:
                return Done(status("NoMatch"))  # a file, or a query of a step's own

    async def _change(self, change: Change) -> Outcome:
        table = await table_for(change, self.session.tables)
        request = request_for(change, self.session.create_by, table)
        try:
            answer = await self.session.send(request)
        except (Exists, Closed) as error:
            return refusal(change, request, error, at=0.0)
        return Found(answer.body, NOBODY) if change.verb is Verb.ADOPT else Done(answer.body)

    async def _look_up(self, search: Search) -> dict[str, Any]:
        """Who a step of the pipeline finds; the customer that the flow names is not looked for."""
        for one in search.chain if self.customer else ():
            if self.customer and one.table == self.customer.table:
                search = by_id(one.table, self.customer.key, one.returning)
        return await self.session.look_up(search)


async def _bring(contact: Contact, pipeline: Pipeline, record: str, performer: _Performer) -> str:
    """Carry out the plan for the record until nothing is left; whether it was made or found."""
    seen = snapshot(contact, {})

    def planned() -> list[Action]:
        actions = plan(contact, [pipeline], 0.0, Terms(), seen).actions
        return [one for one in actions if isinstance(one, Reading) or one.place == record]

    agenda = Agenda(contact, planned)
    found = False
    for _ in range(MOST_ACTIONS):
        if not agenda.actions:
            break
        outcome = await performer.perform(agenda.actions[0])
        if isinstance(outcome, outcomes.Closed):
            return "Exists"  # it stays as it is: the worker knows how to reopen it
        found = found or isinstance(outcome, outcomes.Exists)
        agenda.settle(outcome)
    return "Exists" if found else "Created"
