"""One side of a connection: bytes in clear, whether or not TLS lies over them.

TLS is done by hand over a plain socket, so that bytes can be sent past it at any moment.
"""

from __future__ import annotations

import socket
import ssl
import struct

from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from typing import Final, TypeVar


T = TypeVar("T")

_PIECE: Final = 65536  # bytes

#: Closing a socket that is set so sends a reset (socket(7), SO_LINGER).
_RESETS: Final = struct.pack("ii", 1, 0)


class Ended(OSError):  # noqa: N818 - it is no error: the other side has gone
    """The other side ended the connection."""


class Channel:
    """A connection and what was read from it ahead.

    Args:
        reader: Its bytes.
        writer: Where bytes go.
        context: TLS over it; None: none.
        host: The server's name, if this is the client's side of TLS.
    """

    def __init__(
        self,
        reader: StreamReader,
        writer: StreamWriter,
        context: ssl.SSLContext | None = None,
        host: str = "",
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._ahead = bytearray()
        self._coming, self._going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        if context is not None:
            self._tls = context.wrap_bio(
                self._coming, self._going, server_side=not host, server_hostname=host or None
            )

    async def shake_hands(self) -> None:
        """Begin TLS, if it is over this.

        Raises:
            OSError: It does not come about.
        """
        if self._tls is not None:
            await self._step(self._tls.do_handshake)

    async def write(self, data: bytes, *, past_tls: bool = False) -> None:
        """Send; ``past_tls``: as it stands, whatever lies over the connection."""
        if self._tls is None or past_tls:
            self._writer.write(data)
            await self._writer.drain()
        elif data:
            tls = self._tls
            await self._step(lambda: tls.write(data))

    async def line(self) -> bytes:
        """Up to and with the next line feed.

        Raises:
            Ended: There is none.
        """
        while (end := self._ahead.find(b"\n")) < 0:
            self._ahead += await self._more()
        return self._take(end + 1)

    async def exactly(self, count: int) -> bytes:
        """So many bytes.

        Raises:
            Ended: There are fewer.
        """
        while len(self._ahead) < count:
            self._ahead += await self._more()
        return self._take(count)

    async def rest(self) -> bytes:
        """All there is until the other side ends it."""
        try:
            while True:
                self._ahead += await self._more()
        except OSError:
            return self._take(len(self._ahead))

    async def hello(self) -> bytes:
        """The first bytes, past TLS: a client's hello."""
        return await self._reader.read(_PIECE)

    def close(self) -> None:
        """End it, without TLS's goodbye."""
        self._writer.close()

    def reset(self) -> None:
        """End it with a reset."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)
        self._writer.transport.abort()

    def _take(self, count: int) -> bytes:
        taken = bytes(self._ahead[:count])
        del self._ahead[:count]
        return taken

    async def _more(self) -> bytes:
        if self._tls is None:
            piece = await self._reader.read(_PIECE)
        else:
            tls = self._tls
            piece = await self._step(lambda: tls.read(_PIECE))
        if not piece:
            raise Ended
        return piece

    async def _step(self, step: Callable[[], T]) -> T:
        """Do a step of TLS, with what it wants sent and read."""
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                await self._flush()
                piece = await self._reader.read(_PIECE)
                if not piece:
                    raise Ended from None
                self._coming.write(piece)
            else:
                await self._flush()
                return done

    async def _flush(self) -> None:
        if self._going.pending:
            self._writer.write(self._going.read())
            await self._writer.drain()
