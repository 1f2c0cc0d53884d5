"""The protocol of a lease table. DynamoDB and memory pass the same contract suite."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from worker.errors import StoreUnavailable, WorkerError
from worker.leases.lease import Lease
from worker.leases.position import Position


class LeaseLost(WorkerError):  # noqa: N818 - says what is the matter
    """This worker does not hold the shard's lease any more: stop working on the shard."""


class LeasesUnavailable(StoreUnavailable):
    """The lease table cannot be used for now; a write may have been carried out nevertheless."""


@dataclass(frozen=True, slots=True)
class LeaseConflict:
    """A write was refused: the lease is not as its writer last saw it.

    Attributes:
        current: What the lease is now; None if it is gone.
        repeated: Whether the request was sent more than once. Then the first one may have been
            carried out and its answer lost, and the second refused for that reason.
    """

    current: Lease | None
    repeated: bool = False


class LeaseTable(Protocol):
    """The leases of one stream.

    Writes are conditional on the lease being as passed in; each says in what respect. They return
    the lease as it is afterwards, and are durable by then. Attributes unknown to us stay.

    Raises:
        LeasesUnavailable: Any method.
    """

    async def scan(self) -> list[Lease]:
        """All leases, without what else KCL keeps in the table."""
        ...

    async def get(self, key: str) -> Lease | None:
        """One lease as it is now."""
        ...

    async def create(self, lease: Lease) -> bool:
        """Add a lease if there is none of that key; whether it was added."""
        ...

    async def renew(self, lease: Lease) -> Lease | LeaseConflict:
        """Increment the counter if it is the same and no unknown hand-off has begun."""
        ...

    async def take(self, lease: Lease, worker: str) -> Lease | LeaseConflict:
        """Make ``worker`` its owner if the counter is the same."""
        ...

    async def release(self, lease: Lease) -> Lease | LeaseConflict:
        """Give it up if counter, owner and hand-off are the same."""
        ...

    async def move(self, lease: Lease, checkpoint: Position) -> Lease | LeaseConflict:
        """Write the checkpoint if counter and holder are the same."""
        ...

    async def set_children(self, key: str, children: Iterable[str]) -> None:
        """Record what the shard was split or merged into, if there is such a lease."""
        ...

    async def delete(self, lease: Lease) -> bool:
        """Remove it if the counter is the same; whether it was removed."""
        ...
