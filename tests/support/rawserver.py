"""A server that says over TLS, or below it, whatever bytes it is told to."""

from __future__ import annotations

import asyncio
import os
import re
import ssl

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trustme

from worker.clock import Clock
from worker.dynamics.auth import StaticTokens
from worker.dynamics.client import DataverseClient
from worker.dynamics.gate import Gate, make_gate
from worker.dynamics.http import make_http


#: Requests that the server below answers well, and the answers.
ROWS = b'{"value":[{"contactid":"x","fullname":"Ada"}]}'
HEAD = b"HTTP/1.1 200 OK\r\nOData-Version: 4.0\r\nContent-Type: application/json\r\n"
FOUND = HEAD + b"Content-Length: %d\r\n\r\n" % len(ROWS) + ROWS

Answering = Callable[["Conversation"], Awaitable[None]]


class Conversation:
    """One connection that a server has: reads requests, writes whatever it likes."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """The next request's head, with its body read."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        if length := re.search(rb"(?i)content-length: (\d+)", head):
            await self.reader.readexactly(int(length[1]))
        return head

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def beneath(self, data: bytes) -> None:
        """Write below TLS."""
        os.write(self.writer.get_extra_info("socket").fileno(), data)

    def abort(self) -> None:
        self.writer.transport.abort()


class Server:
    """A TLS server that does as it is told, connection by connection."""

    def __init__(self, folder: Path) -> None:
        self.ca_file = folder / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "org.test").configure_cert(self.context)
        self.heads: list[bytes] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def answering(self, answer: Answering) -> AsyncIterator[None]:
        """Listen while the block lasts."""

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            conversation = Conversation(self.connections, reader, writer)
            try:
                await answer(conversation)
            except (OSError, asyncio.IncompleteReadError):
                pass  # the client had enough
            finally:
                conversation.abort()

        server = await asyncio.start_server(converse, "127.0.0.1", 0, ssl=self.context)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield

    @asynccontextmanager
    async def client(
        self, gate: Gate | None = None, **options: Any
    ) -> AsyncIterator[DataverseClient]:
        """A client of it."""
        async with make_http(self.ca_file) as http:
            gate = gate or make_gate(Clock(sleep=at_once, chance=lambda: 0.0))
            yield DataverseClient(self.url, http, StaticTokens("t"), gate, **options)


async def at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


async def well(conversation: Conversation) -> None:
    """Answers every request."""
    while True:
        await conversation.request()
        await conversation.say(FOUND)
