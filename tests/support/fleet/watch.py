"""What the lease tables showed, look by look, and whether it was ever wrong."""

from __future__ import annotations

import asyncio
import time

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from fleet.producer import Put
from worker.leases.lease import Lease
from worker.leases.position import END
from worker.leases.protocol import LeasesUnavailable, LeaseTable


#: Between two looks (s); how exact the times are.
LOOK_S: Final = 0.2


class Place(NamedTuple):
    """A shard of a stream."""

    stream: str
    shard: str


class Sight(NamedTuple):
    """A lease whose owner or checkpoint was seen to be new, and when (monotonic, s)."""

    at: float
    lease: Lease


class Watch:
    """Looks at lease tables again and again.

    Args:
        tables: The tables, by stream name.

    Attributes:
        leases: All leases as last seen.
        sights: How each changed.
        wrong: What must never be (invariant I3), one line each.
    """

    def __init__(self, tables: Mapping[str, LeaseTable]) -> None:
        self.leases: dict[Place, Lease] = {}
        self.sights: defaultdict[Place, list[Sight]] = defaultdict(list)
        self.wrong: list[str] = []
        self._tables = tables
        self._looked = asyncio.Condition()

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            with suppress(LeasesUnavailable):  # the next look shows it
                for stream, table in self._tables.items():
                    self.see(stream, await table.scan(), time.monotonic())
                async with self._looked:
                    self._looked.notify_all()
            await asyncio.sleep(LOOK_S)

    def see(self, stream: str, leases: Iterable[Lease], at: float) -> None:
        """Take in all leases of a stream as they were at a moment (monotonic, s)."""
        found = {Place(stream, lease.key): lease for lease in leases}
        for place in [place for place in self.leases if place.stream == stream]:
            if place not in found:
                del self.leases[place]
        for place, lease in found.items():
            self._judge(place, lease, found)
            before = self.leases.get(place)
            if before is None or (before.owner, before.checkpoint) != (
                lease.owner,
                lease.checkpoint,
            ):
                self.sights[place].append(Sight(at, lease))
            self.leases[place] = lease

    async def until(self, condition: Callable[[], bool], limit_s: float) -> None:
        """Wait until the leases are as asked for, judged from the next look on.

        Raises:
            TimeoutError: They are not in time.
        """
        async with asyncio.timeout(limit_s), self._looked:
            await self._looked.wait()
            await self._looked.wait_for(condition)

    def held(self, worker: str) -> dict[Place, Lease]:
        """The unfinished leases of a worker."""
        return {
            place: lease
            for place, lease in self.leases.items()
            if lease.owner == worker and not lease.over
        }

    def spread(self, stream: str) -> Counter[str | None]:
        """How many unfinished leases of a stream each worker has; None: nobody."""
        return Counter(
            lease.owner
            for place, lease in self.leases.items()
            if place.stream == stream and not lease.over
        )

    def read_again(self, place: Place, worker: str) -> float | None:
        """When (monotonic, s) another worker first got on with what this one had read so far."""
        sights = self.sights[place]
        last = max(n for n, sight in enumerate(sights) if sight.lease.owner == worker)
        done = sights[last].lease.checkpoint
        moved = (s.at for s in sights[last:] if s.lease.owner and s.lease.checkpoint > done)
        return next(moved, None)

    def has_read(self, puts: Iterable[Put]) -> bool:
        """Whether the checkpoints are past all of these; a lease that is gone was finished."""
        ends: dict[Place, int] = {}
        for put in puts:
            if put.stream:
                place = Place(put.stream, put.shard)
                ends[place] = max(put.sequence, ends.get(place, 0))
        return all(self._is_past(place, end) for place, end in ends.items())

    def _is_past(self, place: Place, sequence: int) -> bool:
        if place not in self.leases:
            return place in self.sights
        checkpoint = self.leases[place].checkpoint
        return checkpoint == END or (checkpoint.sequence or 0) >= sequence

    def _judge(self, place: Place, lease: Lease, found: Mapping[Place, Lease]) -> None:
        before = self.leases.get(place)
        if before and lease.checkpoint < before.checkpoint:
            self.wrong.append(f"{place}: checkpoint moved back")
        if before is None and self.sights[place]:
            self.wrong.append(f"{place}: a lease that was removed came back")
        parents = [found.get(Place(place.stream, parent)) for parent in lease.parents]
        if not lease.checkpoint.untouched and any(p and not p.over for p in parents):
            self.wrong.append(f"{place}: read before its parents' ends")
