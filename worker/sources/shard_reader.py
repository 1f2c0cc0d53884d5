"""Reading one shard of a Kinesis stream: fetch, deliver, checkpoint, repeat."""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from worker import aws, heartbeat
from worker.clock import Backoff, run_until
from worker.sources.bookmark import Bookmark
from worker.sources.pages import KinesisRecord, RecordPage, page_of, slices
from worker.sources.positions import Begin, begin_at, begin_at_horizon
from worker.sources.protocol import Handle, Message
from worker.sources.stream_context import StreamContext


log = structlog.get_logger(__name__)

#: GetRecords allows 5 calls/s per shard, shared by all applications that poll it
#: (Kinesis Developer Guide, "service-sizes-and-limits").
READ_SPACING_S: Final = 0.2
#: Largest answer of GetRecords (bytes; same page).
LARGEST_ANSWER: Final = 10 * 1024 * 1024
#: What a shard can receive in a second, while a reader that has caught up waits (bytes; same page).
STEADY_ANSWER: Final = 1024 * 1024
#: Most messages in one batch.
SLICE_COUNT: Final = 1000
#: Seconds without a read after which the lag is reported as growing.
STALL_S: Final = 10.0

#: Digits of a sequence number, a whole number of 128 bits or more, so that they order as text.
SEQUENCE_DIGITS: Final = 64

#: Reported like AWS's own codes: the checkpoint is older than the stream's retention.
TRIMMED: Final = "RecordsTrimmed"
EXPIRED: Final = "ExpiredIteratorException"
INVALID: Final = "InvalidArgumentException"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a shard to resume from.

    Attributes:
        begin: Where to begin if no record of the shard has been processed yet.
        done: Sequence number of the last record processed, along with all before it.
        partly: Whether that record was only partly processed, so that it is delivered again.
    """

    begin: Begin
    done: int | None = None
    partly: bool = False


class ShardReader:
    """Reads one shard from a place to its end.

    Args:
        context: What the readers of the stream share.
        shard: The shard's id.
        place: Where to resume.
        bookmark: Keeps the position reached.

    Attributes:
        shard: The shard's id.
        over: Whether its end has been reached and checkpointed.
        listed: Set to False once the shard is past the stream's retention; it then stops.
    """

    def __init__(
        self, context: StreamContext, shard: str, place: Place, bookmark: Bookmark
    ) -> None:
        self.shard = shard
        self.over = False
        self.listed = True
        self._context = context
        self._clock = context.clock
        self._backoff = Backoff(context.clock.chance)
        self._begin = place.begin
        self._bookmark = bookmark
        self._done = place.done
        self._partly = place.partly
        self._iterator: str | None = None
        self._resuming = False  # the first record must be the last one processed
        self._trimmed = False  # AWS refuses the checkpoint: begin at the oldest record
        self._lag_ms = 0
        self._caught_up = False
        self._read_at = self._clock.monotonic()

    async def run(self, handle: Handle, stop: asyncio.Event) -> None:
        """Read until the end, or until ``stop`` is set and the batch in hand is acknowledged.

        The fault boundary of one shard: after a bug, or a permanent refusal by AWS, reading starts
        again from the last record processed, after growing pauses.

        Raises:
            WorkerError: ``handle`` or the bookmark raised one that is not temporary.
        """
        with heartbeat.apart(self.shard):
            await self._context.again("shard", lambda: self._run(handle, stop), stop, self.shard)

    async def _run(self, handle: Handle, stop: asyncio.Event) -> None:
        self._iterator = None
        while self.listed and not self.over and not stop.is_set():
            begun = self._clock.monotonic()
            heartbeat.rest()  # whoever holds the budget that we may wait for is watched too
            async with self._context.budget.hold(self._estimate()) as hold:
                heartbeat.beat()
                try:
                    page = await run_until(stop, self._read())
                except aws.FAILURES as failure:
                    wait_s = self._failed(failure)
                else:
                    if page is None:
                        return
                    hold(page.size)
                    await self._deliver(page, handle, stop)
                    wait_s = self._context.poll_s if self._caught_up else READ_SPACING_S
            if not self.over:
                left_s = begun + wait_s - self._clock.monotonic()
                await run_until(stop, self._clock.sleep(max(left_s, 0)))

    def report_stall(self) -> None:
        """Report a growing lag while nothing is read, so that a stuck shard is visible."""
        silent_s = self._clock.monotonic() - self._read_at
        lag_ms = self._lag_ms + int(silent_s * 1000)
        with self._context.faults.contained("shard", stream=self._context.name, shard=self.shard):
            if silent_s > STALL_S:
                self._context.on_lag(self._context.stream, self.shard, lag_ms)

    def _estimate(self) -> int:
        """Bytes to reserve for the next answer: small if caught up, else the largest possible."""
        return STEADY_ANSWER if self._caught_up else LARGEST_ANSWER

    async def _read(self) -> RecordPage:
        if self._iterator is None:
            self._iterator = await self._obtain_iterator()
        client, iterator = self._context.client, self._iterator
        page = await aws.asked(
            lambda: client.get_records(
                ShardIterator=iterator, Limit=self._context.limit, **self._context.arn
            ),
            page_of,
        )
        self._backoff.succeeded()
        self._note_lag(page)
        return page

    async def _obtain_iterator(self) -> str:
        """Begin at the last record processed, which is read again and dropped: it proves no gap."""
        self._resuming = self._done is not None and not self._trimmed
        if self._done is None:
            begin = self._begin
        else:
            begin = begin_at_horizon() if self._trimmed else begin_at(self._done)
        client, target = self._context.client, self._context.target
        return await aws.asked(
            lambda: client.get_shard_iterator(**target, ShardId=self.shard, **begin),
            lambda answer: str(answer["ShardIterator"]),
        )

    def _note_lag(self, page: RecordPage) -> None:
        self._read_at = self._clock.monotonic()
        self._lag_ms = page.behind_ms
        self._caught_up = page.behind_ms == 0
        self._context.on_lag(self._context.stream, self.shard, page.behind_ms)

    def _failed(self, failure: Exception) -> float:
        """Handle a failed call: how long (s) to wait, or raise it if waiting is useless."""
        code = aws.code(failure)
        if code == EXPIRED:
            self._iterator = None
            self._report(code)
            return READ_SPACING_S
        if code == INVALID and self._iterator is None:
            return self._refused(failure)
        self._report(code)
        if not aws.may_pass(failure):
            raise failure
        return self._backoff.failed()

    def _refused(self, failure: Exception) -> float:
        """Handle a refusal of the place to begin at."""
        if self._done is not None and not self._trimmed:
            self._trimmed = True
            self._report_trimmed()
            return READ_SPACING_S
        self._report(INVALID)
        if self._done is None and "Timestamp" in self._begin:
            # "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis":
            # our clock is ahead of AWS's, so waiting helps.
            return self._backoff.failed()
        raise failure

    async def _deliver(self, page: RecordPage, handle: Handle, stop: asyncio.Event) -> None:
        """Deliver the records in batches, each acknowledged before the next (I2)."""
        self._look_for_gap(page)
        for batch in slices(self._new(page), SLICE_COUNT, self._context.slice_bytes):
            if stop.is_set():
                return
            if not await self._keep(partial(handle, [self._message(r) for r in batch]), stop):
                return
            last = batch[-1].sequence
            if not await self._keep(partial(self._bookmark.move, last), stop):
                return
            self._done, self._partly = last, False
        self._iterator = page.next_iterator
        if page.next_iterator is None:
            self.over = await self._keep(partial(self._bookmark.end, page.children), stop)

    def _new(self, page: RecordPage) -> list[KinesisRecord]:
        if self._done is None:
            return page.records
        first = self._done if self._partly else self._done + 1
        return [record for record in page.records if record.sequence >= first]

    def _look_for_gap(self, page: RecordPage) -> None:
        if not page.records:
            return
        if self._resuming and self._done is not None and page.records[0].sequence > self._done:
            self._report_trimmed()
        self._resuming = self._trimmed = False

    def _message(self, record: KinesisRecord) -> Message:
        origin = f"kinesis:{self._context.name}/{self.shard}/{record.sequence}"
        place = f"{self.shard} {record.sequence:0{SEQUENCE_DIGITS}}"
        return Message(record.data, origin, arrived=record.arrived, place=place)

    async def _keep(self, write: Callable[[], Awaitable[None]], stop: asyncio.Event) -> bool:
        """Save a batch or the position, with retries; False if that failed until ``stop``."""

        async def done() -> bool:
            await write()
            return True

        return await self._context.retry(done, stop, self.shard) is not None

    def _report(self, code: str) -> None:
        self._context.report(code, self.shard)

    def _report_trimmed(self) -> None:
        log.error("kinesis.records_trimmed", stream=self._context.stream, shard=self.shard)
        self._context.on_trouble(self._context.stream, self.shard, TRIMMED)
