"""Access tokens of the application user, from Microsoft Entra by way of MSAL.

MSAL blocks (its constructor too), does not join concurrent requests and keeps returning an old
refusal for a minute (seen with msal 1.39.0 on a loopback server). So it runs in a thread, for one
request at a time, and every request gets an application object of its own: the price is one
discovery request per hour, the gain is that nothing stale can be in it.
"""

from __future__ import annotations

import asyncio
import sys

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import httpx
import msal
import structlog

from worker.clock import Clock
from worker.dynamics.aadsts import read_refusal
from worker.dynamics.entra import Entra
from worker.dynamics.errors import DynamicsError, Unauthorized, Unavailable
from worker.dynamics.http import require_https
from worker.dynamics.secret import Credential
from worker.errors import ConfigError


#: A token is renewed when less than this is left (s), or half of a life shorter than twice this.
RENEW_LEFT_S = 300.0

#: After a failure Entra is asked again no sooner than this (s).
RETRY_PAUSE_S = 5.0

#: How long closing waits for a cancelled request to end (s).
CLOSE_S = 2.0

_log = structlog.get_logger(__name__)

#: Kind, text and code of the last failure, as long as there has been none.
NO_FAILURE: tuple[type[DynamicsError], str, str] = (Unavailable, "no token yet", "")


class Tokens(Protocol):
    """Hands out access tokens."""

    async def token(self) -> str:
        """A token that Dataverse should accept.

        Raises:
            Unauthorized: there is none until an operator acts.
            Unavailable: there is none at the moment.
        """
        ...

    async def refuse(self, token: str) -> None:
        """Never hand ``token`` out again: Dataverse answered 401 for it."""
        ...


class StaticTokens:
    """Always the same token, for the sandbox and tests."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self) -> str:
        """The token."""
        return self._token

    async def refuse(self, token: str) -> None:
        """Does nothing: there is no other token."""


def _refused_by_msal(credential: Credential) -> str:
    """What MSAL may not like before it asks anybody; it says so in the credential's own words."""
    if isinstance(credential, str):
        return "MSAL refuses tenant or client id: check both, and CONNECT_DYNAMICS_AUTHORITY"
    return (
        "MSAL refuses the certificate: the secret must be a PEM with private key and certificate, "
        "the key without a passphrase; or check the tenant"
    )


class MsalTokens:
    """Client-credentials tokens of one application (see ``Tokens``)."""

    def __init__(
        self,
        authority_tenant_url: str,
        client_id: str,
        credential: Callable[[], Awaitable[Credential]],
        scope: str,
        http: httpx.AsyncClient,
        *,
        clock: Clock | None = None,
        renewed: Callable[[float], None] = lambda _life_s: None,
    ) -> None:
        """Nothing is asked before the first ``token()``.

        Args:
            authority_tenant_url: ``https://login.microsoftonline.com/<tenant>``.
            client_id: The application's id.
            credential: Reads its secret or certificate (``lambda: read_secret(spec)``); called
                first and after each refusal, so that a new one is found without a restart.
            scope: The environment's address and ``/.default``.
            http: Carries the requests to Entra (see ``make_http``); the caller closes it.
            clock: Its monotonic clock says how old a token is.
            renewed: Called with how long (s) each new token is valid.

        Raises:
            ConfigError: the address is not https.
        """
        self._authority = str(require_https("CONNECT_DYNAMICS_AUTHORITY", authority_tenant_url))
        self._client_id = client_id
        self._read_credential = credential
        self._scope = scope
        self._clock = clock or Clock()
        self._renewed = renewed
        self._http = http
        self._entra: Entra | None = None
        self._credential: Credential | None = None
        self._token = ""
        self._renew_at = float("-inf")
        self._expires_at = float("-inf")
        self._failure = NO_FAILURE
        self._not_before = float("-inf")
        self._refused_at = float("-inf")
        self._renewal: asyncio.Task[None] | None = None

    async def token(self) -> str:
        """The current token while it is fresh, else a new one (see ``Tokens``).

        While Entra does not answer, the current one is used until it expires.
        """
        if self._renew_at <= self._clock.monotonic() >= self._not_before:
            if self._renewal is None or self._renewal.done():
                self._renewal = asyncio.create_task(self._renew())
            # A caller that gives up must not cause a second request beside the one in the thread.
            await asyncio.shield(self._renewal)
        if self._expires_at <= self._clock.monotonic():
            kind, summary, code = self._failure
            raise kind(summary, code=code)
        return self._token

    async def refuse(self, token: str) -> None:
        """Drop the token; pause if another one was refused less than ``RETRY_PAUSE_S`` ago."""
        if token != self._token:
            return
        self._token = ""
        self._renew_at = self._expires_at = float("-inf")
        now = self._clock.monotonic()
        if now - self._refused_at < RETRY_PAUSE_S:
            self._fail(Unauthorized("Dataverse refuses new tokens: is the application user there?"))
        self._refused_at = now

    async def close(self) -> None:
        """Cancel a request that is in progress; takes ``CLOSE_S`` at most."""
        if self._renewal is None:
            return
        if self._entra is not None:
            self._entra.stop()
        await asyncio.wait([self._renewal], timeout=CLOSE_S)
        self._renewal.cancel()

    async def _renew(self) -> None:
        asked_at = self._clock.monotonic()
        try:
            answer = await self._ask()
        except DynamicsError as error:
            self._fail(error)
            return
        life_s = float(answer["expires_in"])  # checked by ``worker.dynamics.entra``
        self._token = answer["access_token"]
        self._failure = NO_FAILURE
        self._expires_at = asked_at + life_s
        self._renew_at = self._expires_at - min(RENEW_LEFT_S, life_s / 2)
        _log.info("dynamics.token_renewed", life_s=life_s)
        self._renewed(life_s)

    def _fail(self, error: DynamicsError) -> None:
        if str(error) != self._failure[1]:  # once, however often it fails
            _log.warning("dynamics.no_token", reason=str(error))
        self._failure = (type(error), str(error), error.code)
        self._not_before = self._clock.monotonic() + RETRY_PAUSE_S

    async def _ask(self) -> dict[str, Any]:
        """Ask Entra; a refused credential is read again and, if it has changed, tried at once."""
        stored = self._credential
        try:
            return await self._ask_with(stored or await self._read())
        except Unauthorized:
            if stored is None:
                raise
            fresh = await self._read()
            if fresh == stored:
                raise
            return await self._ask_with(fresh)

    async def _read(self) -> Credential:
        try:
            return await self._read_credential()
        except ConfigError as error:
            raise Unauthorized(f"the credential cannot be read: {error}") from error

    async def _ask_with(self, credential: Credential) -> dict[str, Any]:
        """One token request; the credential is kept unless it may be what was refused."""
        self._credential = credential
        # Not MSAL's own client: it keeps cookies, limits neither size nor time, and lets CA
        # variables override its ``verify``.
        self._entra = Entra(self._http)
        try:
            return await asyncio.to_thread(self._acquire, credential, self._entra)
        except Unauthorized:
            self._credential = None
            raise

    def _acquire(self, credential: Credential, entra: Entra) -> dict[str, Any]:
        """Blocking: ask through MSAL; the answer holds ``access_token`` and ``expires_in``."""
        try:
            app = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=credential,
                authority=self._authority,
                http_client=entra,
                instance_discovery=False,
            )
            answer: dict[str, Any] = app.acquire_token_for_client([self._scope])
        except DynamicsError:
            raise
        except Exception as error:  # noqa: BLE001 - two libraries, whose exceptions are not documented
            # Texts are not repeated: they may quote the credential.
            if isinstance(error, ValueError | KeyError | TypeError) or _is_of_jwt(error):
                raise Unauthorized(_refused_by_msal(credential)) from None
            raise Unavailable(f"MSAL gave up: {type(error).__name__}") from None
        if "access_token" not in answer:
            raise read_refusal(answer)
        return answer


def _is_of_jwt(error: Exception) -> bool:
    """Whether PyJWT raised it, which signs for MSAL where a certificate takes a secret's place."""
    # Known by then if it did; to import it needlessly takes 9 MB and an eighth of a second.
    jwt = sys.modules.get("jwt")
    return jwt is not None and isinstance(error, jwt.PyJWTError)
