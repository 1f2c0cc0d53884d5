"""The organisation on the web: tokens, limits and faults around each request (ASGI)."""

from __future__ import annotations

import asyncio
import re

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import httpx

from worker.sandbox.dataverse.faults import Ending, InjectedFault
from worker.sandbox.dataverse.odata.refusals import Refusal
from worker.sandbox.dataverse.odata.wire import Call, Reply


if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from worker.sandbox.dataverse.limits import Throttle
    from worker.sandbox.dataverse.organisation import Organisation
    from worker.sandbox.dataverse.rules import InjectedFaults


AFFINITY: Final = "ARRAffinity"

#: Key of the ASGI extension that closes the connection at once.
ABORT: Final = "connect-dynamics.abort"

#: How Dataverse spells the names of headers that clients look for. Case means nothing in HTTP/1.1,
#: but Microsoft's own asynchronous client looks for these.
_SPELLED: Final = {
    "odata-entityid": "OData-EntityId",
    "location": "Location",
    "retry-after": "Retry-After",
}

NO_ANSWER: Final = 0  # as a status, for the listener

_API: Final = re.compile(r"/api/data/(v9\.\d+)/(.*)", re.DOTALL)
_NAMES: Final = re.compile(r"\([^)]*(?:'|%27).*\)")

#: Called with method, path without personal data, and status of every request.
Listener = Callable[[str, str, int], None]

#: The systemuserid whose token an Authorization header holds, or None.
Authenticate = Callable[[str], str | None]


@dataclass(slots=True)
class Web:
    """Takes ASGI requests for an organisation.

    Attributes:
        organisation: Answers the requests.
        authenticate: Finds the user of a token.
        throttle: Service protection, if any.
        faults: What goes wrong on purpose.
        dop_hint: What ``x-ms-dop-hint`` recommends.
        listener: Called for every request.
        sleep: Waits, for latency.
        requests: How many requests came.
        closing: Set when hanging requests are to end.
    """

    organisation: Organisation
    authenticate: Authenticate
    throttle: Throttle | None
    faults: InjectedFaults
    dop_hint: int
    listener: Listener | None
    sleep: Callable[[float], Awaitable[None]]
    requests: int = 0
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.organisation.answer_part = self._part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        if scope["type"] != "http":
            return
        self.requests += 1
        body = await _body(receive)
        headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}
        call = _call(scope, headers, body)
        if call is None:
            code = self.organisation.switches.segment_code
            refusal = Refusal(404, code, "Resource not found for the segment.")
            await _send(send, self.organisation.refuse(refusal, headers), [])
            return
        reply, ending, extra = await self._handle(call)
        status = reply.status if ending is Ending.ANSWER else NO_ANSWER
        if self.listener:
            self.listener(call.method, _NAMES.sub("(…)", call.path), status)
        if status == HTTPStatus.UNAUTHORIZED:
            extra = [*extra, *self._challenge(call)]
        if ending is Ending.ANSWER:
            await _send(send, reply, [*self._headers(), *extra])
        else:
            await self._no_answer(scope, receive, ending)

    async def _handle(self, call: Call) -> tuple[Reply, Ending, list[tuple[str, str]]]:
        user = self.authenticate(call.headers.get("authorization", ""))
        if user is None:
            refusal = Refusal(401, "", "Unauthorized")
            return self._refuse(refusal, call), Ending.ANSWER, []
        call.user = user
        try:
            running, extra = self._admit(call)
            with running:
                reply, ending = await self._carry_out(call)
        except Refusal as refusal:
            return self._refuse(refusal, call), Ending.ANSWER, []
        return reply, ending, extra()

    async def _carry_out(self, call: Call) -> tuple[Reply, Ending]:
        fault = self._fault(call)
        if fault.delay_s:
            call.was_missing = call.method == "PATCH" and self.organisation.row_is_missing(call)
            await self.sleep(fault.delay_s)
        return self._spoilt(call, fault, self.organisation.answer), fault.ending

    def _fault(self, call: Call) -> InjectedFault:
        return self.faults.take(call, self.organisation.row_is_missing) or _NO_FAULT

    def _spoilt(
        self, call: Call, fault: InjectedFault, carry_out: Callable[[Call], Reply]
    ) -> Reply:
        reply = carry_out(call) if fault.acts else Reply(204)
        answer = fault.answer
        return self._refuse(answer, call) if isinstance(answer, Refusal) else answer or reply

    def _part(self, call: Call) -> Reply:
        """Answer a request of a batch; faults befall it too, as far as answers go."""
        return self._spoilt(call, self._fault(call), self.organisation.answer)

    def _admit(
        self, call: Call
    ) -> tuple[AbstractContextManager[None], Callable[[], list[tuple[str, str]]]]:
        """A count of the request while it runs, and the headers that say what is left."""
        throttle = self.throttle
        if throttle is None:
            return nullcontext(), list
        cookies = SimpleCookie(call.headers.get("cookie", ""))
        server = throttle.server(cookies[AFFINITY].value if AFFINITY in cookies else None)

        def extra() -> list[tuple[str, str]]:
            cookie = ("set-cookie", f"{AFFINITY}={server}; Path=/; HttpOnly; Secure")
            return [*throttle.headers(call.user, server), cookie]

        return throttle.running(call.user, server), extra

    def _refuse(self, refusal: Refusal, call: Call) -> Reply:
        return self.organisation.refuse(refusal, call.headers)

    def _challenge(self, call: Call) -> list[tuple[str, str]]:
        """Where to get a token; customary with a 401, but not documented."""
        if not self.organisation.switches.www_authenticate:
            return []
        base = call.root.partition("/api/data/")[0]
        where = f"authorization_uri={base}/common/oauth2/authorize, resource_id={base}/"
        return [("www-authenticate", f"Bearer {where}")]

    def _headers(self) -> list[tuple[str, str]]:
        request_id = self.organisation.new_id()
        return [
            ("odata-version", "4.0"),
            ("x-ms-dop-hint", str(self.dop_hint)),
            ("x-ms-service-request-id", request_id),
            ("req_id", request_id),
        ]

    async def _no_answer(self, scope: Scope, receive: Receive, ending: Ending) -> None:
        """Close the connection; a hanging one when the client or the sandbox goes.

        Raises:
            ReadError: Without a connection, in process, in its place.
        """
        if ending is Ending.HANG:
            await self._hang(receive)
        abort = scope.get("extensions", {}).get(ABORT)
        if abort is None:
            raise httpx.ReadError("The sandbox closed the connection without an answer.")
        abort()
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _hang(self, receive: Receive) -> None:
        gone = asyncio.ensure_future(_disconnected(receive))
        closing = asyncio.ensure_future(self.closing.wait())
        try:
            await asyncio.wait({gone, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            closing.cancel()


_NO_FAULT: Final = InjectedFault()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


def _call(scope: Scope, headers: dict[str, str], body: bytes) -> Call | None:
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    match = _API.fullmatch(raw.decode("latin-1"))
    if match is None:
        return None
    root = f"{scope['scheme']}://{headers.get('host', 'localhost')}/api/data/{match[1]}/"
    query = scope["query_string"].decode("latin-1")
    return Call(scope["method"], match[2], query, headers, body, root, "")


async def _send(send: Send, reply: Reply, more: list[tuple[str, str]]) -> None:
    headers = [*reply.headers, *more]
    if reply.status not in {204, 304}:
        headers.append(("content-length", str(len(reply.body))))
    encoded = [
        (_SPELLED.get(name, name).encode("latin-1"), value.encode("latin-1"))
        for name, value in headers
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
    await send({"type": "http.response.body", "body": reply.body})
