"""The protocol of a source of messages: Kinesis, SQS, an archive, or memory."""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One message as received.

    Attributes:
        body: The bytes.
        origin: Where it came from, for quarantine and logs, e.g.
            ``kinesis:contact-events/shardId-000000000000/4960…``, ``sqs:recordings/<message id>``
            or ``archive:2026-01-02.json.gz:17``. Never holds personal data.
        damage: Why the bytes could not be read whole (``line longer than 8 MiB``), if so: the
            message goes to quarantine without being decoded.
        arrived: When (s since 1970) the stream or queue received it, by its clock; None: unknown.
        place: Where it stands in what it was read from, compared as text: a shard's name and the
            sequence number, or a file's name and the number in it; "" where nothing is in order.
    """

    body: bytes
    origin: str
    damage: str | None = None
    arrived: float | None = None
    place: str = ""


#: Takes a batch and returns once all of it is saved, quarantined or ignored on purpose.
#: The source acknowledges the batch only after it has returned (invariant I2); if it raises
#: ``StoreUnavailable``, the batch is not safe and is delivered again.
Handle = Callable[[Sequence[Message]], Awaitable[None]]


class Source(Protocol):
    """Something that delivers messages."""

    async def run(self, handle: Handle, stop: asyncio.Event) -> None:
        """Deliver batches until exhausted or ``stop`` is set.

        Batches of one shard come one after the other; different shards run concurrently. After
        ``stop`` no further batch is delivered; the one in hand is finished and acknowledged.
        """
        ...
