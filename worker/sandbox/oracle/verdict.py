"""What Dynamics should hold after a scenario, compared with what it holds.

Expectations come from what happened (the traffic's ``Truth``), not from the messages about it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pipelines.identity import record_id
from worker.sandbox.oracle.expected_timeline import CANCELLED, CANCELLED_AS, minutes, timeline
from worker.sandbox.traffic import Leg, Truth, mails
from worker.sandbox.traffic.events import UNNAMED
from worker.sandbox.traffic.people import MAILBOX, object_url
from worker.sandbox.traffic.truths import of_leg


#: All records by entity set, as ``Dataverse.dump`` gives them.
Records = dict[str, list[dict[str, Any]]]

#: Channel -> entity set, pipeline and step that make its record.
MADE_BY: Final = {
    "VOICE": ("phonecalls", "phonecall", "STEP2"),
    "CHAT": ("tasks", "chat", "CREATE"),
    "TASK": ("tasks", "task", "CREATE"),
    "EMAIL": ("emails", "email", "CREATE"),
}

#: The pipelines that make one record per contact of their channel, and all that are judged.
OF_CHANNELS: Final = tuple(pipeline for _, pipeline, _ in MADE_BY.values())
PIPELINES: Final = (*OF_CHANNELS, "timeline")

#: Entity sets in which nothing else may be.
ACTIVITIES: Final = ("phonecalls", "tasks", "emails", "appointments", "annotations")

_COMPLETED: Final = 1

#: A party's role, participationtypemask; From is 1 and To is 2.
_CC: Final = 3


@dataclass(frozen=True, slots=True)
class Expected:
    """A record a contact should have: entity set, key, columns (None: empty), who makes it."""

    entity_set: str
    key: str
    columns: dict[str, Any]
    pipeline: str


def expected(legs: Sequence[Leg], pipelines: Collection[str] = PIPELINES) -> list[Expected]:
    """The records that these pipelines should make, in the contacts' order."""
    found = (one for leg in legs if leg.fate != "none" for one in _all_of(leg))
    return [one for one in found if one.pipeline in pipelines]


def _all_of(leg: Leg) -> Iterator[Expected]:
    yield _of(leg)
    for entity_set, key, columns in timeline(leg, of_leg(leg)):
        yield Expected(entity_set, key, columns, "timeline")


def _of(leg: Leg) -> Expected:
    entity_set, pipeline, step = MADE_BY[leg.channel]
    truth = of_leg(leg)
    columns = {
        "actualstart": truth.start,
        "actualend": truth.end,
        "actualdurationminutes": minutes(truth),
        "category": leg.channel,
        "subcategory": truth.queue,
        "statecode": _COMPLETED,
        **_OWN[leg.channel](leg, truth),
    }
    if truth.fate == "cancelled":
        columns |= {"statecode": CANCELLED, "statuscode": CANCELLED_AS[entity_set]}
        del columns["description"]
    return Expected(entity_set, record_id(leg.id, pipeline, step), columns, pipeline)


def _call(_: Leg, truth: Truth) -> dict[str, Any]:
    url, number = truth.recording_url, truth.number or "unknown number"
    return {
        "subject": f"Call between {truth.agent or 'no agent'} and {number}",
        "phonenumber": truth.number,
        "directioncode": truth.outgoing,
        "description": f"Your Recording URI is {url}" if url else None,
        "statuscode": 2 if truth.outgoing else 4,
    }


def _chat(leg: Leg, truth: Truth) -> dict[str, Any]:
    key = leg.key_of("transcript")
    url = object_url(key) if key else None
    return {
        "subject": f"Chat between {truth.agent or 'no agent'} and {leg.customer.name}",
        "description": f"Your Transcript URI is {url}" if url else None,
        "statuscode": 5,
    }


def _task(leg: Leg, _: Truth) -> dict[str, Any]:
    return {"subject": leg.name or UNNAMED, "statuscode": 5}


def _mail(leg: Leg, truth: Truth) -> dict[str, Any]:
    ends = (MAILBOX, truth.number) if truth.outgoing else (truth.number, MAILBOX)
    nameless = f"E-mail between {truth.agent or 'no agent'} and {truth.number}"
    return {
        "subject": mails.subject(leg) or nameless,
        "email_activity_parties": _parties(leg, ends),
        "directioncode": truth.outgoing,
        "sender": ends[0],
        "torecipients": ends[1],
        "statuscode": 3 if truth.outgoing else 4,
    }


def _parties(leg: Leg, ends: Sequence[str | None]) -> list[dict[str, Any]]:
    """From, To and CC, as ``Dataverse.dump`` shows them."""
    names = {leg.customer.email: leg.customer.name} if mails.named(leg) else {}
    people = [(address, mask, names.get(address or "")) for mask, address in enumerate(ends, 1)]
    if mails.copied(leg):
        name, address = mails.COLLEAGUE
        people.append((address, _CC, name))
    parties = [
        {"addressused": address, "participationtypemask": mask}
        | ({"unresolvedpartyname": name} if name else {})
        for address, mask, name in people
    ]
    return sorted(parties, key=orjson.dumps)


_OWN: Final = {"VOICE": _call, "CHAT": _chat, "TASK": _task, "EMAIL": _mail}


def differences(wanted: Sequence[Expected], records: Records) -> Iterator[str]:
    """What is not as it should be, one line each; nothing if all is right."""
    found = {
        (entity_set, row[key_of(entity_set)]): row
        for entity_set in ACTIVITIES
        for row in records.get(entity_set, [])
    }
    for one in wanted:
        row = found.pop((one.entity_set, one.key), None)
        name = f"{one.entity_set}({one.key})"
        if row is None:
            yield f"{name} is not there"
            continue
        for column, value in one.columns.items():
            if row.get(column) != value:
                yield f"{name} {column} is {row.get(column)!r}, should be {value!r}"
    for entity_set, key in found:
        yield f"{entity_set}({key}) should not be there"


def key_of(entity_set: str) -> str:
    """The name of the primary key of an entity set in which nothing else may be."""
    return "annotationid" if entity_set == "annotations" else "activityid"
