"""Where the place reached in one shard is written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from worker.sources.positions import SHARD_END, Checkpoints
from worker.sources.shards import Shard


class Bookmark(Protocol):
    """Keeps the place of one shard's reader.

    Both methods have made the place durable when they return. What may pass raises
    ``StoreUnavailable`` and is repeated.
    """

    async def move(self, sequence: int) -> None:
        """Everything up to this record is done."""
        ...

    async def end(self, children: Sequence[Shard]) -> None:
        """The whole shard is done; these are the shards it was split or merged into."""
        ...


class StoredBookmark:
    """A place kept in a ``ContactStore``: for a process that has the stream to itself."""

    def __init__(self, checkpoints: Checkpoints, stream: str, shard: str) -> None:
        self._checkpoints = checkpoints
        self._stream = stream
        self._shard = shard

    async def move(self, sequence: int) -> None:
        """See ``Bookmark``."""
        await self._checkpoints.set_position(self._stream, self._shard, str(sequence))

    async def end(self, children: Sequence[Shard]) -> None:
        """See ``Bookmark``; the children are found by listing the stream's shards."""
        del children
        await self._checkpoints.set_position(self._stream, self._shard, SHARD_END)
