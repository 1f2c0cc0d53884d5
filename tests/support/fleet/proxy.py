"""A TCP proxy between workers and one service, which can make trouble."""

from __future__ import annotations

import asyncio
import enum
import socket
import struct

from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Final


HOST: Final = "127.0.0.1"

#: How long (s) each piece takes, in each direction, while everything is delayed. A connection with
#: TLS still comes about within the workers' 5 s.
DELAY_S: Final = 1.0

_PIECE: Final = 65536  # bytes

#: Closing a socket that is set so sends a reset (socket(7), SO_LINGER).
_RESETS: Final = struct.pack("ii", 1, 0)


class Trouble(enum.Enum):
    """What is wrong on the way."""

    NONE = "none"
    DELAY = "delay"  # everything arrives, later
    CUT = "cut"  # connections are closed, new ones at once
    HALF_OPEN = "half-open"  # what is asked arrives, its answer never, and nobody closes
    RESET = "reset"  # what is asked arrives, then the connection is reset


@dataclass(eq=False, slots=True)
class _Link:
    """A connection: the worker's side, the service's side, and whether answers still come."""

    reader: StreamReader
    writer: StreamWriter
    far_reader: StreamReader
    far_writer: StreamWriter
    dead: bool = False


class Proxy:
    """Hands on what comes, as long as there is no trouble.

    A connection that was half-open once stays so, as when a router has forgotten it: the worker
    has to give it up by itself.

    Args:
        port: The service's, on this machine.
        delay_s: See ``DELAY_S``.

    Attributes:
        port: Where workers find the service.
        trouble: What is wrong just now.
    """

    def __init__(self, port: int, delay_s: float = DELAY_S) -> None:
        self.port = 0
        self.trouble = Trouble.NONE
        self._far_port = port
        self._delay_s = delay_s
        self._links: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve, for as long as the block lasts."""
        server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            links = list(self._links)
            for link in links:
                link.cancel()
            await asyncio.gather(*links, return_exceptions=True)

    @contextmanager
    def troubled(self, trouble: Trouble) -> Iterator[None]:
        """Make trouble, for as long as the block lasts."""
        self.trouble = trouble
        if trouble is Trouble.CUT:
            for link in self._links:
                link.cancel()
        try:
            yield
        finally:
            self.trouble = Trouble.NONE

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        link = asyncio.create_task(self._carry(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        with _closing(writer), suppress(OSError):
            if self.trouble is Trouble.CUT:
                return
            far_reader, far_writer = await asyncio.open_connection(HOST, self._far_port)
            with _closing(far_writer):
                await self._hand_on(_Link(reader, writer, far_reader, far_writer))

    async def _hand_on(self, link: _Link) -> None:
        """Both ways, until either side ends."""
        ways = [asyncio.create_task(way(link)) for way in (self._ask, self._answer)]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        for ended in done:
            ended.result()

    async def _ask(self, link: _Link) -> None:
        while piece := await link.reader.read(_PIECE):
            await self._suffer(link)
            link.far_writer.write(piece)
            await link.far_writer.drain()

    async def _answer(self, link: _Link) -> None:
        while piece := await link.far_reader.read(_PIECE):
            await self._suffer(link)
            if self.trouble is Trouble.RESET:
                _reset(link.writer)
                return
            if not link.dead:
                link.writer.write(piece)
                await link.writer.drain()
        if link.dead or self.trouble is Trouble.HALF_OPEN:
            await asyncio.Event().wait()  # until the worker closes

    async def _suffer(self, link: _Link) -> None:
        """What both ways have in common."""
        if self.trouble is Trouble.DELAY:
            await asyncio.sleep(self._delay_s)
        link.dead |= self.trouble is Trouble.HALF_OPEN


@contextmanager
def _closing(writer: StreamWriter) -> Iterator[None]:
    try:
        yield
    finally:
        writer.close()


def _reset(writer: StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)
    writer.transport.abort()
