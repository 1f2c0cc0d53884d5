"""Shards and their lineage: which ones may be read now.

A partition key may move to another shard at every split and merge. The order of its records is kept
by reading a shard only after all its parents have been read to their ends (invariant I3).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard of a stream.

    Attributes:
        id: ``shardId-…``.
        parents: The ids of the one or two shards that became this one; none for an original one.
        hashes: Its first and last hash key, if known.
        begins: Its first sequence number; parents have lower ones than their children.
        open: Whether it still receives records.
    """

    id: str
    parents: tuple[str, ...] = ()
    hashes: tuple[int, int] | None = None
    begins: int = 0
    open: bool = True


def from_listing(listed: Mapping[str, Any]) -> Shard:
    """A shard from ListShards; a merged one has an adjacent parent too."""
    parents = (listed.get("ParentShardId"), listed.get("AdjacentParentShardId"))
    sequences = listed.get("SequenceNumberRange", {})
    return Shard(
        listed["ShardId"],
        tuple(parent for parent in parents if parent),
        _hashes(listed),
        int(sequences.get("StartingSequenceNumber", 0)),
        "EndingSequenceNumber" not in sequences,
    )


def from_parent(child: Mapping[str, Any]) -> Shard:
    """A child shard from GetRecords, at the end of its parent."""
    return Shard(child["ShardId"], tuple(child["ParentShards"]), _hashes(child))


def readable(shards: Iterable[Shard], finished: Container[str]) -> list[Shard]:
    """The unfinished shards whose ancestors are all finished, by id.

    A parent that is no longer listed is past the stream's retention and counts as finished.
    Ancestors, not just parents: a grandchild must not overtake its grandparent.
    """
    known = {shard.id: shard for shard in shards}

    @cache
    def free(shard_id: str) -> bool:
        return all(
            parent in finished and free(parent)
            for parent in known[shard_id].parents
            if parent in known
        )

    return [known[name] for name in sorted(known) if name not in finished and free(name)]


def _hashes(described: Mapping[str, Any]) -> tuple[int, int] | None:
    hashes = described.get("HashKeyRange")
    return hashes and (int(hashes["StartingHashKey"]), int(hashes["EndingHashKey"]))
