"""Which leases a worker should take next. Each worker decides alone; the counters settle races.

After ``leases/dynamodb/DynamoDBLeaseTaker.java`` of https://github.com/awslabs/amazon-kinesis-client,
but for this: a lease that nobody owns is not at once a "very old" one, which KCL's first worker
takes beyond its share; and a lease is taken only when its shard may be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from worker.leases.lease import Lease
from worker.sources.shards import readable


#: A lease unchanged for so many times ``failover_s`` is nobody's share: whoever sees it takes it.
VERY_OLD: Final = 3


@dataclass(frozen=True, slots=True)
class Situation:
    """What a worker knows when it decides.

    Attributes:
        leases: All leases, as scanned.
        ages: Seconds for which each has not changed.
        held: Keys of those this worker holds.
        worker: Its id.
        failover_s: From which age a lease may be taken from its owner.
        chance: A number in [0, 1): workers that decide at once should not want the same leases.
    """

    leases: Sequence[Lease]
    ages: Mapping[str, float]
    held: Container[str]
    worker: str
    failover_s: float
    chance: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Choice:
    """What to take: free leases, or else one to steal from a worker that has more."""

    free: Sequence[Lease] = ()
    steal: Lease | None = None


def choose(now: Situation) -> Choice:
    """What this worker should take to come to its share."""
    leases = readable_leases(now.leases)
    free = [lease for lease in leases if _is_free(lease, now)]
    very_old = [lease for lease in free if now.ages[lease.key] > VERY_OLD * now.failover_s]
    if very_old:
        return Choice(_shuffled(very_old, now))
    loads = _loads(leases, free, now)
    target = -(-len(leases) // len(loads))
    need = target - loads[now.worker]
    if need > 0 and free:
        return Choice(_shuffled(free, now)[:need])
    return Choice(steal=_to_steal(leases, loads, target, now)) if need > 0 else Choice()


def readable_leases(leases: Sequence[Lease]) -> list[Lease]:
    """Those whose shards may be read: unfinished, and all their ancestors are finished.

    A parent without a lease does not count: it was cleaned up, or ended before we began.
    """
    by_key = {lease.key: lease for lease in leases}
    finished = {lease.key for lease in leases if lease.over}
    return [by_key[shard.id] for shard in readable((lease.shard for lease in leases), finished)]


def next_lapse(now: Situation) -> float:
    """Seconds until a lease of another worker will have lapsed, if nobody renews one."""
    waits = [
        now.failover_s - now.ages[lease.key]
        for lease in readable_leases(now.leases)
        if lease.key not in now.held and not _is_free(lease, now)
    ]
    return min(waits, default=now.failover_s)


def _is_free(lease: Lease, now: Situation) -> bool:
    """Whether it may be taken: nobody's, lapsed, or ours by the table though we do not hold it.

    The last is so after a restart, and when the answer to our taking it was lost.
    """
    if lease.key in now.held:
        return False
    if lease.checkpoint_owner is None and lease.owner in {None, now.worker}:
        return True
    return now.ages[lease.key] > now.failover_s


def _loads(leases: Sequence[Lease], free: Sequence[Lease], now: Situation) -> Counter[str]:
    """How many leases each worker has; this one is among them even without any."""
    gone = {lease.key for lease in free}
    loads = Counter({now.worker: 0})
    for lease in leases:
        if lease.key not in gone:
            loads[now.worker if lease.key in now.held else str(lease.owner)] += 1
    return loads


def _to_steal(
    leases: Sequence[Lease], loads: Counter[str], target: int, now: Situation
) -> Lease | None:
    """One lease of the worker that has most, if that brings us nearer to each other."""
    most = max(loads, key=lambda worker: loads[worker])
    need = target - loads[now.worker]
    if not (loads[most] > target or (loads[most] == target and need > 1)):
        return None
    his = [
        lease
        for lease in leases
        if lease.owner == most and lease.checkpoint_owner is None and lease.key not in now.held
    ]
    return next(iter(_shuffled(his, now)), None)


def _shuffled(leases: Sequence[Lease], now: Situation) -> list[Lease]:
    return sorted(leases, key=lambda _: now.chance())
