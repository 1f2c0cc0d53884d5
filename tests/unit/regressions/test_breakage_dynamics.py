"""Connections to Dynamics as an attacker or a bad day has them, byte by byte.

Beside this file: ``test_breakage_answers``,
``_entra``, ``_pressure`` and ``_proxies``.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import time
import tracemalloc
import zlib

from pathlib import Path

import orjson
import pytest

from rawserver import FOUND, HEAD, ROWS, Answering, Conversation, Server, well
from worker.dynamics.errors import DynamicsError, Refused, Unavailable
from worker.dynamics.gate import make_gate
from worker.dynamics.protocol import Request


ID = "11111111-2222-4333-8444-555555555555"
UPDATE = Request("PATCH", f"phonecalls({ID})", {"If-Match": "*"}, {"category": "VOICE"})
FIND = Request("GET", "contacts?$select=contactid&$filter=telephone1%20eq%20'1'")
DONE = b"HTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\nOData-EntityId: https://x/y(1)\r\n\r\n"

#: A TLS record that says "internal error", in the clear as an attacker would have to send it.
ALERT = b"\x15\x03\x03\x00\x02\x02\x50"

# --- whatever happens to a connection is no answer, and the next one counts ---


async def by_abort(conversation: Conversation) -> None:
    conversation.abort()


async def by_goodbye(conversation: Conversation) -> None:
    conversation.writer.close()


async def by_plain_text(conversation: Conversation) -> None:
    conversation.beneath(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
    await asyncio.sleep(0.01)


async def by_an_alert(conversation: Conversation) -> None:
    conversation.beneath(ALERT)
    await asyncio.sleep(0.01)


@pytest.mark.services
@pytest.mark.parametrize(
    ("request_", "answer"), [(FIND, FOUND), (UPDATE, DONE)], ids=["GET", "PATCH"]
)
@pytest.mark.parametrize("end", [by_abort, by_goodbye, by_plain_text, by_an_alert])
async def test_a_connection_that_breaks_at_any_byte_is_no_answer_and_the_next_one_counts(
    server: Server, end: Answering, request_: Request, answer: bytes
) -> None:
    cuts = [*range(0, len(answer), 9), len(answer) - 1, len(answer)]

    async def breaking(conversation: Conversation) -> None:
        await conversation.request()
        broken = conversation.number % 2 and conversation.number // 2 < len(cuts)
        if broken:
            await conversation.say(answer[: cuts[conversation.number // 2]])
            await end(conversation)
        else:
            await conversation.say(answer.replace(b"OData", b"Connection: close\r\nOData", 1))

    async with server.answering(breaking), server.client() as client:
        for _ in range(len(cuts) + 1):
            got = await client.send(request_, timeout_s=10)
            assert got.status == (200 if request_ is FIND else 204)
    assert server.connections >= 2 * len(cuts)


@pytest.mark.services
@pytest.mark.parametrize(
    "junk",
    [
        b"HTTP/1.1 200\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 5_000 + b"\r\n",
        b"HTTP/9.9 999 \xff\xfe\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\x00\x01: \x02\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 Found\r\nLocation: https://\xff\xfe:99999999/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(64),
        b"\n" * 1000,
        gzip.compress(FOUND),
    ],
)
async def test_an_answer_that_is_no_http_is_no_answer_and_the_next_one_counts(
    server: Server, junk: bytes
) -> None:
    async def odd_once(conversation: Conversation) -> None:
        if conversation.number > 1:
            return await well(conversation)
        await conversation.request()
        return await conversation.say(junk)

    async with server.answering(odd_once), server.client() as client:
        with pytest.raises(Unavailable) as caught:
            await client._exchange(UPDATE, 5)  # a read would be repeated below, once
        assert (await client.send(FIND, timeout_s=10)).status == 200
    assert "yyy" not in str(caught.value)


@pytest.mark.services
@pytest.mark.parametrize(
    "cookie", [b"a=1; Domain=..; Expires=x", b"\xff=\xfe", b"=;=;" * 500, b"a=b"]
)
async def test_cookies_of_any_form_are_neither_taken_nor_in_the_way(
    server: Server, cookie: bytes
) -> None:
    async def setting(conversation: Conversation) -> None:
        while True:
            server.heads.append(await conversation.request())
            await conversation.say(
                FOUND.replace(b"OData", b"Set-Cookie: " + cookie + b"\r\nOData", 1)
            )

    async with server.answering(setting), server.client() as client:
        for _ in range(2):
            await client.send(FIND, timeout_s=10)
    assert not any(b"cookie:" in head.lower() for head in server.heads)


@pytest.mark.services
async def test_a_server_that_stops_in_the_midst_of_tls_is_no_answer(server: Server) -> None:
    async def rude(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(rude, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening, server.client() as client:
        with pytest.raises(Unavailable, match=r"ConnectError: .*SSL"):
            await client.send(FIND, timeout_s=10)


# --- what leaves is what was rendered; what is offered is HTTP/1.1 ---


@pytest.mark.services
@pytest.mark.parametrize(
    "path",
    [
        "contacts?$filter=telephone1%20eq%20'%2B1%27%27%23'&$top=1",
        "contacts?$filter=contains(fullname,%27%25%3f%2f%26%5B%5d%27)",
        "contacts(emailaddress1='a%2Fb%40c')?$select=contactid",
        "contacts?$filter=a%20eq%20%27%C3%A9%E2%82%AC%27%20and%20(b%20eq%201)",
        "contacts?x=%2e%2E/..%2f&y=a+b%2Bc;d",
    ],
)
async def test_an_address_arrives_byte_for_byte_as_it_was_rendered(
    server: Server, path: str
) -> None:
    async def noting(conversation: Conversation) -> None:
        server.heads.append(await conversation.request())
        await conversation.say(FOUND)

    async with server.answering(noting), server.client() as client:
        await client._once(Request("GET", path), "t")
    (head,) = server.heads
    assert head.split(b"\r\n")[0] == f"GET /api/data/v9.2/{path} HTTP/1.1".encode()


@pytest.mark.services
async def test_no_http_2_is_offered_to_a_server_that_would_like_it(server: Server) -> None:
    server.context.set_alpn_protocols(["h2", "http/1.1"])
    chosen: list[str | None] = []

    async def asking(conversation: Conversation) -> None:
        tls = conversation.writer.get_extra_info("ssl_object")
        chosen.append(tls.selected_alpn_protocol())
        await well(conversation)

    async with server.answering(asking), server.client() as client:
        await client.send(FIND, timeout_s=10)
    assert chosen == ["http/1.1"]


def test_no_lock_extra_or_page_has_http_2() -> None:
    root = Path(__file__).parents[3]
    shipped = [
        root / "infra" / "locks" / f"{name}.txt" for name in ("worker", "lambda", "run", "dev")
    ]
    named = re.compile(r"(?i)^(h2|hpack|hyperframe)==|http/2|\bhttp2\b", re.MULTILINE)
    pages = [root / "README.md", root / "pyproject.toml", *root.glob("infra/**/*.md")]
    found = [path for path in (*shipped, *pages) if named.search(path.read_text(encoding="utf-8"))]
    assert not found
    assert all(path.stat().st_size for path in shipped)


@pytest.mark.services
async def test_no_more_connections_are_opened_than_there_may_be(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.dynamics.transport.MAX_CONNECTIONS", 3)
    gate = make_gate(max_slots=50)
    gate.slots._slots = 50.0
    async with server.answering(well), server.client(gate) as client:
        await asyncio.gather(*(client.send(FIND, timeout_s=10) for _ in range(50)))
    assert server.connections == 3


@pytest.mark.services
async def test_the_time_that_answers_tell_is_told_and_odd_times_are_not(server: Server) -> None:
    dates = [
        b"Date: Fri, 02 Jan 2026 03:00:00 GMT\r\n",
        b"Date: Fri, 02 Jan 2026 03:00:00 +99999999\r\n",
        b"Date: yesterday\r\n",
        b"",
    ]
    told: list[float] = []

    async def dating(conversation: Conversation) -> None:
        for date in dates:
            await conversation.request()
            await conversation.say(FOUND.replace(b"OData", date + b"OData", 1))

    async with server.answering(dating), server.client(dated=told.append) as client:
        for _ in dates:
            await client.send(FIND, timeout_s=10)
    assert told == [1_767_322_800.0]


# --- one limit for the whole exchange, and what fell silent is dropped ---


@pytest.mark.services
@pytest.mark.parametrize("part", ["head", "body", "nothing"])
async def test_a_connection_that_drips_or_falls_silent_is_dropped_with_its_time(
    server: Server, part: str
) -> None:
    async def silent_second(conversation: Conversation) -> None:
        if conversation.number > 1:
            return await well(conversation)
        await conversation.request()
        await conversation.say(FOUND)
        await conversation.request()
        await conversation.say({"head": b"", "body": HEAD, "nothing": b""}[part])
        endless = {"head": b"HTTP/1.1 200 OK\r\n", "body": b"Content-Length: 9999\r\n\r\n"}
        for byte in endless.get(part, b"") + b"x" * 1000:
            if part != "nothing":
                await conversation.say(bytes([byte]))
            await asyncio.sleep(0.005)
        return None

    async with server.answering(silent_second), server.client() as client:
        await client.send(FIND, timeout_s=10)
        began = time.monotonic()
        with pytest.raises(Unavailable, match="in time"):
            await client.send(FIND, timeout_s=0.2)
        assert time.monotonic() - began < 1
        assert (await client.send(FIND, timeout_s=10)).status == 200
    assert server.connections == 2


# --- packed once, in a known way, and unpacked no further than wanted ---


def packed(coding: str, body: bytes) -> bytes:
    head = HEAD + f"Content-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return head + body


@pytest.mark.services
@pytest.mark.parametrize(
    ("answer", "good"),
    [
        (packed("gzip", gzip.compress(ROWS)), True),
        (packed("X-GZIP", gzip.compress(ROWS)), True),
        (packed("identity, gzip", gzip.compress(ROWS)), True),
        (packed("deflate", zlib.compress(ROWS)), True),
        (packed("gzip, gzip", gzip.compress(gzip.compress(ROWS))), False),
        (packed("gzip\r\nContent-Encoding: gzip", gzip.compress(gzip.compress(ROWS))), False),
        (packed("deflate, gzip", gzip.compress(zlib.compress(ROWS))), False),
        (packed("br", ROWS), False),
        (packed("zstd", ROWS), False),
        (packed("gzip", ROWS), False),
        (packed("gzip", gzip.compress(ROWS)[:-3]), False),
        (packed("gzip", gzip.compress(ROWS) + b"more"), False),
    ],
)
async def test_an_answer_is_unpacked_once_or_it_is_none(
    server: Server, answer: bytes, *, good: bool
) -> None:
    async def packing(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await conversation.say(answer)

    async with server.answering(packing), server.client() as client:
        if good:
            assert (await client.send(FIND, timeout_s=10)).body == orjson.loads(ROWS)
        else:
            with pytest.raises(Unavailable, match="DecodingError"):
                await client.send(FIND, timeout_s=10)


@pytest.mark.services
@pytest.mark.parametrize(
    ("request_", "kind"), [(FIND, Refused), (UPDATE, Unavailable)], ids=["GET", "PATCH"]
)
async def test_a_bomb_is_unpacked_no_further_than_an_answer_may_be_long(
    server: Server, request_: Request, kind: type[DynamicsError]
) -> None:
    bomb = packed("gzip", gzip.compress(bytes(200 * 1024 * 1024), 1))

    async def bombing(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(bomb)

    async with server.answering(bombing), server.client() as client:
        tracemalloc.start()
        try:
            with pytest.raises(kind, match="more than"):
                await client._exchange(request_, 10)
            assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
        finally:
            tracemalloc.stop()
