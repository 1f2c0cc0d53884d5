"""Sends requests to the Dataverse Web API as one application user."""

from __future__ import annotations

import asyncio
import re
import uuid

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import httpx
import orjson
import structlog

from pipelines.entity import entity
from worker import exchange
from worker.dynamics.auth import Tokens
from worker.dynamics.classify import failure, http_date, read_error
from worker.dynamics.errors import (
    Busy,
    DynamicsError,
    Forbidden,
    Refused,
    Unauthorized,
    Unavailable,
)
from worker.dynamics.gate import Gate
from worker.dynamics.http import ACCEPTED, require_https
from worker.dynamics.impersonation import caller_of, is_about, of_caller
from worker.dynamics.marks import VERSION, is_dataverses
from worker.dynamics.privileges import privilege_of
from worker.dynamics.protocol import WHO_AM_I, Answer, Request
from worker.dynamics.reasons import GateClosed
from worker.dynamics.transport import Answering, Broken, Opens, Untrusted, redirect
from worker.retry import retry_until


#: What Microsoft asks for on every call; "null" is literal (powerapps-docs
#: ``webapi/compose-http-requests-handle-errors``).
HEADERS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "If-None-Match": "null",
}

#: How names of headers are spelt here, by their lower case: a request's own replace these.
_SPELT = {name.lower(): name for name in (*HEADERS, "Content-Type")}

#: Whose id of a request -> the answer's header.
_SUPPORT: Mapping[str, str] = {"req": "req_id", "service": "x-ms-service-request-id"}

_NO_HEADERS: Mapping[str, str] = {}

MAX_BODY_BYTES = 16 * 1024 * 1024

#: How often one request is sent at most while its outcome is unknown.
TRIES = 4

#: Errors that say that this try, at least, was not carried out.
SURE = (Busy, GateClosed, Unauthorized, Forbidden)

#: Time limit of requests that are not made for a contact (s).
WHO_AM_I_TIMEOUT_S = 30.0

#: How messages name the address, by where it is written.
ADDRESS: Final = "CONNECT_DYNAMICS_ENVIRONMENT_URL (or --dynamics)"

_ENTITY_SET = re.compile(r"[$\w]*")

#: Paths that httpx would make nothing else of.
_ENCODED = re.compile(r"(?:[A-Za-z0-9\-_~!$&'()*+,;=:@/?]|(?<=[^/])\.|%[0-9A-Fa-f]{2}){0,60000}")
_GUID = re.compile(r"(?![0-]*\Z)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # zeros are nobody's
_HINT = re.compile(r"0*([1-9][0-9]{0,3})")

_log = structlog.get_logger(__name__)


class _Reply(NamedTuple):
    """What came back for one try."""

    request_id: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def describe(request: Request) -> str:
    """Method and entity set: all that may be logged about a request."""
    found = _ENTITY_SET.match(request.path)
    return f"{request.method} {found.group() if found else ''}".rstrip()


def is_create(request: Request) -> bool:
    """Whether the request asks for a new record and nothing else."""
    conditions = httpx.Headers(request.headers)
    return request.method == "POST" or conditions.get("if-none-match") == "*"


def subject_of(request: Request) -> str:
    """What a request is about: the record that it writes, or what it asks."""
    place = request.path.partition("?")[0]
    if request.method != "POST":
        return request.path if request.method == "GET" else place
    return request.record or f"{place}({(request.body or {}).get(entity(place).key, '')})"


class DataverseClient:
    """Sends one application user's requests to one Dataverse environment (``protocol.Dynamics``).

    Everything we send is conditional or carries its own primary key, so a request whose outcome
    is unknown (a time-out, a reset, 502, 503, 504) is sent again: had it been done after all, the
    answer is 412 or the same record.

    Attributes:
        gate: What its requests pass.
    """

    def __init__(
        self,
        environment_url: str,
        http: Opens,
        tokens: Tokens,
        gate: Gate,
        *,
        api_version: str = "v9.2",
        answered: Callable[[str, int | None], None] = lambda _method, _status: None,
        dated: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        """Use ``http`` (see ``make_http``), which the caller closes, and the gate's clock.

        ``answered`` is called with the method and status of every try; None: no answer came.
        ``dated`` is called with the time (s since 1970) that an answer's ``Date`` gives.

        Raises:
            ConfigError: ``environment_url`` is not a plain https address.
        """
        environment = str(require_https(ADDRESS, environment_url))
        self._base = f"{environment.rstrip('/')}/api/data/{api_version}/"
        self._open = http.open
        self._tokens = tokens
        self.gate = gate
        self._clock = gate.clock
        self._answered = answered
        self._dated = dated
        self._user_id = ""
        self._organization_id = ""
        self._asking = asyncio.Lock()

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        """Send, repeating ambiguous outcomes while time is left (see ``protocol.Dynamics``).

        Raises:
            GateClosed: a kind of Unavailable that says nothing was sent.
            DynamicsError: anything in ``worker.dynamics.errors``.
        """
        deadline = self._clock.monotonic() + timeout_s
        subject = subject_of(request)
        doubts: list[Exception] = []
        # What got no answer when it was last sent is not sent again here: whoever sends it pauses.
        most = 1 if self.gate.breaker.is_failing(subject) else TRIES

        def failed(error: Exception, _pause_s: float) -> None:
            if isinstance(error, SURE):
                # Says nothing about an earlier try, which may have been carried out.
                raise (doubts[-1] if doubts else error) from None
            doubts.append(error)
            # A record with a problem of its own has it in half a second too.
            if len(doubts) == most or self.gate.breaker.is_suspect(subject):
                raise error

        return await retry_until(
            partial(self._through_gate, request, deadline),
            clock=self._clock,
            errors=(Unavailable, *SURE),
            failed=failed,
            deadline=deadline,
        )

    async def user_id(self) -> str:
        """Our application user's systemuserid in lower case, asked for once.

        Raises:
            DynamicsError: see ``send``.
        """
        async with self._asking:
            if not self._user_id:
                self._identify(await self.send(WHO_AM_I, timeout_s=WHO_AM_I_TIMEOUT_S))
                if not self._user_id:
                    raise Unavailable("WhoAmI answered without a user's id")
        return self._user_id

    async def organization_id(self) -> str:
        """The id of the organization that answers here, in lower case, as last heard.

        Raises:
            DynamicsError: see ``send``.
        """
        async with self._asking:
            if not self._organization_id:
                self._identify(await self.send(WHO_AM_I, timeout_s=WHO_AM_I_TIMEOUT_S))
                if not self._organization_id:
                    raise Unavailable("WhoAmI answered without an organization's id")
        return self._organization_id

    async def probe(self) -> None:
        """Ask who we are, once and past the gate: for ``Breaker.reopen``.

        Another organization may answer here after an outage: one that was restored or copied.

        Raises:
            DynamicsError: see ``send``.
        """
        self._identify(await self._exchange(WHO_AM_I, WHO_AM_I_TIMEOUT_S))

    def _identify(self, answer: Answer) -> None:
        """Note who we are, and which organization it is, as far as the answer says so."""
        user, organization = (
            found if _GUID.fullmatch(found := str(answer.body.get(name)).lower()) else ""
            for name in ("UserId", "OrganizationId")
        )
        self._user_id = user or self._user_id
        self._organization_id = organization or self._organization_id

    async def _through_gate(self, request: Request, deadline: float) -> Answer:
        slot = self.gate.slot(
            wait_s=deadline - self._clock.monotonic(),
            writes=request.method != "GET",
            subject=subject_of(request),
        )
        async with slot:
            return await self._exchange(request, deadline - self._clock.monotonic())

    async def _exchange(self, request: Request, timeout_s: float) -> Answer:
        """One try, with a second token if Dataverse refuses the first."""
        try:
            async with asyncio.timeout(timeout_s):
                token = await self._tokens.token()
                reply = await self._once(request, token)
                if reply.status == httpx.codes.UNAUTHORIZED and not _is_of_caller(request, reply):
                    await self._tokens.refuse(token)
                    reply = await self._once(request, await self._tokens.token())
        except TimeoutError:
            raise Unavailable(f"{describe(request)} got no answer in time") from None
        return self._answer_of(request, reply)

    async def _once(self, request: Request, token: str) -> _Reply:
        request_id = str(uuid.uuid4())
        status, headers = None, _NO_HEADERS
        try:
            answer = await self._open(
                request.method,
                self._address(request.path),
                _headers(request, token, request_id).items(),
                None if request.body is None else orjson.dumps(request.body),
            )
            try:
                status, headers = answer.status, answer.headers
                self._note_date(answer.headers)
                body = await _read(request, answer)
            finally:
                await answer.aclose()
            return _Reply(request_id, status, answer.headers, body)
        except httpx.InvalidURL:
            raise Refused(f"{describe(request)} has no usable address") from None
        except httpx.RequestError as error:
            # Not chained: h11's texts quote what came over the wire.
            raise Unavailable(f"{describe(request)} got no answer: {_reason(error)}") from None
        finally:
            done = status is not None and httpx.codes.is_success(status)
            exchange.answered(status, None if done else _ids(request_id, headers))
            self._answered(request.method, status)

    def _address(self, path: str) -> str:
        """The whole address, with what must not stand in one percent-encoded."""
        address = self._base + path
        return address if _ENCODED.fullmatch(path) else str(httpx.URL(address))

    def _note_date(self, headers: Mapping[str, str]) -> None:
        try:
            seconds = http_date(headers.get("date", ""))
        except ValueError:
            return  # an answer need not have a date
        self._dated(seconds)

    def _answer_of(self, request: Request, reply: _Reply) -> Answer:
        """The answer that a reply is; raises the error that it stands for."""
        self.gate.slots.budget.observe(reply.headers)
        if hint := _HINT.fullmatch(reply.headers.get("x-ms-dop-hint", "")):
            self.gate.take_hint(int(hint[1]))
        if host := redirect(reply.status, reply.headers):
            raise Unavailable(
                f"{describe(request)} was redirected to {host}, which gets no token: is "
                "CONNECT_DYNAMICS_ENVIRONMENT_URL the environment's address, and is no proxy in "
                "the way?",
                status=reply.status,
            )
        if not httpx.codes.is_success(reply.status):
            raise _failure(request, reply)
        body = _parse(request, reply)
        if not is_dataverses(request, reply.status, reply.headers, body):
            raise Unavailable(
                f"{describe(request)} answered {reply.status}, but not as Dataverse does",
                status=reply.status,
            )
        return Answer(reply.status, reply.headers, body or {})


def _ids(request_id: str, headers: Mapping[str, str]) -> dict[str, str]:
    """What Microsoft's support asks for: our id of a request, and Dataverse's, each once."""
    theirs = {headers.get(name, ""): whose for whose, name in _SUPPORT.items()}
    return {"client": request_id} | {whose: one for one, whose in theirs.items() if one}


def _headers(request: Request, token: str, request_id: str) -> dict[str, str]:
    headers = {**HEADERS, "Accept-Encoding": ACCEPTED}
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    for name, value in request.headers.items():
        headers[_SPELT.get(name.lower(), name)] = value
    headers["Authorization"] = f"Bearer {token}"
    headers["x-ms-client-request-id"] = request_id
    return headers


async def _read(request: Request, answer: Answering) -> bytes:
    """The body, unpacked; bounded, because a mistake in a query can ask for a whole table."""
    body = bytearray()
    async for chunk in answer.pieces():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            asked_for = httpx.codes.is_success(answer.status) and VERSION in answer.headers
            kind = Refused if asked_for and request.method == "GET" else Unavailable
            raise kind(
                f"{describe(request)} answered more than {MAX_BODY_BYTES} bytes",
                status=answer.status,
            )
    return bytes(body)


def _parse(request: Request, reply: _Reply) -> dict[str, Any] | None:
    """The JSON object of a success; anything else comes from a proxy and not from Dataverse."""
    if not reply.body:
        return None
    try:
        parsed = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise Unavailable(f"{describe(request)} answered {reply.status} without a JSON object")
    return parsed


def _failure(request: Request, reply: _Reply) -> DynamicsError:
    """What the answer means, with both sides' ids logged for a support case."""
    error = failure(
        describe(request), reply.status, reply.headers, reply.body, creates=is_create(request)
    )
    if isinstance(error, Forbidden):
        error.privilege = privilege_of(request)
    _log.info(
        "dynamics.refused",
        call=describe(request),
        status=reply.status,
        code=error.code,
        request_id=reply.request_id,
        service_request_id=reply.headers.get("x-ms-service-request-id", ""),
    )
    return of_caller(request, error)


def _is_of_caller(request: Request, reply: _Reply) -> bool:
    """Whether an answer refuses the user in whose name it was asked, so that the token is good."""
    caller = caller_of(request.headers)
    return bool(caller) and is_about(caller, reply.status, *read_error(reply.body))


def _reason(error: httpx.RequestError) -> str:
    """Why there was no answer; with its text only if that cannot quote what came over the wire."""
    name = type(error).__name__
    if isinstance(error, Untrusted):
        return str(error)
    return f"{name}: {error}" if isinstance(error, httpx.ConnectError | Broken) else name
