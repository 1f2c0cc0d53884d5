"""A lease table in memory, for tests and simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from worker.leases.lease import Lease
from worker.leases.position import Position
from worker.leases.protocol import LeaseConflict


class MemoryLeases:
    """A lease table that is a dictionary.

    Attributes:
        leases: The rows by key.
    """

    def __init__(self, *leases: Lease) -> None:
        self.leases = {lease.key: lease for lease in leases}

    async def scan(self) -> list[Lease]:
        """See ``LeaseTable``."""
        return list(self.leases.values())

    async def get(self, key: str) -> Lease | None:
        """See ``LeaseTable``."""
        return self.leases.get(key)

    async def create(self, lease: Lease) -> bool:
        """See ``LeaseTable``."""
        return self.leases.setdefault(lease.key, lease) is lease

    async def renew(self, lease: Lease) -> Lease | LeaseConflict:
        """See ``LeaseTable``."""
        return self._write(
            lease,
            Lease.renewed,
            lambda current: current.checkpoint_owner in {None, lease.checkpoint_owner},
        )

    async def take(self, lease: Lease, worker: str) -> Lease | LeaseConflict:
        """See ``LeaseTable``."""
        return self._write(lease, lambda current: current.taken(worker))

    async def release(self, lease: Lease) -> Lease | LeaseConflict:
        """See ``LeaseTable``."""
        return self._write(
            lease,
            Lease.released,
            lambda current: (
                (current.owner, current.checkpoint_owner) == (lease.owner, lease.checkpoint_owner)
            ),
        )

    async def move(self, lease: Lease, checkpoint: Position) -> Lease | LeaseConflict:
        """See ``LeaseTable``."""
        return self._write(
            lease,
            lambda current: current.moved(checkpoint),
            lambda current: current.holder is not None and current.holder == lease.holder,
        )

    async def set_children(self, key: str, children: Iterable[str]) -> None:
        """See ``LeaseTable``."""
        if key in self.leases:
            self.leases[key] = replace(self.leases[key], children=frozenset(children))

    async def delete(self, lease: Lease) -> bool:
        """See ``LeaseTable``."""
        current = self.leases.get(lease.key)
        if current is None or current.counter != lease.counter:
            return False
        del self.leases[lease.key]
        return True

    def _write(
        self,
        seen: Lease,
        change: Callable[[Lease], Lease],
        allowed: Callable[[Lease], bool] = lambda _: True,
    ) -> Lease | LeaseConflict:
        current = self.leases.get(seen.key)
        if current is None or current.counter != seen.counter or not allowed(current):
            return LeaseConflict(current)
        self.leases[seen.key] = change(current)
        return self.leases[seen.key]
