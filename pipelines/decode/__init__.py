"""Bytes to facts. Pure: no I/O, no clock, no logging; never raises.

A message is recognised by its content, never by where it came from: any payload may arrive on any
stream or queue, or from an archive.
"""

from __future__ import annotations

from typing import Any

import orjson

from pipelines.decode import contact_event, contact_record, foreign, stored_object
from pipelines.decode.arrival import AHEAD, Arrival, is_ahead, possible, told_in
from pipelines.decode.envelope import mended, unwrapped
from pipelines.fact import RECORD, Decoded, Fact


__all__ = ["decode"]


def decode(
    body: bytes,
    buckets: frozenset[str] | None = None,
    arrived: float | None = None,
    place: str = "",
) -> list[Decoded]:
    """What a message says: one outcome per part, at least one, in the message's order.

    Args:
        body: The message as it came. Batches (S3, Lambda, Firehose) and wrappings (SQS, SNS) have
            several parts or one further inside.
        buckets: Names of the buckets whose objects count; None: all.
        arrived: When (s since 1970) the stream or queue took it in; None: not known. The arrival
            that a part's wrappings give comes first, the one of its own envelope last.
        place: Where it stands in its stream or archive, see ``Arrival``; "": not known.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        parts = mended(body, Arrival(arrived, place))
    else:
        if type(value) is dict and ("source" in value or contact_record.FORMAT in value):
            return [_outcome(value, arrived, place, buckets)]  # nearly all: nothing to take off
        parts = unwrapped(value, Arrival(arrived, place))
    several = len(parts) > 1
    return [
        _outcome(payload, *(came.part(number) if several else came), buckets)
        if isinstance(payload, dict)
        else payload
        for number, (payload, came) in enumerate(parts)
    ]


def _outcome(
    data: dict[str, Any], at: float | None, place: str, buckets: frozenset[str] | None
) -> Decoded:
    """The outcome of one payload that came then and there."""
    found = _read(data, buckets)
    if not isinstance(found, Fact):
        return found
    told = told_in(data) if at is None else at
    arrived = possible(told)
    if arrived is None and found.register != RECORD:
        return found
    contact_id, register, version, body, dated, _ = found
    if arrived is not None and is_ahead(dated, arrived):
        return AHEAD
    if register == RECORD:
        version = contact_record.placed(version, Arrival(told, place))
    return Fact(contact_id, register, version, body, dated, arrived)


def _read(data: dict[str, Any], buckets: frozenset[str] | None) -> Decoded:
    """The outcome of one payload; exact spellings first, they are nearly all there is."""
    if "detail-type" in data and "source" in data:
        return _read_envelope(data, buckets)
    if contact_record.FORMAT in data:
        return contact_record.read(data)
    if "s3" in data:
        return stored_object.from_notification(data, buckets)
    return _read_by_names(data, frozenset(map(str.lower, data)))


def _read_by_names(data: dict[str, Any], names: frozenset[str]) -> Decoded:
    """The outcome of a payload without envelope; ``names`` are its names in lower case."""
    if reason := foreign.reason(data, names):
        return reason
    if contact_record.is_record(names):
        return contact_record.read(data)
    if contact_event.is_detail(names):
        return contact_event.read(data, {})
    detail = data.get("detail")
    if isinstance(detail, dict) and contact_event.is_sent_on(frozenset(map(str.lower, detail))):
        return contact_event.read(detail, data)  # what an input transformer left
    return foreign.unknown(names)


def _read_envelope(data: dict[str, Any], buckets: frozenset[str] | None) -> Decoded:
    """The outcome of an EventBridge event."""
    source = data["source"]
    if source == contact_event.SOURCE and data["detail-type"] in contact_event.DETAIL_TYPES:
        return contact_event.read(data.get("detail"), data)
    if source == stored_object.SOURCE:
        return stored_object.from_envelope(data, buckets)
    return _read_detail(data) or foreign.other_event(data)


def _read_detail(envelope: dict[str, Any]) -> Decoded | None:
    """The outcome of a contact's record or event sent on under somebody's own name, if it is."""
    detail = envelope.get("detail")
    if not isinstance(detail, dict) or not isinstance(envelope["source"], str):
        return None
    names = frozenset(map(str.lower, detail))
    if contact_record.is_record(names) or contact_record.FORMAT in detail:
        return contact_record.read(detail)
    if envelope["source"] == contact_event.SOURCE:  # its other events have ids and types, too
        return None
    if ignored := foreign.reason(detail, names):
        return ignored
    if envelope["detail-type"] in contact_event.DETAIL_TYPES or contact_event.is_sent_on(names):
        return contact_event.read(detail, envelope)
    return None
