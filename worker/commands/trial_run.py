"""Trial run: all that a pipeline would do for a contact, in order, each with what came of it.

It goes the way of push: the plan's first action is carried out, what came of it is settled, and
what is left is planned anew. Lookups only read, so they are asked where Dynamics can be reached;
writes are sent if that is asked for, and count as done otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from math import inf
from typing import Final

from pipelines.action import Change, Lookup, ReadFile, Reading, Verb
from pipelines.agenda import Agenda
from pipelines.contact import Contact
from pipelines.outcome import Done, Found, Outcome, Refusal
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from pipelines.snapshot import snapshot
from pipelines.step import CreateStep
from worker.dynamics.advice import advice
from worker.dynamics.errors import DynamicsError
from worker.dynamics.performer import Performer


#: A contact has fewer actions than this; more mean that nothing is learned from what is answered.
MOST_ACTIONS: Final = 100

#: Timeout of one request (s).
SEND_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Played:
    """One action and what came of it.

    Attributes:
        action: The action.
        outcome: What came of it; None: Dynamics was not asked, and it counts as done.
        failure: What Dynamics said if it was refused, and what to do about it; else "".
    """

    action: Reading | Change
    outcome: Outcome | None = None
    failure: str = ""


async def rehearse(
    contact: Contact,
    pipeline: Pipeline,
    terms: Terms,
    performer: Performer | None,
    *,
    send: bool,
) -> AsyncIterator[Played]:
    """Go through all actions of a contact.

    Args:
        contact: The contact; its ledger learns what came of them.
        pipeline: What is to be done.
        terms: Under which terms.
        performer: Asks and writes; None: Dynamics cannot be reached.
        send: Whether it writes.
    """
    seen = snapshot(contact, terms.constants, terms.files)
    agenda = Agenda(contact, lambda: plan(contact, [pipeline], inf, terms, seen).actions)
    for _ in range(MOST_ACTIONS):
        action = agenda.actions[0] if agenda.actions else None
        if action is None or not isinstance(action, Lookup | ReadFile | Change):
            return
        asks = performer is not None and (send or not isinstance(action, Change))
        if performer is None or not asks:
            yield Played(action)
            agenda.settle(_supposed(action))
            continue
        try:
            outcome = await performer.perform(action, timeout_s=SEND_S)
        except DynamicsError as error:
            yield Played(action, None, told(error, action, pipeline))
            return
        yield Played(action, outcome, _refused(outcome, action, pipeline))
        agenda.settle(outcome)


def _supposed(action: Reading | Change) -> Outcome:
    """What counts as come of an action that was not carried out."""
    # What is looked at before it is changed counts as there, empty and ours.
    read = isinstance(action, Change) and action.verb is Verb.ADOPT
    return Found({}, frozenset(("",))) if read else Done()


def _refused(outcome: Outcome, action: Reading | Change, pipeline: Pipeline) -> str:
    if not isinstance(outcome, Refusal):
        return ""
    parked = outcome.parked
    hint = advice(parked.status, parked.code, makers=makers(action, pipeline))
    return _joined(outcome.reason, parked.answer, hint)


def told(error: DynamicsError, action: Reading | Change, pipeline: Pipeline) -> str:
    """What Dynamics said to an action, and what to do about it."""
    hint = advice(error.status, error.code, makers=makers(action, pipeline))
    return _joined(str(error), error.detail, hint)


def makers(action: Reading | Change, pipeline: Pipeline) -> tuple[str, ...]:
    """The steps that make the record of a change which only updates it."""
    if not isinstance(action, Change) or action.verb in (Verb.CREATE, Verb.ADOPT):
        return ()
    return tuple(
        step.name
        for step in pipeline.steps
        if isinstance(step, CreateStep) and step.table.set == action.entity
    )


def _joined(*parts: str) -> str:
    """The parts that say something, each once."""
    return "; ".join(dict.fromkeys(part for part in parts if part))
