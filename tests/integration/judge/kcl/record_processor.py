"""What the KCL's daemon starts for each shard: notes every record, then checkpoints it.

The daemon asks on standard input, one JSON object a line, and is answered on standard output
(package ``software.amazon.kinesis.multilang.messages`` in awslabs/amazon-kinesis-client).

Notes are lines of JSON too, appended to the file that is the first argument: ``{"shard", "since"}``
says from which checkpoint a shard is begun, ``{"shard", "at", "body", "time"}`` is a record;
``time`` is monotonic (s) and the same for all processes of this machine.
"""

from __future__ import annotations

import base64
import json
import sys
import time

from pathlib import Path
from typing import Any, TextIO


Message = dict[str, Any]


def serve(notes: TextIO) -> None:
    """Answer the daemon until it goes away."""
    shard = ""
    for line in sys.stdin:
        asked: Message = json.loads(line)
        action = asked["action"]
        if action == "initialize":
            shard = asked["shardId"]
            note(notes, {"shard": shard, "since": asked["sequenceNumber"]})
        elif action == "processRecords":
            process(notes, shard, asked["records"])
        elif action == "shardEnded":
            checkpoint(None)
        tell({"action": "status", "responseFor": action})


def process(notes: TextIO, shard: str, records: list[Message]) -> None:
    """Note the records, and only then checkpoint the last."""
    for record in records:
        body = base64.b64decode(record["data"]).decode()
        told = {"shard": shard, "at": record["sequenceNumber"], "body": body}
        note(notes, {**told, "time": time.monotonic()})
    if records:
        checkpoint(records[-1]["sequenceNumber"])


def checkpoint(sequence: str | None) -> None:
    """Checkpoint a record, or the shard's end. If the lease is lost the daemon will say so."""
    sub = None if sequence is None else 0
    tell({"action": "checkpoint", "sequenceNumber": sequence, "subSequenceNumber": sub})
    sys.stdin.readline()  # whether it was done


def note(notes: TextIO, noted: Message) -> None:
    """Append a note; it is in the file when this returns."""
    notes.write(f"{json.dumps(noted)}\n")
    notes.flush()


def tell(message: Message) -> None:
    """Send the daemon a message."""
    sys.stdout.write(f"\n{json.dumps(message)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
        serve(file)
