"""What Amazon Connect and S3 send of contacts that go on now: events, records, notifications."""

from __future__ import annotations

import asyncio

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.sandbox.traffic import EVENTS, RECORDINGS, RECORDS, SentMessage, objects
from worker.sandbox.traffic.events import event
from worker.sandbox.traffic.records import record


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from worker.sandbox.amazon.connect_api import AmazonConnect
    from worker.sandbox.traffic import Leg


@dataclass(frozen=True, slots=True)
class Pace:
    """How long everything takes (s).

    Attributes:
        queue: From a contact's begin to the queue.
        ring: From the queue to the first ring.
        missed: From the ring to a missed contact.
        connect: From the agent's answer to the connection.
        dial: From dialling to the customer's answer.
        event: From a moment to its event.
        record: From a contact's end to its record.
        recording: From a conversation's end to the file's notification.
    """

    queue: float = 0.2
    ring: float = 0.5
    missed: float = 20
    connect: float = 0.3
    dial: float = 2
    event: float = 0.3
    record: float = 5
    recording: float = 3


class Outbox:
    """Sends in the order of the moments at which things leave Connect.

    Args:
        amazon: Knows the attributes written back, which change what is sent.
        send: Takes one message.
        clock: Wall-clock time (s since 1970).
        rng: Source of event ids.
        pace: How long everything takes.
    """

    def __init__(
        self,
        amazon: AmazonConnect,
        send: Callable[[SentMessage], Awaitable[object]],
        clock: Callable[[], float],
        rng: Random,
        pace: Pace,
    ) -> None:
        self._amazon = amazon
        self._send = send
        self._clock = clock
        self._rng = rng
        self._pace = pace
        self._begin_s = clock()
        self._due: asyncio.Queue[Callable[[], SentMessage]] = asyncio.Queue()
        self._timers: set[asyncio.TimerHandle] = set()

    def later(self, after_s: float, act: Callable[[], object]) -> asyncio.TimerHandle:
        """Do something later, unless ``run`` has ended by then."""

        def done() -> None:
            self._timers.discard(timer)
            act()

        timer = asyncio.get_running_loop().call_later(after_s, done)
        self._timers.add(timer)
        return timer

    def event(self, leg: Leg, kind: str) -> None:
        """Send the event of what has just happened."""
        body = event(leg, kind, leg.now_ms, self._rng)
        self._put(self._pace.event, lambda: self._message(EVENTS, leg, body))

    def record(self, leg: Leg) -> None:
        """Send the record of a contact that is over."""

        def told() -> SentMessage:
            return self._message(RECORDS, leg, record(leg, int(self._clock() * 1000)))

        self._put(self._pace.record, told)

    def store(self, leg: Leg, kind: str) -> None:
        """Put a file of the contact into the bucket, and send its notification."""
        objects.store(leg, kind, int(self._pace.recording * 1000))
        body = objects.notification(leg.stored[-1], self._rng)
        self._put(self._pace.recording, lambda: self._message(RECORDINGS, leg, body))

    async def run(self) -> None:
        """Send what is due until cancelled; what is not due by then is never sent."""
        try:
            while True:
                make = await self._due.get()
                for message in self._amazon.told([make()]):
                    await self._send(message)
        finally:
            for timer in self._timers:
                timer.cancel()

    def _put(self, after_s: float, make: Callable[[], SentMessage]) -> None:
        self.later(after_s, lambda: self._due.put_nowait(make))

    def _message(self, stream: str, leg: Leg, body: bytes) -> SentMessage:
        return SentMessage(self._clock() - self._begin_s, stream, leg.id, body)
