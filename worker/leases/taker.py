"""Takes leases for one worker: scans the table, chooses, takes, and sets the next scan."""

from __future__ import annotations

import asyncio

from collections.abc import Callable, Sequence

from worker.clock import Clock
from worker.faults import Faults
from worker.leases.choice import Choice, Situation, choose, next_lapse
from worker.leases.lease import Lease
from worker.leases.protocol import LeaseConflict, LeasesUnavailable, LeaseTable
from worker.leases.tenure import Tenure
from worker.leases.watch import Watch


#: Added to the wait for a lease to lapse, so that it has lapsed at the next scan.
AFTER_LAPSE_S = 0.05
#: A round begins up to this part of its period early, so that workers do not act in step.
JITTER = 0.2


class Taker:
    """Brings one worker to its share of the leases.

    Args:
        table: Where the leases are.
        worker: This worker's id, unique among running workers.
        failover_s: Seconds after which a lease that is not renewed may be taken.
        period_s: Seconds between rounds.
        clock: Time and chance.
        report: Called with the code of every failed try.
        faults: Contains bugs in taking one lease.

    Attributes:
        held: The tenures of this worker, by key. Whoever ends one removes it.
        wait_s: Seconds until the next round is due.
    """

    def __init__(
        self,
        table: LeaseTable,
        worker: str,
        *,
        failover_s: float,
        period_s: float,
        clock: Clock,
        report: Callable[[str], None],
        faults: Faults | None = None,
    ) -> None:
        self.held: dict[str, Tenure] = {}
        self.wait_s = 0.0
        self._table = table
        self._worker = worker
        self._failover_s = failover_s
        self._period_s = period_s
        self._clock = clock
        self._report = report
        self._faults = faults or Faults()
        self._watch = Watch()

    async def round(self) -> list[Tenure]:
        """Scan the table and take the leases due to this worker; the tenures that began.

        Raises:
            LeasesUnavailable: The table cannot be read for now.
        """
        situation = self._situation(await self._table.scan())
        choice = choose(situation)
        self.wait_s = min(
            self._period_s * (1 - JITTER * self._clock.chance()),
            next_lapse(situation) + AFTER_LAPSE_S,
        )
        wanted = [*choice.free, *await self._still_to_steal(choice)]
        async with asyncio.TaskGroup() as tasks:
            taking = [tasks.create_task(self._try_to_take(lease)) for lease in wanted]
        return [tenure for task in taking if (tenure := task.result())]

    def _situation(self, leases: Sequence[Lease]) -> Situation:
        ages = self._watch.observe(leases, self._clock.monotonic())
        return Situation(
            leases, ages, self.held, self._worker, self._failover_s, self._clock.chance
        )

    async def _still_to_steal(self, choice: Choice) -> list[Lease]:
        """The lease to steal, read again: its owner may have renewed it since the scan."""
        if choice.steal is None:
            return []
        current = await self._table.get(choice.steal.key)
        if current is None or (current.owner, current.checkpoint_owner) != (
            choice.steal.owner,
            None,
        ):
            return []
        return [current]

    async def _try_to_take(self, lease: Lease) -> Tenure | None:
        """Take one lease; a bug costs only this one, and the others taken stay known."""
        with self._faults.contained("shard", shard=lease.key):
            return await self._take(lease)
        return None

    async def _take(self, lease: Lease) -> Tenure | None:
        since = self._clock.monotonic()
        try:
            answer = await self._table.take(lease, self._worker)
        except LeasesUnavailable as failure:
            self._report(type(failure).__name__)
            return None
        if isinstance(answer, LeaseConflict):
            return None  # another worker was faster
        tenure = Tenure(
            self._table,
            answer,
            self._worker,
            since=since,
            failover_s=self._failover_s,
            clock=self._clock,
            report=self._report,
        )
        self.held[lease.key] = tenure
        return tenure
