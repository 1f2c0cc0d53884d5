"""Contact records: what Amazon Connect knows of a contact once it is complete, on Kinesis.

At least once, and again whenever something changes, even days later; the greatest
``LastUpdateTimestamp`` counts (Administrator Guide, "ctr-data-model"). It has whole seconds, so two
records may have the same. A record's version therefore goes on after it, part by part: whether
something was redacted, how many values it has, when it arrived, and where it stood. These are
compared as one text, and the digest after them, so any records have one total order, and the
greatest is the same whatever way they came. A body that arrives twice has two versions, and the
greater one stays: that Connect sends an older record again in the same second is not told from a
newer one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipelines.decode.seal import seal
from pipelines.decode.spelling import field
from pipelines.decode.timestamp import normalise
from pipelines.fact import RECORD, Fact, Undecodable


#: The field that marks a contact record and nothing else.
FORMAT = "AWSContactTraceRecordFormatVersion"

#: The segment attribute that says what DeleteContactData has emptied, in lower case.
REDACTED = "connect:redactedfields"

# No message arrives later (s since 1970); a time that is no number is not less either.
_LATEST_S = 1e12

# What dates a record, best first.
_TIMES = ("LastUpdateTimestamp", "DisconnectTimestamp", "InitiationTimestamp")


def is_record(names: frozenset[str]) -> bool:
    """Whether an object with these names (lower case) is a contact record."""
    return "contactid" in names and (FORMAT.lower() in names or "lastupdatetimestamp" in names)


def read(data: dict[str, Any]) -> Fact | Undecodable:
    """The fact in a contact record."""
    version = ""
    for name in _TIMES:
        if version := normalise(data.get(name) or field(data, name)):
            break
    fullness = f"{_is_redacted(data):d} {_filled(data):06}"
    contact_id = data.get("ContactId") or field(data, "ContactId")
    return seal(contact_id, RECORD, f"{version} {fullness}", data, version)


def placed(fact: Fact, arrived: float | None, place: str) -> Fact:
    """A record's fact with all that orders it among those of one second.

    Args:
        fact: The fact as read.
        arrived: When (s since 1970) the message arrived, as it says itself; None: it does not say.
        place: Where it stood in its shard or archive, compared as text.
    """
    at_ms = round(arrived * 1000) if arrived is not None and 0 < arrived < _LATEST_S else 0
    return replace(fact, version=f"{fact.version} {at_ms:016} {place}")


def _is_redacted(data: dict[str, Any]) -> bool:
    attributes = data.get("SegmentAttributes") or field(data, "SegmentAttributes")
    names = attributes if isinstance(attributes, dict) else {}
    return any(value and name.lower() == REDACTED for name, value in names.items())


def _filled(value: Any) -> int:
    """How many values there are in a structure that are not empty."""
    if isinstance(value, dict):
        return sum(map(_filled, value.values()))
    if isinstance(value, list):
        return sum(map(_filled, value))
    return value is not None and value != ""
