"""What the timeline pipeline should have made of contacts, worked out from what happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from pipelines.identity import record_id, timeline_id
from worker.sandbox.amazon.contact_lens import note
from worker.sandbox.oracle.customers import match, rows
from worker.sandbox.traffic import Leg, Truth
from worker.sandbox.traffic.people import object_url


#: Channel -> entity set and logical name of its activity.
ACTIVITIES: Final = {
    "VOICE": ("phonecalls", "phonecall"),
    "EMAIL": ("emails", "email"),
    "TASK": ("tasks", "task"),
    "CHAT": ("tasks", "task"),
}

#: Whether the contact centre turned to the customer -> the status of a closed activity.
_STATUS: Final = {
    "phonecall": {False: 4, True: 2},
    "email": {False: 4, True: 3},
    "task": {False: 5, True: 5},
}

#: The state of an activity of which nothing came, and its status by entity set.
CANCELLED: Final = 2
CANCELLED_AS: Final = {"phonecalls": 3, "emails": 5, "tasks": 6}

_WORDS: Final = {
    "VOICE": "Call with {}",
    "EMAIL": "E-mail with {}",
    "TASK": "Task with {}",
    "CHAT": "Chat with {}",
}

#: What a customer is called of whom nothing is known any more.
_UNNAMED: Final = {
    "phonecall": "unknown number",
    "email": "unknown address",
    "task": "unknown customer",
}

#: Parts of parties: participationtypemask.
FROM, TO = 1, 2

#: Entity set, key and columns (None: empty) of a record.
Row = tuple[str, str, dict[str, Any]]


def timeline(leg: Leg, truth: Truth) -> Iterator[Row]:
    """The records a contact should have beside its own pipeline's: an activity, perhaps a note."""
    entity_set, table = ACTIVITIES[leg.channel]
    key = timeline_id(leg.id, table)
    customer = _customer(leg)
    name = f"{customer['firstname']} {customer['lastname']}" if customer else truth.number
    if table == "task":
        name = name or leg.attributes["customerName"]
    columns = {
        "subject": _words(leg).format(name or _UNNAMED[table]),
        "category": None if leg.redacted else leg.attributes["CallReason"],
        "subcategory": truth.queue,
        "actualstart": truth.start,
        "actualend": truth.end,
        "scheduledstart": truth.start,
        "scheduledend": truth.end,
        "actualdurationminutes": minutes(truth),
        "_regardingobjectid_value": customer["contactid"] if customer else None,
        "statecode": 1,
        "statuscode": _STATUS[table][truth.outgoing],
    }
    if leg.agent:
        columns["_ownerid_value"] = leg.agent.user_id
    if leg.channel == "CHAT":
        columns["description"] = _chatted(leg)
    if table != "task":
        columns["directioncode"] = truth.outgoing
        columns[f"{table}_activity_parties"] = _parties(leg, truth) or None
    if table == "phonecall":
        url = truth.recording_url
        columns |= {
            "phonenumber": truth.number,
            "description": f"Recording: {url}" if url else None,
        }
    if truth.fate == "cancelled":
        columns |= {"statecode": CANCELLED, "statuscode": CANCELLED_AS[entity_set]}
        columns.pop("description", None)
    yield entity_set, key, columns
    if analysis := leg.key_of("analysis"):
        columns = {
            "subject": "Contact Lens analysis",
            "notetext": note(leg) or object_url(analysis),
            "_objectid_value": key,
        }
        yield "annotations", record_id(leg.id, "timeline", f"{table.upper()}-ANALYSIS"), columns


def _words(leg: Leg) -> str:
    is_sms = leg.segments.get("connect:Subtype") == "connect:SMS"
    return "SMS with {}" if is_sms else _WORDS[leg.channel]


def minutes(truth: Truth) -> int:
    """The length of conversation or work in begun minutes."""
    return -(-truth.work_s // 60)


def _chatted(leg: Leg) -> str | None:
    """Who wrote, and where it can be read."""
    transcript = leg.key_of("transcript")
    lines = {
        "Agent": leg.agent.username if leg.agent else None,
        "Number": leg.customer.number if leg.line else None,
        "Transcript": object_url(transcript) if transcript else None,
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items() if value) or None


def _customer(leg: Leg) -> dict[str, Any] | None:
    """The contact that is found. Chats and tasks carry its id, whoever shares its telephone."""
    if leg.redacted:
        return None
    if leg.channel in ("CHAT", "TASK"):
        return next(iter(rows(leg.customer)), None)
    return match(leg.customer)


def _parties(leg: Leg, truth: Truth) -> list[dict[str, Any]]:
    """As ``Dataverse.dump`` shows them."""
    customer = _customer(leg)
    number = {"addressused": truth.number} if truth.number else {}
    ends = [{"_partyid_value": customer["contactid"]} if customer else number]
    ends.append({"_partyid_value": leg.agent.user_id} if leg.agent else {})
    masks = (TO, FROM) if truth.outgoing else (FROM, TO)
    parties = [
        {**end, "participationtypemask": mask} for end, mask in zip(ends, masks, strict=True) if end
    ]
    return sorted(parties, key=orjson.dumps)
