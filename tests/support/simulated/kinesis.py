"""A stream of Kinesis: shards, splits, merges, iterators, as far as the worker uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from botocore.exceptions import ClientError

from simulated.network import Network, Weather
from simulated.story import Story


STREAM = "contacts"
HASH_KEYS = 2**128
#: The digits grow soon: ordering as text would be wrong.
FIRST_SEQUENCE = 10**20 - 20


@dataclass(slots=True)
class Record:
    """One record of a shard."""

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
    """The service.

    Args:
        shards: How many there are at first.
        story: Told of splits and merges.
        wall: Kinesis' clock (s since 1970).
    """

    def __init__(self, shards: int, story: Story, wall: Callable[[], float]) -> None:
        self.shards: dict[str, Shard] = {}
        self._sequence = FIRST_SEQUENCE
        self._story = story
        self.wall = wall
        for n in range(shards):
            self._open(n * HASH_KEYS // shards, (n + 1) * HASH_KEYS // shards - 1)

    def _open(self, begin: int, end: int, parents: Iterable[str] = ()) -> Shard:
        self._sequence += 1
        name = f"shard-{len(self.shards)}"
        shard = self.shards[name] = Shard(name, (begin, end), tuple(parents), self._sequence)
        return shard

    @property
    def open_shards(self) -> list[Shard]:
        """The shards that take records."""
        return [shard for shard in self.shards.values() if shard.ends is None]

    def records(self) -> Iterator[tuple[Shard, Record]]:
        """All records there are."""
        for shard in self.shards.values():
            for record in shard.records:
                yield shard, record

    def put(self, shard: Shard, data: bytes) -> Record:
        """Take a record in."""
        self._sequence += 1
        record = Record(self._sequence, data, self.wall())
        shard.records.append(record)
        return record

    def reshard(self, rng: Random) -> None:
        """Split a shard, or merge two neighbours."""
        opened = sorted(self.open_shards, key=lambda shard: shard.hashes)
        if len(opened) > 1 and rng.random() < 0.4:
            left = rng.randrange(len(opened) - 1)
            parents = opened[left : left + 2]
        else:
            parents = [rng.choice(opened)]
        self._sequence += 1
        for parent in parents:
            parent.ends = self._sequence
        names = [parent.name for parent in parents]
        begin, end = parents[0].hashes[0], parents[-1].hashes[1]
        if len(parents) > 1:
            self._open(begin, end, names)
        else:
            middle = (begin + end) // 2
            self._open(begin, middle, names)
            self._open(middle + 1, end, names)
        self._story.tell("kinesis", f"{' and '.join(names)} resharded")

    def list_shards(self) -> dict[str, Any]:
        """See the API reference."""
        return {"Shards": [_listed(shard) for shard in self.shards.values()]}

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


class KinesisClient:
    """One process's client of the stream."""

    def __init__(
        self,
        stream: Stream,
        network: Network,
        weather: Weather,
        read: Callable[[str], None],
        dated: Callable[[float], None],
    ) -> None:
        """``read`` is told of shards whose records are asked for, ``dated`` of answers' dates."""
        self._stream = stream
        self._network = network
        self._weather = weather
        self._read = read
        self._dated = dated

    async def list_shards(self, **_: Any) -> dict[str, Any]:
        """See ``Kinesis``."""
        return await self._call(self._stream.list_shards)

    async def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        """See ``Kinesis``."""
        return await self._call(lambda: self._stream.iterator(request))

    async def get_records(self, **request: Any) -> dict[str, Any]:
        """See ``Kinesis``."""
        self._read(request["ShardIterator"].partition("|")[0])
        return await self._call(lambda: self._stream.get(request))

    async def _call(self, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        answer, at = await self._network.call(
            lambda: (act(), self._stream.wall()), self._weather, _throttled
        )
        self._dated(at)
        return answer


def _throttled() -> Exception:
    error = {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": ""}}
    failure: Exception = ClientError(error, "GetRecords")
    return failure


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
