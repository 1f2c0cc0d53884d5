"""One stored contact, as an operator sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pipelines.action import Action, Change, WriteBack
from pipelines.contact import UNKNOWN
from pipelines.conversation import no_conversation
from pipelines.effect import Effect
from pipelines.fact import Fact
from pipelines.history import happenings
from pipelines.lifecycle import milestones, phase
from pipelines.pipeline import Pipeline
from pipelines.plan import Plan, Terms, plan
from pipelines.snapshot import snapshot
from pipelines.step import OpenStep
from pipelines.view import view
from worker.errors import ConfigError
from worker.faults import fault_of
from worker.operations.progress import Progress, timeline
from worker.stores.protocol import ContactStore, Entry


async def contact_entry(store: ContactStore, contact_id: str) -> Entry:
    """A stored contact.

    Raises:
        ConfigError: The store has none of this id.
    """
    (entry,) = await store.load([contact_id.strip().lower()])
    if not entry.version:
        raise ConfigError(
            f"the store knows no contact {contact_id}; connect-dynamics contact find finds contacts"
            " by number, address, agent or record"
        )
    return entry


def described(
    entry: Entry, pipelines: Iterable[Pipeline], terms: Terms, now: float
) -> dict[str, Any]:
    """One contact: what came in, what is acknowledged, what is still to be sent, and why.

    Holds personal data: it is for an operator's screen.
    """
    contact, pipelines = entry.contact, list(pipelines)
    fault = {"fault": entry.fault} if entry.fault else {}
    if entry.unreadable:
        return {"contact": contact.id, "unreadable": entry.unreadable} | fault
    aside, planned = "", Plan()
    effects: dict[str, dict[str, str]] = {}
    progress: dict[str, dict[str, Any]] = {}
    try:
        aside = no_conversation(view(contact))
        seen = snapshot(contact, terms.constants, terms.files)
        planned = plan(contact, pipelines, now, terms, seen)
        effects = _effects(entry, pipelines, terms, now)
        progress = Progress(entry, seen, planned, effects, terms, now).told(pipelines)
    except Exception as error:  # noqa: BLE001 - the bug is shown, not raised
        planned.waiting = {"every step": str(fault_of(error))}
    return fault | {
        "contact": contact.id,
        **({"no_conversation": f"it is one of the {aside}"} if aside else {}),
        "phase": phase(contact),
        "milestones": milestones(contact),
        "facts": {register: _dated(fact) for register, fact in sorted(contact.facts.items())},
        "records": {
            name: {
                "state": record.state,
                "acknowledged": sorted(c for c, d in record.columns.items() if d != UNKNOWN),
                "unsure": sorted(c for c, d in record.columns.items() if d == UNKNOWN),
            }
            for name, record in sorted(contact.ledger.items())
        },
        "lookups": contact.lookups,
        "effects": effects,
        "owed": [_owed(action) for action in planned.actions],
        "waiting": planned.waiting,
        "pipelines": progress,
        "parked": {
            place: {"status": p.status, "code": p.code, "answer": p.answer, "request": p.request}
            for place, p in sorted(contact.parked.items())
        },
        "due_at": entry.due_at,
        "claimed_until": entry.claimed_until or None,
        "history": [one.as_json() for one in happenings(contact)],
        "timeline": timeline(entry),
    }


def _effects(
    entry: Entry, pipelines: Iterable[Pipeline], terms: Terms, now: float
) -> dict[str, dict[str, str]]:
    """What came of each page and write-back, when and why; or what a page still waits for."""
    contact, found = entry.contact, {}
    live = plan(contact, pipelines, now, replace(terms, live=True))
    pages = [step.path for one in pipelines for step in one.steps if isinstance(step, OpenStep)]
    for path in pages:
        if reason := live.waiting.get(path) or live.pending.get(path):
            found[path] = {"state": "waiting", "when": "", "why": f"it waits {reason}"}
    for path, text in contact.effects.items():
        effect = Effect.read(text)
        found[path] = {"state": effect.state, "when": effect.when, "why": effect.why}
    for path, expired in live.expired.items():  # nothing has made it due since
        effect = expired.judged(entry.due_at or now, now)
        found[path] = {"state": effect.state, "when": "", "why": effect.why}
    return dict(sorted(found.items()))


def _owed(action: Action) -> dict[str, Any]:
    columns: Mapping[str, Any] = {}
    match action:
        case Change():
            columns = action.columns
        case WriteBack():
            columns = action.attributes
    return {"what": action.kind, "steps": action.steps, "to": action.place, "columns": columns}


def _dated(fact: Fact) -> str:
    """A fact's version, without the archive's name that may follow: it may be a person's."""
    return fact.version.partition(" ")[0]
