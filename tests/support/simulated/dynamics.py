"""Dataverse across the network: what the real client sends through instead of httpx."""

from __future__ import annotations

import asyncio

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final

import httpx
import orjson

from simulated.conduct import Conduct, Sent
from simulated.loop import Process, VirtualLoop
from simulated.network import Network, Weather
from twins.dynamics import ScriptedDynamics
from worker.dynamics.client import DataverseClient
from worker.dynamics.errors import Unauthorized, Unavailable
from worker.dynamics.http import StandIn
from worker.dynamics.protocol import Answer, Request
from worker.dynamics.transport import Answering
from worker.sandbox.dataverse import limits
from worker.sandbox.dataverse.faults import Ending, InjectedFault
from worker.sandbox.dataverse.odata.refusals import Refusal
from worker.sandbox.dataverse.odata.wire import Reply
from worker.sandbox.dataverse.rules import InjectedFaults
from worker.sandbox.inprocess import InProcessDynamics


ENVIRONMENT = "https://dataverse.invalid"
_BASE = f"{ENVIRONMENT}/api/data/v9.2/"

#: Codes of service protection, and from which 429 on it is one record's own trouble all the same.
PROTECTION: Final = frozenset((limits.TOO_MANY, limits.TOO_LONG, limits.TOO_PARALLEL))
OWN_FROM: Final = 3


@dataclass(slots=True)
class Mood:
    """What Dataverse and Entra make of requests just now.

    Attributes:
        throttled_until: Virtual time (s) until which everything is answered 429.
        throttled_users: The same for what one application user sends.
        users_out: Application users that Entra does not let in.
        hangs: No answer ever.
        breaks: A status for everything (503, 500, 403), or 0.
        tokens: How many tokens have been withdrawn: older ones are answered 401.
        entra: What asking for a token ends in: "", "unavailable" or "unauthorized".
        retry_at_once: Whoever is throttled is told ``Retry-After: 0``.
        read_only: Writes are answered 503, all else is fine.
        untrue: The body of a 200 that somebody else gives in Dataverse's name, or None.
    """

    throttled_until: float = 0.0
    throttled_users: dict[str, float] = field(default_factory=dict)
    users_out: set[str] = field(default_factory=set)
    hangs: bool = False
    breaks: int = 0
    tokens: int = 0
    entra: str = ""
    retry_at_once: bool = False
    read_only: bool = False
    untrue: bytes | None = None

    def clear(self) -> None:
        """Nothing is wrong any more but what somebody must mend."""
        self.throttled_until = 0.0
        self.throttled_users.clear()
        self.users_out.clear()
        self.hangs = False
        self.breaks = 0
        self.entra = ""
        self.retry_at_once = self.read_only = False
        self.untrue = None


@dataclass(slots=True)
class Dataverse:
    """The service.

    Attributes:
        loop: Time.
        conduct: Told of what is sent and what comes of it.
        wall: The right time (s since 1970).
        memory: The records.
        mood: What it makes of requests.
        weather: How it can be reached.
        doorstep: Not weather, but a place for an ambush: where a request is about to be sent.
        faults: What goes wrong with some requests, by what they are about.
        asked: How many requests came.
        spoilt: Key of a record -> how many of the requests about it went wrong like that.
    """

    loop: VirtualLoop
    conduct: Conduct
    wall: Callable[[], float]
    memory: ScriptedDynamics
    faults: InjectedFaults
    mood: Mood = field(default_factory=Mood)
    weather: Weather = field(default_factory=Weather)
    doorstep: Weather = field(default_factory=Weather)
    asked: int = 0
    spoilt: Counter[str] = field(default_factory=Counter)

    def answer(self, sent: Sent, token: str) -> httpx.Response | None:
        """Carry a request out, or refuse it; None: there will be no answer.

        Raises:
            httpx.ReadError: The connection is closed without one.
        """
        self.conduct.arrived(sent)
        self.asked += 1
        number, _, user = token.partition(" ")
        refusal = self._refusal(sent, int(number), user)
        if refusal is not None:
            return refusal
        organisation = self.memory.organisation
        fault = self.faults.take(self.memory.call(sent.request), organisation.row_is_missing)
        if fault is None:
            return self._carry_out(sent, user)
        self.spoilt[sent.key] += 1
        self.conduct.story.tell("dataverse", f"{shown(fault)} for {sent.key[:8]}")
        if fault.acts:
            self._carry_out(sent, user)
        match fault.answer, fault.ending:
            case _, Ending.HANG:
                return None
            case Refusal() as said, Ending.ANSWER:
                reply = organisation.refuse(said, {})
                return self._said(reply.status, reply.body, dict(reply.headers))
            case Reply() as page, Ending.ANSWER:
                return httpx.Response(page.status, content=page.body)
        raise httpx.ReadError("the connection was closed")

    def _carry_out(self, sent: Sent, user: str) -> httpx.Response:
        reply = InProcessDynamics(self.memory.organisation, user).ask(sent.request)
        if httpx.codes.is_success(reply.status):
            self.conduct.carried_out(sent, reply.status)
        return self._said(reply.status, reply.body, dict(reply.headers))

    def _refusal(self, sent: Sent, token: int, user: str) -> httpx.Response | None:
        """What is said instead of doing it, if anything."""
        mood = self.mood
        until_s = max(mood.throttled_until, mood.throttled_users.get(user, 0.0))
        wait_s = until_s - self.loop.time()
        if mood.untrue is not None:
            return httpx.Response(200, content=mood.untrue)
        if wait_s > 0:
            seconds = 0 if mood.retry_at_once else int(wait_s) + 1
            return self._said(429, _error(limits.TOO_MANY), {"Retry-After": str(seconds)})
        if token < mood.tokens:
            return self._said(401)
        if mood.breaks or (mood.read_only and sent.request.method != "GET"):
            return self._said(mood.breaks or 503)
        return None

    def _said(
        self, status: int, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """An answer with the marks of Dataverse's."""
        marks = {"OData-Version": "4.0", "Date": formatdate(self.wall(), usegmt=True)}
        return httpx.Response(status, content=content, headers={**marks, **(headers or {})})


class Wire:
    """Carries what a process sends as an application user (see ``transport.Opens``)."""

    def __init__(self, dataverse: Dataverse, network: Network, process: Process, user: str) -> None:
        self._dataverse = dataverse
        self._network = network
        self._process = process
        self._user = user
        self._conduct = dataverse.conduct
        self._throttled: Counter[str] = Counter()

    async def open(
        self, method: str, url: str, headers: Iterable[tuple[str, str]], content: bytes | None
    ) -> Answering:
        """Send, and wait for the answer.

        Raises:
            httpx.ReadError: There is none.
        """
        self._network.strike(self._process, self._dataverse.doorstep)
        await asyncio.sleep(0)  # as on a network; a time-out may strike here, or just too late
        body = None if content is None else orjson.loads(content)
        path = url.removeprefix(_BASE)
        named = dict(headers)
        request = Request(method, path, named, body)
        sent = self._conduct.leaves(self._process, self._user, request)
        token = named["Authorization"].removeprefix("Bearer ")
        if self._dataverse.mood.hangs:
            self._conduct.arrived(sent)
            await asyncio.get_running_loop().create_future()

        def lost() -> Exception:
            self._conduct.arrived(sent)
            return httpx.ReadError("the connection was reset")

        response = await self._network.call(
            lambda: self._dataverse.answer(sent, token), self._dataverse.weather, lost
        )
        if response is None:
            await asyncio.get_running_loop().create_future()
            raise AssertionError("nobody ends it")
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self._hear_of_429(sent, response)
        return StandIn(response)

    def _hear_of_429(self, sent: Sent, response: httpx.Response) -> None:
        """Nothing may be sent for a while, unless it is this record's own trouble."""
        code = orjson.loads(response.content)["error"]["code"]
        self._throttled[sent.key] += 1
        own = self._dataverse.spoilt[sent.key] and self._throttled[sent.key] >= OWN_FROM
        if code in PROTECTION and not own:
            retry_s = float(response.headers["Retry-After"])
            self._conduct.throttled(self._process, self._user, retry_s)


class Tokens:
    """A process's tokens of an application user (see ``worker.dynamics.auth.Tokens``)."""

    def __init__(self, dataverse: Dataverse, network: Network, weather: Weather, user: str) -> None:
        self._dataverse = dataverse
        self._network = network
        self._weather = weather
        self._user = user
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
        mood = self._dataverse.mood
        if mood.entra == "unavailable":
            raise _entra_away()
        if mood.entra == "unauthorized" or self._user in mood.users_out:
            raise Unauthorized("Entra refuses: AADSTS7000222")
        return f"{mood.tokens} {self._user}"


class Entrance:
    """Where a process's writer hands requests in, just after push has looked at its claim."""

    def __init__(self, client: DataverseClient, conduct: Conduct, process: Process) -> None:
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


def shown(fault: InjectedFault) -> str:
    """A fault, for the story."""
    done = "does it and then " if fault.acts else ""
    ends = "" if fault.ending is Ending.ANSWER else f"gives no answer ({fault.ending.value})"
    return f"{done}{ends or f'says {fault.status} {fault.code}'}"


def _error(code: str) -> bytes:
    return orjson.dumps({"error": {"code": code, "message": ""}})


def _entra_away() -> Exception:
    return Unavailable("Entra does not answer")
