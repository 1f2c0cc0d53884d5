"""The life of a contact: phases, what proves them, and the milestones that steps hang on.

Contact events are best effort, so a phase can be entered from any earlier one, and a contact
record, which is written when the contact is over, proves every phase it has a timestamp for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pipelines.contact import Contact
from pipelines.fact import EVENT, Fact
from pipelines.names import heard, said, second
from pipelines.objects import KINDS, StoredObject, objects


#: In order; a contact only moves forward.
PHASES = ("unknown", "initiated", "queued", "connected", "disconnected", "completed")

#: Signal -> the phase it proves. A signal is an event type, or the name of a timestamp in any
#: event or contact record, or ``contact record`` itself.
PROOFS = {
    "INITIATED": "initiated",
    "CONNECTED_TO_SYSTEM": "initiated",
    "any other event": "initiated",
    "InitiationTimestamp": "initiated",
    "QUEUED": "queued",
    "Queue.EnqueueTimestamp": "queued",
    "CONNECTED_TO_AGENT": "connected",
    "Agent.ConnectedToAgentTimestamp": "connected",
    "DISCONNECTED": "disconnected",
    "DisconnectTimestamp": "disconnected",
    "COMPLETED": "completed",
    "contact record": "completed",
}

#: (phase, signal) -> next phase: the transition table.
TRANSITIONS = {
    (phase, signal): max(phase, proven, key=PHASES.index)
    for phase in PHASES
    for signal, proven in PROOFS.items()
}

#: What a step may be ``on``.
MILESTONES = (
    "created",
    "queued",
    "answered",
    "ended",
    "completed",
    "record",
    "recording",
    "transcript",
    "analysis",
    "screen_recording",
    "attachment",
    "email_message",
    "evaluation",
)

#: Milestone -> the phase that reaches it, or a later one.
REACHED_BY = {"created": "initiated", "ended": "disconnected", "completed": "completed"}

#: The same, but no later phase will do: a contact that was disconnected need not have been queued
#: or answered before.
PROVEN_BY = {"queued": "queued", "answered": "connected"}

#: Milestone -> the timestamp that says when it was. It comes with every event and with the contact
#: record, and the newest of them counts; events themselves may be dated wrongly.
SAID_BY = {
    "created": "InitiationTimestamp",
    "queued": "Queue.EnqueueTimestamp",
    "answered": "Agent.ConnectedToAgentTimestamp",
    "ended": "DisconnectTimestamp",
}


#: Milestone -> the event that is sent at that moment.
DATED_BY = {"created": "INITIATED", "queued": "QUEUED", "answered": "CONNECTED_TO_AGENT"}

#: Milestones that never come for a contact nobody answered.
FILES = frozenset(KINDS.values())

#: Milestone -> what a step waits for, in words.
AWAITED = {
    "created": "the contact to begin",
    "queued": "the contact to be queued",
    "answered": "an agent to answer",
    "ended": "the contact to end",
    "completed": "the contact to be completed",
    "record": "the contact record",
    "recording": "a recording",
    "transcript": "a transcript",
    "analysis": "a Contact Lens analysis",
    "screen_recording": "a screen recording",
    "attachment": "an attachment",
    "email_message": "an e-mail's message",
    "evaluation": "an evaluation",
}


def signals(contact: Contact) -> dict[str, str]:
    """What the contact's facts prove: signal -> the UTC second it gives (or ``""``)."""
    events = contact.events
    return signals_of(events, heard(events), contact.record)


def signals_of(
    events: Iterable[Fact], told: Mapping[str, Any], record: Fact | None
) -> dict[str, str]:
    """The same of these events, which tell this together (``heard``), and the contact record."""
    found: dict[str, str] = {}
    for fact in events:
        kind = fact.register.removeprefix(EVENT)
        _note(found, kind if kind in PROOFS else "any other event", fact.at)
    _timestamps(found, told)
    if record is not None:
        _note(found, "contact record", record.at)
        _timestamps(found, said(record.body))
    return found


def _timestamps(found: dict[str, str], message: Mapping[str, Any]) -> None:
    for signal in ("InitiationTimestamp", "DisconnectTimestamp"):
        if at := message.get(signal):
            _note(found, signal, at)
    for structure, name in (
        ("Queue", "EnqueueTimestamp"),
        ("Agent", "ConnectedToAgentTimestamp"),
    ):
        if at := message.get(structure, {}).get(name):
            _note(found, f"{structure}.{name}", at)


def _note(found: dict[str, str], signal: str, at: Any) -> None:
    found[signal] = second(at) or found.get(signal, "")


def phase(contact: Contact) -> str:
    """The furthest phase the facts prove."""
    return phase_of(signals(contact))


def phase_of(proven: Iterable[str]) -> str:
    """The furthest phase that signals prove."""
    now = PHASES[0]
    for signal in proven:
        now = TRANSITIONS[now, signal]
    return now


def moment(contact: Contact, milestone: str, reached: str) -> float | None:
    """When a milestone was (s since 1970), to the millisecond if an event says so.

    Args:
        contact: The contact.
        milestone: ``created``, ``queued`` or ``answered``.
        reached: Its UTC second, see ``milestones``.
    """
    event = contact.facts.get(EVENT + DATED_BY.get(milestone, ""))
    if event is not None and event.at[:19] == reached[:19] != "":
        reached = event.at
    return datetime.fromisoformat(reached).timestamp() if reached else None


def milestones(contact: Contact) -> dict[str, str]:
    """The milestones reached, each with the UTC second it happened at (``""`` if not known)."""
    return milestones_of(signals(contact), objects(contact))


def milestones_of(proven: Mapping[str, str], things: Iterable[StoredObject]) -> dict[str, str]:
    """The milestones that a contact's signals and files say it has reached."""
    times = {name: _first(proven, phase) for name, phase in REACHED_BY.items()}
    times |= {name: _first(proven, phase, exactly=True) for name, phase in PROVEN_BY.items()}
    times |= {name: proven[signal] for name, signal in SAID_BY.items() if proven.get(signal)}
    times["record"] = proven.get("contact record")
    if times["created"] is not None:
        for thing in things:
            times.setdefault(thing.milestone, second(thing.at) or "")
    return {name: times[name] or "" for name in MILESTONES if times.get(name) is not None}


def _first(proven: Mapping[str, str], phase: str, *, exactly: bool = False) -> str | None:
    """When the phase was first proven, by itself or (unless exactly) a later one; None: never."""
    least = PHASES.index(phase)
    ranks = {signal: PHASES.index(PROOFS[signal]) for signal in proven}
    times = sorted(
        (rank, proven[signal] or "~")  # an unknown time sorts last
        for signal, rank in ranks.items()
        if rank == least or (rank > least and not exactly)
    )
    return times[0][1].rstrip("~") if times else None


def mermaid() -> str:
    """The transition table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {PHASES[0]}"]
    for phase in PHASES:
        for target in PHASES[PHASES.index(phase) + 1 :]:
            by = [s for s in PROOFS if TRANSITIONS[phase, s] == target]
            lines.append(f"    {phase} --> {target} : {', '.join(by)}")
    return "\n".join([*lines, f"    {PHASES[-1]} --> [*]"])
