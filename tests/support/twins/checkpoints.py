"""Checkpoints of one stream in memory, with every write in order."""

from __future__ import annotations

from worker.stores.memory import MemoryStore


class Checkpoints(MemoryStore):
    """The twin of the state, of whose positions a test sees more.

    Attributes:
        kept: The positions by shard.
        writes: Shards and positions, in the order they were written.
        faults: What the next writes raise.
    """

    def __init__(self, **kept: str) -> None:
        super().__init__()
        self.kept = kept
        self.writes: list[tuple[str, str]] = []
        self.faults: list[Exception] = []

    async def positions(self, _stream: str) -> dict[str, str]:
        return dict(self.kept)

    async def set_position(self, _stream: str, shard: str, position: str) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.kept[shard] = position
        self.writes.append((shard, position))
