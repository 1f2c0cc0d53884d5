"""From a stream's shards to its leases: which are missing, and which are obsolete.

After KCL's ``leases/HierarchicalShardSyncer.java`` and ``lifecycle/ShutdownTask.java``
in awslabs/amazon-kinesis-client. There is no leader: every worker does this, with conditional
writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final

from worker.leases.lease import Lease, lease_of
from worker.leases.position import Position
from worker.sources.shards import Shard


LAST_HASH_KEY: Final = 2**128 - 1


def complete(shards: Iterable[Shard]) -> bool:
    """Whether the shards cover every hash key; a listing during a reshard may lack some."""
    reached = 0
    for begin, end in sorted(shard.hashes for shard in shards if shard.hashes):
        if begin > reached:
            return False
        reached = max(reached, end + 1)
    return reached > LAST_HASH_KEY


def first_leases(shards: Iterable[Shard], begin: Position) -> list[Lease]:
    """Leases for a stream that has none, parents before children."""
    return [lease_of(shard, begin) for shard in sorted(shards, key=attrgetter("begins"))]


def missing_leases(
    shards: Sequence[Shard], leases: Iterable[Lease], begin: Position
) -> list[Lease]:
    """The leases without which an open shard would never be read, parents before children.

    Usually none: children get their leases when their parents end. But rows get lost, and all
    workers may have been down for longer than the stream's retention.
    """
    known = {shard.id: shard for shard in shards}
    leased = {lease.key: lease for lease in leases}
    wanted: dict[str, Shard] = {}
    for shard in shards:
        if shard.open and shard.id not in leased:
            wanted.update({found.id: found for found in _oldest_missing(shard, known, leased)})
    return first_leases(wanted.values(), begin)


def _oldest_missing(
    shard: Shard, known: Mapping[str, Shard], leased: Mapping[str, Lease]
) -> list[Shard]:
    """Of a shard without a lease and its ancestors, those to begin reading at."""
    parents = [parent for parent in shard.parents if parent in known or parent in leased]
    if all(parent in leased and leased[parent].over for parent in parents):
        return [shard]
    return [
        found
        for parent in parents
        if parent not in leased  # one that has a lease gives its children theirs at its end
        for found in _oldest_missing(known[parent], known, leased)
    ]


def obsolete_leases(shards: Sequence[Shard], leases: Sequence[Lease]) -> list[Lease]:
    """The leases that nothing depends on any more: their children have begun, or they have expired.

    Never one whose parents still have leases. So a child with a new lease keeps it although it may
    not be listed yet, and ancestors are removed before their descendants.
    """
    leased = {lease.key: lease for lease in leases}
    listed = {shard.id for shard in shards}
    return [
        lease
        for lease in leases
        if shards
        and not any(parent in leased for parent in lease.parents)
        and (lease.key not in listed or _followed(lease, leased))
    ]


def _followed(lease: Lease, leased: Mapping[str, Lease]) -> bool:
    """Whether all children of a finished shard have been begun."""
    return (
        lease.over
        and bool(lease.children)
        and all(
            child in leased and not leased[child].checkpoint.untouched for child in lease.children
        )
    )
