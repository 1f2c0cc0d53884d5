"""Archives of messages, as teams keep them: several forms, bare or wrapped, gzipped or not."""

from __future__ import annotations

import base64
import gzip

from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Literal

import orjson


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from worker.sandbox.traffic.histories import SentMessage


#: One message per line; one after the other, as Firehose writes them; one JSON array.
Form = Literal["ndjson", "concatenated", "array"]

#: What goes before the first message, between two, after each and after the last.
_MARKS: dict[Form, tuple[bytes, bytes, bytes, bytes]] = {
    "ndjson": (b"", b"", b"\n", b""),
    "concatenated": (b"", b"", b"", b""),
    "array": (b"[", b",\n", b"", b"]\n"),
}

_WRAPPED_AT_ONCE = 100  # records in one Lambda invocation, its default batch size


def write_archive(
    path: Path, sent: Iterable[SentMessage], form: Form = "ndjson", *, wrapped: bool = False
) -> int:
    """Write the messages' bodies to ``path``; how many messages.

    Args:
        path: Gzipped if its name ends in ``.gz``.
        sent: Messages with JSON bodies; they are not held in memory.
        form: How they are put together.
        wrapped: As a Lambda function receives them from Kinesis, ``{"Records":[{"kinesis":…}]}``.
    """
    before, between, after_each, after = _MARKS[form]
    written = 0
    with _opened(path) as file:
        file.write(before)
        for number, (size, document) in enumerate(_documents(sent, wrapped=wrapped)):
            file.write((between if number else b"") + document + after_each)
            written += size
        file.write(after)
    return written


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    """The file; a gzipped one holds no name and no time, so equal traffic makes equal bytes."""
    with path.open("wb") as plain:
        if path.suffix != ".gz":
            yield plain
            return
        with gzip.GzipFile("", "wb", fileobj=plain, mtime=0) as packed:
            yield packed


def _documents(sent: Iterable[SentMessage], *, wrapped: bool) -> Iterator[tuple[int, bytes]]:
    """JSON documents and how many messages each holds."""
    messages = iter(sent)
    if not wrapped:
        yield from ((1, message.body) for message in messages)
        return
    first = 0
    while batch := list(islice(messages, _WRAPPED_AT_ONCE)):
        records = [_kinesis(message, first + n) for n, message in enumerate(batch)]
        yield len(batch), orjson.dumps({"Records": records})
        first += len(batch)


def _kinesis(message: SentMessage, number: int) -> dict[str, object]:
    """One record of a Lambda invocation (Lambda Developer Guide "with-kinesis")."""
    sequence = f"{49_600_000_000_000_000_000_000_000_000_000_000_000 + number}"
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": message.contact_id,
            "sequenceNumber": sequence,
            "data": base64.b64encode(message.body).decode(),
            "approximateArrivalTimestamp": message.at_s,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{sequence}",
        "eventName": "aws:kinesis:record",
        "awsRegion": "eu-central-1",
    }
