"""What the readers of one Kinesis stream share."""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypedDict, TypeVar

import structlog

from worker import aws, heartbeat
from worker.clock import Clock
from worker.faults import Faults
from worker.moments import Moments
from worker.outside_time import OutsideTime
from worker.retry import ignore, retry_until
from worker.sources.budget import ReadBudget
from worker.sources.positions import NOW, remembered_start
from worker.sources.shards import Shard, from_listing


T = TypeVar("T")

log = structlog.get_logger(__name__)

BUDGET_BYTES: Final = 64 * 1024 * 1024


class Kinesis(Protocol):
    """The calls of an aiobotocore Kinesis client that we use."""

    async def list_shards(self, **request: Any) -> dict[str, Any]:
        """One page of a stream's shards."""
        ...

    async def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        """An iterator: a place to read from."""
        ...

    async def get_records(self, **request: Any) -> dict[str, Any]:
        """The records there, and the next iterator."""
        ...


class Reading(TypedDict, total=False):
    """Options for reading a stream, described at ``StreamContext``."""

    poll_s: float
    limit: int
    slice_bytes: int
    budget: ReadBudget
    clock: Clock
    outside: OutsideTime
    on_lag: Callable[[str, str, int | None], None]
    on_trouble: Callable[[str, str, str], None]
    faults: Faults


@dataclass(frozen=True, slots=True)
class StreamContext:
    """What the readers of one stream share.

    Attributes:
        client: Calls AWS.
        stream: The stream's name or ARN.
        poll_s: Seconds between reads of a shard that has caught up.
        limit: Records requested at a time, at most 10 000.
        slice_bytes: Most bytes in one batch, unless a single record is larger.
        budget: Limits the bytes in memory; several streams may share one.
        clock: Time and chance.
        outside: The time by the clocks of others; None: by ``clock`` alone.
        on_lag: Called with (stream, shard, ms behind the newest record) at each read, and with None
            once the shard is not read any more.
        on_trouble: Called with (stream, shard or "", code) of every failed try.
        faults: Contains bugs in one reader.
    """

    client: Kinesis
    stream: str
    poll_s: float = 1.0
    limit: int = 10_000
    slice_bytes: int = 4 * 1024 * 1024
    budget: ReadBudget = field(default_factory=lambda: ReadBudget(BUDGET_BYTES))
    clock: Clock = field(default_factory=Clock)
    outside: OutsideTime | None = None
    on_lag: Callable[[str, str, int | None], None] = ignore
    on_trouble: Callable[[str, str, str], None] = ignore
    faults: Faults = field(default_factory=Faults)

    @property
    def time(self) -> OutsideTime:
        """The current time."""
        return self.outside or OutsideTime(self.clock)

    @property
    def name(self) -> str:
        """The stream's name, without the rest of an ARN."""
        return self.stream.rpartition("/")[2]

    @property
    def target(self) -> Mapping[str, str]:
        """The argument that names the stream to AWS."""
        return self.arn or {"StreamName": self.stream}

    @property
    def arn(self) -> Mapping[str, str]:
        """The argument for calls that need no stream name, but use an ARN to find the account."""
        return {"StreamARN": self.stream} if self.stream.startswith("arn:") else {}

    async def shards(self, **chosen: Any) -> list[Shard]:
        """The shards within the stream's retention, open and closed, or those ``chosen``."""
        shards: list[Shard] = []
        request = {**self.target, **chosen}
        while True:
            found, token = await aws.asked(partial(self.client.list_shards, **request), _listed)
            shards += found
            if not token:
                heartbeat.connected()
                return shards
            # With a token AWS refuses the stream's name (API reference, ListShards).
            request = {**self.arn, "NextToken": token}

    async def start(self, memory: Moments, start: str) -> str:
        """Where the stream begins, see ``remembered_start``.

        AWS is called first, as its answer corrects our clock should it be wrong.
        """
        if start == NOW:
            await self.shards()
        return await remembered_start(memory, self.stream, start, self.time)

    async def retry(
        self, call: Callable[[], Awaitable[T]], stop: asyncio.Event, shard: str = ""
    ) -> T | None:
        """Retry a call to AWS or the store until it succeeds; None if it failed until ``stop``."""
        failed = aws.reporting(partial(self.report, shard=shard))
        return await retry_until(
            call, clock=self.clock, errors=aws.OUTSIDE, failed=failed, stop=stop
        )

    async def again(
        self,
        boundary: str,
        loop: Callable[[], Awaitable[None]],
        stop: asyncio.Event,
        shard: str = "",
    ) -> None:
        """Restart a loop after each bug, until it returns; the loop must observe ``stop``."""
        await self.faults.again(
            boundary, loop, self.clock, stop=stop, stream=self.name, shard=shard
        )

    def report(self, code: str, shard: str = "") -> None:
        """Report that a try failed."""
        log.warning("kinesis.trouble", stream=self.stream, shard=shard, code=code)
        self.on_trouble(self.stream, shard, code)


def _listed(answer: Mapping[str, Any]) -> tuple[list[Shard], str | None]:
    """The shards on one page of a listing, and the token of the next one."""
    return [from_listing(listed) for listed in answer["Shards"]], answer.get("NextToken")
