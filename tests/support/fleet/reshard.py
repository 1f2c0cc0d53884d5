"""Splits and merges a stream's shards, as an operator does under load."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from fleet.ground import settled
from worker.sources.shards import Shard
from worker.sources.stream_context import StreamContext


class Reshard:
    """Changes one stream.

    Args:
        kinesis: Client of the stream.
        stream: Its name.
    """

    def __init__(self, kinesis: Any, stream: str) -> None:
        self._kinesis = kinesis
        self._stream = stream

    async def open(self) -> list[Shard]:
        """The shards that take records in, by hash key."""
        shards = await StreamContext(self._kinesis, self._stream).shards()
        return sorted((shard for shard in shards if shard.open), key=attrgetter("hashes"))

    async def split(self, shard: Shard) -> None:
        """Split a shard in the middle."""
        assert shard.hashes is not None
        await self._kinesis.split_shard(
            StreamName=self._stream,
            ShardToSplit=shard.id,
            NewStartingHashKey=str((sum(shard.hashes) + 1) // 2),
        )
        await settled(self._kinesis, self._stream)

    async def merge(self, left: Shard, right: Shard) -> None:
        """Merge two neighbours."""
        await self._kinesis.merge_shards(
            StreamName=self._stream, ShardToMerge=left.id, AdjacentShardToMerge=right.id
        )
        await settled(self._kinesis, self._stream)
