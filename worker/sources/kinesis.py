"""A Kinesis stream as a source: all its shards, parents before children, each on its own.

Where a shard begins: at its checkpoint; without one, at the stream's ``start``, which is a fixed
moment, the same for every shard and remembered in the store. A child shard that came later than
that moment is therefore read from its first record, as from TRIM_HORIZON, while one whose whole
past lies before it does not bring that past back.
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

#: Shards are looked for at the end of one and this often besides: a new child may be listed late.
SYNC_S: Final = 30.0


class KinesisStream:
    """Reads every shard of a stream, in this one process.

    Args:
        connect: Makes a Kinesis client, e.g. ``partial(aws.client, "kinesis")``.
        stream: The stream's name or ARN. Checkpoints are kept under it as it is written here.
        checkpoints: Where positions are kept: a ``ContactStore``.
        start: Where to begin when the stream is seen for the first time: "now", "earliest" or an
            ISO time. What it was that first time stays; changing it later changes nothing.
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
        """Read until ``stop`` is set; the batches in hand are then finished and acknowledged.

        Raises:
            ConfigError: ``start`` cannot be understood, or AWS cannot be used as it is set up.
        """
        async with self._connect() as client:
            feed = StreamContext(client, self._stream, **self._reading)
            async with asyncio.TaskGroup() as tasks:

                async def look() -> None:
                    await self._look(feed, tasks, handle, stop)

                await feed.again("source", look, stop)

    async def _look(
        self,
        feed: StreamContext,
        tasks: asyncio.TaskGroup,
        handle: Handle,
        stop: asyncio.Event,
    ) -> None:
        """Find shards and have each read, until ``stop`` is set."""
        kept = await feed.retry(
            lambda: run_until(stop, feed.start(self._checkpoints, self._start)), stop
        )
        if kept is None:
            return
        begin = begin_at_start(kept)
        while not stop.is_set():
            self._ended.clear()
            for reader in await self._new_readers(feed, begin, stop):
                self._readers[reader.shard] = reader
                tasks.create_task(self._read(feed, reader, handle, stop))
            await run_until(stop, self._rest(feed))

    async def _rest(self, feed: StreamContext) -> None:
        """Until a shard has ended, or it is time to look for new ones."""
        await run_until(self._ended, feed.clock.sleep(SYNC_S))

    async def _new_readers(
        self, feed: StreamContext, begin: Begin, stop: asyncio.Event
    ) -> list[ShardReader]:
        """Readers for the shards that may be read now and are not yet."""
        shards = await feed.retry(lambda: run_until(stop, feed.shards()), stop)
        positions = await feed.retry(lambda: self._checkpoints.positions(self._stream), stop)
        if shards is None or positions is None:
            return []
        self._look_after_readers(shards)
        # Our own knowledge stays, or a store that answers late would have a shard read again.
        self._finished |= {shard for shard, at in positions.items() if at == SHARD_END}
        return [
            self._reader(feed, begin, shard.id, positions.get(shard.id))
            for shard in readable(shards, self._finished)
            if shard.id not in self._readers
        ]

    def _reader(
        self, feed: StreamContext, begin: Begin, shard: str, position: str | None
    ) -> ShardReader:
        place = Place(begin, sequence_of(position) if position else None)
        bookmark = StoredBookmark(self._checkpoints, self._stream, shard)
        return ShardReader(feed, shard, place, bookmark)

    def _look_after_readers(self, shards: list[Shard]) -> None:
        listed = {shard.id for shard in shards}
        for reader in self._readers.values():
            reader.listed = reader.shard in listed
            reader.report_stall()

    async def _read(
        self, feed: StreamContext, reader: ShardReader, handle: Handle, stop: asyncio.Event
    ) -> None:
        """Run a reader, and look for new shards when it is over."""
        log.info("kinesis.shard_begun", stream=self._stream, shard=reader.shard)
        try:
            with feed.faults.contained("shard", stream=feed.name, shard=reader.shard):
                await reader.run(handle, stop)
                if not stop.is_set():
                    feed.on_lag(self._stream, reader.shard, 0)  # there is nothing to lag behind
        finally:
            del self._readers[reader.shard]
            if reader.over:
                self._finished.add(reader.shard)
            self._ended.set()
        log.info("kinesis.shard_left", stream=self._stream, shard=reader.shard, over=reader.over)
