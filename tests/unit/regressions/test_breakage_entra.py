"""Entra that drips, falls silent, or answers as it never would."""

from __future__ import annotations

import asyncio
import time

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest

from rawserver import Conversation, Server
from worker.clock import Clock
from worker.dynamics import entra
from worker.dynamics.auth import CLOSE_S, MsalTokens
from worker.dynamics.errors import Unauthorized, Unavailable
from worker.dynamics.http import make_http


SCOPE = "https://org.test/.default"
DISCOVERY = {
    "issuer": "https://login.test/t",
    "authorization_endpoint": "https://login.test/t/authorize",
    "token_endpoint": "https://login.test/t/token",
}
TOKEN = {"token_type": "Bearer", "access_token": "abc.def", "expires_in": 3599}


async def secret() -> str:
    return "invented"


@asynccontextmanager
async def tokens_from(
    discovery: httpx.Response | None = None, token: httpx.Response | None = None
) -> AsyncIterator[MsalTokens]:
    """Tokens by the real MSAL from made-up answers."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return discovery or httpx.Response(200, json=DISCOVERY)
        return token or httpx.Response(200, json=TOKEN)

    async with make_http(transport=httpx.MockTransport(answer)) as http:
        tokens = MsalTokens("https://login.test/t", "client", secret, SCOPE, http)
        yield tokens
        await tokens.close()


ODD_PAGES = [
    httpx.Response(302, headers={"Location": "https://elsewhere.test/"}),
    httpx.Response(200, content=b"[]"),
    httpx.Response(200, content=b"null"),
    httpx.Response(200, content=b"{}"),
    httpx.Response(200, content=b""),
    httpx.Response(200, content=b"<html>sign in</html>"),
    httpx.Response(200, content=b"\xff\xfe{\x00"),
    httpx.Response(200, content=b"[" * 100_000),
    httpx.Response(204),
    httpx.Response(407, content=b"<html>"),
    httpx.Response(403, json={"error": {"code": "proxy"}}),
    httpx.Response(429, headers={"Retry-After": "9" * 5000}),
    httpx.Response(500, json={"error": "server_error"}),
    httpx.Response(599),
]


@pytest.mark.parametrize("page", ODD_PAGES)
async def test_any_page_that_is_not_entra_s_is_no_answer(page: httpx.Response) -> None:
    for answers in ({"discovery": page}, {"token": page}):
        async with tokens_from(**answers) as tokens:
            with pytest.raises(Unavailable, match=r"^Entra answered"):
                await tokens.token()


@pytest.mark.parametrize(
    "endpoint",
    [None, 7, [], "", "http://login.test/t/token", "https://login.test", "//x/y", "https://a b/c"],
)
async def test_a_secret_goes_to_no_odd_endpoint(endpoint: Any) -> None:
    page = httpx.Response(200, json={**DISCOVERY, "token_endpoint": endpoint})
    async with tokens_from(discovery=page) as tokens:
        with pytest.raises(Unavailable, match="not as Entra does"):
            await tokens.token()


@pytest.mark.parametrize(
    "body",
    [
        b'{"access_token": "abc"}',
        b'{"access_token": "abc", "expires_in": 1e999}',
        b'{"access_token": "abc", "expires_in": NaN}',
        b'{"access_token": "abc", "expires_in": -1}',
        b'{"access_token": "abc", "expires_in": 0}',
        b'{"access_token": "abc", "expires_in": ' + b"9" * 5000 + b"}",
        b'{"access_token": "abc", "expires_in": 1e300}',
        b'{"access_token": "abc", "expires_in": null}',
        b'{"access_token": "abc", "expires_in": true}',
        b'{"access_token": "abc", "expires_in": "soon"}',
        b'{"access_token": "abc", "expires_in": "' + b"9" * 5000 + b'"}',
        b'{"access_token": "abc", "expires_in": {}}',
        b'{"access_token": 7, "expires_in": 3599}',
        b'{"access_token": "", "expires_in": 3599}',
        b'{"access_token": "a\\r\\nX: y", "expires_in": 3599}',
        b'{"access_token": "\xc3\xa9", "expires_in": 3599}',
        b'{"access_token": ["abc"], "expires_in": 3599}',
        b'{"expires_in": 3599}',
    ],
)
async def test_half_a_token_is_no_token(body: bytes) -> None:
    async with tokens_from(token=httpx.Response(200, content=body)) as tokens:
        with pytest.raises(Unavailable, match="not as Entra does"):
            await tokens.token()


@pytest.mark.parametrize("life", [3599, "3599", 3599.9])
async def test_what_else_an_answer_with_a_token_holds_does_not_matter(life: Any) -> None:
    more = {"client_info": 7, "id_token": [], "refresh_in": "x", "ext_expires_in": {}, "scope": 5}
    page = httpx.Response(200, json={**TOKEN, "expires_in": life, **more})
    async with tokens_from(token=page) as tokens:
        assert await tokens.token() == "abc.def"


@pytest.mark.parametrize(
    "description", [None, 7, ["AADSTS7000222"], "x" * 100_000, "AADSTS" + "9" * 5000]
)
async def test_a_refusal_with_an_odd_description_is_a_refusal(description: Any) -> None:
    page = httpx.Response(401, json={"error": "invalid_client", "error_description": description})
    async with tokens_from(token=page) as tokens:
        with pytest.raises(Unauthorized, match=r"^Entra refuses a token"):
            await tokens.token()


@pytest.mark.services
@pytest.mark.parametrize("part", ["head", "body"])
async def test_a_token_endpoint_that_drips_is_given_up_and_asked_again(
    server: Server, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(entra, "EXCHANGE_S", 0.2)
    mended = asyncio.Event()

    def page(body: dict[str, Any]) -> bytes:
        data = orjson.dumps(body)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data

    async def dripping(conversation: Conversation) -> None:
        while True:
            head = await conversation.request()
            if head.startswith(b"GET"):
                places = {
                    name: value.replace("https://login.test", server.url)
                    for name, value in DISCOVERY.items()
                }
                await conversation.say(page(places))
            elif mended.is_set():
                await conversation.say(page(TOKEN))
            else:
                if part == "body":
                    await conversation.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
                for byte in b"HTTP/1.1 200 OK\r\nServer: " + b"x" * 1000:
                    await conversation.say(bytes([byte]))
                    await asyncio.sleep(0.01)

    now = 0.0
    async with server.answering(dripping), make_http(server.ca_file) as http:
        tokens = MsalTokens(
            f"{server.url}/t", "client", secret, SCOPE, http, clock=Clock(monotonic=lambda: now)
        )
        began = time.monotonic()
        with pytest.raises(Unavailable, match="in time"):
            await tokens.token()
        assert time.monotonic() - began < 5
        mended.set()
        now += 10
        assert await tokens.token() == "abc.def"
        await tokens.close()


async def test_a_certificate_that_cannot_sign_is_a_fault_of_the_settings_and_no_outage() -> None:
    async def broken() -> dict[str, str]:
        return {"private_key": "no key", "thumbprint": "ab" * 20}

    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=DISCOVERY))
    async with make_http(transport=transport) as http:
        tokens = MsalTokens("https://login.test/t", "client", broken, SCOPE, http)
        with pytest.raises(Unauthorized, match="certificate"):
            await tokens.token()


async def test_closing_ends_a_token_request_that_gets_no_answer() -> None:
    asked = asyncio.Event()

    async def silent(_request: httpx.Request) -> httpx.Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with make_http(transport=httpx.MockTransport(silent)) as http:
        tokens = MsalTokens("https://login.test/t", "client", secret, SCOPE, http)
        waiting = asyncio.create_task(tokens.token())
        await asked.wait()
        began = time.monotonic()
        await tokens.close()
        assert time.monotonic() - began < CLOSE_S
        with pytest.raises(Unavailable, match="was cancelled"):
            await waiting


async def test_closing_does_not_wait_for_a_secret_that_does_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.dynamics.auth.CLOSE_S", 0.05)

    async def never() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    async with make_http(transport=httpx.MockTransport(lambda _: httpx.Response(500))) as http:
        tokens = MsalTokens("https://login.test/t", "client", never, SCOPE, http)
        waiting = asyncio.create_task(tokens.token())
        await asyncio.sleep(0)
        await asyncio.wait_for(tokens.close(), 2)
        with pytest.raises(asyncio.CancelledError):
            await waiting
