"""The answers of GetRecords, and how they are split into batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.sources.shards import Shard, from_parent


_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class KinesisRecord:
    """A record, with its sequence number as an integer, which orders it within its shard.

    ``arrived`` is when (s since 1970) Kinesis received it, if known.
    """

    sequence: int
    data: bytes
    arrived: float | None = None


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One answer of GetRecords.

    Attributes:
        records: In order; may be empty although there are more.
        next_iterator: The next iterator; None at the shard's end.
        behind_ms: Milliseconds behind the newest record.
        children: At the shard's end, the shards it was split or merged into.
    """

    records: list[KinesisRecord]
    next_iterator: str | None
    behind_ms: int
    children: list[Shard]

    @property
    def size(self) -> int:
        """Bytes of all records."""
        return sum(len(record.data) for record in self.records)


def page_of(answer: Mapping[str, Any]) -> RecordPage:
    """Parse an answer of GetRecords; a null or absent NextShardIterator is the shard's end.

    As an end is final, an answer must also have MillisBehindLatest, as all of AWS's do.

    Raises:
        Exception: It is not such an answer; see ``worker.aws.asked``.
    """
    return RecordPage(
        [
            KinesisRecord(int(record["SequenceNumber"]), bytes(record["Data"]), _arrived(record))
            for record in answer["Records"]
        ],
        answer.get("NextShardIterator"),
        int(answer["MillisBehindLatest"]),
        [from_parent(child) for child in answer.get("ChildShards") or ()],
    )


def _arrived(record: Mapping[str, Any]) -> float | None:
    at = record.get("ApproximateArrivalTimestamp")
    if not isinstance(at, datetime) or at.tzinfo is None:
        return None
    return (at - _EPOCH).total_seconds()


def slices(
    records: Sequence[KinesisRecord], count: int, size: int
) -> Iterator[list[KinesisRecord]]:
    """Split records into non-empty runs of at most ``count`` records and ``size`` bytes."""
    run: list[KinesisRecord] = []
    run_size = 0
    for record in records:
        if run and (len(run) == count or run_size + len(record.data) > size):
            yield run
            run, run_size = [], 0
        run.append(record)
        run_size += len(record.data)
    if run:
        yield run
