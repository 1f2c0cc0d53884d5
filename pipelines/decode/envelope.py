"""Unwrapping: what a message holds once SQS, SNS, Lambda and Firehose are taken off."""

from __future__ import annotations

import base64
import binascii

from typing import Any

import orjson

from pipelines.decode.arrival import seconds
from pipelines.decode.split import split
from pipelines.fact import Ignored, Undecodable


#: One thing inside a message: a JSON object, or why there is none.
Payload = dict[str, Any] | Ignored | Undecodable

#: With when (s since 1970) it arrived; None: no wrapping says so.
Part = tuple[Payload, float | None]

#: How many wrappings a message may have; SNS in SQS in Lambda has four.
DEPTH = 8

#: How many things a message may hold: Lambda's largest batch. What is beyond is not read, or a
#: message of a million brackets would take seconds.
MOST_PARTS = 10_000

#: What starts a record aggregated by the Kinesis Producer Library
#: (https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md).
#: Amazon Connect has not been seen to write them.
KPL_MAGIC = b"\xf3\x89\x9a\xc2"

AGGREGATED = Undecodable("aggregated (KPL) record")
EMPTY = Undecodable("empty message")
NOT_JSON = Undecodable("not JSON")
NOT_OBJECT = Undecodable("not a JSON object")
NOT_BASE64 = Undecodable("record data is not base64")
WRAPPED = Undecodable("wrapped too deeply")
TOO_MANY = Undecodable("more than 10,000 parts")
NOTHING = Ignored("batch of no records")


def mended(body: bytes, arrived: float | None, depth: int = 0) -> list[Part]:
    """The payloads in what is not one JSON value: several in a row (Firehose), or damage."""
    if body.startswith(KPL_MAGIC):
        return [(AGGREGATED, arrived)]
    found: list[Part] = []
    for piece in split(body, MOST_PARTS + 1):
        if len(found) >= MOST_PARTS:
            return [*found, (TOO_MANY, arrived)]
        try:
            value = orjson.loads(piece)
        except orjson.JSONDecodeError:
            found.append((NOT_JSON, arrived))
        else:
            found += unwrapped(value, arrived, depth)
    return found or [(EMPTY, arrived)]


def unwrapped(value: Any, arrived: float | None, depth: int = 0) -> list[Part]:
    """All payloads in a JSON value, at least one.

    Args:
        value: The value.
        arrived: When it arrived, as far as is known; what a wrapping inside says is earlier.
        depth: How many wrappings were taken off.
    """
    if type(value) is dict:
        if "Records" in value:
            return _batch(value["Records"], arrived, depth)
        if "deliveryStreamArn" in value:  # what Firehose hands to a function that changes records
            return _batch(value.get("records"), arrived, depth)
        if value.get("Type") == "Notification":  # SNS without raw delivery
            return _text(value.get("Message"), _earlier(value.get("Timestamp"), arrived), depth)
        return [(value, arrived)]
    return _batch(value, arrived, depth)


def _batch(entries: Any, arrived: float | None, depth: int) -> list[Part]:
    """The payloads of a list: a batch of S3 or Lambda, or a plain JSON array."""
    if not isinstance(entries, list):
        return [(NOT_OBJECT, arrived)]
    if depth >= DEPTH:
        return [(WRAPPED, arrived)]
    found: list[Part] = []
    for entry in entries:
        if len(found) >= MOST_PARTS:
            return [*found, (TOO_MANY, arrived)]
        found += _entry(entry, arrived, depth + 1)
    return found or [(NOTHING, arrived)]


def _entry(entry: Any, arrived: float | None, depth: int) -> list[Part]:
    """The payloads of one record as its carrier, or Lambda on its behalf, has it; or any value."""
    read = _base64
    match entry:
        case {"kinesis": {} as given}:
            body, at = given.get("data"), given.get("approximateArrivalTimestamp")
        case {"SequenceNumber": _, "Data": body}:  # what ``aws kinesis get-records`` prints
            at = entry.get("ApproximateArrivalTimestamp")
        case {"recordId": _, "data": body}:  # Firehose
            at = entry.get("approximateArrivalTimestamp")
        case {"eventSource": "aws:sqs"}:
            read, body = _text, entry.get("body")
            at = (
                given.get("SentTimestamp")
                if isinstance(given := entry.get("attributes"), dict)
                else None
            )
        case {"Sns": {} as given}:
            read, body, at = _text, given.get("Message"), given.get("Timestamp")
        case _:
            return unwrapped(entry, arrived, depth)
    return read(body, _earlier(at, arrived), depth)


def _earlier(given: object, arrived: float | None) -> float | None:
    """When a wrapping says that it arrived; else when what is around it did."""
    at = seconds(given)
    return arrived if at is None else at


def _text(text: Any, arrived: float | None, depth: int) -> list[Part]:
    if not isinstance(text, str):
        return [(NOT_OBJECT, arrived)]
    if depth >= DEPTH:
        return [(WRAPPED, arrived)]
    return _parsed(text.encode(), arrived, depth + 1)


def _base64(text: Any, arrived: float | None, depth: int) -> list[Part]:
    if not isinstance(text, str):
        return [(NOT_BASE64, arrived)]
    try:
        body = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return [(NOT_BASE64, arrived)]
    return _parsed(body, arrived, depth + 1) if depth < DEPTH else [(WRAPPED, arrived)]


def _parsed(body: bytes, arrived: float | None, depth: int) -> list[Part]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return mended(body, arrived, depth)
    return unwrapped(value, arrived, depth)
