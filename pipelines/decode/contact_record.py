"""Contact records: what Amazon Connect knows of a contact once it is complete, on Kinesis.

At least once, and again whenever something changes, even days later; the greatest
``LastUpdateTimestamp`` counts (Administrator Guide, "ctr-data-model").
"""

from __future__ import annotations

from typing import Any

from pipelines.decode.seal import seal
from pipelines.decode.spelling import field
from pipelines.decode.timestamp import normalise
from pipelines.fact import RECORD, Fact, Undecodable


#: The field that marks a contact record and nothing else.
FORMAT = "AWSContactTraceRecordFormatVersion"

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
    return seal(data.get("ContactId") or field(data, "ContactId"), RECORD, version, data, version)
