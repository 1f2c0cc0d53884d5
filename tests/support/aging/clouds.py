"""What whole workers find outside in a simulated year: AWS, Entra and Dynamics, in memory."""

from __future__ import annotations

import asyncio

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from email.utils import formatdate
from itertools import count
from random import Random
from typing import Any, Final

import httpx
import orjson

from twins import kinesis
from worker.dynamics.errors import Unauthorized
from worker.leases.memory import MemoryLeases
from worker.sandbox.dataverse import limits
from worker.sandbox.dataverse.app import Dataverse
from worker.sandbox.traffic.people import AGENTS, QUEUES
from worker.stores.memory import MemoryStore


#: How long (s) a stream keeps what it was given.
RETENTION_S: Final = 86_400.0

#: Share of requests that are throttled on a day on which some are, and their Retry-After (s).
THROTTLED: Final = 0.5
RETRY_AFTER_S: Final = 20


class Stream(kinesis.Stream):
    """A stream whose closed shards go when all they held has."""

    def __init__(self, name: str, shards: int, wall: Callable[[], float]) -> None:
        self.name = name
        self._numbers = count()
        self._closed_at: dict[str, float] = {}
        super().__init__(shards, wall)

    def open(
        self, begin: int, end: int, parents: Iterable[str] = (), name: str | None = None
    ) -> str:
        return super().open(
            begin, end, parents, name or f"shardId-{self.name}-{next(self._numbers):06}"
        )

    def close(self, *shards: str) -> None:
        super().close(*shards)
        self._closed_at |= dict.fromkeys(shards, self.wall())

    def trim(self) -> None:
        """Drop what is older than the retention."""
        for shard, at in list(self._closed_at.items()):
            if self.wall() - at > RETENTION_S:
                del self.shards[shard], self._closed_at[shard]

    @property
    def opened(self) -> list[str]:
        """The open shards, by hash key."""
        there = (shard for shard in self.shards.values() if shard.ends is None)
        return [shard.name for shard in sorted(there, key=lambda shard: shard.hashes)]


class Queue:
    """An SQS queue."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, str]] = deque()
        self._taken: dict[str, str] = {}
        self._numbers = count()
        self._news = asyncio.Event()

    def put(self, body: str) -> None:
        """Take a message in."""
        self._waiting.append((str(next(self._numbers)), body))
        self._news.set()

    def __len__(self) -> int:
        """How many messages were not deleted yet."""
        return len(self._waiting) + len(self._taken)

    async def receive_message(self, **request: Any) -> dict[str, Any]:
        """One at a time."""
        try:
            async with asyncio.timeout(request["WaitTimeSeconds"]):
                while not self._waiting:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return {}
        name, body = self._waiting.popleft()
        self._taken[name] = body
        return {"Messages": [{"MessageId": name, "ReceiptHandle": name, "Body": body}]}

    async def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        """Delete what was received."""
        for entry in request["Entries"]:
            self._taken.pop(entry["ReceiptHandle"], None)
        return {}

    async def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        """Show again what is to be hidden no longer."""
        for entry in request["Entries"]:
            if not entry["VisibilityTimeout"] and (
                body := self._taken.pop(entry["ReceiptHandle"], None)
            ):
                self._waiting.append((entry["ReceiptHandle"], body))
        return {}


class _Connect:
    """Amazon Connect: knows agents and queues, and of contacts nothing beside their events."""

    def __init__(self) -> None:
        self._agents = {one.arn.rpartition("/")[2]: one.username for one in AGENTS}
        self._queues = {one.arn.rpartition("/")[2]: one.name for one in QUEUES}

    async def describe_user(self, **request: Any) -> dict[str, Any]:
        return {"User": {"Username": self._agents[request["UserId"]]}}

    async def describe_queue(self, **request: Any) -> dict[str, Any]:
        return {"Queue": {"Name": self._queues[request["QueueId"]]}}

    async def describe_contact(self, **_: Any) -> dict[str, Any]:
        return {"Contact": {}}

    async def get_contact_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {}}

    async def update_contact_attributes(self, **_: Any) -> dict[str, Any]:
        return {}


class _Files:
    async def get_object(self, **_: Any) -> dict[str, Any]:
        raise kinesis.refusal("NoSuchKey", 404)


class _Tables:
    async def describe_table(self, **_: Any) -> dict[str, Any]:
        return {"Table": {"TableId": "the only one"}}


class _Kinesis:
    def __init__(self, streams: Iterable[Stream], dated: Callable[[], None]) -> None:
        self._streams = {stream.name: stream for stream in streams}
        self._dated = dated

    async def list_shards(self, **request: Any) -> dict[str, Any]:
        self._dated()
        stream = self._streams[request["StreamName"]]
        return {"Shards": stream.listed(stream.shards)}

    async def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        self._dated()
        return self._of(request["ShardId"]).iterator(request)

    async def get_records(self, **request: Any) -> dict[str, Any]:
        self._dated()
        return self._of(request["ShardIterator"]).get(request)

    def _of(self, shard: str) -> Stream:
        return self._streams[shard.partition("-")[2].rpartition("-")[0]]


class Amazon:
    """AWS as a whole.

    Attributes:
        streams: By name.
        queue: The queue of recordings.
        leases: By table.
    """

    def __init__(self, names: Iterable[str], shards: int, wall: Callable[[], float]) -> None:
        self.streams = {name: Stream(name, shards, wall) for name in names}
        self.queue = Queue()
        self.leases: dict[str, MemoryLeases] = {}
        self._wall = wall

    @asynccontextmanager
    async def client(
        self, service: str, *, dated: Callable[[str], None] = lambda _date: None, **_: Any
    ) -> AsyncIterator[Any]:
        """See ``worker.aws.client``."""
        clients: dict[str, Callable[[], Any]] = {
            "kinesis": lambda: _Kinesis(
                self.streams.values(), lambda: dated(formatdate(self._wall(), usegmt=True))
            ),
            "sqs": lambda: self.queue,
            "connect": _Connect,
            "dynamodb": _Tables,
            "s3": _Files,
        }
        yield clients[service]()

    @asynccontextmanager
    async def open_leases(self, _connect: object, table: str) -> AsyncIterator[MemoryLeases]:
        """See ``worker.leases.dynamodb.open_leases``."""
        yield self.leases.setdefault(table, MemoryLeases())


class Web(httpx.AsyncBaseTransport):
    """The way to Dynamics.

    Attributes:
        down: Nobody answers.
        throttled: Some requests are answered 429.
        requests: How many were sent.
    """

    def __init__(self, dataverse: Dataverse, wall: Callable[[], float], random: Random) -> None:
        self.down = self.throttled = False
        self.requests = 0
        self._inner = httpx.ASGITransport(app=dataverse.app)
        self._wall = wall
        self._random = random

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request, or lose it."""
        self.requests += 1
        if self.down:
            raise httpx.ConnectError("no route")
        if self.throttled and self._random.random() < THROTTLED:
            error = orjson.dumps({"error": {"code": limits.TOO_MANY, "message": ""}})
            headers = {"OData-Version": "4.0", "Retry-After": str(RETRY_AFTER_S)}
            return httpx.Response(429, content=error, headers=headers)
        response = await self._inner.handle_async_request(request)
        response.headers["Date"] = formatdate(self._wall(), usegmt=True)
        return response


def asked_with(dataverse: Dataverse, client_id: str) -> Callable[..., Any]:
    """Takes the place of MSAL, which needs a thread: asks the sandbox's Entra for a token."""

    async def ask(_self: object, credential: object) -> dict[str, Any]:
        tokens = dataverse.tokens
        if credential != tokens.clients[client_id]:
            raise Unauthorized("Entra refuses", code="AADSTS7000222")
        return {"access_token": tokens.issue(client_id), "expires_in": tokens.expires_in_s}

    return ask


class Shared(MemoryStore):
    """One state of all workers, which no worker closes."""

    async def close(self) -> None:
        """See ``ContactStore``."""
