"""An SQS standard queue as a source.

SQS delivers at least once and may deliver a message again while it is being worked on. A message
is therefore identified by its id, processed once at a time, and deleted with its newest receipt
handle.

``handle`` is not expected to raise, as it quarantines what cannot be used. If it does, the messages
become visible again after a back-off that grows with their receive count, so that the queue's
dead-letter policy can count. ``StoreUnavailable`` is reported and the receiver continues, since the
next try may succeed. Anything else is a bug: it is counted, and the messages are delivered one by
one, so that it costs only those that trigger it. On cancellation nothing is released: the messages
come back when their visibility timeout ends.
"""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import structlog

from pipelines.decode.arrival import seconds
from worker import aws, heartbeat
from worker.clock import Backoff, Clock, alongside, run_until
from worker.errors import StoreUnavailable
from worker.faults import Faults
from worker.retry import ignore, retry_until
from worker.sources.protocol import Handle, Message


T = TypeVar("T")

log = structlog.get_logger(__name__)

#: Most messages in one receive and in one batch request (SQS API reference, ReceiveMessage).
BATCH: Final = 10
LONG_POLL_S: Final = 20
#: No message stays invisible longer than this after a receive, however often it is extended
#: (SQS Developer Guide, "visibility timeout").
LONGEST_HOLD_S: Final = 12 * 3600
#: Seconds to wait after the first failed handling; doubles with each receive.
RELEASE_FIRST_S: Final = 5
RELEASE_LONGEST_S: Final = 900
#: Tries to delete a message before it is left to be delivered again.
DELETE_TRIES: Final = 5
#: Codes for a receipt handle that is no longer valid; repeating is useless.
STALE: Final = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight"})


class Sqs(Protocol):
    """The calls of an aiobotocore SQS client that we make."""

    async def receive_message(self, **request: Any) -> dict[str, Any]:
        """Wait for up to ten messages."""
        ...

    async def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        """Delete up to ten; the answer lists which failed."""
        ...

    async def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        """Hide up to ten for some time from now; the answer lists which failed."""
        ...


@dataclass(slots=True)
class Held:
    """A message in hand.

    Attributes:
        id: The message's id, the same at every receive.
        receipt: The newest receipt handle seen.
        received_at: Monotonic time (s) of that receive; ``LONGEST_HOLD_S`` counts from it.
        count: How often it has been received.
        body: The bytes.
        sent_at: When (s since 1970) SQS received it, if known.
    """

    id: str
    receipt: str
    received_at: float
    count: int
    body: bytes
    sent_at: float | None


class SqsQueue:
    """Delivers the messages of a queue, at most ten at a time per receiver.

    Args:
        connect: Makes an SQS client, e.g. ``partial(aws.client, "sqs")``.
        queue_url: The queue's URL.
        receivers: How many batches may be processed concurrently.
        visibility_s: How long (whole seconds, at least 3) SQS hides a message after a receive or
            an extension; extended every third of it while ``handle`` works.
        clock: Time and chance.
        on_trouble: Called with (queue's name, code) of every failed try.
        faults: Contains bugs in one message or receiver.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[Sqs]],
        queue_url: str,
        *,
        receivers: int = 1,
        visibility_s: int = 120,
        clock: Clock | None = None,
        on_trouble: Callable[[str, str], None] = ignore,
        faults: Faults | None = None,
    ) -> None:
        self.name = queue_url.rpartition("/")[2]
        self._connect = connect
        self._url = queue_url
        self._receivers = receivers
        self._visibility_s = visibility_s
        self._clock = clock or Clock()
        self._on_trouble = on_trouble
        self._faults = faults or Faults()
        self._in_hand: dict[str, Held] = {}

    async def run(self, handle: Handle, stop: asyncio.Event) -> None:
        """Receive until ``stop`` is set; then finish and delete the batches in hand.

        Raises:
            ConfigError: AWS cannot be used as configured.
        """
        async with self._connect() as client, asyncio.TaskGroup() as tasks:
            receive = partial(self._receive_on, client, handle, stop)
            for _ in range(self._receivers):
                tasks.create_task(
                    self._faults.again("source", receive, self._clock, stop=stop, queue=self.name)
                )

    async def _receive_on(self, client: Sqs, handle: Handle, stop: asyncio.Event) -> None:
        backoff = Backoff(self._clock.chance)
        while not stop.is_set():
            answer = await self._retry(lambda: run_until(stop, self._receive(client)), stop)
            batch = self._hold(answer or ())
            if stop.is_set():
                await self._hide(client, batch, lambda _: 0)
                self._let_go(batch)
            elif batch:
                if await self._work_on(client, batch, handle, stop):
                    backoff.succeeded()
                else:  # slowly, or an outage of the store would drive all into the dead letters
                    await run_until(stop, self._clock.sleep(backoff.failed()))

    async def _receive(self, client: Sqs) -> list[Held]:
        request: dict[str, Any] = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": BATCH,
            "WaitTimeSeconds": LONG_POLL_S,
            "VisibilityTimeout": self._visibility_s,
            "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
        }
        received = await aws.asked(partial(client.receive_message, **request), self._received)
        heartbeat.connected()
        return received

    def _received(self, answer: dict[str, Any]) -> list[Held]:
        return [self._held(message) for message in answer.get("Messages") or ()]

    def _held(self, message: dict[str, Any]) -> Held:
        attributes = message.get("Attributes", {})
        return Held(
            id=str(message["MessageId"]),
            receipt=str(message["ReceiptHandle"]),
            received_at=self._clock.monotonic(),
            count=int(attributes.get("ApproximateReceiveCount", 1)),
            body=message["Body"].encode(errors="surrogatepass"),  # the decoder refuses it
            sent_at=seconds(attributes.get("SentTimestamp")),
        )

    def _hold(self, received: Iterable[Held]) -> list[Held]:
        """Record the new messages; of those in hand already, keep the newer receipt handle."""
        new = []
        for held in received:
            known = self._in_hand.get(held.id)
            if known:
                known.receipt, known.received_at = held.receipt, held.received_at
            else:
                self._in_hand[held.id] = held
                new.append(held)
        return new

    def _let_go(self, batch: Sequence[Held]) -> None:
        for held in batch:
            del self._in_hand[held.id]

    async def _work_on(
        self, client: Sqs, batch: list[Held], handle: Handle, stop: asyncio.Event
    ) -> bool:
        """Handle and delete a batch; False if none of it could be handled."""
        done: list[Held] = []
        try:
            try:
                async with alongside(self._keep_hidden(client, batch)):
                    done = await self._handled(batch, handle)
                    await self._delete(client, done, stop)
            except StoreUnavailable as failure:
                self._report(aws.code(failure))
            await self._hide(client, [held for held in batch if held not in done], release_after_s)
        finally:
            self._let_go(batch)
        return bool(done)

    async def _handled(self, batch: list[Held], handle: Handle) -> list[Held]:
        """Those that could be handled: all or, after a bug, those that succeed one by one.

        Raises:
            StoreUnavailable: Raised by ``handle``; nothing of the batch counts as handled.
        """
        where = batch[0].id if len(batch) == 1 else ""
        with self._faults.contained("source", queue=self.name, message=where):
            await handle([self._message(held) for held in batch])
            return batch
        if len(batch) == 1:
            return []
        return [held for one in batch for held in await self._handled([one], handle)]

    def _message(self, held: Held) -> Message:
        return Message(held.body, f"sqs:{self.name}/{held.id}", arrived=held.sent_at)

    async def _keep_hidden(self, client: Sqs, batch: Sequence[Held]) -> None:
        """Extend the visibility every third of its timeout, while SQS allows, until cancelled."""
        while True:
            await self._clock.sleep(self._visibility_s / 3)
            extensible = [held for held in batch if self._extension_s(held) > 0]
            if len(extensible) < len(batch):
                self._report("HeldTooLong")
            await self._hide(client, extensible, self._extension_s)

    def _extension_s(self, held: Held) -> int:
        left_s = held.received_at + LONGEST_HOLD_S - self._clock.monotonic()
        return min(self._visibility_s, int(left_s))

    async def _hide(
        self, client: Sqs, batch: Sequence[Held], seconds: Callable[[Held], int]
    ) -> None:
        """Hide the messages for ``seconds`` from now. Not retried: they become visible anyway."""
        if not batch:
            return
        entries = [
            {"Id": str(n), "ReceiptHandle": held.receipt, "VisibilityTimeout": seconds(held)}
            for n, held in enumerate(batch)
        ]
        hide = partial(client.change_message_visibility_batch, QueueUrl=self._url, Entries=entries)
        try:
            await aws.asked(hide, self._failed)
        except aws.FAILURES as failure:
            self._report(aws.code(failure))

    async def _delete(self, client: Sqs, batch: list[Held], stop: asyncio.Event) -> None:
        """Delete the messages; retry those that failed, with their newest receipt handles."""
        backoff = Backoff(self._clock.chance)
        for _ in range(DELETE_TRIES):
            batch = await self._retry(partial(self._delete_once, client, batch), stop) or []
            if not batch:
                return
            await run_until(stop, self._clock.sleep(backoff.failed()))

    async def _delete_once(self, client: Sqs, batch: list[Held]) -> list[Held]:
        """Delete the messages; those to retry."""
        entries = [{"Id": str(n), "ReceiptHandle": held.receipt} for n, held in enumerate(batch)]
        delete = partial(client.delete_message_batch, QueueUrl=self._url, Entries=entries)
        return await aws.asked(delete, lambda answer: [batch[n] for n in self._failed(answer)])

    def _failed(self, answer: dict[str, Any]) -> list[int]:
        """Report the failed entries of a batch answer; the numbers of those to retry."""
        failed = [(int(entry["Id"]), str(entry["Code"])) for entry in answer.get("Failed") or ()]
        for _, code in failed:
            self._report(code)
        return [number for number, code in failed if code not in STALE]

    async def _retry(self, call: Callable[[], Awaitable[T]], stop: asyncio.Event) -> T | None:
        return await retry_until(
            call,
            clock=self._clock,
            errors=aws.OUTSIDE,
            failed=aws.reporting(self._report),
            stop=stop,
        )

    def _report(self, code: str) -> None:
        log.warning("sqs.trouble", queue=self.name, code=code)
        self._on_trouble(self.name, code)


def release_after_s(held: Held) -> int:
    """Seconds for which a message stays hidden after its handling failed."""
    return min(RELEASE_FIRST_S << min(held.count - 1, 10), RELEASE_LONGEST_S)
