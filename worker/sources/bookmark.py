"""Where the position reached in one shard is saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from worker.sources.positions import SHARD_END, Checkpoints
from worker.sources.shards import Shard


class Bookmark(Protocol):
    """Keeps the position of one shard's reader.

    Both methods have made it durable when they return. A temporary failure raises
    ``StoreUnavailable``, and the caller retries.
    """

    async def move(self, sequence: int) -> None:
        """Everything up to and including this record has been processed."""
        ...

    async def end(self, children: Sequence[Shard]) -> None:
        """The whole shard has been processed; ``children`` are what it was split or merged into."""
        ...


class StoredBookmark:
    """A position kept in a ``ContactStore``, for a process that has the stream to itself."""

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
