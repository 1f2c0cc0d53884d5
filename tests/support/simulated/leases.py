"""The lease table across the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from simulated.network import Network, Weather, at_once
from simulated.safekeeping import Safekeeping
from worker.leases.lease import Lease
from worker.leases.memory import MemoryLeases
from worker.leases.position import Position
from worker.leases.protocol import LeaseConflict, LeasesUnavailable


T = TypeVar("T")


class RemoteLeases:
    """One process's way to the table (see ``LeaseTable``)."""

    def __init__(
        self,
        table: MemoryLeases,
        network: Network,
        weather: Weather,
        watch: Safekeeping,
        worker: str,
    ) -> None:
        self._table = table
        self._network = network
        self._weather = weather
        self._watch = watch
        self._worker = worker

    async def scan(self) -> list[Lease]:
        """See ``LeaseTable``."""
        return await self._call(lambda: at_once(self._table.scan()))

    async def get(self, key: str) -> Lease | None:
        """See ``LeaseTable``."""
        return await self._call(lambda: at_once(self._table.get(key)))

    async def create(self, lease: Lease) -> bool:
        """See ``LeaseTable``."""
        return await self._call(lambda: at_once(self._table.create(lease)))

    async def renew(self, lease: Lease) -> Lease | LeaseConflict:
        """See ``LeaseTable``."""
        return await self._call(lambda: at_once(self._table.renew(lease)))

    async def take(self, lease: Lease, worker: str) -> Lease | LeaseConflict:
        """See ``LeaseTable``."""
        return await self._call(lambda: at_once(self._table.take(lease, worker)))

    async def release(self, lease: Lease) -> Lease | LeaseConflict:
        """See ``LeaseTable``."""
        return await self._call(lambda: at_once(self._table.release(lease)))

    async def move(self, lease: Lease, checkpoint: Position) -> Lease | LeaseConflict:
        """See ``LeaseTable``."""
        return await self._call(lambda: self._move(lease, checkpoint))

    async def set_children(self, key: str, children: Iterable[str]) -> None:
        """See ``LeaseTable``."""
        await self._call(lambda: at_once(self._table.set_children(key, children)))

    async def delete(self, lease: Lease) -> bool:
        """See ``LeaseTable``."""
        return await self._call(lambda: at_once(self._table.delete(lease)))

    def _move(self, lease: Lease, checkpoint: Position) -> Lease | LeaseConflict:
        before = self._table.leases.get(lease.key)
        answer = at_once(self._table.move(lease, checkpoint))
        if before is not None and isinstance(answer, Lease):
            self._watch.moved(self._worker, before, answer)
        return answer

    async def _call(self, act: Callable[[], T]) -> T:
        return await self._network.call(act, self._weather, _away)


def _away() -> Exception:
    return LeasesUnavailable("throttled")
