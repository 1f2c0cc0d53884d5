"""Shards and their lineage: which ones may be read now.

A record's partition key may move to another shard at every split and merge. Its order is kept by
reading a shard only after all its parents, to their ends (invariant I3).
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
        parents: The ids of the one or two shards it was made of; none for an original one.
    """

    id: str
    parents: tuple[str, ...] = ()


def from_listing(listed: Mapping[str, Any]) -> Shard:
    """A shard as ListShards describes it; a merged one has an adjacent parent too."""
    parents = (listed.get("ParentShardId"), listed.get("AdjacentParentShardId"))
    return Shard(listed["ShardId"], tuple(parent for parent in parents if parent))


def readable(shards: Iterable[Shard], finished: Container[str]) -> list[Shard]:
    """The unfinished shards whose ancestors are all finished, by id.

    A parent that is not listed any more is past the stream's retention and counts as finished.
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
