"""Unwrapping: what a message holds once SQS, SNS, Lambda, Firehose and CloudWatch are taken off."""

from __future__ import annotations

import base64
import binascii
import re
import zlib

from typing import Any

import orjson

from pipelines.decode.arrival import Arrival, numeral, seconds
from pipelines.decode.split import MAX_BYTES, split
from pipelines.fact import Ignored, Undecodable


#: One thing inside a message: a JSON object, or why there is none.
Payload = dict[str, Any] | Ignored | Undecodable

#: With when and where it arrived, as far as its wrappings say.
Part = tuple[Payload, Arrival]

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
DAMAGED_GZIP = Undecodable("gzip data is damaged, or longer than 8 MiB")

# Files that are not JSON, by their first bytes, and what to do about them.
_FOREIGN = (
    (b"PAR1", "Parquet file: switch off record format conversion, or convert it to JSON lines"),
    (b"ORC", "ORC file: switch off record format conversion, or convert it to JSON lines"),
    (b"Obj\x01", "Avro file: convert it to JSON lines"),
    (b"PK\x03\x04", "zip file: unpack it first"),
)

# What stands before each message in an export of CloudWatch Logs.
_LOGGED_AT = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)[ \t]+(?=[{\[])")

# With gzip's header and checksum (zlib manual, ``inflateInit2``).
_GZIP_MAGIC, _GZIP_WINDOW = b"\x1f\x8b", 16 + zlib.MAX_WBITS


def foreign_format(head: bytes) -> str | None:
    """What a file is that begins like this and is not JSON, and what to do; None: not known."""
    return next((text for magic, text in _FOREIGN if head.startswith(magic)), None)


def mended(body: bytes, arrived: Arrival, depth: int = 0) -> list[Part]:
    """The payloads in what is not one JSON value: several in a row (Firehose), or damage."""
    if body.startswith(KPL_MAGIC):
        return [(AGGREGATED, arrived)]
    if body.startswith(_GZIP_MAGIC):
        return _unzipped(body, arrived, depth)
    if known := foreign_format(body):
        return [(Undecodable(known), arrived)]
    found: list[Part] = []
    for piece in split(body, MOST_PARTS + 1):
        if len(found) >= MOST_PARTS:
            return [*found, (TOO_MANY, arrived)]
        logged = _LOGGED_AT.match(piece)
        at = _earlier(logged[1].decode(), arrived) if logged else arrived
        try:
            value = orjson.loads(piece[logged.end() :] if logged else piece)
        except orjson.JSONDecodeError:
            found.append((NOT_JSON, arrived))
        else:
            found += unwrapped(value, at, depth)
    return found or [(EMPTY, arrived)]


def unwrapped(value: Any, arrived: Arrival, depth: int = 0) -> list[Part]:
    """All payloads in a JSON value, at least one.

    Args:
        value: The value.
        arrived: When and where it arrived, as far as is known; what a wrapping inside says is
            earlier.
        depth: How many wrappings were taken off.
    """
    if type(value) is not dict:
        return _batch(value, arrived, depth)
    match value:
        case (
            {"Records": entries}  # S3, Lambda, ``aws kinesis get-records``
            | {"deliveryStreamArn": _, "records": entries}  # Firehose to a function of its own
            | {"records": [{"recordId": _}, *_] as entries}  # and what that answers
            | {"Messages": [{"Body": _}, *_] as entries}  # ``aws sqs receive-message``
            | {"messageType": "DATA_MESSAGE", "logEvents": entries}  # CloudWatch Logs
            | {"events": [{"message": _, "timestamp": _}, *_] as entries}  # ``aws logs`` prints
        ):
            return _batch(entries, arrived, depth)
        case {"requestPayload": entry, "requestContext": _}:  # a destination of Lambda
            return _batch([entry], arrived, depth)
        case {"Type": "Notification"}:  # SNS without raw delivery
            return _text(value.get("Message"), _earlier(value.get("Timestamp"), arrived), depth)
    if _is_carried(value):
        return _batch([value], arrived, depth)
    return [(value, arrived)]


def _is_carried(value: dict[str, Any]) -> bool:
    """Whether this is one record of a batch by itself, as archives have them line by line."""
    return (
        ("Data" in value and "SequenceNumber" in value)
        or ("recordId" in value and "data" in value)
        or value.get("eventSource") in ("aws:kinesis", "aws:sqs")
        or ("MessageId" in value and "Body" in value)
        or ("kinesis" in value and "eventID" in value)
        or "awslogs" in value
    )


def _batch(entries: Any, arrived: Arrival, depth: int) -> list[Part]:
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


def _entry(entry: Any, arrived: Arrival, depth: int) -> list[Part]:
    """The payloads of one record as its carrier, or Lambda on its behalf, has it; or any value."""
    read = _base64
    match entry:
        case {"kinesis": {} as given}:
            body, at = given.get("data"), given.get("approximateArrivalTimestamp")
        case {"SequenceNumber": _, "Data": body}:  # what ``aws kinesis get-records`` prints
            at = entry.get("ApproximateArrivalTimestamp")
        case {"eventSource": "aws:kinesis", "data": body}:  # EventBridge Pipes
            at = entry.get("approximateArrivalTimestamp")
        case {"MessageId": _, "Body": body}:  # ``aws sqs receive-message``
            read = _text
            given = entry.get("Attributes")
            at = given.get("SentTimestamp") if isinstance(given, dict) else None
        case {"awslogs": {"data": body}}:  # what CloudWatch Logs hands to Lambda
            at = None
        case {"message": body, "timestamp": at} if isinstance(body, str):  # CloudWatch Logs
            read = _text
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
    return read(body, _earlier(at, arrived, _in_shard(entry)), depth)


def _earlier(given: object, arrived: Arrival, place: str = "") -> Arrival:
    """When and where a wrapping says that it arrived; else when and where what is around it did."""
    at = seconds(given)
    return Arrival(arrived.at if at is None else at, place or arrived.place)


def _in_shard(entry: dict[str, Any]) -> str:
    """The place of a Kinesis record in its shard; "" if its carrier does not say it."""
    inner = (entry.get("kinesis"), entry.get("kinesisRecordMetadata"))  # Lambda, Firehose
    given = next((one for one in inner if isinstance(one, dict)), entry)
    number = given.get("sequenceNumber", entry.get("SequenceNumber"))
    if not (isinstance(number, str) and number.isascii() and number.isdecimal()):
        return ""
    shard = given.get("shardId", entry.get("eventID"))  # eventID: shard and number
    name = shard.partition(":")[0] if isinstance(shard, str) else ""
    return f"{name} {numeral(number)}"


def _text(text: Any, arrived: Arrival, depth: int) -> list[Part]:
    if not isinstance(text, str):
        return [(NOT_OBJECT, arrived)]
    if depth >= DEPTH:
        return [(WRAPPED, arrived)]
    return _parsed(text.encode(), arrived, depth + 1)


def _base64(text: Any, arrived: Arrival, depth: int) -> list[Part]:
    if not isinstance(text, str):
        return [(NOT_BASE64, arrived)]
    try:
        body = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return [(NOT_BASE64, arrived)]
    return _parsed(body, arrived, depth + 1) if depth < DEPTH else [(WRAPPED, arrived)]


def _parsed(body: bytes, arrived: Arrival, depth: int) -> list[Part]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return mended(body, arrived, depth)
    return unwrapped(value, arrived, depth)


def _unzipped(body: bytes, arrived: Arrival, depth: int) -> list[Part]:
    """The payloads in gzipped bytes, of which no more than one message may be is unpacked."""
    if depth >= DEPTH:
        return [(WRAPPED, arrived)]
    plain = bytearray()
    try:
        while body.startswith(_GZIP_MAGIC):
            member = zlib.decompressobj(_GZIP_WINDOW)
            plain += member.decompress(body, MAX_BYTES + 1 - len(plain))
            if not member.eof or len(plain) > MAX_BYTES:
                return [(DAMAGED_GZIP, arrived)]
            body = member.unused_data
    except zlib.error:
        return [(DAMAGED_GZIP, arrived)]
    return _parsed(bytes(plain), arrived, depth + 1)
