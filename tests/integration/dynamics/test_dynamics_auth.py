"""Tokens by the real MSAL from a token endpoint on this machine, over TLS."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import threading
import time

from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
import trustme

from twins.clock import Turned
from worker.dynamics.auth import RETRY_PAUSE_S, MsalTokens
from worker.dynamics.entra import MAX_ANSWER_BYTES
from worker.dynamics.errors import DynamicsError, Unauthorized, Unavailable
from worker.dynamics.http import make_http
from worker.dynamics.secret import Credential, parse_credential
from worker.errors import ConfigError


SCOPE = "https://org.crm.dynamics.com/.default"
GOOD = "good-secret"

#: What every gzip file begins with (RFC 1952).
GZIP = b"\x1f\x8b"


class Entra(BaseHTTPRequestHandler):
    """Discovery and token endpoint of one tenant; tests set the class's attributes."""

    url = ""
    secret = GOOD
    status = 200
    refusal: ClassVar[dict[str, Any]] = {}
    said_of_tenant: ClassVar[dict[str, Any]] = {}
    elsewhere = ""
    raw = b""
    expires_in = 3599
    forms: ClassVar[list[dict[str, str]]] = []
    asked = 0
    hold = threading.Event()

    def do_GET(self) -> None:
        if "unknown" in self.path:
            return self.answer(400, {"error": "invalid_tenant", **self.said_of_tenant})
        if self.elsewhere:
            self.send_response(302)
            self.send_header("Location", self.elsewhere)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        base = f"{self.url}/oauth2/v2.0"
        endpoints = {
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
        }
        return self.answer(200, {"issuer": self.url, **endpoints})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        Entra.forms.append(form)
        self.hold.wait(10)
        if self.raw:
            return self.send(self.status, self.raw)
        if self.refusal:
            return self.answer(self.status, self.refusal)
        if "client_assertion" not in form and form["client_secret"] != self.secret:
            return self.answer(401, refusal(7000222))
        number = len(Entra.forms)
        token = {"access_token": f"token-{number}", "expires_in": self.expires_in}
        return self.answer(200, {"token_type": "Bearer", **token})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        self.send(status, json.dumps(body).encode())

    def send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if body.startswith(GZIP):
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Set-Cookie", "stsservicecookie=estsfd; path=/; secure")
        self.end_headers()
        self.wfile.write(body)
        if "Cookie" in self.headers:
            Entra.forms.append({"cookie": self.headers["Cookie"]})

    def log_message(self, *_arguments: Any) -> None:
        """Quiet."""


def refusal(number: int) -> dict[str, Any]:
    description = f"AADSTS{number}: test. Trace ID: 1"
    return {"error": "invalid_client", "error_description": description, "error_codes": [number]}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def entra(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Entra]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Entra)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hold = threading.Event()
    hold.set()
    for name, value in {
        "url": f"https://127.0.0.1:{server.server_port}/tenant",
        "forms": [],
        "hold": hold,
        "secret": GOOD,
        "refusal": {},
        "said_of_tenant": {},
        "elsewhere": "",
        "raw": b"",
        "status": 200,
        "expires_in": 3599,
    }.items():
        monkeypatch.setattr(Entra, name, value)
    yield Entra
    hold.set()
    server.shutdown()
    server.server_close()
    thread.join()


class Rig:
    """Tokens with a clock and a credential that tests change."""

    def __init__(self, url: str, ca_file: Path | None) -> None:
        self.time = Turned()
        self.stored: Credential | DynamicsError | ConfigError = GOOD
        self.reads = 0
        self.http = make_http(ca_file)
        self.tokens = MsalTokens(
            url, "client-id", self.read, SCOPE, self.http, clock=self.time.clock()
        )

    async def read(self) -> Credential:
        self.reads += 1
        if isinstance(self.stored, Exception):
            raise self.stored
        return self.stored

    async def token(self) -> str:
        return await self.tokens.token()

    async def close(self) -> None:
        await self.tokens.close()
        await self.http.aclose()


@pytest.fixture
async def rig(entra: type[Entra], ca_file: Path) -> AsyncIterator[Rig]:
    rig = Rig(entra.url, ca_file)
    yield rig
    await rig.close()


async def test_ten_cold_calls_at_once_are_one_token_request(rig: Rig, entra: type[Entra]) -> None:
    assert await asyncio.gather(*(rig.token() for _ in range(10))) == ["token-1"] * 10
    (form,) = entra.forms
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == SCOPE
    assert rig.reads == 1


async def test_a_caller_that_gives_up_neither_ends_nor_doubles_the_request(
    rig: Rig, entra: type[Entra]
) -> None:
    entra.hold.clear()
    hasty = asyncio.create_task(rig.token())
    patient = asyncio.create_task(rig.token())
    await asyncio.sleep(0)
    hasty.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hasty
    late = asyncio.create_task(rig.token())
    entra.hold.set()
    assert await patient == await late == "token-1"
    assert len(entra.forms) == 1


async def test_a_token_is_renewed_when_five_minutes_are_left(rig: Rig, entra: type[Entra]) -> None:
    assert await rig.token() == "token-1"
    rig.time.now = 3599 - 301
    assert await rig.token() == "token-1"
    rig.time.now = 3599 - 299
    assert await rig.token() == "token-2"
    assert rig.reads == 1
    assert len(entra.forms) == 2


async def test_a_short_lived_token_is_renewed_at_half_its_life(
    rig: Rig, entra: type[Entra]
) -> None:
    entra.expires_in = 20
    assert await rig.token() == "token-1"
    rig.time.now = 9
    assert await rig.token() == "token-1"
    rig.time.now = 10
    assert await rig.token() == "token-2"


async def test_while_entra_is_down_a_good_token_serves_to_its_end(
    rig: Rig, entra: type[Entra]
) -> None:
    assert await rig.token() == "token-1"
    entra.status, entra.raw = 503, b"<html>"
    rig.time.now = 3599 - 299
    assert await rig.token() == "token-1"
    rig.time.now = 3599
    with pytest.raises(Unavailable):
        await rig.token()
    entra.raw = b""
    rig.time.now += RETRY_PAUSE_S
    assert await rig.token() == "token-4"


async def test_a_token_that_dataverse_refused_is_never_handed_out_again(
    rig: Rig, entra: type[Entra]
) -> None:
    first = await rig.token()
    await asyncio.gather(*(rig.tokens.refuse(first) for _ in range(10)))
    assert await rig.token() == "token-2"
    await rig.tokens.refuse(first)
    assert await rig.token() == "token-2"
    assert len(entra.forms) == 2


async def test_tokens_refused_one_after_the_other_do_not_make_us_run_hot(
    rig: Rig, entra: type[Entra]
) -> None:
    await rig.tokens.refuse(await rig.token())
    await rig.tokens.refuse(await rig.token())
    for _ in range(5):
        with pytest.raises(Unauthorized, match="application user"):
            await rig.token()
    assert len(entra.forms) == 2
    rig.time.now += RETRY_PAUSE_S
    assert await rig.token() == "token-3"


async def test_a_rotated_secret_is_picked_up_at_once_and_without_a_restart(
    rig: Rig, entra: type[Entra]
) -> None:
    assert await rig.token() == "token-1"
    entra.secret = rig.stored = "new-secret"
    rig.time.now = 3599
    assert await rig.token() == "token-3"
    assert [form["client_secret"] for form in entra.forms] == [GOOD, GOOD, "new-secret"]


async def test_an_expired_secret_names_entra_s_code_and_is_not_asked_for_hotly(
    rig: Rig, entra: type[Entra]
) -> None:
    rig.stored = "old-secret"
    for _ in range(5):
        with pytest.raises(Unauthorized, match="AADSTS7000222: the client secret has expired"):
            await rig.token()
    assert len(entra.forms) == 1

    rig.stored = GOOD
    rig.time.now += RETRY_PAUSE_S
    assert await rig.token() == "token-2"


async def test_an_expired_secret_is_read_again_but_not_sent_again_while_it_is_the_same(
    rig: Rig, entra: type[Entra]
) -> None:
    await rig.token()
    entra.secret = "new-secret"
    rig.time.now = 3599
    with pytest.raises(Unauthorized, match="AADSTS7000222"):
        await rig.token()
    assert (rig.reads, len(entra.forms)) == (2, 2)


@pytest.mark.parametrize("status", [400, 429, 503])
async def test_msal_s_memory_of_a_failure_does_not_delay_recovery(
    rig: Rig, entra: type[Entra], status: int
) -> None:
    entra.status, entra.refusal = status, refusal(700016)
    started = time.monotonic()
    with pytest.raises(DynamicsError):
        await rig.token()
    entra.refusal = {}
    rig.time.now += RETRY_PAUSE_S
    assert await rig.token() == "token-2"
    # MSAL itself would repeat a 400 for 60 s and a 429 or 503 for 5 s of real time.
    assert time.monotonic() - started < 5


async def test_a_certificate_signs_an_assertion(
    rig: Rig, authority: trustme.CA, entra: type[Entra]
) -> None:
    issued = authority.issue_cert("client", key_type=trustme.KeyType.RSA)
    pem = issued.private_key_pem.bytes() + issued.cert_chain_pems[0].bytes()
    rig.stored = parse_credential(pem.decode())
    assert await rig.token() == "token-1"
    assert entra.forms[0]["client_assertion"].count(".") == 2


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        (ConfigError("the environment has no X"), Unauthorized),
        (Unavailable("Secrets Manager: down"), Unavailable),
        ({"private_key": "no key", "thumbprint": "00"}, Unauthorized),
        ({"thumbprint": "00"}, Unauthorized),
    ],
)
async def test_a_credential_that_cannot_be_used_is_no_token(
    rig: Rig, stored: Any, kind: type[DynamicsError], entra: type[Entra]
) -> None:
    rig.stored = stored
    with pytest.raises(kind):
        await rig.token()
    assert entra.forms == []


async def test_an_answer_that_is_no_json_passes(rig: Rig, entra: type[Entra]) -> None:
    entra.raw = b"<html>"
    with pytest.raises(Unavailable, match="Entra answered 200, but not as Entra does"):
        await rig.token()


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_without_end_is_dropped_and_passes(
    rig: Rig, entra: type[Entra], *, packed: bool
) -> None:
    endless = b'{"access_token": "' + bytes(MAX_ANSWER_BYTES) + b'"}'
    entra.raw = gzip.compress(endless) if packed else endless
    with pytest.raises(Unavailable, match="too large"):
        await rig.token()
    entra.raw = b""
    rig.time.now += RETRY_PAUSE_S
    assert await rig.token() == "token-2"


async def test_an_unknown_tenant_is_for_the_operator(entra: type[Entra], ca_file: Path) -> None:
    rig = Rig(entra.url.replace("tenant", "unknown"), ca_file)
    with pytest.raises(Unauthorized, match="tenant"):
        await rig.token()
    await rig.close()


@pytest.mark.parametrize("number", [90002, 900023])
async def test_a_tenant_that_entra_refuses_at_discovery_has_its_code_s_sentence(
    entra: type[Entra], ca_file: Path, number: int
) -> None:
    entra.said_of_tenant = {"error_description": f"AADSTS{number}: 'unknown' … Trace ID: 1"}
    rig = Rig(entra.url.replace("tenant", "unknown"), ca_file)
    with pytest.raises(Unauthorized, match=f"AADSTS{number}: the tenant") as raised:
        await rig.token()
    assert "unknown'" not in str(raised.value)
    await rig.close()


async def test_a_redirect_of_entra_s_is_not_followed_and_only_its_host_is_told(
    rig: Rig, entra: type[Entra]
) -> None:
    entra.elsewhere = "https://proxy.example/login?user=ada"
    with pytest.raises(Unavailable, match=r"a redirect to proxy\.example,") as raised:
        await rig.token()
    assert "ada" not in str(raised.value)
    assert entra.forms == []


async def test_an_authority_that_is_not_trusted_or_not_there_is_no_answer(
    entra: type[Entra],
) -> None:
    for url, why in ((entra.url, "not trusted"), ("https://127.0.0.1:1/tenant", "ConnectError")):
        rig = Rig(url, None)
        with pytest.raises(Unavailable, match=why):
            await rig.token()
        await rig.close()


async def test_entra_s_cookies_are_not_kept(rig: Rig, entra: type[Entra]) -> None:
    await rig.token()
    rig.time.now = 3599
    await rig.token()
    assert not any("cookie" in form for form in entra.forms)


def test_an_http_authority_is_refused() -> None:
    with pytest.raises(ConfigError):
        Rig("http://127.0.0.1/tenant", None)


async def test_closing_tokens_that_were_never_used_is_fine(entra: type[Entra]) -> None:
    await Rig(entra.url, None).close()
    assert entra.asked == 0
