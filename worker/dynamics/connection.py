"""Opens the way to the Dynamics environment that the settings name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from worker.dynamics.auth import MsalTokens, Tokens
from worker.dynamics.client import DataverseClient
from worker.dynamics.gate import Gate, make_gate
from worker.dynamics.http import Http, make_http
from worker.dynamics.secret import SecretsClientFactory, read_secret
from worker.errors import ConfigError
from worker.settings import DYNAMICS, ApplicationUser, Settings


def users_of(settings: Settings) -> tuple[ApplicationUser, ...]:
    """The application users of the settings, one at least.

    Raises:
        ConfigError: A setting that is needed to reach Dynamics is empty.
    """
    if missing := settings.missing(*DYNAMICS):
        raise ConfigError(f"to reach Dynamics, please set {', '.join(missing)}")
    return settings.users


@asynccontextmanager
async def open_dynamics(
    settings: Settings,
    secrets: SecretsClientFactory,
    gate: Gate | None = None,
    *,
    user: ApplicationUser | None = None,
    answered: Callable[[str, int | None], None] = lambda _method, _status: None,
    renewed: Callable[[float], None] = lambda _life_s: None,
    dated: Callable[[float], None] = lambda _seconds: None,
) -> AsyncIterator[DataverseClient]:
    """A client for the environment of the settings.

    Args:
        settings: They name environment, application and secret.
        secrets: Opens Secrets Manager, see ``worker.dynamics.secret``.
        gate: What its requests pass; None: one of its own.
        user: As whom; None: the first that the settings name.
        answered: See ``DataverseClient``.
        renewed: See ``MsalTokens``.
        dated: See ``DataverseClient``.

    Raises:
        ConfigError: A setting it needs is empty or unusable.
    """
    async with open_access(settings, secrets, user=user, renewed=renewed) as (http, tokens):
        yield DataverseClient(
            settings.environment_url,
            http,
            tokens,
            gate or make_gate(),
            api_version=settings.api_version,
            answered=answered,
            dated=dated,
        )


@asynccontextmanager
async def open_access(
    settings: Settings,
    secrets: SecretsClientFactory,
    *,
    user: ApplicationUser | None = None,
    renewed: Callable[[float], None] = lambda _life_s: None,
) -> AsyncIterator[tuple[Http, Tokens]]:
    """What requests to the environment go through, and the tokens they need; see above.

    Raises:
        ConfigError: A setting it needs is empty or unusable.
    """
    user = user or users_of(settings)[0]
    async with make_http(settings.ca_file) as http:
        tokens = MsalTokens(
            f"{settings.token_authority}/{settings.tenant}",
            user.client_id,
            partial(read_secret, user.secret, secrets),
            settings.token_scope,
            http,
            renewed=renewed,
        )
        try:
            yield http, tokens
        finally:
            await tokens.close()
