"""An SQS queue on moto."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from worker import aws
from worker.sources.protocol import Message
from worker.sources.sqs import Sqs, SqsQueue


pytestmark = pytest.mark.services

WAIT_S = 60.0


class FirstDeleteFails:
    """A client whose first DeleteMessageBatch is answered 200 with every entry failed."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.deletes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        self.deletes += 1
        if self.deletes > 1:
            answer: dict[str, Any] = await self._client.delete_message_batch(**request)
            return answer
        failed = [
            {"Id": entry["Id"], "Code": "InternalError", "SenderFault": False}
            for entry in request["Entries"]
        ]
        return {"Failed": failed}


@pytest.fixture
async def queue(moto_server: str, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Any, str]]:
    async with aws.client("sqs", endpoint_url=moto_server, whole=True) as client:
        answer = await client.create_queue(QueueName=request.node.name[:80])
        yield client, answer["QueueUrl"]


async def left_in(client: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = await client.get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)


async def send(client: Any, url: str, count: int) -> None:
    for n in range(count):
        await client.send_message(QueueUrl=url, MessageBody=f"message {n}")


async def test_a_queue_is_emptied_by_several_receivers(
    moto_server: str, queue: tuple[Any, str]
) -> None:
    client, url = queue
    await send(client, url, 35)
    got: list[bytes] = []
    stop = asyncio.Event()

    async def handle(batch: Sequence[Message]) -> None:
        got.extend(message.body for message in batch)
        if len(got) >= 35:
            stop.set()

    source = SqsQueue(partial(aws.client, "sqs", endpoint_url=moto_server), url, receivers=3)
    async with asyncio.timeout(WAIT_S):
        await source.run(handle, stop)
    assert sorted(got) == sorted(f"message {n}".encode() for n in range(35))
    assert await left_in(client, url) == 0


async def test_entries_that_a_delete_reports_as_failed_are_deleted_again(
    queue: tuple[Any, str],
) -> None:
    client, url = queue
    await send(client, url, 3)
    failing = FirstDeleteFails(client)
    troubles: list[str] = []
    stop = asyncio.Event()

    @asynccontextmanager
    async def connect() -> AsyncIterator[Sqs]:
        yield failing

    async def handle(_: Sequence[Message]) -> None:
        return

    def on_trouble(_: str, code: str) -> None:
        troubles.append(code)
        asyncio.get_running_loop().call_later(0.01, watch)

    def watch() -> None:
        if failing.deletes > 1:
            stop.set()
        else:
            asyncio.get_running_loop().call_later(0.01, watch)

    make: AbstractAsyncContextManager[Sqs] = connect()
    source = SqsQueue(lambda: make, url, on_trouble=on_trouble)
    async with asyncio.timeout(WAIT_S):
        await source.run(handle, stop)
    assert await left_in(client, url) == 0
    assert set(troubles) == {"InternalError"}


async def test_a_message_in_hand_longer_than_its_visibility_is_handled_once(
    moto_server: str, queue: tuple[Any, str]
) -> None:
    client, url = queue
    await send(client, url, 1)
    handled: list[bytes] = []
    stop, extended = asyncio.Event(), asyncio.Event()

    class Watched:
        def __init__(self, client: Any) -> None:
            self._client = client
            self.extensions = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

        async def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
            answer: dict[str, Any] = await self._client.change_message_visibility_batch(**request)
            self.extensions += 1
            if self.extensions == 4:  # 4/3 of the visibility have passed
                extended.set()
            return answer

    @asynccontextmanager
    async def connect() -> AsyncIterator[Sqs]:
        async with aws.client("sqs", endpoint_url=moto_server) as own:
            yield Watched(own)

    async def handle(batch: Sequence[Message]) -> None:
        handled.extend(message.body for message in batch)
        await extended.wait()
        stop.set()

    source = SqsQueue(connect, url, receivers=2, visibility_s=3)
    async with asyncio.timeout(WAIT_S):
        await source.run(handle, stop)
    assert handled == [b"message 0"]
    assert await left_in(client, url) == 0
