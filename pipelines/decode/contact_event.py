"""Contact events: what Amazon Connect says through EventBridge while a contact is on.

Best effort, unordered, sometimes twice, and from both Regions of a linked pair: a fact's register
and version hold neither instance nor Region (Administrator Guide, "contact-events").
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pipelines.decode.seal import seal
from pipelines.decode.spelling import field
from pipelines.decode.timestamp import normalise
from pipelines.fact import EVENT, Fact, Undecodable


SOURCE = "aws.connect"

#: The second is in one sample of 2026 only; the product was renamed, the events probably not.
DETAIL_TYPES = ("Amazon Connect Contact Event", "Connect Customer Contact Event")

NO_DETAIL = Undecodable("contact event without detail")
NO_TYPE = Undecodable("event type missing or of unknown form")

#: Longest event type in characters; the longest known one has 20.
_TYPE_LENGTH = 64

# Where each event has its own time (part of the detail or "", name); the others are dated by
# their envelope.
_OWN_TIME = {
    EVENT + "INITIATED": ("", "initiationTimestamp"),
    EVENT + "CONNECTED_TO_SYSTEM": ("", "connectedToSystemTimestamp"),
    EVENT + "QUEUED": ("queueInfo", "enqueueTimestamp"),
    EVENT + "CONNECTED_TO_AGENT": ("agentInfo", "connectedToAgentTimestamp"),
    EVENT + "DISCONNECTED": ("", "disconnectTimestamp"),
}


def is_detail(names: frozenset[str]) -> bool:
    """Whether an object with these names (lower case) is a contact event without envelope."""
    return "contactid" in names and "eventtype" in names


def is_sent_on(names: frozenset[str]) -> bool:
    """Whether a detail with these names (lower case), of another's event, is a contact event."""
    return is_detail(names) and not names.isdisjoint({"instancearn", "initiationmethod"})


def read(detail: Any, envelope: dict[str, Any]) -> Fact | Undecodable:
    """The fact in a detail object; ``envelope`` is {} if it came without one."""
    if not isinstance(detail, dict):
        return NO_DETAIL
    kind = detail.get("eventType") or field(detail, "eventType")
    register = _register(kind) if isinstance(kind, str) else ""
    if not register:
        return NO_TYPE
    version = _version(register, detail, envelope)
    contact_id = detail.get("contactId") or field(detail, "contactId")
    return seal(contact_id, register, version, detail, version)


@lru_cache(maxsize=64)
def _register(kind: str) -> str:
    """Where events of a type are kept, also of types unknown here; "" if that is no type."""
    kind = kind.strip().upper()
    plain = 0 < len(kind) <= _TYPE_LENGTH and kind.isascii() and kind.isprintable()
    return EVENT + kind if plain else ""


def _version(register: str, detail: dict[str, Any], envelope: dict[str, Any]) -> str:
    """The event's own time, else its envelope's, else the latest time it mentions."""
    if register in _OWN_TIME:
        part, name = _OWN_TIME[register]
        # One published sample has the timestamps beside the detail instead of in it.
        if own := _time(detail, part, name) or _time(envelope, part, name):
            return own
    return normalise(envelope.get("time")) or max(_times(detail), default="")


def _time(data: Any, part: str, name: str) -> str:
    """The time under ``name`` in a part of the data, or in all of it if ``part`` is ""."""
    if part:
        data = data.get(part) or field(data, part)
    return normalise(data.get(name) or field(data, name)) if isinstance(data, dict) else ""


def _times(detail: dict[str, Any]) -> Iterator[str]:
    """Every time in the event except the one a task is scheduled for, which lies ahead."""
    pending: list[Any] = [detail]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending += part
        elif isinstance(part, dict):
            pending += part.values()
            for name, value in part.items():
                folded = name.lower()
                if folded.endswith("timestamp") and folded != "scheduledtimestamp":
                    yield normalise(value)
