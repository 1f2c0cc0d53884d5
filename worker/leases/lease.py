"""A lease: who reads a shard, its checkpoint, and a counter that every write increments.

The counter is the lock: a write succeeds only if the counter is still the one its writer last saw.
A lease holds no time; each observer measures by its own clock how long the counter has not changed,
so clocks that differ do no harm. The attributes are those of KCL's
``leases/dynamodb/DynamoDBLeaseSerializer.java`` in awslabs/amazon-kinesis-client.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from worker.leases.position import END, Position
from worker.sources.shards import Shard


@dataclass(frozen=True, slots=True)
class Lease:
    """One shard's row in the lease table.

    Attributes:
        key: The shard's id.
        checkpoint: How far the shard has been processed.
        owner: The id of the worker that reads it; during a hand-off, of the next one.
        counter: Incremented by every write except ``set_children``.
        switches: How often the owner changed since the last checkpoint: high for a shard that no
            worker makes progress on.
        parents: The shards that were split or merged into this one.
        children: The shards it was split or merged into, once its end is reached.
        hashes: The first and the last hash key of the shard, if known.
        checkpoint_owner: During a hand-off, the worker that is to finish and release the lease.
    """

    key: str
    checkpoint: Position
    owner: str | None = None
    counter: int = 0
    switches: int = 0
    parents: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    hashes: tuple[int, int] | None = None
    checkpoint_owner: str | None = None

    @property
    def holder(self) -> str | None:
        """The worker that may read the shard and move its checkpoint."""
        return self.checkpoint_owner or self.owner

    @property
    def over(self) -> bool:
        """Whether the shard has been processed to its end."""
        return self.checkpoint == END

    @property
    def shard(self) -> Shard:
        """The shard, as far as the lease describes it."""
        return Shard(self.key, tuple(sorted(self.parents)), self.hashes)

    def renewed(self) -> Lease:
        """As it is after a renewal."""
        return replace(self, counter=self.counter + 1)

    def taken(self, worker: str) -> Lease:
        """As it is after ``worker`` took it, whoever owned it."""
        switched = self.owner not in {None, worker} or self.checkpoint_owner == worker
        return replace(
            self,
            owner=worker,
            checkpoint_owner=None,
            counter=self.counter + 1,
            switches=self.switches + switched,
        )

    def released(self) -> Lease:
        """As it is after a release: without owner, or the next owner's in a hand-off."""
        owner = self.owner if self.checkpoint_owner else None
        return replace(self, owner=owner, checkpoint_owner=None, counter=self.counter + 1)

    def moved(self, checkpoint: Position) -> Lease:
        """As it is with this checkpoint."""
        return replace(self, checkpoint=checkpoint, switches=0, counter=self.counter + 1)


def lease_of(shard: Shard, checkpoint: Position) -> Lease:
    """A new lease without owner."""
    return Lease(shard.id, checkpoint, parents=frozenset(shard.parents), hashes=shard.hashes)
