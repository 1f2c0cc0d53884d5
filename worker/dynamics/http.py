"""HTTP as this room uses it: TLS verified always, no cookies, bounded."""

from __future__ import annotations

from contextlib import closing
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from worker.errors import ConfigError


if TYPE_CHECKING:
    import ssl


#: Longest time for TCP and TLS to be ready (s); the whole request has its own limit.
CONNECT_TIMEOUT_S = 5.0

MAX_CONNECTIONS = 64

#: Discovery and tokens take some kilobytes.
MAX_ANSWER_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024


def make_http(
    ca_file: Path | None = None, *, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """The client that ``worker.dynamics.client.Client`` sends through; its owner closes it.

    Args:
        ca_file: PEM file of a private authority, trusted beside the public ones.
        transport: Replaces the network (the sandbox in this process, tests).

    Raises:
        ConfigError: ``ca_file`` cannot be used.
    """
    return httpx.AsyncClient(
        http2=True,
        verify=tls_context(ca_file),
        cookies=no_cookies(),
        follow_redirects=False,
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
        timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
        transport=transport,
    )


class BoundedClient(httpx.Client):
    """A client, for MSAL, whose answers are never larger than ``MAX_ANSWER_BYTES``, unpacked."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """See ``httpx.Client``.

        Raises:
            httpx.ReadError: The answer is larger.
        """
        body = bytearray()
        response = super().send(request, **{**options, "stream": True})
        with closing(response):
            for chunk in response.iter_bytes(CHUNK_BYTES):
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise httpx.ReadError("too large an answer", request=request)
        headers = httpx.Headers(response.headers)
        headers.pop("content-encoding", None)
        return httpx.Response(
            response.status_code, headers=headers, content=bytes(body), request=request
        )


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """A context that verifies servers.

    Raises:
        ConfigError: ``ca_file`` is missing or holds no certificates.
    """
    context = httpx.create_ssl_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(f"{ca_file}: no certificates can be read from it") from error
    return context


def no_cookies() -> CookieJar:
    """A jar that takes no cookie: Dataverse's limits are per server, so never stick to one.

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
