"""The stream of a simulated world, and what a process meets on the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from simulated.network import Network, Weather
from simulated.story import Story
from twins import kinesis
from twins.kinesis import Record, Shard


STREAM = "contacts"


class Stream(kinesis.Stream):
    """The service.

    Args:
        shards: How many there are at first.
        story: Told of splits and merges.
        wall: Kinesis' clock (s since 1970).
    """

    def __init__(self, shards: int, story: Story, wall: Callable[[], float]) -> None:
        super().__init__(shards, wall)
        self._story = story

    @property
    def open_shards(self) -> list[Shard]:
        """The shards that take records."""
        return [shard for shard in self.shards.values() if shard.ends is None]

    def records(self) -> Iterator[tuple[Shard, Record]]:
        """All records there are."""
        for shard in self.shards.values():
            for record in shard.records:
                yield shard, record

    def reshard(self, rng: Random) -> None:
        """Split a shard, or merge two neighbours."""
        opened = sorted(self.open_shards, key=lambda shard: shard.hashes)
        if len(opened) > 1 and rng.random() < 0.4:
            left = rng.randrange(len(opened) - 1)
            names = [shard.name for shard in opened[left : left + 2]]
            self.merge(*names)
        else:
            names = [rng.choice(opened).name]
            self.split(*names)
        self._story.tell("kinesis", f"{' and '.join(names)} resharded")


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
        return await self._call(lambda: {"Shards": self._stream.listed(self._stream.shards)})

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
    failure: Exception = kinesis.refusal("ProvisionedThroughputExceededException")
    return failure
