"""HTTP/1.1 by aiohttp, also behind httpx's interface; every failure is one of httpx's errors.

httpcore, httpx's own transport, looks at all connections at each request and lets other libraries'
errors through; httpx itself costs more than aiohttp and TLS together. Here an address is sent byte
for byte as it was given, no redirect is followed, no cookie is accepted, and an answer is unpacked
piece by piece, so that the reader decides how much is enough.
"""

from __future__ import annotations

import re
import ssl
import zlib

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final, Protocol

import aiohttp
import httpx

from yarl import URL

from worker.reuse import only_clean


#: Longest time (s) until a connection is ready: name, TCP, proxy and TLS. A whole exchange has its
#: caller's limit.
CONNECT_TIMEOUT_S: Final = 5.0

MAX_CONNECTIONS: Final = 64

CHUNK_BYTES: Final = 64 * 1024

#: Statuses that send a client elsewhere (RFC 9110 section 15.4).
REDIRECTS: Final = frozenset((300, 301, 302, 303, 307, 308))

#: Content codings that are accepted, one at most (RFC 9110 section 8.4.1); gzip is asked for.
CODINGS: Final = frozenset(("gzip", "x-gzip", "deflate"))

#: zlib's flag for "gzip or zlib, detect which".
EITHER: Final = zlib.MAX_WBITS | 32

#: Headers that are not passed on: no redirect, no cookie, and nothing is unpacked twice. Where a
#: redirect leads to is told as ``REDIRECTED``: httpx would build a request of a location.
DROPPED: Final = frozenset(("content-encoding", "location", "set-cookie", "set-cookie2"))
REDIRECTED: Final = "x-redirected-to-host"

_HOST: Final = re.compile(r"[a-z0-9.-]{1,253}")


class Broken(httpx.TransportError):
    """The exchange broke off; the text is the type of the underlying error, never its text."""


class Untrusted(httpx.ConnectError):
    """The server's certificate was not believed; the text is OpenSSL's and what to do."""

    def __init__(self, error: Exception) -> None:
        why = str(getattr(error, "verify_message", "") or type(error).__name__)
        unknown = any(word in why for word in ("issuer", "self-signed", "self signed"))
        advice = (
            "; if its authority is a private one, or a proxy looks into TLS, name that authority's "
            "PEM in CONNECT_DYNAMICS_CA_FILE"
        )
        super().__init__(f"its certificate is not trusted ({why}){advice if unknown else ''}")


class Answering(Protocol):
    """An answer whose head has come; who has it reads it, or not, and closes it.

    Attributes:
        status: HTTP status.
        headers: With names in lower case or case-insensitive.
    """

    status: int
    headers: Mapping[str, str]

    def pieces(self) -> AsyncIterator[bytes]:
        """The contents, unpacked; raises ``httpx.RequestError``."""
        ...

    async def aclose(self) -> None:
        """Give the connection back, or drop it if there is more to come on it."""
        ...


#: Sends a request, with method, address, headers and content, and reads the head of the answer.
Open = Callable[[str, str, Iterable[tuple[str, str]], bytes | None], Awaitable[Answering]]


class Opens(Protocol):
    """What carries requests."""

    @property
    def open(self) -> Open:
        """See ``Transport.open``."""
        ...


class Transport(httpx.AsyncBaseTransport):
    """Carries requests, httpx's and others. Bound to the event loop that it is first used in.

    Args:
        context: How servers are verified.
        proxy_for: The proxy for a host, None without one.
    """

    def __init__(self, context: ssl.SSLContext, proxy_for: Callable[[str], URL | None]) -> None:
        self._context = context
        self._proxy_for = proxy_for
        self._session: aiohttp.ClientSession | None = None

    async def open(
        self, method: str, url: str, headers: Iterable[tuple[str, str]], content: bytes | None
    ) -> _Arriving:
        """Send a request and read the head of the answer.

        Args:
            method: HTTP method.
            url: Absolute, percent-encoded; sent as it is.
            headers: All but those that say how long the content is, and to which host it goes.
            content: What is sent; None: nothing.

        Raises:
            httpx.RequestError: Anything that can go wrong.
        """
        try:
            address = URL(url, encoded=True)
            answer = await self._opened().request(
                method,
                address,
                headers=headers,
                data=content,
                allow_redirects=False,
                proxy=self._proxy_for(address.host or ""),
            )
        except Exception as error:  # noqa: BLE001 - no list of what the libraries raise is complete
            raise _declared(error) from None
        try:
            return _Arriving(answer, address.host or "")
        except httpx.DecodingError:
            answer.close()
            raise

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request of httpx's and read the head of the answer.

        Raises:
            httpx.RequestError: Anything that can go wrong.
        """
        try:
            content = await request.aread()
        except Exception as error:  # noqa: BLE001 - as above
            raise _declared(error) from None
        headers = request.headers.multi_items()
        answer = await self.open(request.method, str(request.url), headers, content or None)
        raw = [(name, value.encode("latin-1")) for name, value in answer.headers.items()]
        named = [(name.encode("latin-1"), value) for name, value in raw]
        return httpx.Response(answer.status, headers=named, stream=answer)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=only_clean(
                    aiohttp.TCPConnector(ssl=self._context, limit=MAX_CONNECTIONS)
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(connect=CONNECT_TIMEOUT_S),
            )
        return self._session


def host_of(location: str, asked: str) -> str:
    """The host that a ``Location`` leads to, all that may be told of it; "another" if it is odd."""
    try:
        host = httpx.URL(location).host.lower() or asked
    except httpx.InvalidURL:
        host = ""
    return host if _HOST.fullmatch(host) else "another"


def redirect(status: int, headers: Mapping[str, str]) -> str:
    """The host that an answer redirects to; "" if it is no redirect."""
    if status not in REDIRECTS:
        return ""
    location = headers.get("location", "")  # of another transport than this one
    return headers.get(REDIRECTED, "") or (host_of(location, "") if location else "")


class Unpacking:
    """Unpacks contents in pieces of ``CHUNK_BYTES`` at most.

    Args:
        codings: The values of ``Content-Encoding``.

    Raises:
        httpx.DecodingError: They are packed more than once, or in a way that was not asked for.
    """

    def __init__(self, codings: Iterable[bytes]) -> None:
        named = [one.strip().lower() for one in b",".join(codings).decode("latin-1").split(",")]
        used = [one for one in named if one not in {"", "identity"}]
        if len(used) > 1 or not CODINGS.issuperset(used):
            raise httpx.DecodingError("packed more than once or in an unknown way")
        self._inflating = zlib.decompressobj(EITHER) if used else None
        self._begun = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The contents of the next bytes.

        Raises:
            httpx.DecodingError: They are damaged, or follow the end.
        """
        if self._inflating is None:
            yield data
            return
        self._begun = True
        piece = bytes(CHUNK_BYTES)
        while len(piece) == CHUNK_BYTES:
            try:
                piece = self._inflating.decompress(data, CHUNK_BYTES)
            except zlib.error:
                raise httpx.DecodingError("damaged") from None
            data = self._inflating.unconsumed_tail
            if self._inflating.unused_data:
                raise httpx.DecodingError("more than was packed")
            yield piece

    def end(self) -> None:
        """Note that there is no more.

        Raises:
            httpx.DecodingError: There should be.
        """
        if self._begun and self._inflating is not None and not self._inflating.eof:
            raise httpx.DecodingError("cut short")


class _Arriving(httpx.AsyncByteStream):
    """See ``Answering``; names of headers are in lower case."""

    def __init__(self, answer: aiohttp.ClientResponse, asked: str) -> None:
        self._answer = answer
        self.status = answer.status
        headers: dict[str, str] = {}
        codings = []
        for raw_name, raw_value in answer.raw_headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            if name == "content-encoding":
                codings.append(raw_value)
            elif name == "location":
                headers[REDIRECTED] = host_of(value, asked)
            elif name not in DROPPED:
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.headers: Mapping[str, str] = headers
        self._unpacking = Unpacking(codings)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.pieces()

    async def pieces(self) -> AsyncIterator[bytes]:
        """See ``Answering``."""
        try:
            async for chunk in self._answer.content.iter_chunked(CHUNK_BYTES):
                for piece in self._unpacking.pieces(chunk):
                    yield piece
            self._unpacking.end()
        except Exception as error:  # noqa: BLE001 - as above
            raise _declared(error) from None

    async def aclose(self) -> None:
        """See ``Answering``."""
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()


def _declared(error: Exception) -> httpx.RequestError:
    """The error as httpx declares it; with its text only if it happened before TLS was set up."""
    match error:
        case httpx.RequestError():
            return error
        case aiohttp.ClientConnectorCertificateError():
            return Untrusted(error.certificate_error)
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError(str(error.os_error))
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout(f"no connection in {CONNECT_TIMEOUT_S:g} s")
        case _:
            return Broken(type(error).__name__)
