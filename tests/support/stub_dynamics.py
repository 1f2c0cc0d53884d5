"""Dynamics as a benchmark needs it: cheap, over TLS, in a process of its own.

Start it in a program with ``async with stub(delay_ms=50, lost=0.05) as dynamics``, or by hand with
``PYTHONPATH=tests/support:. python -m stub_dynamics --delay-ms 50 --lost 0.05``: it prints one line
of JSON, ``{"url": …, "ca": …}``, and ends when its standard input does. ``dynamics.settings`` are
the variables that make ``connect-dynamics`` use it; others need no token, only ``ca``.

It answers as the Web API does to what the worker and the benchmark's peers send, each time after
the delay: a row is known by what stands in parentheses in its address, so an alternate key will do,
or by its primary key in the body of a POST (made up if it has none). A POST or a PATCH with
``If-None-Match: *`` to a row that is there is answered with 412, a PATCH with ``If-Match: *`` to
one that is not with 404; any other PATCH makes the row or changes it. Nothing is limited, nothing
checked.

``lost`` is the part of the writes that get no answer: the connection is reset after the delay; of
these half were carried out.

How to count: ``await dynamics.requests()`` are all requests about rows, in order of arrival, with
the moment (``time.monotonic()``, which all processes of a machine share): a contact's latency is
the moment of the first, or last, request whose ``key`` is its row's, less the moment at which its
message was put. ``await dynamics.rows()`` is what is there in the end: more rows than contacts are
doubles, contacts without a row are losses. ``await dynamics.forget()`` begins anew.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import ssl
import sys
import tempfile
import time
import uuid

from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import orjson
import trustme

from pipelines.entity import entity
from worker.sandbox.children import child
from worker.sandbox.command import settings


HOST: Final = "127.0.0.1"
API: Final = "/api/data/v9.2/"
USER: Final = "00000000-0000-4000-8000-0000000000aa"
ORGANIZATION: Final = "dddddddd-0000-4000-8000-000000000004"

#: Part of the lost writes that were carried out.
COMMITTED: Final = 0.5

_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_HEADER: Final = re.compile(r"(?i)\r\n(if-none-match|if-match|prefer): *([^\r]*)")
_PLACE: Final = re.compile(r"(\w+)(?:\(([^)]*)\))?")

_REASONS: Final = {200: "OK", 201: "Created", 204: "No Content", 404: "Not Found"}


class Seen(NamedTuple):
    """A request about a row.

    Attributes:
        at: When it came (``time.monotonic()``).
        method: POST, PATCH, PUT or GET.
        table: Entity set.
        key: The row's, as the address has it.
        status: What it was answered; 0: it was lost.
        done: Whether a write was carried out.
    """

    at: float
    method: str
    table: str
    key: str
    status: int
    done: bool


@dataclass(frozen=True, slots=True)
class StubDynamics:
    """A stub that runs.

    Attributes:
        url: Its address.
        ca: PEM file of its authority.
        pid: Its process.
    """

    url: str
    ca: Path
    pid: int

    @property
    def settings(self) -> dict[str, str]:
        """The environment that makes ``connect-dynamics`` use it."""
        return settings(self.url, self.ca)

    async def requests(self) -> list[Seen]:
        """Every request about a row so far, in order."""
        return [Seen(*one) for one in await self._ask("GET", "requests")]

    async def count(self) -> int:
        """How many requests about rows came."""
        return int(await self._ask("GET", "count"))

    async def rows(self) -> dict[str, dict[str, Any]]:
        """The columns of all rows, by ``table(key)``."""
        rows: dict[str, dict[str, Any]] = await self._ask("GET", "rows")
        return rows

    async def forget(self) -> None:
        """Forget requests and rows."""
        await self._ask("DELETE", "rows")

    async def _ask(self, method: str, what: str) -> Any:
        context = ssl.create_default_context(cafile=str(self.ca))
        async with httpx.AsyncClient(verify=context, timeout=60.0, trust_env=False) as http:
            answer = await http.request(method, f"{self.url}/stub/{what}")
            return orjson.loads(answer.content)


@asynccontextmanager
async def stub(*, delay_ms: float = 50.0, lost: float = 0.0) -> AsyncIterator[StubDynamics]:
    """A stub of its own, as long as the block lasts.

    Args:
        delay_ms: From a request to its answer.
        lost: Part of the writes that get none.
    """
    command = [sys.executable, "-m", "stub_dynamics", f"--delay-ms={delay_ms}", f"--lost={lost}"]
    found = [str(Path(__file__).parent), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, found))}
    async with child(command, environment, stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout is not None
        said = orjson.loads(await process.stdout.readline())
        try:
            yield StubDynamics(said["url"], Path(said["ca"]), process.pid)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # it tidies up
            await process.wait()


# --- the server ---


class _Tables:
    """What the stub knows and has seen."""

    def __init__(self, lost: float) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.seen: list[Seen] = []
        self.url = ""
        self._lost = lost
        self._chance = random.Random(1)

    def answer(self, method: str, target: str, head: str, body: bytes) -> bytes | None:
        """The answer to a request; None: it gets none."""
        if not target.startswith(API):
            return self._of_entra(method, target)
        place = _PLACE.match(target, len(API))
        table, key = (place[1], place[2]) if place else ("", None)
        if table == "WhoAmI":
            return _said(200, {"UserId": USER, "OrganizationId": ORGANIZATION})
        if method == "GET":
            return self._read(table, key)
        said = orjson.loads(body) if body else {}
        name = entity(table).key
        key = (key or str(said.get(name) or uuid.uuid4())).lower()
        lost = self._lost > 0 and self._chance.random() < self._lost
        conditions = {found[1].lower(): found[2] for found in _HEADER.finditer(head)}
        creates = method == "POST" or conditions.get("if-none-match") == "*"
        status, there = 204, f"{table}({key})" in self.rows
        if creates and there:
            status = 412
        elif not there and (conditions.get("if-match") == "*" or method == "PUT"):
            status = 404
        done = status == 204 and not (lost and self._chance.random() >= COMMITTED)
        self._note(method, table, key, 0 if lost else status, done=done)
        if done and method != "PUT":
            self.rows.setdefault(f"{table}({key})", {}).update(said)
        if status != 204:
            answer = _refused(status)
        elif conditions.get("prefer") == "return=representation":
            answer = _said(201 if creates else 200, said | {name: key})
        else:
            answer = _said(204, None, f"OData-EntityId: {self.url}{API}{table}({key})\r\n")
        return None if lost else answer

    def _read(self, table: str, key: str | None) -> bytes:
        if key is None:
            self._note("GET", table, "", 200)
            return _said(200, {"value": []})
        row = self.rows.get(f"{table}({key.lower()})")
        self._note("GET", table, key.lower(), 404 if row is None else 200)
        if row is None:
            return _refused(404)
        ours = {"_createdby_value": USER, "_modifiedby_value": USER, entity(table).key: key}
        return _said(200, ours | row)

    def _note(self, method: str, table: str, key: str, status: int, *, done: bool = False) -> None:
        self.seen.append(Seen(time.monotonic(), method, table, key, status, done))

    def _of_entra(self, method: str, target: str) -> bytes:
        match target.partition("/stub/")[2], method:
            case "requests", _:
                return _said(200, list(map(list, self.seen)))
            case "count", _:
                return _said(200, len(self.seen))
            case "rows", "GET":
                return _said(200, self.rows)
            case "rows", _:
                self.rows.clear()
                self.seen.clear()
                return _said(200, True)
        tenant = f"{self.url}/{target.split('/')[1]}"
        if target.endswith("/token"):
            return _said(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": "stub"})
        return _said(
            200,
            {
                "issuer": f"{tenant}/v2.0",
                "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
                "token_endpoint": f"{tenant}/oauth2/v2.0/token",
                "jwks_uri": f"{tenant}/discovery/v2.0/keys",
            },
        )


class _Connection(asyncio.Protocol):
    """One connection: a request, its answer after the delay, the next request."""

    def __init__(self, tables: _Tables, delay_s: float) -> None:
        self._tables = tables
        self._delay_s = delay_s
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._data[: end + 2]
        length = _LENGTH.search(head)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._data) < whole:
            return
        body, self._data = self._data[end + 4 : whole], self._data[whole:]
        text = head.decode("latin-1")
        method, target, _ = text.split(" ", 2)
        answer = self._tables.answer(method, target, text, body)
        delay_s = self._delay_s if target.startswith(API) else 0.0
        asyncio.get_running_loop().call_later(delay_s, self._say, answer)

    def _say(self, answer: bytes | None) -> None:
        if answer is None:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._transport.write(answer)


def _said(status: int, body: Any, headers: str = "") -> bytes:
    """An answer of Dataverse; without a body if that is None."""
    content = b"" if body is None else orjson.dumps(body)
    about = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    head = (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Precondition Failed')}\r\n"
        f"Date: {formatdate(usegmt=True)}\r\nOData-Version: 4.0\r\n"
        f"{headers}{'' if body is None else about}\r\n"
    )
    return head.encode() + content


def _refused(status: int) -> bytes:
    code = "0x80040237" if status == 412 else "0x80040217"
    return _said(status, {"error": {"code": code, "message": "stub"}})


async def _serve(folder: Path, delay_ms: float, lost: float) -> None:
    authority, ca = trustme.CA(), folder / "stub-ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "localhost").configure_cert(context)
    tables = _Tables(lost)
    loop = asyncio.get_running_loop()
    connection: Callable[[], _Connection] = lambda: _Connection(tables, delay_ms / 1000)  # noqa: E731
    server = await loop.create_server(connection, HOST, 0, ssl=context, backlog=512)
    tables.url = f"https://{HOST}:{server.sockets[0].getsockname()[1]}"
    said: Mapping[str, str] = {"url": tables.url, "ca": str(ca)}
    sys.stdout.buffer.write(orjson.dumps(said) + b"\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.buffer.read)


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--delay-ms", type=float, default=50.0)
    parser.add_argument("--lost", type=float, default=0.0)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stub-dynamics-") as folder:
        asyncio.run(_serve(Path(folder), told.delay_ms, told.lost))


if __name__ == "__main__":
    main()
