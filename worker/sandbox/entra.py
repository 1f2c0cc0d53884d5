"""The token endpoint of Microsoft Entra, as far as MSAL's client credentials need it."""

from __future__ import annotations

import binascii
import hmac

from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qs, unquote_plus

from starlette.responses import JSONResponse
from starlette.routing import Route


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request


#: What can go wrong: HTTP status, ``error``, and what it says [seen with msal 1.39.0].
OUTCOMES: Final = {
    "AADSTS7000222": (401, "invalid_client", "The provided client secret keys are expired."),
    "AADSTS7000215": (401, "invalid_client", "Invalid client secret provided."),
    "AADSTS700016": (400, "unauthorized_client", "Application was not found in the directory."),
    "AADSTS90002": (400, "invalid_request", "Tenant not found."),
    "AADSTS7000229": (
        401,
        "invalid_client",
        "The client application is missing service principal.",
    ),
    "AADSTS500011": (400, "invalid_resource", "The resource principal was not found."),
    "AADSTS90033": (503, "temporarily_unavailable", "A transient error has occurred."),
    # What stands with the following in statuses and errors is not documented.
    "AADSTS700027": (401, "invalid_client", "Client assertion failed signature validation."),
    "AADSTS700024": (401, "invalid_client", "Client assertion is not within its valid time range."),
    "AADSTS7000112": (400, "unauthorized_client", "Application is disabled."),
    "AADSTS900023": (400, "invalid_request", "Specified tenant identifier is not a valid name."),
    "AADSTS1002012": (400, "invalid_scope", "The provided value for scope is not valid."),
    "AADSTS53003": (400, "invalid_grant", "Access has been blocked by Conditional Access."),
    "AADSTS65001": (400, "invalid_grant", "The administrator has not consented."),
}

Outcome = Literal[
    "",
    "AADSTS7000222",
    "AADSTS7000215",
    "AADSTS700016",
    "AADSTS90002",
    "AADSTS7000229",
    "AADSTS500011",
    "AADSTS90033",
    "AADSTS700027",
    "AADSTS700024",
    "AADSTS7000112",
    "AADSTS900023",
    "AADSTS1002012",
    "AADSTS53003",
    "AADSTS65001",
]

_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DISCOVERY: Final = "/{tenant}/v2.0/.well-known/openid-configuration"
_TOKEN: Final = "/{tenant}/oauth2/v2.0/token"


class TokenServer:
    """Issues opaque tokens and knows whose they are.

    Args:
        clients: Secrets by client id.
        tenants: The tenants there are; empty for any.
        expires_in_s: How long a token is valid.
        clock: Wall-clock time (s since 1970).
        new_id: Makes tokens; must not repeat itself.

    Attributes:
        outcome: What every token request ends in; "" to decide by what it says.
        issued: How many tokens were issued.
    """

    def __init__(
        self,
        clients: Mapping[str, str],
        tenants: frozenset[str],
        expires_in_s: int,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self.clients = dict(clients)
        self.expires_in_s = expires_in_s
        self.outcome: Outcome = ""
        self.issued = 0
        self._tenants = tenants
        self._clock = clock
        self._new_id = new_id
        self._tokens: dict[str, tuple[str, float]] = {}

    def routes(self) -> list[Route]:
        """Where tenants' discovery documents and tokens are."""
        return [
            Route(_DISCOVERY, self._discover, methods=["GET"]),
            Route(_TOKEN, self._token, methods=["POST"]),
        ]

    def issue(self, client_id: str) -> str:
        """A new token of this client."""
        token = f"{self._new_id()}.{self._new_id()}"
        self._tokens[token] = (client_id, self._clock() + self.expires_in_s)
        self.issued += 1
        return token

    def client(self, authorization: str) -> str | None:
        """The client whose token an Authorization header holds; None if there is no good one."""
        scheme, _, token = authorization.partition(" ")
        client_id, expires_at = self._tokens.get(token, ("", 0.0))
        good = scheme.lower() == "bearer" and self._clock() < expires_at
        return client_id if good else None

    def revoke(self) -> None:
        """Forget every token."""
        self._tokens.clear()

    async def _discover(self, request: Request) -> JSONResponse:
        tenant = request.path_params["tenant"]
        if self.outcome == "AADSTS90002" or not self._knows(tenant):
            return self._failure("AADSTS90002", "invalid_tenant")
        base = f"{request.base_url}{tenant}"
        return JSONResponse(
            {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "tenant_region_scope": "EU",
            }
        )

    async def _token(self, request: Request) -> JSONResponse:
        fields = parse_qs((await request.body()).decode())
        form = _basic(request) | {name: values[0] for name, values in fields.items()}
        outcome = self.outcome or self._judge(request.path_params["tenant"], form)
        if outcome:
            return self._failure(outcome)
        body = {
            "token_type": "Bearer",
            "expires_in": self.expires_in_s,
            "ext_expires_in": self.expires_in_s,
            "access_token": self.issue(form["client_id"]),
        }
        return JSONResponse(body, headers={"cache-control": "no-store"})

    def _judge(self, tenant: str, form: Mapping[str, str]) -> Outcome:
        """What is wrong with a request, or "". A certificate's signature is not looked at."""
        secret = self.clients.get(form.get("client_id", ""))
        if not self._knows(tenant):
            return "AADSTS90002"
        if secret is None:
            return "AADSTS700016"
        if not form.get("scope", "").endswith("/.default"):
            return "AADSTS500011"
        if form.get("client_assertion_type") == _ASSERTION and form.get("client_assertion"):
            return ""
        given = form.get("client_secret", "").encode()
        return "" if hmac.compare_digest(given, secret.encode()) else "AADSTS7000215"

    def _knows(self, tenant: str) -> bool:
        return not self._tenants or tenant in self._tenants

    def _failure(self, outcome: str, error: str = "") -> JSONResponse:
        status, usual, message = OUTCOMES[outcome]
        body: dict[str, Any] = {
            "error": error or usual,
            "error_description": f"{outcome}: {message}",
            "error_codes": [int(outcome.removeprefix("AADSTS"))],
            "correlation_id": self._new_id(),
        }
        return JSONResponse(body, status)


def _basic(request: Request) -> dict[str, str]:
    """Id and secret from an Authorization header (RFC 6749, section 2.3.1), if there is one.

    Entra takes them there as well as in the form, each of them percent-encoded
    (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).
    """
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        given, found, secret = b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    if scheme.lower() != "basic" or not found:
        return {}
    return {"client_id": unquote_plus(given), "client_secret": unquote_plus(secret)}
