"""Whatever comes back over the wire, a call of the store is answered or the store unavailable."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

import pytest

from pipelines.contact import Contact
from worker import aws
from worker.errors import ConfigError, StoreUnavailable
from worker.stores.dynamodb import DynamoStore
from worker.stores.layout import CONTACT, head
from worker.stores.protocol import Entry, FaultNote, Quarantined, Saved


pytestmark = pytest.mark.services

CALLS: dict[str, Callable[[DynamoStore], Awaitable[Any]]] = {
    "load": lambda store: store.load(["a"]),
    "begin": lambda store: store.save([Entry(Contact("a"))]),
    "save": lambda store: store.save([Entry(Contact("a"), 3)]),
    "put back": lambda store: store.put_back("a", 1, None, None),
    "due": lambda store: store.due(1.0, 3),
    "next due": lambda store: store.next_due(),
    "ahead": lambda store: store.ahead(1.0, 3),
    "parked": lambda store: store.parked("", 3),
    "counts": lambda store: store.counts(1.0),
    "forget": lambda store: store.forget(["a"]),
    "quarantine": lambda store: store.quarantine([Quarantined("q", 1.0, "o", "r", b"")]),
    "quarantined": lambda store: store.quarantined("", 3),
    "release": lambda store: store.release(["q"]),
    "positions": lambda store: store.positions("events"),
    "position": lambda store: store.set_position("events", "shard-0", "1"),
    "remember": lambda store: store.remember("start", "now"),
    "recall": lambda store: store.recall("start"),
    "replace": lambda store: store.replace("start", "now", "later"),
}


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        "Content-Type: application/x-amz-json-1.0",
        f"Content-Length: {len(body) if length is None else length}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


ID = "x-amzn-requestid: ABC"

ANSWERS = {
    "a page of a proxy": answer(b"<html>Sign in</html>"),
    "nothing in it": answer(b""),
    "an object of nobody": answer(b"{}"),
    "a list": answer(b"[]", ID),
    "null": answer(b"null", ID),
    "a text": answer(b'"done"', ID),
    "bytes": answer(b'{"a":"\xff\xfe"}', ID),
    "UTF-16": answer('{"a":1}'.encode("utf-16"), ID),
    "bad gzip": answer(b"\x1f\x8bxxxx", ID, "Content-Encoding: gzip"),
    "very deep": answer(b"[" * 100_000, ID),
    "cut short": answer(b'{"Responses":', ID, length=500),
    "a page with an error": answer(b"<html>", status="400 Bad Request"),
    "a list with an error": answer(b"[]", ID, status="400 Bad Request"),
    "a number as an error": answer(b'{"__type":7}', ID, status="400 Bad Request"),
    "reasons that are none": answer(
        b'{"__type":"TransactionCanceledException","CancellationReasons":7}',
        status="400 Bad Request",
    ),
    "a reason that is none": answer(
        b'{"__type":"TransactionCanceledException","CancellationReasons":[{}]}',
        status="400 Bad Request",
    ),
    "a server error": answer(b"oops", status="503 Service Unavailable"),
    "an odd status": answer(b"", status="999 What"),
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "another place": answer(b"", "Location: http://127.0.0.1:1/", status="302 Found"),
    "no HTTP": b"\x00\xff\r\n\r\n",
    "no answer": b"",
    "two lengths": answer(b"{}", "Content-Length: 3"),
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a huge header": answer(b"{}", f"X: {'a' * 100_000}"),
}

#: Answers to those calls alone whose answers hold something.
READS = [
    "load",
    "put back",
    "due",
    "next due",
    "ahead",
    "parked",
    "counts",
    "quarantined",
    "recall",
]
SHAPES = {
    "items that are none": b'{"Responses":5,"UnprocessedKeys":[],"Items":"x","Count":1}',
    "an item that is none": b'{"Responses":{"t":[5]},"UnprocessedKeys":{},"Items":[5],"Count":1}',
    "a mark that is none": b'{"Items":[],"Count":0,"LastEvaluatedKey":"x"}',
    "a mark of another kind": b'{"Items":[],"Count":0,"LastEvaluatedKey":{"pk":{}}}',
    "keys that are none": b'{"Responses":{},"UnprocessedKeys":{"t":{"Keys":"x"}}}',
    "half an answer": b"{",
}


@pytest.fixture
async def answering() -> AsyncIterator[Callable[[bytes], DynamoStore]]:
    """``answering(data)``: a store whose every request gets this answer."""
    current = [b""]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            sizes = [line.partition(b":")[2] for line in head if line.startswith(b"content-length")]
            await reader.readexactly(int(sizes[0]) if sizes else 0)
            writer.write(current[0])
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    connect = partial(aws.client, "dynamodb", endpoint_url=f"http://{host}:{port}", attempts=1)
    store = DynamoStore("t", connect=connect)

    def set_answer(data: bytes) -> DynamoStore:
        current[0] = data
        return store

    yield set_answer
    await store.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("what", ANSWERS)
async def test_an_answer_that_is_not_dynamodbs_makes_the_store_unavailable(
    answering: Callable[[bytes], DynamoStore], what: str
) -> None:
    """A page with status 200 above all: nothing was saved, so nothing may be acknowledged."""
    store = answering(ANSWERS[what])
    for call in CALLS.values():
        with pytest.raises(StoreUnavailable, match="DynamoDB: "):
            await call(store)


@pytest.mark.parametrize("what", SHAPES)
@pytest.mark.parametrize("call", READS)
async def test_an_answer_of_a_wrong_shape_makes_the_store_unavailable(
    answering: Callable[[bytes], DynamoStore], what: str, call: str
) -> None:
    store = answering(answer(SHAPES[what], ID))
    with pytest.raises(StoreUnavailable, match="an answer that is not DynamoDB's"):
        await CALLS[call](store)


async def test_what_no_request_can_hold_is_refused_and_holds_nobody_up(store: DynamoStore) -> None:
    """botocore refuses it before it is sent; what it says of it would quote the value."""
    odd = Entry(Contact("b"), claim=b"+4930901820")  # type: ignore[arg-type] # a bug of ours
    outcomes = await store.save([Entry(Contact("a")), odd, Entry(Contact("c"))])
    assert outcomes == [Saved.SAVED, Saved.REFUSED, Saved.SAVED]
    with pytest.raises(ConfigError) as raised:
        await store.remember("start", b"+4930901820")  # type: ignore[arg-type] # the same
    assert "4930901820" not in str(raised.value)
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("lacking", ["claim", "rank", "claimed_until", "version", "data"])
async def test_a_head_that_lacks_something_is_damaged_and_holds_nobody_up(
    store: DynamoStore, client: Any, table: str, lacking: str
) -> None:
    await store.save([Entry(Contact(key), due_at=1.0) for key in "ab"])
    await client.update_item(
        TableName=table,
        Key=head(CONTACT, "a"),
        UpdateExpression="REMOVE #name",
        ExpressionAttributeNames={"#name": lacking},
    )
    a, b = await store.load("ab")
    assert a.unreadable
    assert a.version == (0 if lacking == "version" else 1)
    assert b == Entry(Contact("b"), 1, 1.0)
    if lacking != "version":
        fault = FaultNote(a.unreadable, 1, 2.5, parked=True)
        assert await store.put_back("a", 1, None, fault)
        assert await store.due(9.0, 9) == ["b"]
        assert await store.parked("", 9) == ["a"]


async def test_a_message_in_quarantine_whose_bytes_were_damaged_is_still_listed(
    store: DynamoStore, client: Any, table: str
) -> None:
    messages = [Quarantined(key, 1.0, "sqs:r/1", "no JSON", b"{") for key in "ab"]
    await store.quarantine(messages)
    await client.update_item(
        TableName=table,
        Key=head("quarantine#", "a"),
        UpdateExpression="SET #data = :data",
        ExpressionAttributeNames={"#data": "data"},
        ExpressionAttributeValues={":data": {"B": b"damaged"}},
    )
    [a, b] = await store.quarantined("", 9)
    assert b == messages[1]
    assert (a.id, a.body) == ("a", b"")
    assert a.reason == "no JSON (its contents cannot be unpacked)"


async def test_a_put_back_repeated_because_its_answer_was_lost_is_done(
    store: DynamoStore, client: Any
) -> None:
    """As botocore repeats a request: the same, to the byte."""
    await store.save([Entry(Contact("a"), due_at=1.0, claim="w", claimed_until=9.0)])

    class Repeating:
        def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
            async def call(**request: Any) -> Any:
                with suppress(Exception):
                    await getattr(client, operation)(**request)
                return await getattr(client, operation)(**request)

            return call

    table = store._connection._table
    repeating = DynamoStore(table, connect=lambda: nullcontext(Repeating()))
    assert await repeating.put_back("a", 1, 5.0, None)
    assert not await repeating.put_back("a", 1, 5.0, None)
    assert await store.load(["a"]) == [Entry(Contact("a"), 2, 5.0)]
