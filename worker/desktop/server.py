"""Serves the assembled pages and their configuration, with the headers they need."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson

from aiohttp import web

from worker.desktop.assembly import TYPES
from worker.desktop.headers import NEVER, Sites, headers, kind_of
from worker.errors import ConfigError
from worker.signals import stopping_on_signals


CONFIG: Final = "/config.json"

#: How long answers under way have to finish when the server stops (s).
DRAIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Served:
    """A file in memory: what it is, and its digest as an entity tag."""

    body: bytes
    content_type: str
    tag: str


Files = Mapping[str, Served]


def load(dist: Path, config: Mapping[str, Any]) -> Files:
    """What is served, by path. Nothing else can be asked for, whatever a path looks like.

    Args:
        dist: The assembled pages.
        config: What ``config.json`` holds.

    Raises:
        ConfigError: The pages were not assembled.
    """
    if not (dist / "agent.html").is_file():
        raise ConfigError(f"{dist}: the pages are not there; make desktop puts them together")
    files = {
        f"/{path.relative_to(dist).as_posix()}": _served(path.read_bytes(), TYPES[path.suffix])
        for path in sorted(dist.rglob("*"))
        if path.is_file() and path.suffix in TYPES
    }
    body = orjson.dumps(config, option=orjson.OPT_INDENT_2)
    return {
        **files,
        "/": files["/agent.html"],
        CONFIG: _served(body, TYPES[".json"]),
    }


def _served(body: bytes, content_type: str) -> Served:
    return Served(body, content_type, f'"{sha256(body).hexdigest()[:32]}"')


def answer(files: Files, sites: Sites, request: web.BaseRequest) -> web.Response:
    """The answer to a request."""
    path = request.rel_url.raw_path  # not decoded: %2e and %2f stay what they are
    fixed = {**headers(kind_of(path), sites), "Server": "connect-dynamics"}
    if request.method not in ("GET", "HEAD"):
        fixed |= {"Allow": "GET, HEAD", "Cache-Control": NEVER}
        return web.Response(status=405, headers=fixed)
    found = files.get(path)
    if found is None:
        fixed["Cache-Control"] = NEVER
        return web.Response(status=404, headers=fixed, text="not found\n")
    fixed["ETag"] = found.tag
    if found.tag in [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]:
        return web.Response(status=304, headers=fixed)
    fixed["Content-Type"] = found.content_type
    return web.Response(body=found.body, headers=fixed)


@asynccontextmanager
async def serving(files: Files, sites: Sites, host: str, port: int) -> AsyncIterator[int]:
    """Serve while the block runs; gives the port (0 asks for a free one).

    Raises:
        ConfigError: The address cannot be used.
    """

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return answer(files, sites, request)

    # Who asks for what is not logged: addresses of agents are personal data.
    runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=DRAIN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(f"cannot listen at {host}:{port}: {error.strerror}") from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def serve_until_stopped(
    files: Files, sites: Sites, host: str, port: int, show: Callable[[str], object]
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; ``show`` gets the pages' addresses.

    Raises:
        ConfigError: The address cannot be used.
    """
    stop = asyncio.Event()
    with stopping_on_signals(stop.set):
        async with serving(files, sites, host, port) as bound:
            shown = f"[{host}]" if ":" in host else host
            pages = [path for path in files if path.endswith(".html")]
            show("\n".join(f"http://{shown}:{bound}{path}" for path in pages))
            await stop.wait()
