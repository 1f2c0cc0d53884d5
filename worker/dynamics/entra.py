"""MSAL's requests to Entra, over our own transport, and what Entra's answers must look like.

MSAL blocks in a thread and believes that any answer is Entra's. Here its requests run in the event
loop, each within one time limit for the whole exchange, and it gets only answers that were checked:
a redirect, a proxy's page or half a token never reach it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
import re

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

import httpx
import orjson

from worker.dynamics.aadsts import read_refusal
from worker.dynamics.errors import DynamicsError, Unauthorized, Unavailable
from worker.dynamics.transport import Untrusted, redirect


#: Limit of each exchange (s).
EXCHANGE_S: Final = 10.0

#: Discovery and tokens take some kilobytes.
MAX_ANSWER_BYTES: Final = 1024 * 1024

#: Longest life of a token that is believed (s): Entra's own last an hour to a day.
LONGEST_LIFE_S: Final = 30 * 86_400.0

#: Statuses of 400 to 499 after which a retry may succeed (RFC 9110, RFC 6585).
PASSING: Final = frozenset((408, 421, 425, 429))

#: The fields that are read of an OAuth error.
ERROR_FIELDS: Final = ("error", "error_description")

_ENDPOINT: Final = re.compile(r"https://[^/?#\s]+/[^/\s]\S*")
_TOKEN: Final = re.compile(r"[!-~]+")  # what may stand in a header
_SECONDS: Final = re.compile(r"[0-9]{1,9}")


class Entra:
    """MSAL's ``http_client``. Made in the event loop and used in one thread at a time.

    Args:
        http: Carries the requests.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._loop = asyncio.get_running_loop()
        self._asking: concurrent.futures.Future[httpx.Response] | None = None
        self._stopped = False

    def get(self, url: str, **options: Any) -> httpx.Response:
        """Discovery, called by MSAL in its thread.

        Raises:
            Unavailable: There was no answer that can be Entra's.
            Unauthorized: Entra knows no such tenant.
        """
        return self._ask("GET", url, options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        """A token request, called by MSAL in its thread; raises as ``get`` does."""
        return self._ask("POST", url, options)

    def stop(self) -> None:
        """Cancel the exchange that is in progress, and refuse further ones. In the event loop."""
        self._stopped = True
        if self._asking is not None:
            self._asking.cancel()

    def _ask(self, method: str, url: str, options: Mapping[str, Any]) -> httpx.Response:
        exchange = self._exchange(method, url, options)
        self._asking = asyncio.run_coroutine_threadsafe(exchange, self._loop)
        if self._stopped:  # meanwhile
            self._asking.cancel()
        try:
            return self._asking.result()
        except concurrent.futures.CancelledError:
            raise Unavailable("the request to Entra was cancelled") from None

    async def _exchange(self, method: str, url: str, options: Mapping[str, Any]) -> httpx.Response:
        if self._stopped or not _ENDPOINT.fullmatch(url):
            raise Unavailable("Entra is not asked any more, or not at such an address")
        request = self._http.build_request(
            method,
            url,
            params=options.get("params"),
            data=options.get("data"),
            headers=options.get("headers"),
        )
        try:
            async with asyncio.timeout(EXCHANGE_S):
                response = await self._http.send(request, stream=True)
                async with aclosing(response):
                    body = await _read(response)
        except TimeoutError:
            raise Unavailable("Entra gave no answer in time") from None
        except Untrusted as error:
            raise Unavailable(f"Entra gave no answer: {error}") from None
        except httpx.RequestError as error:
            # Not chained, and without its text, which may quote what came over the wire.
            raise Unavailable(f"Entra gave no answer: {type(error).__name__}") from None
        if host := redirect(response.status_code, response.headers):
            raise Unavailable(
                f"Entra answered {response.status_code}, a redirect to {host}, which is never "
                "followed: is CONNECT_DYNAMICS_AUTHORITY right, and is no proxy in the way?"
            )
        checked = check_answer(response.status_code, body, token=method == "POST")
        if method == "GET" and "error" in checked:
            raise _no_tenant(read_refusal(checked))  # MSAL's ValueError would have no code
        return httpx.Response(response.status_code, json=checked)


def _no_tenant(refusal: DynamicsError) -> DynamicsError:
    """A refused discovery, which is about the tenant whatever else it says."""
    if refusal.code or isinstance(refusal, Unavailable):
        return refusal
    return Unauthorized("Entra does not know the tenant: check it")


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise Unavailable("Entra gave too large an answer")
    return bytes(body)


def check_answer(status: int, body: bytes, *, token: bool) -> dict[str, Any]:
    """The fields of an answer that are needed.

    Args:
        status: HTTP status.
        body: The answer's bytes.
        token: Whether a token was asked for; if not, the address to ask for one.

    Raises:
        Unavailable: It is not an answer of Entra's, or says that Entra is busy.
    """
    refusing = httpx.codes.is_client_error(status) and status not in PASSING
    if status != httpx.codes.OK and not refusing:
        raise Unavailable(f"Entra answered {status}")
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    found = _fields(answer, refusing=refusing, token=token) if isinstance(answer, dict) else {}
    if not found:
        raise Unavailable(f"Entra answered {status}, but not as Entra does")
    return found


def _fields(answer: Mapping[str, Any], *, refusing: bool, token: bool) -> dict[str, Any]:
    """The fields that are needed; none if one of them is missing or invalid."""
    if refusing:
        given = {name: answer[name] for name in ERROR_FIELDS if isinstance(answer.get(name), str)}
        return given if "error" in given else {}
    if not token:
        names = ("authorization_endpoint", "token_endpoint")
        endpoints = {name: answer.get(name) for name in names}
        fitting = (isinstance(v, str) and _ENDPOINT.fullmatch(v) for v in endpoints.values())
        return endpoints if all(fitting) else {}
    life_s, value = _seconds(answer.get("expires_in")), answer.get("access_token")
    if life_s is None or not isinstance(value, str) or not _TOKEN.fullmatch(value):
        return {}
    return {"token_type": "Bearer", "access_token": value, "expires_in": life_s}


def _seconds(value: Any) -> int | None:
    """How long a token is valid (whole s): a number, or its digits, as older endpoints write it."""
    if isinstance(value, str):
        value = int(value) if _SECONDS.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    valid = math.isfinite(value) and 1 <= value <= LONGEST_LIFE_S
    return int(value) if valid else None
