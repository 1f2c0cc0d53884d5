"""A Kinesis stream as a source: all its shards concurrently, children after their parents.

Where a shard begins: at its checkpoint; without one, at the stream's ``start``, which is a fixed
moment, the same for every shard and remembered in the store. So a child shard created after that
moment is read from its first record, as from TRIM_HORIZON, while of an earlier shard the records
before that moment are not read.
"""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Unpack

import structlog

from worker.clock import run_until
from worker.sources.bookmark import StoredBookmark
from worker.sources.positions import (
    NOW,
    SHARD_END,
    Begin,
    Checkpoints,
    begin_at_start,
    sequence_of,
)
from worker.sources.protocol import Handle
from worker.sources.shard_reader import Place, ShardReader
from worker.sources.shards import Shard, readable
from worker.sources.stream_context import Kinesis, Reading, StreamContext


log = structlog.get_logger(__name__)

#: Seconds between listings of the shards. They are also listed at each shard's end, but a new child
#: may appear late.
SYNC_S: Final = 30.0


class KinesisStream:
    """Reads every shard of a stream, in this one process.

    Args:
        connect: Makes a Kinesis client, e.g. ``partial(aws.client, "kinesis")``.
        stream: The stream's name or ARN. Checkpoints are kept under it as it is written here.
        checkpoints: Where positions are kept: a ``ContactStore``.
        start: Where to begin when the stream is seen for the first time: "now", "earliest" or an
            ISO time. It is fixed that first time; changing it later has no effect.
        reading: How to read it, see ``StreamContext``.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[Kinesis]],
        stream: str,
        checkpoints: Checkpoints,
        *,
        start: str = NOW,
        **reading: Unpack[Reading],
    ) -> None:
        self._connect = connect
        self._stream = stream
        self._checkpoints = checkpoints
        self._start = start
        self._reading = reading
        self._readers: dict[str, ShardReader] = {}
        self._finished: set[str] = set()
        self._ended = asyncio.Event()

    async def run(self, handle: Handle, stop: asyncio.Event) -> None:
        """Read until ``stop`` is set; then finish and acknowledge the batches in hand.

        Raises:
            ConfigError: ``start`` is invalid, or AWS cannot be used as configured.
        """
        async with self._connect() as client:
            context = StreamContext(client, self._stream, **self._reading)
            async with asyncio.TaskGroup() as tasks:

                async def discover() -> None:
                    await self._discover(context, tasks, handle, stop)

                await context.again("source", discover, stop)

    async def _discover(
        self,
        context: StreamContext,
        tasks: asyncio.TaskGroup,
        handle: Handle,
        stop: asyncio.Event,
    ) -> None:
        """Find shards and start reading each, until ``stop`` is set."""
        kept = await context.retry(
            lambda: run_until(stop, context.start(self._checkpoints, self._start)), stop
        )
        if kept is None:
            return
        begin = begin_at_start(kept)
        while not stop.is_set():
            self._ended.clear()
            for reader in await self._new_readers(context, begin, stop):
                self._readers[reader.shard] = reader
                tasks.create_task(self._read(context, reader, handle, stop))
            await run_until(stop, self._wait_for_next_listing(context))

    async def _wait_for_next_listing(self, context: StreamContext) -> None:
        """Wait until a shard has ended, or the next listing is due."""
        await run_until(self._ended, context.clock.sleep(SYNC_S))

    async def _new_readers(
        self, context: StreamContext, begin: Begin, stop: asyncio.Event
    ) -> list[ShardReader]:
        """Readers for the shards that may be read now and have none yet."""
        shards = await context.retry(lambda: run_until(stop, context.shards()), stop)
        positions = await context.retry(lambda: self._checkpoints.positions(self._stream), stop)
        if shards is None or positions is None:
            return []
        self._update_readers(shards)
        # What we finished stays finished, or a stale answer of the store would have it read again.
        self._finished |= {shard for shard, at in positions.items() if at == SHARD_END}
        return [
            self._reader(context, begin, shard.id, positions.get(shard.id))
            for shard in readable(shards, self._finished)
            if shard.id not in self._readers
        ]

    def _reader(
        self, context: StreamContext, begin: Begin, shard: str, position: str | None
    ) -> ShardReader:
        place = Place(begin, sequence_of(position) if position else None)
        bookmark = StoredBookmark(self._checkpoints, self._stream, shard)
        return ShardReader(context, shard, place, bookmark)

    def _update_readers(self, shards: list[Shard]) -> None:
        listed = {shard.id for shard in shards}
        for reader in self._readers.values():
            reader.listed = reader.shard in listed
            reader.report_stall()

    async def _read(
        self, context: StreamContext, reader: ShardReader, handle: Handle, stop: asyncio.Event
    ) -> None:
        """Run a reader; when it ends, have new shards looked for."""
        log.info("kinesis.shard_begun", stream=self._stream, shard=reader.shard)
        try:
            with context.faults.contained("shard", stream=context.name, shard=reader.shard):
                await reader.run(handle, stop)
                if not stop.is_set():
                    # There is nothing to lag behind.
                    context.on_lag(self._stream, reader.shard, None)
        finally:
            del self._readers[reader.shard]
            if reader.over:
                self._finished.add(reader.shard)
            self._ended.set()
        log.info("kinesis.shard_left", stream=self._stream, shard=reader.shard, over=reader.over)
