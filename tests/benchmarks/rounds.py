"""Rounds: what planning a contact costs, by its pipelines and its facts. ``make bench`` runs it.

A round is what push does for a contact beside sending: read it from its bytes, see whether
somebody waits, take its snapshot, plan it, plan it again once all is done, write it as bytes.
Figures are processor time of this process; each is the median of several turns, in which
everything is measured once, so that a busy machine changes all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from math import inf
from random import Random
from statistics import median
from time import process_time
from typing import Any, Final

import orjson

from rich.console import Console
from rich.table import Table

from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.fact import Fact
from pipelines.loader import load
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from worker.definitions import find
from worker.sandbox import traffic


#: Facts of the contacts that are measured, as near as their kinds allow.
FACTS: Final = (10, 100, 1000, 3000)

#: How many pipelines are loaded.
PIPELINES: Final = ("phonecall", "chat", "task", "email", "timeline")

#: Further pipelines are so cheap that one alone is lost in the noise.
FURTHER: Final = 20

#: Different contacts per figure: as in life, so many that nothing is remembered of one of them by
#: its turn. Turns per figure.
CONTACTS: Final = 200
TURNS: Final = 5

#: What is asked for (ms).
MOST_FURTHER_MS: Final = 0.1
MOST_LARGE_MS: Final = 30.0

_NOT_ADMITTED: Final = """
name = "chats-{number}"
when = {{ Channel = ["CHAT"] }}

[[step]]
name = "TASK"
on = "created"
method = "POST"
entity = "tasks"
body = '{{"subject": "Chat with {{{{ CustomerEndpoint | default: 1 }}}}"}}'
"""

_NOT_REACHED: Final = """
name = "transcripts-{number}"

[[step]]
name = "NOTE"
on = "transcript"
method = "POST"
entity = "annotations"
body = '{{"subject": "Transcript", "notetext": "{{{{objectUrl}}}}"}}'

[[step]]
name = "EVALUATED"
on = "transcript"
method = "PATCH"
entity = "annotations"
query = "({{{{NOTE-Response.annotationid}}}})"
body = '{{"notetext": "{{{{ objectUrl | default: Queue }}}}"}}'

[[step]]
name = "ATTACHED"
on = "transcript"
method = "PATCH"
entity = "annotations"
query = "({{{{NOTE-Response.annotationid}}}})"
body = '{{"notetext": "{{{{objectUrl}}}}"}}'
"""

#: Before there were snapshots each plan took its own: so old commits can be measured as well.
_HAS_SNAPSHOTS: Final = find_spec("pipelines.snapshot") is not None


def further(text: str) -> list[Pipeline]:
    """As many pipelines of this kind as are measured at a time."""
    return [load(text.format(number=number)) for number in range(FURTHER)]


# --- contacts ---


def calls(count: int) -> list[Contact]:
    """Complete calls, different ones."""
    told = (traffic.history("voice_inbound", Random(seed)) for seed in range(count))
    return [_contact(call.contacts[0].id, (sent.body for sent in call.sent)) for call in told]


def large(facts: int) -> Contact:
    """A call with so many facts: its own, events of other types, files, and what others told."""
    (contact,) = calls(1)
    event = next(fact for fact in contact.events if fact.register.endswith("QUEUED"))
    file = contact.objects[0]
    more = [
        lambda n: _event(event, n),
        lambda n: _as(file, f"{file.register}-{n}", _file(file, n)),
        lambda n: _kin(event, n),
    ]
    for number in range(facts - len(contact.facts)):
        contact.observe(more[number % len(more)](number))
    return contact


def _contact(contact_id: str, bodies: Iterable[bytes]) -> Contact:
    contact = Contact(contact_id)
    for body in bodies:
        for fact in decode(body):
            if isinstance(fact, Fact):
                contact.observe(fact)
    return contact


def _as(fact: Fact, register: str, body: bytes) -> Fact:
    return Fact(fact.contact_id, register, fact.version, body, fact.at)


def _event(event: Fact, number: int) -> Fact:
    body = {**event.data, "Note": number}
    return _as(event, f"event/OTHER-{number}", orjson.dumps(body))


def _file(file: Fact, number: int) -> bytes:
    return orjson.dumps({**file.data, "key": f"{file.data['key']}-{number}"})


def _kin(event: Fact, number: int) -> Fact:
    """What a later leg told of its beginning."""
    body = {
        "Channel": "VOICE",
        "InitialContactId": event.contact_id,
        "InitiationMethod": "TRANSFER",
        "InitiationTimestamp": "2026-01-02T10:00:00Z",
        "PreviousContactId": event.contact_id,
        "Queue": {"Name": f"Queue {number % 7}"},
    }
    leg = f"{number // 4:08x}-0000-4000-8000-000000000000"
    register = f"kin/{leg}/event/{('INITIATED', 'QUEUED', 'COMPLETED', 'DISCONNECTED')[number % 4]}"
    return _as(event, register, orjson.dumps(body))


# --- what is measured ---


def one_round(stored: bytes, contact_id: str, pipelines: Sequence[Pipeline]) -> None:
    """A round of a contact for which nothing is left to be done."""
    contact = Contact.from_bytes(contact_id, stored)
    seen = _seen(contact, pipelines)
    plan(contact, pipelines, inf, Terms(), **seen)
    plan(contact, pipelines, inf, Terms(), **seen)
    contact.to_bytes()


def _seen(contact: Contact, pipelines: Sequence[Pipeline]) -> dict[str, Any]:
    if not _HAS_SNAPSHOTS:
        return {}
    from pipelines.snapshot import snapshot  # noqa: PLC0415 - see above
    from pipelines.waiting import waiting_since  # noqa: PLC0415

    waiting_since(contact, pipelines, 0.0)
    return {"seen": snapshot(contact, {}, "auto")}


def _spent_ms(work: Callable[[], object], times: int = 1) -> float:
    began = process_time()
    for _ in range(times):
        work()
    return (process_time() - began) * 1e3 / times


def _rounds_ms(contacts: Sequence[tuple[str, bytes]], pipelines: Sequence[Pipeline]) -> float:
    """What a round costs (ms), on the average of these contacts."""

    def all_of_them() -> None:
        for contact_id, stored in contacts:
            one_round(stored, contact_id, pipelines)

    return _spent_ms(all_of_them) / len(contacts)


def _plans_us(
    contacts: Sequence[tuple[str, bytes]], pipelines: Sequence[Pipeline]
) -> tuple[float, float]:
    """What the first plan of a round, with the snapshot, and one more of it cost (µs)."""
    first = again = 0.0
    for contact_id, stored in contacts:
        contact = Contact.from_bytes(contact_id, stored)
        began = process_time()
        seen = _seen(contact, pipelines)
        plan(contact, pipelines, inf, Terms(), **seen)
        between = process_time()
        plan(contact, pipelines, inf, Terms(), **seen)
        again += process_time() - between
        first += between - began
    return first * 1e6 / len(contacts), again * 1e6 / len(contacts)


def measure(turns: int = TURNS) -> dict[str, float]:
    """Name of each figure, with its unit, -> the figure."""
    few = [(call.id, call.to_bytes()) for call in calls(CONTACTS)]
    sizes = [(facts, [(one.id, one.to_bytes())]) for facts in FACTS for one in (large(facts),)]
    shipped = [find(name) for name in PIPELINES]
    calling = shipped[:1]
    others = {
        "not admitted": further(_NOT_ADMITTED),
        "no milestone reached": further(_NOT_REACHED),
    }
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    _rounds_ms(few, shipped)  # warm
    for _ in range(turns):
        alone = _rounds_ms(few, calling)
        for kind, pipelines in others.items():
            both = _rounds_ms(few, [*calling, *pipelines])
            note(f"ms per further pipeline, {kind}", (both - alone) / FURTHER)
        for facts, contacts in sizes:
            note(f"ms per round, {facts} facts", _rounds_ms(contacts, calling))
        for count in range(1, len(shipped) + 1):
            first, again = _plans_us(few, shipped[:count])
            note(f"µs per first plan, {count} pipelines", first)
            note(f"µs per plan again, {count} pipelines", again)
    return {name: median(values) for name, values in found.items()}


def asked(name: str) -> float:
    """The most that a figure may be; infinite if nothing is asked."""
    if name.startswith("ms per further pipeline"):
        return MOST_FURTHER_MS
    return MOST_LARGE_MS if name == f"ms per round, {FACTS[-1]} facts" else inf


def main() -> None:
    """Print the figures."""
    table = Table("figure", "measured", "asked", "", title="rounds, processor time")
    for name, value in measure().items():
        most = asked(name)
        aim = (f"<= {most:g}", "met" if value <= most else "missed") if most < inf else ()
        table.add_row(name, f"{value:.3g}" if value < 1 else f"{value:.1f}", *aim)
    Console().print(table)


if __name__ == "__main__":
    main()
