"""The proxy hands on what comes, and makes each kind of trouble."""

from __future__ import annotations

import asyncio
import socket
import time

from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fleet.proxy import HOST, Proxy, Trouble


#: Longest time (s) for anything that should happen.
LIMIT_S = 10.0
DELAY_S = 0.05


class Service:
    """Answers each line with itself, unless it is rude, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[bytes] = asyncio.Queue()
        self.rude = False

    async def talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        while line := await reader.readline():
            self.asked.put_nowait(line)
            if self.rude:
                break
            writer.write(line)
        writer.close()

    async def next_asked(self) -> bytes:
        async with asyncio.timeout(LIMIT_S):
            return await self.asked.get()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def proxy(service: Service) -> AsyncIterator[Proxy]:
    """In front of the service."""
    server = await asyncio.start_server(service.talk, HOST, 0)
    proxy = Proxy(server.sockets[0].getsockname()[1], DELAY_S)
    async with proxy.listening():
        yield proxy
    server.close()


class Caller:
    """One connection through the proxy."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, line: bytes = b"hello\n") -> bytes:
        self._writer.write(line)
        return await self.hear()

    async def hear(self) -> bytes:
        """The next line; b"" once the connection is closed."""
        async with asyncio.timeout(LIMIT_S):
            return await self._reader.readline()


@asynccontextmanager
async def calling(proxy: Proxy) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


async def test_without_trouble_questions_and_answers_are_handed_on(proxy: Proxy) -> None:
    async with calling(proxy) as caller:
        assert await caller.ask(b"one\n") == b"one\n"
        assert await caller.ask(b"two\n") == b"two\n"


async def test_delayed_answers_come_later_and_whole(proxy: Proxy) -> None:
    async with calling(proxy) as caller:
        with proxy.troubled(Trouble.DELAY):
            asked = time.monotonic()
            assert await caller.ask() == b"hello\n"
            assert time.monotonic() - asked >= 2 * DELAY_S


async def test_a_cut_closes_what_is_open_and_what_comes_until_it_is_over(
    proxy: Proxy, service: Service
) -> None:
    async with calling(proxy) as caller:
        await caller.ask()
        with proxy.troubled(Trouble.CUT):
            assert await caller.hear() == b""
            async with calling(proxy) as late:
                assert await late.hear() == b""
    async with calling(proxy) as caller:
        assert await caller.ask(b"again\n") == b"again\n"
    assert [await service.next_asked(), await service.next_asked()] == [b"hello\n", b"again\n"]


async def test_a_reset_comes_after_the_question_has_arrived(proxy: Proxy, service: Service) -> None:
    async with calling(proxy) as caller:
        with proxy.troubled(Trouble.RESET), pytest.raises(ConnectionResetError):
            await caller.ask()
    assert await service.next_asked() == b"hello\n"


async def test_half_open_the_question_arrives_and_no_answer_comes_though_the_trouble_is_over(
    proxy: Proxy, service: Service
) -> None:
    async with calling(proxy) as caller, calling(proxy) as other:
        assert await other.ask(b"zero\n") == await service.next_asked()
        with proxy.troubled(Trouble.HALF_OPEN):
            hearing = asyncio.create_task(caller.ask(b"one\n"))
            assert await service.next_asked() == b"one\n"
        assert await other.ask(b"two\n") == b"two\n"  # nothing of it was swallowed
        assert not hearing.done()
        hearing.cancel()


async def test_when_the_service_closes_so_does_the_connection(
    proxy: Proxy, service: Service
) -> None:
    async with calling(proxy) as caller:
        service.rude = True
        assert await caller.ask() == b""


async def test_without_a_service_the_connection_is_closed() -> None:
    with socket.socket() as unused:
        unused.bind((HOST, 0))  # taken, and nobody listens
        proxy = Proxy(unused.getsockname()[1])
        async with proxy.listening(), calling(proxy) as caller:
            assert await caller.hear() == b""
