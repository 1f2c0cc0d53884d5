"""Which leases a worker should take next. Each decides alone; the counters resolve races.

After KCL's ``leases/dynamodb/DynamoDBLeaseTaker.java`` (awslabs/amazon-kinesis-client), except that
a lease without owner is not at once "very old", so that the first worker does not take more than
its share, as KCL's does; and that a lease is taken only when its shard may be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from worker.leases.lease import Lease
from worker.sources.shards import readable


#: A lease unchanged for this many times ``failover_s`` is taken by any worker, beyond its share.
VERY_OLD: Final = 3


@dataclass(frozen=True, slots=True)
class Situation:
    """What a worker knows when it chooses.

    Attributes:
        leases: All leases, as scanned.
        ages: Seconds since each last changed.
        held: Keys of the leases that this worker holds.
        worker: Its id.
        failover_s: Age (s) from which a lease may be taken from its owner.
        chance: A random number in [0, 1), so that workers that choose at the same time differ.
    """

    leases: Sequence[Lease]
    ages: Mapping[str, float]
    held: Container[str]
    worker: str
    failover_s: float
    chance: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Choice:
    """The leases to take: free ones, or else one to steal from a worker that has more."""

    free: Sequence[Lease] = ()
    steal: Lease | None = None


def choose(situation: Situation) -> Choice:
    """The leases that bring this worker to its share."""
    leases = readable_leases(situation.leases)
    free = [lease for lease in leases if _is_free(lease, situation)]
    very_old = [
        lease for lease in free if situation.ages[lease.key] > VERY_OLD * situation.failover_s
    ]
    if very_old:
        return Choice(_shuffled(very_old, situation))
    loads = _loads(leases, free, situation)
    target = -(-len(leases) // len(loads))
    need = target - loads[situation.worker]
    if need > 0 and free:
        return Choice(_shuffled(free, situation)[:need])
    return Choice(steal=_to_steal(leases, loads, target, situation)) if need > 0 else Choice()


def readable_leases(leases: Sequence[Lease]) -> list[Lease]:
    """Those whose shards may be read: unfinished, and all their ancestors are finished.

    A parent without a lease is ignored: it was cleaned up, or ended before we began.
    """
    by_key = {lease.key: lease for lease in leases}
    finished = {lease.key for lease in leases if lease.over}
    return [by_key[shard.id] for shard in readable((lease.shard for lease in leases), finished)]


def next_lapse(situation: Situation) -> float:
    """Seconds until the first lease of another worker lapses, unless it is renewed."""
    waits = [
        situation.failover_s - situation.ages[lease.key]
        for lease in readable_leases(situation.leases)
        if lease.key not in situation.held and not _is_free(lease, situation)
    ]
    return min(waits, default=situation.failover_s)


def _is_free(lease: Lease, situation: Situation) -> bool:
    """Whether it may be taken: it has no owner, has lapsed, or is ours although we do not hold it.

    The last happens after a restart, and when the answer to our taking it was lost.
    """
    if lease.key in situation.held:
        return False
    if lease.checkpoint_owner is None and lease.owner in {None, situation.worker}:
        return True
    return situation.ages[lease.key] > situation.failover_s


def _loads(leases: Sequence[Lease], free: Sequence[Lease], situation: Situation) -> Counter[str]:
    """How many leases each worker has; this worker is included even if it has none."""
    free_keys = {lease.key for lease in free}
    loads = Counter({situation.worker: 0})
    for lease in leases:
        if lease.key not in free_keys:
            loads[situation.worker if lease.key in situation.held else str(lease.owner)] += 1
    return loads


def _to_steal(
    leases: Sequence[Lease], loads: Counter[str], target: int, situation: Situation
) -> Lease | None:
    """A lease of the worker that has most, if taking it evens out the shares."""
    most = max(loads, key=lambda worker: loads[worker])
    need = target - loads[situation.worker]
    if not (loads[most] > target or (loads[most] == target and need > 1)):
        return None
    theirs = [
        lease
        for lease in leases
        if lease.owner == most
        and lease.checkpoint_owner is None
        and lease.key not in situation.held
    ]
    return next(iter(_shuffled(theirs, situation)), None)


def _shuffled(leases: Sequence[Lease], situation: Situation) -> list[Lease]:
    return sorted(leases, key=lambda _: situation.chance())
