"""Opens the way to Dynamics that the settings name: a real environment, or the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import httpx

from worker.dynamics.auth import MsalTokens, StaticTokens
from worker.dynamics.client import DataverseClient
from worker.dynamics.gate import Gate
from worker.dynamics.http import make_http
from worker.dynamics.secret import SecretsClientFactory, read_secret
from worker.errors import ConfigError
from worker.settings import DYNAMICS, Settings


@dataclass(frozen=True, slots=True)
class Connection:
    """A client and the gate its requests pass."""

    client: DataverseClient
    gate: Gate

    @property
    def probe(self) -> Callable[[], Awaitable[object]]:
        """One request past the gate."""
        return self.client.probe


@asynccontextmanager
async def open_dynamics(
    settings: Settings,
    secrets: SecretsClientFactory,
    *,
    answered: Callable[[str, int | None], None] = lambda _method, _status: None,
    renewed: Callable[[float], None] = lambda _life_s: None,
    told_time: Callable[[float], None] = lambda _seconds: None,
) -> AsyncIterator[Connection]:
    """A connection to the environment of the settings.

    Args:
        settings: They name environment, application and secret.
        secrets: Opens Secrets Manager, see ``worker.dynamics.secret``.
        answered: See ``DataverseClient``.
        renewed: See ``MsalTokens``.
        told_time: See ``DataverseClient``.

    Raises:
        ConfigError: A setting it needs is empty or unusable.
    """
    if missing := settings.missing(*DYNAMICS):
        raise ConfigError(f"to reach Dynamics, please set {', '.join(missing)}")
    gate = Gate()
    async with make_http(settings.ca_file) as http:
        tokens = MsalTokens(
            f"{settings.authority}/{settings.tenant}",
            settings.client_id,
            partial(read_secret, settings.secret, secrets),
            settings.token_scope,
            http,
            renewed=renewed,
        )
        client = DataverseClient(
            settings.environment_url,
            http,
            tokens,
            gate,
            api_version=settings.api_version,
            answered=answered,
            told_time=told_time,
        )
        try:
            yield Connection(client, gate)
        finally:
            await tokens.close()


@asynccontextmanager
async def connect_in_process(transport: httpx.AsyncBaseTransport) -> AsyncIterator[Connection]:
    """A connection to something in this process that asks for no token."""
    gate = Gate()
    async with make_http(transport=transport) as http:
        yield Connection(
            DataverseClient("https://sandbox.invalid", http, StaticTokens("none"), gate), gate
        )
