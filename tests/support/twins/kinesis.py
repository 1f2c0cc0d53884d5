"""A stream of Kinesis that answers like AWS: shards, splits, merges, iterators.

In memory, as far as the worker uses it. What goes wrong on the way is added by who asks: see
``simulated.kinesis`` (a network), ``twins.site`` (throttling), the tests of ``sources`` and
``leases`` (single faults).
"""

from __future__ import annotations

import asyncio

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError


HASH_KEYS = 2**128


def refusal(code: str, status: int = 400) -> ClientError:
    """What AWS answers when it does not want to, here or for now."""
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "GetRecords")


@dataclass(slots=True)
class Record:
    """One record of a shard; ``at_s`` is when it came (s since 1970)."""

    sequence: int
    data: bytes
    at_s: float


@dataclass(slots=True)
class Shard:
    """One shard; ``ends`` is its last sequence number once it is closed."""

    name: str
    hashes: tuple[int, int]
    parents: tuple[str, ...]
    begins: int
    records: list[Record] = field(default_factory=list)
    ends: int | None = None


class Stream:
    """The service, and a client of it.

    Args:
        shards: How many there are at first.
        wall: Kinesis' clock (s since 1970).

    Attributes:
        sequence: The sequence number that was given last.
        latency_s: How long a read takes.
    """

    #: The digits grow soon: ordering as text would be wrong.
    sequence = 10**55 - 5
    latency_s = 0.01

    def __init__(self, shards: int, wall: Callable[[], float]) -> None:
        self.shards: dict[str, Shard] = {}
        self.wall = wall
        for n in range(shards):
            self.open(n * HASH_KEYS // shards, (n + 1) * HASH_KEYS // shards - 1)

    def open(
        self, begin: int, end: int, parents: Iterable[str] = (), name: str | None = None
    ) -> str:
        """A shard of its own; its name."""
        name = name or f"shardId-{len(self.shards):03}"
        self.shards[name] = Shard(name, (begin, end), tuple(parents), self.sequence + 1)
        return name

    def close(self, *shards: str) -> None:
        """Take no more into these."""
        self.sequence += 1
        for shard in shards:
            self.shards[shard].ends = self.sequence

    def append(self, shard: str, *bodies: bytes, at_s: float | None = None) -> None:
        """Take records in, now or as of then."""
        for body in bodies:
            self.sequence += 1
            record = Record(self.sequence, body, self.wall() if at_s is None else at_s)
            self.shards[shard].records.append(record)

    def split(self, parent: str) -> tuple[str, str]:
        self.close(parent)
        begin, end = self.shards[parent].hashes
        middle = (begin + end) // 2
        return self.open(begin, middle, [parent]), self.open(middle + 1, end, [parent])

    def merge(self, left: str, right: str) -> str:
        self.close(left, right)
        return self.open(self.shards[left].hashes[0], self.shards[right].hashes[1], [left, right])

    # --- what the API answers ---

    def listed(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Shards as ListShards has them."""
        return [_listed(self.shards[name]) for name in names]

    def iterator(self, request: dict[str, Any]) -> dict[str, Any]:
        """See the API reference, GetShardIterator."""
        name = request["ShardId"]
        records = self.shards[name].records
        index = 0
        if request["ShardIteratorType"] == "AT_SEQUENCE_NUMBER":
            wanted = int(request["StartingSequenceNumber"])
            index = sum(record.sequence < wanted for record in records)
        elif request["ShardIteratorType"] == "AT_TIMESTAMP":
            wanted_s = request["Timestamp"].timestamp()
            index = sum(record.at_s < wanted_s for record in records)
        return {"ShardIterator": f"{name}|{index}"}

    def get(self, request: dict[str, Any]) -> dict[str, Any]:
        """See the API reference, GetRecords."""
        name, _, index = request["ShardIterator"].partition("|")
        if name not in self.shards:
            raise refusal("ResourceNotFoundException")
        shard = self.shards[name]
        end = min(int(index) + request["Limit"], len(shard.records))
        answer: dict[str, Any] = {
            "Records": [
                {
                    "SequenceNumber": str(record.sequence),
                    "Data": record.data,
                    "ApproximateArrivalTimestamp": datetime.fromtimestamp(record.at_s, UTC),
                }
                for record in shard.records[int(index) : end]
            ],
            "MillisBehindLatest": 1000 * (len(shard.records) - end),
        }
        if shard.ends is None or end < len(shard.records):
            return {**answer, "NextShardIterator": f"{name}|{end}"}
        children = [
            {
                "ShardId": child.name,
                "ParentShards": list(child.parents),
                "HashKeyRange": _hashes(child),
            }
            for child in self.shards.values()
            if name in child.parents
        ]
        return {**answer, "ChildShards": children}

    # --- a client of it, without anything in between ---

    async def list_shards(self, **_request: Any) -> dict[str, Any]:
        return {"Shards": self.listed(self.shards)}

    async def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        return self.iterator(request)

    async def get_records(self, **request: Any) -> dict[str, Any]:
        await asyncio.sleep(self.latency_s)
        return self.get(request)


def _listed(shard: Shard) -> dict[str, Any]:
    sequences = {"StartingSequenceNumber": str(shard.begins)}
    if shard.ends is not None:
        sequences["EndingSequenceNumber"] = str(shard.ends)
    keys = ("ParentShardId", "AdjacentParentShardId")
    return {
        "ShardId": shard.name,
        "HashKeyRange": _hashes(shard),
        "SequenceNumberRange": sequences,
        **dict(zip(keys, shard.parents, strict=False)),
    }


def _hashes(shard: Shard) -> dict[str, str]:
    begin, end = map(str, shard.hashes)
    return {"StartingHashKey": begin, "EndingHashKey": end}
