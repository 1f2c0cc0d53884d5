"""HTTP as this room uses it: TLS always verified, no cookies, no redirects."""

from __future__ import annotations

import ssl

from collections.abc import Iterable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Final

import httpx

from worker.dynamics.proxy import environment_proxies
from worker.dynamics.transport import Answering, Open, Transport
from worker.errors import ConfigError


#: Content codings that are asked for.
ACCEPTED: Final = "gzip"


class Http(httpx.AsyncClient):
    """httpx's client, which what is sent often goes past.

    Attributes:
        open: See ``Transport.open``.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        super().__init__(
            transport=transport,
            headers={"Accept-Encoding": ACCEPTED},
            cookies=no_cookies(),
            follow_redirects=False,
            timeout=None,  # each caller sets one for the whole exchange
            trust_env=False,  # proxies and authorities in the environment are read below
        )
        self.open: Open = self._stand_in
        if isinstance(transport, Transport):
            self.open = transport.open

    async def _stand_in(
        self, method: str, url: str, headers: Iterable[tuple[str, str]], content: bytes | None
    ) -> Answering:
        request = self.build_request(method, url, headers=list(headers), content=content)
        return StandIn(await self.send(request, stream=True))


class StandIn:
    """The answer of what replaces the network; see ``Answering``."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.pieces = response.aiter_bytes
        self.aclose = response.aclose


def make_http(
    ca_file: Path | None = None, *, transport: httpx.AsyncBaseTransport | None = None
) -> Http:
    """The client that all requests to Dynamics and Entra go through; its owner closes it.

    It has no time limit: each caller sets one for the whole exchange.

    Args:
        ca_file: PEM file of a private authority, trusted beside the public ones.
        transport: Replaces the network (the sandbox in this process, tests).

    Raises:
        ConfigError: ``ca_file``, or a proxy that the environment names, cannot be used.
    """
    return Http(transport or Transport(tls_context(ca_file), environment_proxies()))


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """A context that verifies servers and speaks HTTP/1.1.

    Raises:
        ConfigError: ``ca_file``, or the file or directory that ``SSL_CERT_FILE`` or
            ``SSL_CERT_DIR`` names, is missing or holds no certificates.
    """
    try:
        context = httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"SSL_CERT_FILE or SSL_CERT_DIR: {type(error).__name__}") from error
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{ca_file}: no certificates can be read from it") from error
    return context


def no_cookies() -> CookieJar:
    """A jar that accepts no cookie: Dataverse's limits are per server, so never stick to one.

    Source: powerapps-docs ``api-limits``, "remove the affinity cookie".
    """
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def require_https(name: str, url: str) -> httpx.URL:
    """Parse a configured address.

    Raises:
        ConfigError: not an https address, or with a user, a query or a fragment in it.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise ConfigError(f"{name} is no address") from None
    if parsed.scheme != "https" or not parsed.host:
        raise ConfigError(f"{name} must start with https://")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise ConfigError(f"{name} must be an address without user, query and fragment")
    return parsed
