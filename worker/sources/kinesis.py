"""A Kinesis stream as a source: all its shards, parents before children, each on its own.

Where a shard begins: at its checkpoint; without one, at the stream's ``start``, which is a fixed
moment, the same for every shard and remembered in the store. A child shard that came later than
that moment is therefore read from its first record, as from TRIM_HORIZON, while one whose whole
past lies before it does not bring that past back.
"""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeVar

import structlog

from worker.sources.budget import Budget
from worker.sources.feed import Feed, Kinesis
from worker.sources.insist import ignore, insist
from worker.sources.pace import Clock, unless
from worker.sources.positions import NOW, SHARD_END, Checkpoints, begin_at_start, fixed_start
from worker.sources.protocol import Handle
from worker.sources.shard_reader import ShardReader
from worker.sources.shards import Shard, readable


T = TypeVar("T")

log = structlog.get_logger(__name__)

#: Shards are looked for at the end of one and this often besides: a new child may be listed late.
SYNC_S: Final = 30.0
BUDGET_BYTES: Final = 64 * 1024 * 1024


class KinesisStream:
    """Reads every shard of a stream, in this one process.

    Args:
        connect: Makes a Kinesis client, e.g. ``partial(aws.client, "kinesis")``.
        stream: The stream's name or ARN. Checkpoints are kept under it as it is written here.
        checkpoints: Where positions are kept: a ``ContactStore``.
        start: Where to begin when the stream is seen for the first time: "now", "earliest" or an
            ISO time. What it was that first time stays; changing it later changes nothing.
        poll_s: Seconds between reads of a shard that has caught up.
        limit: Records asked for at once, at most 10 000.
        slice_bytes: Bytes in one batch at most, unless a single record is larger.
        budget: Bounds the bytes in hand; several streams may share one.
        clock: Time and chance.
        on_lag: Told (stream, shard, ms behind the newest record) at each read.
        on_trouble: Told (stream, shard or "", code) of every failed try.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[Kinesis]],
        stream: str,
        checkpoints: Checkpoints,
        *,
        start: str = NOW,
        poll_s: float = 1.0,
        limit: int = 10_000,
        slice_bytes: int = 4 * 1024 * 1024,
        budget: Budget | None = None,
        clock: Clock | None = None,
        on_lag: Callable[[str, str, int], None] = ignore,
        on_trouble: Callable[[str, str, str], None] = ignore,
    ) -> None:
        self._connect = connect
        self._stream = stream
        self._checkpoints = checkpoints
        self._start = start
        self._poll_s = poll_s
        self._limit = limit
        self._slice_bytes = slice_bytes
        self._budget = budget or Budget(BUDGET_BYTES)
        self._clock = clock or Clock()
        self._on_lag = on_lag
        self._on_trouble = on_trouble
        self._readers: dict[str, ShardReader] = {}
        self._finished: set[str] = set()
        self._ended = asyncio.Event()

    async def run(self, handle: Handle, stop: asyncio.Event) -> None:
        """Read until ``stop`` is set; the batches in hand are then finished and acknowledged.

        Raises:
            ConfigError: ``start`` cannot be understood.
            ExceptionGroup: A shard's reader failed for good (``handle`` raised, or AWS refuses a
                request as wrong); all others are cancelled, their work in hand not acknowledged.
        """
        start = fixed_start(self._start, self._clock.wall())
        async with self._connect() as client:
            kept = await self._insist(lambda: self._remember(start), stop)
            if kept is None:
                return
            feed = self._feed(client, kept)
            async with asyncio.TaskGroup() as tasks:
                while not stop.is_set():
                    self._ended.clear()
                    for reader in await self._new_readers(feed, stop):
                        self._readers[reader.shard] = reader
                        tasks.create_task(self._read(reader, handle, stop))
                    await unless(stop, unless(self._ended, self._clock.sleep(SYNC_S)))

    def _remember(self, start: str) -> Awaitable[str]:
        return self._checkpoints.remember(f"start/{self._stream}", start)

    def _feed(self, client: Kinesis, start: str) -> Feed:
        return Feed(
            client=client,
            stream=self._stream,
            checkpoints=self._checkpoints,
            begin=begin_at_start(start),
            poll_s=self._poll_s,
            limit=self._limit,
            slice_bytes=self._slice_bytes,
            budget=self._budget,
            clock=self._clock,
            on_lag=self._on_lag,
            on_trouble=self._on_trouble,
        )

    async def _new_readers(self, feed: Feed, stop: asyncio.Event) -> list[ShardReader]:
        """Readers for the shards that may be read now and are not yet."""
        shards = await self._insist(lambda: unless(stop, feed.shards()), stop)
        positions = await self._insist(lambda: self._checkpoints.positions(self._stream), stop)
        if shards is None or positions is None:
            return []
        self._look_after_readers(shards)
        # Our own knowledge stays, or a store that answers late would have a shard read again.
        self._finished |= {shard for shard, at in positions.items() if at == SHARD_END}
        return [
            ShardReader(feed, shard.id, positions.get(shard.id))
            for shard in readable(shards, self._finished)
            if shard.id not in self._readers
        ]

    def _look_after_readers(self, shards: list[Shard]) -> None:
        listed = {shard.id for shard in shards}
        for reader in self._readers.values():
            reader.listed = reader.shard in listed
            reader.report_stall()

    async def _read(self, reader: ShardReader, handle: Handle, stop: asyncio.Event) -> None:
        """Run a reader, and look for new shards when it is over."""
        log.info("kinesis.shard_begun", stream=self._stream, shard=reader.shard)
        await reader.run(handle, stop)
        log.info("kinesis.shard_left", stream=self._stream, shard=reader.shard, over=reader.over)
        del self._readers[reader.shard]
        if reader.over:
            self._finished.add(reader.shard)
        if not stop.is_set():
            self._on_lag(self._stream, reader.shard, 0)  # there is nothing left to lag behind
        self._ended.set()

    async def _insist(self, call: Callable[[], Awaitable[T]], stop: asyncio.Event) -> T | None:
        return await insist(call, stop=stop, clock=self._clock, report=self._report)

    def _report(self, code: str) -> None:
        log.warning("kinesis.trouble", stream=self._stream, shard="", code=code)
        self._on_trouble(self._stream, "", code)
