"""What the timeline pipeline should have made of contacts, worked out from what happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from pipelines.identity import record_id, timeline_id
from worker.sandbox.amazon.contact_lens import note
from worker.sandbox.oracle.customers import match, rows
from worker.sandbox.traffic import Leg, Truth, mails
from worker.sandbox.traffic.people import MAILBOX, object_url


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

#: Ways of beginning in which one agent, queue or flow hands the customer to another.
_TRANSFERS: Final = ("TRANSFER", "QUEUE_TRANSFER", "DISCONNECT")

#: What a customer is called of whom nothing is known any more.
_UNNAMED: Final = {
    "phonecall": "unknown number",
    "email": "unknown address",
    "task": "unknown customer",
}

#: Parts of parties: participationtypemask.
FROM, TO, CC = 1, 2, 3

#: Entity set, key and columns (None: empty) of a record.
Row = tuple[str, str, dict[str, Any]]


def timeline(leg: Leg, truth: Truth, site: str = "") -> Iterator[Row]:
    """The records a contact should have beside its own pipeline's: an activity, perhaps notes.

    Args:
        leg: What happened.
        truth: The same as its activity should show it.
        site: The environment's address, which links begin with.
    """
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
        columns |= {"phonenumber": truth.number, "description": _called(leg, truth)}
    if table == "email":
        ends = (MAILBOX, truth.number) if truth.outgoing else (truth.number, MAILBOX)
        columns |= dict(zip(("sender", "torecipients"), ends, strict=True))
        columns["subject"] = mails.subject(leg) or columns["subject"]
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
    if text := _transfers(leg, site):
        columns = {"subject": "Transfers", "notetext": text, "_objectid_value": key}
        yield "annotations", record_id(leg.id, "timeline", f"{table.upper()}-TRANSFERS"), columns


def _called(leg: Leg, truth: Truth) -> str | None:
    """Where a call can be heard, and whom the agent joined."""
    joined = leg.after if leg.after and leg.after.method == "EXTERNAL_OUTBOUND" else None
    lines = {
        "Recording": truth.recording_url,
        "Third parties": joined.customer.number if joined else None,
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items() if value) or None


def _transfers(leg: Leg, site: str) -> str:
    """Where the contact came from and where it went, as far as that is on the timeline."""
    text = ""
    for other, later, words in (
        (leg.before, leg, ("Transferred from", "Follows")),
        (leg.after, leg.after, ("Transferred to", "Followed by")),
    ):
        if other is None or later is None or other.fate == "none":
            continue
        table = ACTIVITIES[other.channel][1]
        page = f"/main.aspx?pagetype=entityrecord&amp;etn={table}&amp;id="
        who = other.agent.username if other.agent else other.queue.name if other.queue else ""
        said = words[later.method not in _TRANSFERS]
        key = timeline_id(other.id, table)
        text += f"<p>{said} <a href='{site}{page}{key}'>{who or 'another contact'}</a></p>"
    return text


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
    """The contact that is found. Whoever carries its id may share a telephone."""
    if leg.redacted:
        return None
    if "ms_contact_id" in leg.attributes:
        return next(iter(rows(leg.customer)), None)
    return match(leg.customer)


def _parties(leg: Leg, truth: Truth) -> list[dict[str, Any]]:
    """As ``Dataverse.dump`` shows them."""
    customer = _customer(leg)
    number = {"addressused": truth.number} if truth.number else {}
    ends = [{"_partyid_value": customer["contactid"]} if customer else number]
    ends.append(_ours(leg, truth))
    masks = (TO, FROM) if truth.outgoing else (FROM, TO)
    parties = [
        {**end, "participationtypemask": mask} for end, mask in zip(ends, masks, strict=True) if end
    ]
    if leg.channel == "EMAIL":
        parties += _others(leg, truth)
    return sorted(parties, key=orjson.dumps)


def _ours(leg: Leg, truth: Truth) -> dict[str, Any]:
    """Who was there for us: the agent; a mail that none has written comes from the mailbox."""
    if leg.agent:
        return {"_partyid_value": leg.agent.user_id}
    return {"addressused": MAILBOX} if leg.channel == "EMAIL" and truth.outgoing else {}


def _others(leg: Leg, truth: Truth) -> Iterator[dict[str, Any]]:
    """A mail's parties beside customer and agent."""
    if not truth.outgoing:
        yield {"addressused": MAILBOX, "participationtypemask": TO}
    if mails.copied(leg):
        name, address = mails.COLLEAGUE
        yield {"addressused": address, "participationtypemask": CC, "unresolvedpartyname": name}
