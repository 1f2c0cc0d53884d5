"""Serves sandboxes on this machine; Dataverse over TLS, by an authority of its own."""

from __future__ import annotations

import asyncio
import socket
import ssl

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

import trustme
import uvicorn

from uvicorn.protocols.http.h11_impl import H11Protocol

from worker.sandbox.dataverse.web import ABORT


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send


HOST: Final = "127.0.0.1"
DRAIN_S: Final = 5  # how long requests have to finish when the server stops


class Served(Protocol):
    """A Dataverse, alone or with pages round it."""

    @property
    def app(self) -> ASGIApp:
        """The ASGI application."""

    def release(self) -> None:
        """End hanging requests, now and from now on."""


class _Protocol(H11Protocol):
    """Lets the application close the connection (``web.ABORT``)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inner: ASGIApp = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            extensions = {**scope.get("extensions", {}), ABORT: self.transport.abort}
            await inner({**scope, "extensions": extensions}, receive, send)

        self.app = app

    def shutdown(self) -> None:
        """Close an idle connection at once: a client that never answers TLS's goodbye holds it."""
        super().shutdown()
        if self.transport.is_closing():
            self.transport.abort()


class _Server(uvicorn.Server):
    """Leaves signals to the program and sets an event when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@asynccontextmanager
async def serve(dataverse: Served, *, ca_path: Path, port: int = 0) -> AsyncIterator[str]:
    """Serve while the block runs; gives the base URL (``https://127.0.0.1:<port>``).

    Args:
        dataverse: What to serve. It stays open.
        ca_path: Where the authority's certificate goes (PEM), for clients to trust.
        port: TCP port on 127.0.0.1; 0: a free one.

    Raises:
        OSError: The port is taken.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "localhost").configure_cert(context)
    async with _serving(_config(dataverse.app, context), port) as address:
        try:
            yield f"https://{address}"
        finally:
            dataverse.release()


@asynccontextmanager
async def serve_plainly(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Serve an application without TLS while the block runs; gives its base URL.

    Raises:
        OSError: The port is taken.
    """
    async with _serving(_config(app), port) as address:
        yield f"http://{address}"


@asynccontextmanager
async def _serving(config: uvicorn.Config, port: int = 0) -> AsyncIterator[str]:
    """Serve while the block runs; gives host and port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        server = _Server(config)
        task = asyncio.create_task(server.serve([listener]))
        listening = asyncio.create_task(server.listening.wait())
        try:
            await asyncio.wait({task, listening}, return_when=asyncio.FIRST_COMPLETED)
            yield f"{HOST}:{listener.getsockname()[1]}"
        finally:
            listening.cancel()
            server.should_exit = True
            await task


def _config(app: ASGIApp, context: ssl.SSLContext | None = None) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # URLs hold numbers and names
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    config.load()
    config.ssl = context
    return config
