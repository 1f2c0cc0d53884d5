"""Tells contacts of every kind, wave after wave, and remembers each message it has put."""

from __future__ import annotations

import asyncio
import time

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, groupby
from typing import Final

from fleet.ground import Ground
from worker.clock import run_until
from worker.sandbox.amazon.moto_server import KINESIS_BATCH, SQS_BATCH, TICK_S
from worker.sandbox.demo.scenario import BEGIN_WITHIN_S, Scenario, tell
from worker.sandbox.traffic import RECORDINGS, Leg, SentMessage


#: A shard that got nothing for so long (s) gets its last message again.
QUIET_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Put:
    """A message that was put.

    Attributes:
        message: What.
        at: When (monotonic, s).
        stream: The stream's name; "" for the queue.
        shard: The shard that took it.
        sequence: Its number there.
    """

    message: SentMessage
    at: float
    stream: str = ""
    shard: str = ""
    sequence: int = 0


class Producer:
    """Puts contacts on the ground.

    Late, repeated, disordered and lost messages are among them, as ``tell`` has it. A shard is
    never quiet for long, so that it shows whether somebody reads it: Kinesis' producers may repeat
    a record at any time.

    Args:
        ground: Where to put them.
        contacts: How many a wave; one comes every ``BEGIN_WITHIN_S``.
        seed: The same one tells the same stories.
        tell: Tells them.

    Attributes:
        legs: All contacts told of.
        puts: All messages put, in their order.
    """

    def __init__(
        self,
        ground: Ground,
        *,
        contacts: int,
        seed: int,
        tell: Callable[[int, int, datetime], Scenario] = tell,
    ) -> None:
        self.legs: list[Leg] = []
        self.puts: list[Put] = []
        self._ground = ground
        self._contacts = contacts
        self._seeds = count(seed)
        self._tell = tell
        self._last: dict[tuple[str, str], Put] = {}
        self._enough = asyncio.Event()
        self._done = asyncio.Event()

    async def run(self) -> None:
        """Put, until all contacts begun by ``finish`` have been told to their ends."""
        async with asyncio.TaskGroup() as waves:
            waves.create_task(self._repeat())
            while not self._enough.is_set():
                scenario = self._tell(self._contacts, next(self._seeds), datetime.now(UTC))
                await self._ground.meet(scenario.legs)
                self.legs += scenario.legs
                waves.create_task(self._send(scenario.sent))
                await run_until(self._enough, asyncio.sleep(BEGIN_WITHIN_S))
        self._done.set()

    async def finish(self) -> None:
        """Begin no further contacts, and wait until all have been told."""
        self._enough.set()
        await self._done.wait()

    async def _send(self, sent: Sequence[SentMessage]) -> None:
        begin = time.monotonic()
        for tick, messages in groupby(sent, key=lambda message: int(message.at_s / TICK_S)):
            await asyncio.sleep(max(0.0, begin + tick * TICK_S - time.monotonic()))
            await self._put(list(messages))

    async def _repeat(self) -> None:
        while not self._enough.is_set():
            before = time.monotonic() - QUIET_S
            quiet = [place for place, put in self._last.items() if put.at < before]
            # Taken out: after a reshard it is another shard that takes them.
            await self._put([self._last.pop(place).message for place in quiet])
            await asyncio.sleep(QUIET_S / 2)

    async def _put(self, messages: Sequence[SentMessage]) -> None:
        for name, stream in self._ground.streams.items():
            for batch in _slices([m for m in messages if m.stream == name], KINESIS_BATCH):
                await self._put_records(stream, batch)
        for batch in _slices([m for m in messages if m.stream == RECORDINGS], SQS_BATCH):
            entries = [{"Id": str(n), "MessageBody": m.body.decode()} for n, m in enumerate(batch)]
            await self._ground.sqs.send_message_batch(
                QueueUrl=self._ground.queue_url, Entries=entries
            )
            self.puts += [Put(message, time.monotonic()) for message in batch]

    async def _put_records(self, stream: str, batch: Sequence[SentMessage]) -> None:
        """Put all; what the stream refuses for now is put again."""
        while batch:
            answer = await self._ground.kinesis.put_records(
                StreamName=stream,
                Records=[{"Data": m.body, "PartitionKey": m.contact_id or "none"} for m in batch],
            )
            outcomes = list(zip(batch, answer["Records"], strict=True))
            for message, taken in outcomes:
                if "ErrorCode" not in taken:
                    self._note(message, stream, taken["ShardId"], int(taken["SequenceNumber"]))
            batch = [message for message, outcome in outcomes if "ErrorCode" in outcome]

    def _note(self, message: SentMessage, stream: str, shard: str, sequence: int) -> None:
        put = Put(message, time.monotonic(), stream, shard, sequence)
        self.puts.append(put)
        if message.contact_id:  # what is malformed goes to quarantine each time it comes
            self._last[stream, shard] = put


def _slices(messages: Sequence[SentMessage], size: int) -> Iterator[Sequence[SentMessage]]:
    return (messages[at : at + size] for at in range(0, len(messages), size))
