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

#: How many bytes the gzip data in one message may have together, unpacked.
MOST_UNZIPPED = 64 * 1024 * 1024

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

TOO_MUCH = Undecodable("gzip data of more than 64 MiB in one message")
NO_JSON = Ignored("log line without JSON")

# Files that are not JSON, by their first bytes, and what to do about them.
_FOREIGN = (
    (b"PAR1", "Parquet file: switch off record format conversion, or convert it to JSON lines"),
    (b"ORC", "ORC file: switch off record format conversion, or convert it to JSON lines"),
    (b"Obj\x01", "Avro file: convert it to JSON lines"),
    (b"PK\x03\x04", "zip file: unpack it first"),
)

# A table, by its first two lines: names, at least three, and no line that begins as JSON does.
_HEADER = re.compile(rb'(?:\xef\xbb\xbf)?"?[A-Za-z][^{}\[\]:\r\n]*+\r?\n([^\r\n]*)')
_JSON_LINE = re.compile(rb"\n[ \t]*[{\[]")
_SEPARATORS = (b",", b";", b"\t")
CSV = "CSV file: replay the contact records themselves, from the stream's archive in S3"

# What stands before each message in an export of CloudWatch Logs, and where its JSON begins.
_LOGGED_AT = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[0-9.,:+Z-]*+)[ \t]+")
_JSON_BEGINS = re.compile(rb'(?:\[\s*)?\{\s*"')

# Names (lower case) of which contacts' messages have at least one.
_OURS = frozenset({"contactid", "eventtype", "detail-type", "s3"})

# With gzip's header and checksum (zlib manual, ``inflateInit2``).
_GZIP_MAGIC, _GZIP_WINDOW = b"\x1f\x8b", 16 + zlib.MAX_WBITS


def foreign_format(head: bytes) -> str | None:
    """What a file is that begins like this and is not JSON, and what to do; None: not known."""
    if _is_table(head):
        return CSV
    return next((text for magic, text in _FOREIGN if head.startswith(magic)), None)


def _is_table(head: bytes) -> bool:
    """Whether these are the first lines of a CSV file."""
    lines = _HEADER.match(head)
    if not lines or _JSON_LINE.search(head, 0, MAX_BYTES):
        return False
    names, row = head[: lines.start(1)], lines[1]
    return any(1 < names.count(by) <= row.count(by) for by in _SEPARATORS)


class _Room:
    """How much more there may be in one message.

    Attributes:
        depth: How many wrappings were taken off.
        unzipped: How many bytes gzip data may still have, in all of the message.
    """

    __slots__ = ("_spent", "depth")

    def __init__(self, depth: int = 0, spent: list[int] | None = None) -> None:
        self.depth = depth
        self._spent = spent or [0]  # one number, shared by all of the message

    @property
    def deeper(self) -> _Room:
        """That inside one more wrapping."""
        return _Room(self.depth + 1, self._spent)

    @property
    def unzipped(self) -> int:
        return MOST_UNZIPPED - self._spent[0]

    def spend(self, size: int) -> None:
        """Take away that many bytes of gzip data."""
        self._spent[0] += size


def mended(body: bytes, arrived: Arrival, room: _Room | None = None) -> list[Part]:
    """The payloads in what is not one JSON value: several in a row (Firehose), or damage."""
    room = room or _Room()
    if body.startswith(KPL_MAGIC):
        return [(AGGREGATED, arrived)]
    if body.startswith(_GZIP_MAGIC):
        return _unzipped(body, arrived, room)
    if known := foreign_format(body):
        return [(Undecodable(known), arrived)]
    found: list[Part] = []
    for piece in split(body, MOST_PARTS + 1):
        if len(found) >= MOST_PARTS:
            return [*found, (TOO_MANY, arrived)]
        found += _piece(piece, arrived, room)
    return found or [(EMPTY, arrived)]


def _piece(piece: bytes, arrived: Arrival, room: _Room) -> list[Part]:
    """The payloads in a value, or what should be one, or in a line of a log."""
    if logged := _LOGGED_AT.match(piece):
        at = _earlier(logged[1].decode(), arrived)
        return _said(piece[logged.end() :], at, room)
    try:
        value = orjson.loads(piece)
    except orjson.JSONDecodeError:
        return [(NOT_JSON, arrived)]
    return unwrapped(value, arrived, room)


def _said(line: bytes, arrived: Arrival, room: _Room) -> list[Part]:
    """The payloads in what a log says: JSON, perhaps after a logger's words; without, no news."""
    begin = _JSON_BEGINS.search(line)
    if not begin:
        return [(NO_JSON, arrived)]
    try:
        value = orjson.loads(line[begin.start() :])
    except orjson.JSONDecodeError:
        return [(NOT_JSON, arrived)]
    return unwrapped(value, arrived, room)


def _message(text: str, arrived: Arrival, room: _Room) -> list[Part]:
    """The payloads in a message of CloudWatch Logs."""
    if text.lstrip().startswith(("{", "[{")) or room.depth >= DEPTH:
        return _text(text, arrived, room)
    return _said(text.encode(errors="replace"), arrived, room.deeper)


def unwrapped(value: Any, arrived: Arrival, room: _Room | None = None) -> list[Part]:
    """All payloads in a JSON value, at least one.

    Args:
        value: The value.
        arrived: When and where it arrived, as far as is known; what a wrapping inside says is
            earlier.
        room: What there still may be; None: as in a whole message.
    """
    room = room or _Room()
    if type(value) is not dict:
        return _batch(value, arrived, room)
    match value:
        case (
            {"Records": entries}  # S3, Lambda, ``aws kinesis get-records``
            | {"deliveryStreamArn": _, "records": entries}  # Firehose to a function of its own
            | {"records": [{"recordId": _}, *_] as entries}  # and what that answers
            | {"Messages": [{"Body": _}, *_] as entries}  # ``aws sqs receive-message``
            | {"messageType": "DATA_MESSAGE", "logEvents": entries}  # CloudWatch Logs
            | {"events": [{"message": _, "timestamp": _}, *_] as entries}  # ``aws logs`` prints
        ):
            return _batch(entries, arrived, room)
        case {"requestPayload": entry, "requestContext": _}:  # a destination of Lambda
            asked = _batch([entry], arrived, room)
            answer = _batch([value.get("responsePayload")], arrived, room)
            return asked if _are_ours(asked) or not _are_ours(answer) else answer
        case {"Type": "Notification"}:  # SNS without raw delivery
            return _text(value.get("Message"), _earlier(value.get("Timestamp"), arrived), room)
    if _is_carried(value):
        return _batch([value], arrived, room)
    return [(value, arrived)]


def _are_ours(parts: list[Part]) -> bool:
    """Whether one of them may be about a contact."""
    return any(
        isinstance(payload, dict) and not _OURS.isdisjoint(map(str.lower, payload))
        for payload, _ in parts
    )


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


def _batch(entries: Any, arrived: Arrival, room: _Room) -> list[Part]:
    """The payloads of a list: a batch of S3 or Lambda, or a plain JSON array."""
    if not isinstance(entries, list):
        return [(NOT_OBJECT, arrived)]
    if room.depth >= DEPTH:
        return [(WRAPPED, arrived)]
    found: list[Part] = []
    for entry in entries:
        if len(found) >= MOST_PARTS:
            return [*found, (TOO_MANY, arrived)]
        found += [(entry, arrived)] if _is_notice(entry) else _entry(entry, arrived, room.deeper)
    return found or [(NOTHING, arrived)]


def _entry(entry: Any, arrived: Arrival, room: _Room) -> list[Part]:
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
        case {"message": str(body), "timestamp": at}:  # CloudWatch Logs
            read = _message
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
            return unwrapped(entry, arrived, room)
    return read(body, _earlier(at, arrived, _in_shard(entry)), room)


def _is_notice(entry: Any) -> bool:
    """Whether this is S3's, of which there are so many that they are told at sight."""
    return type(entry) is dict and entry.get("eventSource") == "aws:s3" and "s3" in entry


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


def _text(text: Any, arrived: Arrival, room: _Room) -> list[Part]:
    if not isinstance(text, str):
        return [(NOT_OBJECT, arrived)]
    if room.depth >= DEPTH:
        return [(WRAPPED, arrived)]
    return _parsed(text.encode(), arrived, room.deeper)


def _base64(text: Any, arrived: Arrival, room: _Room) -> list[Part]:
    if not isinstance(text, str):
        return [(NOT_BASE64, arrived)]
    try:
        body = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return [(NOT_BASE64, arrived)]
    return _parsed(body, arrived, room.deeper) if room.depth < DEPTH else [(WRAPPED, arrived)]


def _parsed(body: bytes, arrived: Arrival, room: _Room) -> list[Part]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return mended(body, arrived, room)
    return unwrapped(value, arrived, room)


def _unzipped(body: bytes, arrived: Arrival, room: _Room) -> list[Part]:
    """The payloads in gzipped bytes, of which no more than one message may be is unpacked."""
    if room.depth >= DEPTH:
        return [(WRAPPED, arrived)]
    plain = bytearray()
    try:
        while body.startswith(_GZIP_MAGIC):
            if room.unzipped <= 0:
                return [(TOO_MUCH, arrived)]
            member = zlib.decompressobj(_GZIP_WINDOW)
            more = member.decompress(body, MAX_BYTES + 1 - len(plain))
            plain += more
            room.spend(len(more))
            if not member.eof or len(plain) > MAX_BYTES:
                return [(DAMAGED_GZIP, arrived)]
            body = member.unused_data
    except zlib.error:
        return [(DAMAGED_GZIP, arrived)]
    return _parsed(bytes(plain), arrived, room.deeper)
