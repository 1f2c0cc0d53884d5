"""Unwrapping: what a message holds once SQS, SNS, Lambda and Firehose are taken off."""

from __future__ import annotations

import base64
import binascii

from typing import Any

import orjson

from pipelines.decode.split import split
from pipelines.fact import Ignored, Undecodable


#: One thing inside a message: a JSON object, or why there is none.
Payload = dict[str, Any] | Ignored | Undecodable

#: How many wrappings a message may have; SNS in SQS in Lambda has four.
DEPTH = 8

#: How many things a message may hold: Lambda's largest batch. What is beyond is not read, or a
#: message of a million brackets would take seconds.
MOST_PARTS = 10_000

#: What starts a record aggregated by the Kinesis Producer Library (amazon-kinesis-producer
#: ``aggregation-format.md``). Amazon Connect has not been seen to write them.
KPL_MAGIC = b"\xf3\x89\x9a\xc2"

AGGREGATED = Undecodable("aggregated (KPL) record")
EMPTY = Undecodable("empty message")
NOT_JSON = Undecodable("not JSON")
NOT_OBJECT = Undecodable("not a JSON object")
NOT_BASE64 = Undecodable("record data is not base64")
WRAPPED = Undecodable("wrapped too deeply")
TOO_MANY = Undecodable("more than 10,000 parts")
NOTHING = Ignored("batch of no records")


def mended(body: bytes, depth: int = 0) -> list[Payload]:
    """The payloads in what is not one JSON value: several in a row (Firehose), or damage."""
    if body.startswith(KPL_MAGIC):
        return [AGGREGATED]
    found: list[Payload] = []
    for piece in split(body, MOST_PARTS + 1):
        if len(found) >= MOST_PARTS:
            return [*found, TOO_MANY]
        try:
            value = orjson.loads(piece)
        except orjson.JSONDecodeError:
            found.append(NOT_JSON)
        else:
            found += unwrapped(value, depth)
    return found or [EMPTY]


def unwrapped(value: Any, depth: int = 0) -> list[Payload]:
    """All payloads in a JSON value, at least one; ``depth`` counts the wrappings taken off."""
    if type(value) is dict:
        if "Records" in value:
            return _batch(value["Records"], depth)
        if value.get("Type") == "Notification":  # SNS without raw delivery
            return _text(value.get("Message"), depth)
        return [value]
    return _batch(value, depth)


def _batch(entries: Any, depth: int) -> list[Payload]:
    """The payloads of a list: a batch of S3 or Lambda, or a plain JSON array."""
    if not isinstance(entries, list):
        return [NOT_OBJECT]
    if depth >= DEPTH:
        return [WRAPPED]
    found: list[Payload] = []
    for entry in entries:
        if len(found) >= MOST_PARTS:
            return [*found, TOO_MANY]
        found += _entry(entry, depth + 1)
    return found or [NOTHING]


def _entry(entry: Any, depth: int) -> list[Payload]:
    """The payloads of one record as Lambda gets it from Kinesis, SQS or SNS; or any value."""
    if isinstance(entry, dict):
        if isinstance(kinesis := entry.get("kinesis"), dict):
            return _base64(kinesis.get("data"), depth)
        if entry.get("eventSource") == "aws:sqs":
            return _text(entry.get("body"), depth)
        if isinstance(sns := entry.get("Sns"), dict):
            return _text(sns.get("Message"), depth)
    return unwrapped(entry, depth)


def _text(text: Any, depth: int) -> list[Payload]:
    if not isinstance(text, str):
        return [NOT_OBJECT]
    return _parsed(text.encode(), depth + 1) if depth < DEPTH else [WRAPPED]


def _base64(text: Any, depth: int) -> list[Payload]:
    if not isinstance(text, str):
        return [NOT_BASE64]
    try:
        body = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return [NOT_BASE64]
    return _parsed(body, depth + 1) if depth < DEPTH else [WRAPPED]


def _parsed(body: bytes, depth: int) -> list[Payload]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return mended(body, depth)
    return unwrapped(value, depth)
