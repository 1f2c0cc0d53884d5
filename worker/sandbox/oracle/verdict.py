"""What Dynamics should hold after a scenario, compared with what it holds.

Expectations come from what happened (the traffic's ``Truth``), not from the messages about it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pipelines.conversation import no_conversation
from pipelines.identity import record_id
from worker.sandbox.oracle.expected_timeline import timeline
from worker.sandbox.traffic import Leg, Truth
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


@dataclass(frozen=True, slots=True)
class Expected:
    """A record a contact should have: entity set, key, columns (None: empty), who makes it."""

    entity_set: str
    key: str
    columns: dict[str, Any]
    pipeline: str


def expected(legs: Sequence[Leg], pipelines: Collection[str] = PIPELINES) -> list[Expected]:
    """The records that these pipelines should make, in the contacts' order; side legs have none."""
    found = (one for leg in legs if is_conversation(leg) for one in _all_of(leg))
    return [one for one in found if one.pipeline in pipelines]


def is_conversation(leg: Leg) -> bool:
    """Whether a leg gets records: not if it is only part of another one."""
    return not no_conversation(
        {
            "InitiationMethod": leg.method,
            "Agent": {"ARN": leg.agent.arn if leg.agent else None},
            "Queue": {"EnqueueTimestamp": leg.queued_ms},
        }
    )


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
        "actualdurationminutes": _minutes(truth),
        "category": leg.channel,
        "subcategory": truth.queue,
        "statecode": _COMPLETED,
        **_OWN[leg.channel](leg, truth),
    }
    return Expected(entity_set, record_id(leg.id, pipeline, step), columns, pipeline)


def _minutes(truth: Truth) -> int:
    length = datetime.fromisoformat(truth.end) - datetime.fromisoformat(truth.start)
    return -(-int(length.total_seconds()) // 60)


def _call(_: Leg, truth: Truth) -> dict[str, Any]:
    url = truth.recording_url
    return {
        "subject": f"Call between {truth.agent or 'no agent'} and {truth.number}",
        "phonenumber": truth.number,
        "directioncode": truth.outgoing,
        "description": f"Your Recording URI is {url}" if url else None,
        "statuscode": 2 if truth.outgoing else 4,
    }


def _chat(leg: Leg, truth: Truth) -> dict[str, Any]:
    key = leg.key_of("transcript")
    url = object_url(key) if key else None
    return {
        "subject": f"Chat with {truth.agent or 'no agent'}",
        "description": f"Your Transcript URI is {url}" if url else None,
        "statuscode": 5,
    }


def _task(_: Leg, truth: Truth) -> dict[str, Any]:
    return {"subject": f"Task for {truth.agent or 'no agent'}", "statuscode": 5}


def _mail(_: Leg, truth: Truth) -> dict[str, Any]:
    ends = (MAILBOX, truth.number) if truth.outgoing else (truth.number, MAILBOX)
    return {
        "subject": f"E-mail between {truth.agent or 'no agent'} and {truth.number}",
        "directioncode": truth.outgoing,
        "sender": ends[0],
        "torecipients": ends[1],
        "statuscode": 3 if truth.outgoing else 4,
    }


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
