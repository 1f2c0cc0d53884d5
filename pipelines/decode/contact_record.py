"""Contact records: what Amazon Connect knows of a contact once it is complete, on Kinesis.

At least once, and again whenever something changes, even days later; the greatest
``LastUpdateTimestamp`` counts (Administrator Guide, "ctr-data-model"). That has whole seconds, so
records of one second need more to be told apart: see ``_rank``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pipelines.decode.arrival import Arrival
from pipelines.decode.seal import seal
from pipelines.decode.spelling import field
from pipelines.decode.timestamp import normalise
from pipelines.fact import ARRIVED, RECORD, Fact, Undecodable


#: The field that marks a contact record and nothing else.
FORMAT = "AWSContactTraceRecordFormatVersion"

#: The segment attribute that says what DeleteContactData has emptied, in lower case.
REDACTED: Final = "connect:redactedfields"

# What dates a record, best first.
_TIMES = ("LastUpdateTimestamp", "DisconnectTimestamp", "InitiationTimestamp")

# Both greater than any hexadecimal digit: the release before wrote a digest after the time.
_WHOLE: Final = "kept"
_EMPTIED: Final = "redacted"


def is_record(names: frozenset[str]) -> bool:
    """Whether an object with these names (lower case) is a contact record."""
    return "contactid" in names and (FORMAT.lower() in names or "lastupdatetimestamp" in names)


def read(data: dict[str, Any]) -> Fact | Undecodable:
    """The fact in a contact record."""
    version = ""
    for name in _TIMES:
        if version := normalise(data.get(name) or field(data, name)):
            break
    contact_id = data.get("ContactId") or field(data, "ContactId")
    fact = seal(contact_id, RECORD, version, data, version)
    if not isinstance(fact, Fact):
        return fact
    return Fact(fact.contact_id, RECORD, _rank(version, data), fact.body, version)


def _rank(at: str, data: dict[str, Any]) -> str:
    """A record's version but for its arrival: it orders the record among all of its contact.

    One lexicographic key for all pairs, as text: time of the last update; redacted or not, for what
    was deleted must stay deleted; number of values that are not empty, for Connect adds to a
    record; when it arrived, as the message carries it (else 0); its place in shard or archive. The
    digest comes last (``Fact.exceeds``). Each part is a total order and none depends on which two
    are compared, so the whole is total and transitive: of any set of records one is the greatest,
    in whatever order they come. Rules for single pairs ("live ones by arrival, archived ones by
    place, mixed ones by completeness") would not do: three records could win in a ring.

    A version of an earlier release is the time alone, which is less than all of the same second.
    """
    kept = _EMPTIED if _is_redacted(data) else _WHOLE
    return f"{at} {kept} {_filled(data.values()):07d}"


def placed(version: str, arrived: Arrival) -> str:
    """A record's version that says when and where it arrived as well."""
    return f"{version}{ARRIVED}{arrived.text}"


def _is_redacted(data: dict[str, Any]) -> bool:
    """Whether it says that any of its fields were redacted."""
    attributes = field(data, "SegmentAttributes")
    if not isinstance(attributes, dict):
        return False
    return any(name.lower() == REDACTED and _filled([said]) for name, said in attributes.items())


def _filled(values: Iterable[Any]) -> int:
    """How many values, at whatever depth, are not empty: no null, "", [] or {}."""
    count = 0
    for value in values:
        if value:
            kind = type(value)
            if kind is dict:
                count += _filled(value.values())
            elif kind is list:
                count += _filled(value)
            else:
                count += 1
        elif value == 0:  # or false, which says something, too
            count += 1
    return count
