"""A Kinesis stream whose shards several workers share by leases (KCL's protocol and table).

Each worker reads the shards whose leases it holds, keeps their checkpoints in the leases, and
stops reading a shard as soon as it loses the lease. A child is read after all its parents (I3); a
worker that lost the lease cannot move the checkpoint (I7).

Where a shard begins: at its lease's checkpoint. The first leases of a stream are AT_TIMESTAMP, its
``start`` as remembered in the store, or TRIM_HORIZON; children always begin at TRIM_HORIZON. A
Kinesis Client Library that takes over leases AT_TIMESTAMP needs that time in its settings.
"""

from __future__ import annotations

import asyncio

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, Unpack

import structlog

from worker.clock import run_until
from worker.leases.position import AT_TIMESTAMP, LATEST, TRIM_HORIZON, Position
from worker.leases.protocol import LeaseLost, LeaseTable
from worker.leases.sync import end_shard, sync_leases
from worker.leases.taker import Taker
from worker.leases.tenure import Tenure
from worker.moments import Moments
from worker.retry import ignore
from worker.sources.positions import (
    EARLIEST,
    NOW,
    Begin,
    begin_at_horizon,
    begin_at_start,
    fixed_start,
)
from worker.sources.protocol import Handle, Message
from worker.sources.shard_reader import Place, ShardReader
from worker.sources.shards import Shard
from worker.sources.stream_context import Kinesis, Reading, StreamContext


log = structlog.get_logger(__name__)

#: Seconds after which a lease that is not renewed may be taken. KCL's own value: with less we would
#: take leases from KCL workers that still hold them.
FAILOVER_S: Final = 10.0
#: Seconds between scans of the leases. Shorter than KCL's 20 s, which costs only more reads.
TAKE_S: Final = 5.0
#: Seconds between comparisons of leases and shards.
SYNC_S: Final = 30.0


class LeasedBookmark:
    """The position in a shard, kept in its lease while that is held (see ``Bookmark``)."""

    def __init__(self, table: LeaseTable, tenure: Tenure) -> None:
        self._table = table
        self._tenure = tenure

    async def move(self, sequence: int) -> None:
        """See ``Bookmark``.

        Raises:
            LeaseLost: The lease is no longer held.
        """
        await self._tenure.move(Position(str(sequence)))

    async def end(self, children: Sequence[Shard]) -> None:
        """See ``Bookmark``; the children get their leases.

        Raises:
            LeaseLost: The lease is no longer held.
        """
        await end_shard(self._table, self._tenure, children)


class LeasedStream:
    """Reads this worker's share of a stream's shards.

    Args:
        connect: Makes a Kinesis client, e.g. ``partial(aws.client, "kinesis")``.
        stream: The stream's name or ARN.
        leases: Opens the stream's lease table, e.g. ``partial(open_leases, connect, "table")``.
        worker: This worker's id, unique among running workers; one that keeps its id resumes its
            leases at once after a restart.
        memory: Where the stream's start is remembered for all workers: a ``ContactStore``.
        start: Where to begin when the stream is seen for the first time, see ``KinesisStream``.
        failover_s: Seconds after which a lease that is not renewed is taken. Must be the same for
            all workers, KCL's ``failoverTimeMillis`` among them.
        take_s: Seconds between scans of the leases.
        on_lease: Called with (stream, shard, change) when a lease is "taken", and then "over" at
            the shard's end, "released", "left" (could not be released, so it will lapse),
            "lapsed" (could not be renewed) or "lost" to another.
        reading: How to read the shards, see ``StreamContext``.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[Kinesis]],
        stream: str,
        leases: Callable[[], AbstractAsyncContextManager[LeaseTable]],
        worker: str,
        memory: Moments,
        *,
        start: str = NOW,
        failover_s: float = FAILOVER_S,
        take_s: float = TAKE_S,
        on_lease: Callable[[str, str, str], None] = ignore,
        **reading: Unpack[Reading],
    ) -> None:
        self._connect = connect
        self._stream = stream
        self._leases = leases
        self._worker = worker
        self._memory = memory
        self._start = start
        self._failover_s = failover_s
        self._take_s = take_s
        self._on_lease = on_lease
        self._reading = reading

    async def run(self, handle: Handle, stop: asyncio.Event) -> None:
        """Read until ``stop`` is set; then finish the batches in hand and release the leases.

        Raises:
            ConfigError: ``start`` is invalid, or AWS cannot be used as configured.
        """
        async with self._connect() as client, self._leases() as table:
            context = StreamContext(client, self._stream, **self._reading)
            kept: list[str | None] = []

            async def remember() -> None:
                kept.append(await run_until(stop, context.start(self._memory, self._start)))

            await context.again("source", partial(context.retry, remember, stop), stop)
            if kept and kept[0] is not None:
                taker = Taker(
                    table,
                    self._worker,
                    failover_s=self._failover_s,
                    period_s=self._take_s,
                    clock=context.clock,
                    report=context.report,
                    faults=context.faults,
                )
                await _Share(context, table, taker, kept[0], self._on_lease).run(handle, stop)


class _Share:
    """The shards that one worker reads while it runs."""

    def __init__(
        self,
        context: StreamContext,
        table: LeaseTable,
        taker: Taker,
        start: str,
        on_lease: Callable[[str, str, str], None],
    ) -> None:
        self._context = context
        self._clock = context.clock
        self._table = table
        self._taker = taker
        self._start = start
        self._on_lease = on_lease
        self._readers: dict[str, ShardReader] = {}
        self._changed = asyncio.Event()  # leases changed: scan them

    async def run(self, handle: Handle, stop: asyncio.Event) -> None:
        """See ``LeasedStream.run``."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._context.again("source", lambda: self._sync(stop), stop))
            await self._context.again("source", lambda: self._take(tasks, handle, stop), stop)
            for tenure in self._taker.held.values():
                tenure.leave.set()

    async def _take(self, tasks: asyncio.TaskGroup, handle: Handle, stop: asyncio.Event) -> None:
        """Take leases and start reading their shards, until ``stop`` is set."""
        while not stop.is_set():
            self._changed.clear()
            # Not interrupted by ``stop``: leases that were taken must be known, to be released.
            for tenure in await self._context.retry(self._taker.round, stop) or ():
                tasks.create_task(self._hold(tenure, handle))
            for reader in self._readers.values():
                reader.report_stall()
            await run_until(stop, self._wait_for_next_scan())

    async def _wait_for_next_scan(self) -> None:
        """Wait until leases changed, or the next scan is due."""
        await run_until(self._changed, self._clock.sleep(self._taker.wait_s))

    async def _sync(self, stop: asyncio.Event) -> None:
        begin = Position(TRIM_HORIZON if self._start == EARLIEST else AT_TIMESTAMP)
        obsolete: dict[str, float] = {}

        async def sync() -> bool | None:
            now = self._clock.monotonic()
            adding = sync_leases(self._table, self._context.shards, begin, obsolete, now)
            return await run_until(stop, adding)

        while not stop.is_set():
            if await self._context.retry(sync, stop):
                self._changed.set()
            await run_until(stop, self._clock.sleep(SYNC_S * (1 + self._clock.chance()) / 2))

    async def _hold(self, tenure: Tenure, handle: Handle) -> None:
        """Read a shard and renew its lease concurrently, until either ends.

        The fault boundary of one shard: at worst a bug loses the lease, which is then taken again.
        """
        shard = tenure.lease.key
        try:
            with self._context.faults.contained("shard", stream=self._context.name, shard=shard):
                self._report_change(shard, "taken")
                async with asyncio.TaskGroup() as tasks:
                    keeping = tasks.create_task(self._keep(tenure))
                    await run_until(tenure.lost, self._read(tenure, handle))
                    keeping.cancel()
                self._report_change(shard, "over" if tenure.lease.over else tenure.ending or "left")
                # From now on the lag is another worker's.
                self._context.on_lag(self._context.stream, shard, None)
        finally:
            del self._taker.held[shard]
            self._changed.set()

    async def _keep(self, tenure: Tenure) -> None:
        await self._context.again("shard", tenure.keep, tenure.lost, tenure.lease.key)

    async def _read(self, tenure: Tenure, handle: Handle) -> None:
        async def fenced(batch: Sequence[Message]) -> None:
            tenure.check()
            await handle(batch)

        shard = tenure.lease.key
        place = place_of(tenure.lease.checkpoint, self._start, self._context.time.now())
        reader = ShardReader(self._context, shard, place, LeasedBookmark(self._table, tenure))
        self._readers[shard] = reader
        try:
            await reader.run(fenced, tenure.leave)
            if not reader.over:
                await self._context.retry(tenure.release, tenure.leave)
        except LeaseLost:
            return
        finally:
            del self._readers[shard]

    def _report_change(self, shard: str, change: str) -> None:
        log.info("lease.changed", stream=self._context.stream, shard=shard, change=change)
        self._on_lease(self._context.stream, shard, change)


def place_of(checkpoint: Position, start: str, now: float) -> Place:
    """Where to resume from a lease's checkpoint.

    Args:
        checkpoint: The lease's.
        start: The stream's fixed start, for AT_TIMESTAMP.
        now: Wall-clock time (s), for LATEST: an iterator of that type would skip the records that
            arrive before the next iterator is needed.
    """
    begins: dict[str, Begin] = {
        AT_TIMESTAMP: begin_at_start(start),
        LATEST: begin_at_start(fixed_start(NOW, now)),
    }
    begin = begins.get(checkpoint.at, begin_at_horizon())
    return Place(begin, checkpoint.sequence, partly=checkpoint.sub > 0)
