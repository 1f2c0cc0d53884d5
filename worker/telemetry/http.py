"""A web server for a few pages of our own: GET only, small requests, one per connection."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final, NamedTuple

import structlog

from worker.errors import ConfigError


_log = structlog.get_logger(__name__)

#: Longest request with its headers (bytes), and longest time to send it and take the answer (s).
REQUEST_BYTES: Final = 8192
REQUEST_S: Final = 5.0

#: Connections answered side by side; further ones are closed at once.
CONNECTIONS: Final = 32


class Page(NamedTuple):
    """An answer."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "text/plain; charset=utf-8"


#: Path -> what makes the page.
Pages = Mapping[str, Callable[[], Page]]


@asynccontextmanager
async def serving(address: str, pages: Pages) -> AsyncIterator[int]:
    """Serve pages at ``host:port`` while the block runs; gives the port (0 asks for a free one).

    Raises:
        ConfigError: The address cannot be used.
    """
    answering: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(answering) == CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.create_task(_converse(pages, reader, writer))
        answering.add(task)
        task.add_done_callback(answering.discard)

    host, _, port = address.rpartition(":")
    try:
        server = await asyncio.start_server(
            accept, host.strip("[]"), int(port), limit=REQUEST_BYTES
        )
    except (OSError, OverflowError, ValueError) as error:
        raise ConfigError(f"cannot listen at {address}: {error}") from error
    bound = server.sockets[0].getsockname()[1]
    _log.info("telemetry.listening", host=host, port=bound)
    try:
        yield bound
    finally:
        server.close()
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)
        await server.wait_closed()


async def _converse(
    pages: Pages, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        # Who is too slow, says too much or has gone away gets no answer.
        with suppress(TimeoutError, EOFError, ConnectionError, asyncio.LimitOverrunError):
            async with asyncio.timeout(REQUEST_S):
                writer.write(_answer(_page(pages, await reader.readuntil(b"\r\n\r\n"))))
                writer.close()
                await writer.wait_closed()
    finally:
        writer.transport.abort()


def _page(pages: Pages, request: bytes) -> Page:
    match request.partition(b"\r\n")[0].decode("latin-1").split(" "):
        case ["GET", target, "HTTP/1.1" | "HTTP/1.0"]:
            make = pages.get(target.partition("?")[0])
            return make() if make else Page(b"not found\n", HTTPStatus.NOT_FOUND)
        case [_, _, "HTTP/1.1" | "HTTP/1.0"]:
            return Page(b"GET only\n", HTTPStatus.METHOD_NOT_ALLOWED)
        case _:
            return Page(b"not HTTP/1.1\n", HTTPStatus.BAD_REQUEST)


def _answer(page: Page) -> bytes:
    lines = (
        f"HTTP/1.1 {page.status.value} {page.status.phrase}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(page.body)}",
        "Allow: GET",
        "Cache-Control: no-store",
        "Connection: close",
        "\r\n",
    )
    return "\r\n".join(lines).encode() + page.body
