"""What the readers of one Kinesis stream share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from worker.sources.budget import Budget
from worker.sources.pace import Clock
from worker.sources.positions import Begin, Checkpoints
from worker.sources.shards import Shard, from_listing


class Kinesis(Protocol):
    """The calls of an aiobotocore Kinesis client that we make."""

    async def list_shards(self, **request: Any) -> dict[str, Any]:
        """One page of a stream's shards."""
        ...

    async def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        """A place to read from."""
        ...

    async def get_records(self, **request: Any) -> dict[str, Any]:
        """The records there, and the next place."""
        ...


@dataclass(frozen=True, slots=True)
class Feed:
    """What the readers of one stream share.

    Attributes:
        client: Calls AWS.
        stream: The stream's name or ARN; its checkpoints are kept under it.
        checkpoints: Where positions are kept.
        begin: Where a shard without a checkpoint begins.
        poll_s: Seconds between reads of a shard that has caught up.
        limit: Records asked for at once.
        slice_bytes: Bytes in one batch at most, unless a single record is larger.
        budget: Bounds the bytes in hand.
        clock: Time and chance.
        on_lag: Told (stream, shard, ms behind the newest record).
        on_trouble: Told (stream, shard or "", code) of every failed try.
    """

    client: Kinesis
    stream: str
    checkpoints: Checkpoints
    begin: Begin
    poll_s: float
    limit: int
    slice_bytes: int
    budget: Budget
    clock: Clock
    on_lag: Callable[[str, str, int], None]
    on_trouble: Callable[[str, str, str], None]

    @property
    def name(self) -> str:
        """The stream's name without what an ARN puts before it."""
        return self.stream.rpartition("/")[2]

    @property
    def target(self) -> Mapping[str, str]:
        """The argument that names the stream to AWS."""
        return self.arn or {"StreamName": self.stream}

    @property
    def arn(self) -> Mapping[str, str]:
        """The argument for calls that need no name, but take an ARN to find the account."""
        return {"StreamARN": self.stream} if self.stream.startswith("arn:") else {}

    async def shards(self) -> list[Shard]:
        """All shards within the stream's retention, open and closed."""
        shards: list[Shard] = []
        request = self.target
        while True:
            page = await self.client.list_shards(**request)
            shards += map(from_listing, page["Shards"])
            token = page.get("NextToken")
            if not token:
                return shards
            # With a token AWS refuses the stream's name (API reference, ListShards).
            request = {**self.arn, "NextToken": token}
