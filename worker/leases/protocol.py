"""What a lease table is. DynamoDB and memory pass the same contract suite."""

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
    """The lease table cannot be used just now; a write may have been carried out all the same."""


@dataclass(frozen=True, slots=True)
class LeaseConflict:
    """A write was not made: the lease is not as its writer last saw it.

    Attributes:
        current: What the lease is now; None if it is gone.
        repeated: Whether the request was sent more than once. Then the first one may have been
            carried out, its answer lost, and the second refused because of that.
    """

    current: Lease | None
    repeated: bool = False


class LeaseTable(Protocol):
    """The leases of one stream.

    Writes are conditional on the lease being as handed in; each says how. They return the lease
    as it is afterwards, and are durable by then. Attributes unknown to us are left alone.

    Raises:
        LeasesUnavailable: Any method.
    """

    async def scan(self) -> list[Lease]:
        """All leases; what else KCL keeps in the table is left out."""
        ...

    async def get(self, key: str) -> Lease | None:
        """One lease as it is now."""
        ...

    async def create(self, lease: Lease) -> bool:
        """Add a lease unless there is one of that key; whether it was added."""
        ...

    async def renew(self, lease: Lease) -> Lease | LeaseConflict:
        """Raise the counter if it is the same, and no hand-off has begun that we do not know of."""
        ...

    async def take(self, lease: Lease, worker: str) -> Lease | LeaseConflict:
        """Make it the worker's if the counter is the same."""
        ...

    async def release(self, lease: Lease) -> Lease | LeaseConflict:
        """Let go of it if counter, owner and hand-off are the same."""
        ...

    async def move(self, lease: Lease, checkpoint: Position) -> Lease | LeaseConflict:
        """Write the checkpoint if the counter is the same and its holder still is."""
        ...

    async def set_children(self, key: str, children: Iterable[str]) -> None:
        """Note what the shard was split or merged into, if there is such a lease."""
        ...

    async def delete(self, lease: Lease) -> bool:
        """Remove it if the counter is the same; whether it was removed."""
        ...
