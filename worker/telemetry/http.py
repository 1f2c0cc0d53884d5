"""A minimal web server for status pages: GET only, small requests, one per connection."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, NamedTuple

import structlog

from worker.errors import ConfigError
from worker.faults import Faults


_log = structlog.get_logger(__name__)

#: Largest request with its headers (bytes), longest time to receive it and to send the answer (s).
REQUEST_BYTES: Final = 8192
REQUEST_S: Final = 2.0
ANSWER_S: Final = 5.0

#: Most connections open at once, counted separately for local ones: a supervisor uses those. One
#: more drops the oldest, since a real client sends its request at once. More than asyncio accepts
#: in one go (its backlog is 100), so that the newest can still send its request.
CONNECTIONS: Final = 128


class StatusPage(NamedTuple):
    """An HTTP answer."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "text/plain; charset=utf-8"


#: Path -> function that makes the page.
Pages = Mapping[str, Callable[[], StatusPage]]


@asynccontextmanager
async def serving(address: str, pages: Pages, faults: Faults | None = None) -> AsyncIterator[int]:
    """Serve pages at ``host:port`` while the block runs; yields the port (0 asks for a free one).

    A bug in making a page is counted by ``faults`` and answered with 500.

    Raises:
        ConfigError: The address cannot be used.
    """
    faults = faults or Faults()
    answering: dict[bool, dict[asyncio.Task[None], asyncio.StreamWriter]] = {True: {}, False: {}}

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        group = answering[_is_local(writer)]
        if len(group) >= CONNECTIONS:
            oldest = next(iter(group))
            group.pop(oldest).transport.abort()
            oldest.cancel()
        task = asyncio.create_task(_serve_connection(pages, faults, reader, writer))
        group[task] = writer
        task.add_done_callback(lambda done: group.pop(done, None))

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
        unfinished = [task for group in answering.values() for task in group]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await server.wait_closed()


def _is_local(writer: asyncio.StreamWriter) -> bool:
    """Whether a connection comes from this machine."""
    peer = writer.get_extra_info("peername")
    try:
        return bool(peer) and ip_address(str(peer[0]).partition("%")[0]).is_loopback
    except ValueError:
        return False


async def _serve_connection(
    pages: Pages, faults: Faults, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        # A client that is too slow, sends too much or has gone away gets no answer.
        with suppress(TimeoutError, EOFError, ConnectionError, asyncio.LimitOverrunError):
            async with asyncio.timeout(REQUEST_S):
                request = await reader.readuntil(b"\r\n\r\n")
            async with asyncio.timeout(ANSWER_S):
                writer.write(_encode(_answer(pages, request, faults)))
                writer.close()
                await writer.wait_closed()
    finally:
        writer.transport.abort()


def _answer(pages: Pages, request: bytes, faults: Faults) -> StatusPage:
    """The requested page. The fault boundary of one answer."""
    with faults.contained("telemetry"):
        return _page(pages, request)
    return StatusPage(b"our bug\n", HTTPStatus.INTERNAL_SERVER_ERROR)


def _page(pages: Pages, request: bytes) -> StatusPage:
    match request.partition(b"\r\n")[0].decode("latin-1").split(" "):
        case ["GET", target, "HTTP/1.1" | "HTTP/1.0"]:
            make = pages.get(target.partition("?")[0])
            return make() if make else StatusPage(b"not found\n", HTTPStatus.NOT_FOUND)
        case [_, _, "HTTP/1.1" | "HTTP/1.0"]:
            return StatusPage(b"GET only\n", HTTPStatus.METHOD_NOT_ALLOWED)
        case _:
            return StatusPage(b"not HTTP/1.1\n", HTTPStatus.BAD_REQUEST)


def _encode(page: StatusPage) -> bytes:
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
