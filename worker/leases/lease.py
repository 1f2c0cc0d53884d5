"""A lease: who reads a shard, how far it is done, and a counter that every write raises.

The counter is the lock: a write succeeds only on the counter its writer saw last. No time is kept
in a lease; each observer judges by its own clock how long the counter has stood still, so clocks
that differ do no harm. The attributes are those of ``leases/dynamodb/DynamoDBLeaseSerializer.java``
(https://github.com/awslabs/amazon-kinesis-client).
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
        checkpoint: How far it is done.
        owner: The id of the worker that reads it; during a hand-off the next one.
        counter: Raised by every write that matters.
        switches: How often the owner changed since the last checkpoint: a shard nobody gets on
            with shows.
        parents: The shards this one was made of.
        children: The shards made of it, once its end is reached.
        hashes: The first and the last hash key the shard takes in, if known.
        checkpoint_owner: During a hand-off, the owner that is to finish and let go.
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
        """Whether the shard is done for good."""
        return self.checkpoint == END

    @property
    def shard(self) -> Shard:
        """The shard, as far as the lease tells of it."""
        return Shard(self.key, tuple(sorted(self.parents)), self.hashes)

    def renewed(self) -> Lease:
        """Held on to."""
        return replace(self, counter=self.counter + 1)

    def taken(self, worker: str) -> Lease:
        """Taken, whoever had it."""
        switched = self.owner not in {None, worker} or self.checkpoint_owner == worker
        return replace(
            self,
            owner=worker,
            checkpoint_owner=None,
            counter=self.counter + 1,
            switches=self.switches + switched,
        )

    def released(self) -> Lease:
        """Let go: nobody's, or the next owner's if it is being handed off."""
        owner = self.owner if self.checkpoint_owner else None
        return replace(self, owner=owner, checkpoint_owner=None, counter=self.counter + 1)

    def moved(self, checkpoint: Position) -> Lease:
        """Done up to here."""
        return replace(self, checkpoint=checkpoint, switches=0, counter=self.counter + 1)


def lease_of(shard: Shard, checkpoint: Position) -> Lease:
    """A new lease that nobody owns."""
    return Lease(shard.id, checkpoint, parents=frozenset(shard.parents), hashes=shard.hashes)
