"""Dataverse across the network: what the real client sends through instead of httpx."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import orjson

from simulated.conduct import Conduct, Sent
from simulated.loop import Process, VirtualLoop
from simulated.network import Network, Weather, at_once
from worker.dynamics.client import Client
from worker.dynamics.errors import DynamicsError, Unauthorized, Unavailable
from worker.dynamics.memory import MemoryDynamics
from worker.dynamics.protocol import Answer, Request


ENVIRONMENT = "https://dataverse.invalid"
_BASE = f"{ENVIRONMENT}/api/data/v9.2/"


@dataclass(slots=True)
class Mood:
    """What Dataverse and Entra make of requests just now.

    Attributes:
        throttled_until: Virtual time (s) until which everything is answered 429.
        hangs: No answer ever.
        breaks: A status for everything (503, 500, 403), or 0.
        tokens: How many tokens have been withdrawn: older ones are answered 401.
        entra: What asking for a token ends in: "", "unavailable" or "unauthorized".
    """

    throttled_until: float = 0.0
    hangs: bool = False
    breaks: int = 0
    tokens: int = 0
    entra: str = ""

    def clear(self) -> None:
        """Nothing is wrong any more."""
        self.throttled_until = 0.0
        self.hangs = False
        self.breaks = 0
        self.entra = ""


@dataclass(slots=True)
class Dataverse:
    """The service.

    Attributes:
        loop: Time.
        conduct: Told of what is sent and what comes of it.
        memory: The records.
        mood: What it makes of requests.
        weather: How it can be reached.
        doorstep: Not weather, but a place for an ambush: where a request is about to be sent.
    """

    loop: VirtualLoop
    conduct: Conduct
    memory: MemoryDynamics
    mood: Mood = field(default_factory=Mood)
    weather: Weather = field(default_factory=Weather)
    doorstep: Weather = field(default_factory=Weather)

    def answer(self, sent: Sent, token: str) -> httpx.Response:
        """Carry a request out, or refuse it."""
        self.conduct.arrived(sent)
        wait_s = self.mood.throttled_until - self.loop.time()
        if wait_s > 0:
            return httpx.Response(429, headers={"Retry-After": str(int(wait_s) + 1)})
        if int(token) < self.mood.tokens:
            return httpx.Response(401)
        if self.mood.breaks:
            return httpx.Response(self.mood.breaks)
        try:
            answer = at_once(self.memory.send(sent.request, timeout_s=0))
        except DynamicsError as error:
            body = {"error": {"code": error.code, "message": ""}}
            return httpx.Response(error.status or 500, content=orjson.dumps(body))
        self.conduct.carried_out(sent, answer.status)
        content = orjson.dumps(answer.body) if answer.body else b""
        return httpx.Response(answer.status, headers=answer.headers, content=content)


class Wire:
    """Takes the place of ``httpx.AsyncClient`` in one process's ``Client``."""

    def __init__(self, dataverse: Dataverse, network: Network, process: Process) -> None:
        self._dataverse = dataverse
        self._network = network
        self._process = process
        self._conduct = dataverse.conduct

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None
    ) -> AsyncIterator[httpx.Response]:
        """Send, and wait for the answer.

        Raises:
            httpx.ReadError: There is none.
        """
        self._network.strike(self._process, self._dataverse.doorstep)
        await asyncio.sleep(0)  # as in httpx; a time-out may strike here, or just too late
        body = None if content is None else orjson.loads(content)
        path = url.removeprefix(_BASE)
        sent = self._conduct.leaves(self._process, Request(method, path, headers, body))
        token = headers["Authorization"].removeprefix("Bearer ")
        if self._dataverse.mood.hangs:
            self._conduct.arrived(sent)
            await asyncio.get_running_loop().create_future()

        def lost() -> Exception:
            self._conduct.arrived(sent)
            return httpx.ReadError("the connection was reset")

        response = await self._network.call(
            lambda: self._dataverse.answer(sent, token), self._dataverse.weather, lost
        )
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self._conduct.throttled(self._process, float(response.headers["Retry-After"]))
        yield response


class Tokens:
    """One process's tokens (see ``worker.dynamics.auth.Tokens``)."""

    def __init__(self, dataverse: Dataverse, network: Network, weather: Weather) -> None:
        self._dataverse = dataverse
        self._network = network
        self._weather = weather
        self._token: str | None = None

    async def token(self) -> str:
        """See ``worker.dynamics.auth.Tokens``; asked for by whatever has passed the gate."""
        self._dataverse.conduct.passed_gate()
        if self._token is None:
            self._token = await self._network.call(self._ask, self._weather, _entra_away)
        return self._token

    async def refuse(self, token: str) -> None:
        """See ``worker.dynamics.auth.Tokens``."""
        if token == self._token:
            self._token = None

    def _ask(self) -> str:
        match self._dataverse.mood.entra:
            case "unavailable":
                raise _entra_away()
            case "unauthorized":
                raise Unauthorized("Entra refuses: AADSTS7000222")
        return str(self._dataverse.mood.tokens)


class Entrance:
    """Where a process's writer hands requests in, just after push has looked at its claim."""

    def __init__(self, client: Client, conduct: Conduct, process: Process) -> None:
        self._client = client
        self._conduct = conduct
        self._process = process

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        """See ``Dynamics``."""
        self._conduct.enters(self._process, request)
        with self._conduct.in_hand(self._process, request):
            return await self._client.send(request, timeout_s=timeout_s)

    async def user_id(self) -> str:
        """See ``Dynamics``."""
        return await self._client.user_id()


def _entra_away() -> Exception:
    return Unavailable("Entra does not answer")
