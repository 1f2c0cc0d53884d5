"""One worker's hold on one lease, from taking it to losing or releasing it.

A tenure that could not be renewed for ``failover_s`` ends, whether or not another worker took the
lease. We count from before we sent the renewal, others from after they saw it, all on monotonic
clocks: so a worker has stopped before another with the same ``failover_s`` may take over. The
counter catches the writes of a worker that was paused meanwhile.
"""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable
from typing import Final

from worker.clock import Backoff, Clock
from worker.leases.lease import Lease
from worker.leases.position import Position
from worker.leases.protocol import LeaseConflict, LeaseLost, LeasesUnavailable, LeaseTable


#: Renewals per ``failover_s``, and so the number of tries before a lease lapses. As in KCL.
RENEWALS: Final = 3
#: A renewal comes up to this part of its period early, so that workers do not act in step.
JITTER: Final = 0.2


class Tenure:
    """Holds one lease.

    Args:
        table: Where the lease is.
        lease: The lease as it was when this worker took it.
        worker: This worker's id.
        since: Monotonic time (s) just before the request that took it.
        failover_s: How long (s) the lease is held without being renewed.
        clock: Time and chance.
        report: Called with the code of every failed renewal.

    Attributes:
        lease: The lease as it was last known to be held.
        lost: Set once the lease is no longer held.
        ending: By then, how it ended: "lapsed", "lost" to another worker, or "released".
        leave: Set when reading is to stop in an orderly way: the worker is stopping, or the lease
            is being handed off to another.
    """

    def __init__(
        self,
        table: LeaseTable,
        lease: Lease,
        worker: str,
        *,
        since: float,
        failover_s: float,
        clock: Clock,
        report: Callable[[str], None],
    ) -> None:
        self.lease = lease
        self.lost = asyncio.Event()
        self.ending = ""
        self.leave = asyncio.Event()
        self._table = table
        self._worker = worker
        self._failover_s = failover_s
        self._ends = since + failover_s
        self._clock = clock
        self._report = report
        self._unsure = False  # the last write got no answer: it may have been carried out
        self._writing = asyncio.Lock()

    def check(self) -> None:
        """Check that the lease is still held.

        Raises:
            LeaseLost: It is not.
        """
        if not self.lost.is_set() and self._clock.monotonic() >= self._ends:
            self._lose("lapsed")
        if self.lost.is_set():
            raise LeaseLost(self.lease.key)

    async def keep(self) -> None:
        """Renew the lease until it is lost, retrying failures with back-off."""
        backoff = Backoff(self._clock.chance)
        period_s = self._failover_s / RENEWALS
        wait_s = self._jittered(period_s)
        while not self.lost.is_set():
            left_s = self._ends - self._clock.monotonic()
            await self._clock.sleep(max(min(wait_s, left_s), 0))
            try:
                await self.renew()
            except LeaseLost:
                return
            except LeasesUnavailable as failure:
                self._report(type(failure).__name__)
                wait_s = min(backoff.failed(), period_s)
            else:
                backoff.succeeded()
                wait_s = self._jittered(period_s)

    async def renew(self) -> None:
        """Renew the lease.

        Raises:
            LeaseLost: It is no longer held.
            LeasesUnavailable: The table cannot be used for now.
        """
        await self._write(self._table.renew)

    async def move(self, checkpoint: Position) -> None:
        """Write the checkpoint; if it is already there or beyond, only renew the lease.

        Raises:
            LeaseLost: The lease is no longer held; the checkpoint is where it was.
            LeasesUnavailable: The table cannot be used for now.
        """

        async def move(lease: Lease) -> Lease | LeaseConflict:
            if lease.checkpoint >= checkpoint:
                return await self._table.renew(lease)
            return await self._table.move(lease, checkpoint)

        await self._write(move)

    async def release(self) -> None:
        """Release the lease, so that another worker can take it at once; it then counts as lost.

        Raises:
            LeaseLost: It is no longer held; nothing was written.
            LeasesUnavailable: The table cannot be used for now; the lease lapses by itself.
        """
        await self._write(self._table.release)
        self._lose("released")

    async def _write(self, write: Callable[[Lease], Awaitable[Lease | LeaseConflict]]) -> None:
        async with self._writing:
            while True:
                self.check()
                begun = self._clock.monotonic()
                answer = await self._answered(write(self.lease))
                if isinstance(answer, Lease):
                    self._written(answer, begun)
                    return
                current = answer.current
                if current is None or not self._ours(current, repeated=answer.repeated):
                    self._lose("lost")
                    raise LeaseLost(self.lease.key)
                self._adopt(current)

    async def _answered(self, writing: Awaitable[Lease | LeaseConflict]) -> Lease | LeaseConflict:
        """Wait for an answer, with a timeout that leaves time to retry before the lease lapses."""
        unsure, self._unsure = self._unsure, True
        left_s = self._ends - self._clock.monotonic()
        try:
            async with asyncio.timeout(min(left_s, self._failover_s / RENEWALS)):
                answer = await writing
        except TimeoutError as error:
            raise LeasesUnavailable("no answer") from error
        self._unsure = unsure and isinstance(answer, LeaseConflict)
        return answer

    def _written(self, lease: Lease, begun: float) -> None:
        self._ends = begun + self._failover_s
        if lease.holder == self._worker:  # not so when it was just released
            self._adopt(lease)

    def _ours(self, current: Lease, *, repeated: bool) -> bool:
        """Whether the lease differs only by our own write, or by the start of a hand-off.

        KCL takes any lease of its own that is one ahead for its own write. We do so only if a write
        got no answer: else it was another worker with our id, or our successor.
        """
        ahead = current.counter - self.lease.counter
        return current.holder == self._worker and (
            ahead == 0 or (ahead == 1 and (self._unsure or repeated))
        )

    def _adopt(self, current: Lease) -> None:
        self.lease = current
        self._unsure = False
        if current.checkpoint_owner == self._worker:
            self.leave.set()

    def _lose(self, ending: str) -> None:
        self.ending = ending
        self.lost.set()

    def _jittered(self, period_s: float) -> float:
        return period_s * (1 - JITTER * self._clock.chance())
