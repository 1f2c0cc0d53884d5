"""The session that answers flows: the connection to Dynamics, kept between invocations."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pipelines.lookup import Search
from pipelines.pipeline import Pipeline
from pipelines.step import LookupStep
from worker.definitions import find_all
from worker.dynamics.client import DataverseClient
from worker.dynamics.connection import open_dynamics
from worker.dynamics.gate import Gate
from worker.dynamics.lookup import Lookups, look_up, make_lookups
from worker.dynamics.metadata import KnownTables, Metadata, Tables
from worker.dynamics.protocol import Answer, Request
from worker.dynamics.reasons import GateClosed, GateState
from worker.errors import ConfigError
from worker.settings import CreateBy, Settings


#: How long a flow waits for an answer (s). It gives up after 8 itself, a cold start included.
ANSWER_S = 6.0


@dataclass(slots=True)
class FlowSession:
    """What is needed to answer flows.

    Attributes:
        client: Sends requests to Dynamics.
        gate: The gate its requests pass.
        pipeline: Says how customers are looked up and what an activity looks like.
        create_by: How records are made, see ``worker.dynamics.requests``.
        lookups: What lookups share.
        tables: Tells what the tables are that this program does not know.
    """

    client: DataverseClient
    gate: Gate
    pipeline: Pipeline
    create_by: CreateBy = "post"
    lookups: Lookups = field(default_factory=make_lookups)
    tables: Tables = field(default_factory=KnownTables)

    async def open(self) -> None:
        """Let requests pass again if they may: nothing probes a closed gate between invocations.

        Raises:
            GateClosed: Dynamics has asked for a pause that is longer than a flow waits.
        """
        breaker = self.gate.breaker
        if breaker.state is GateState.CLOSED:
            if breaker.retry_s >= ANSWER_S:
                raise GateClosed(breaker.reason, breaker.retry_at)
            await breaker.reopen(self.client.probe)

    async def look_up(self, search: Search) -> dict[str, Any]:
        """See ``worker.dynamics.lookup``."""
        return await look_up(self.client, search, self.lookups, self.tables, timeout_s=ANSWER_S)

    async def send(self, request: Request) -> Answer:
        """Send a request; see ``worker.dynamics.protocol``."""
        return await self.client.send(request, timeout_s=ANSWER_S)


@asynccontextmanager
async def open_session(settings: Settings) -> AsyncIterator[FlowSession]:
    """A session with the worker's own settings.

    Raises:
        ConfigError: A setting it needs is empty or unusable.
    """
    async with open_dynamics(settings, runtime_secrets) as client:
        pipeline = looking_up(find_all(settings.pipelines))
        lookups = make_lookups(wildcard=settings.lookup_wildcard)
        tables = Metadata(client)
        yield FlowSession(client, client.gate, pipeline, settings.create_by, lookups, tables)


def looking_up(pipelines: list[Pipeline]) -> Pipeline:
    """The first pipeline that looks customers up.

    Raises:
        ConfigError: None does.
    """
    for pipeline in pipelines:
        if any(isinstance(step, LookupStep) and step.ways for step in pipeline.steps):
            return pipeline
    raise ConfigError("none of the pipelines looks customers up; timeline does")


@dataclass(frozen=True, slots=True)
class _InThread:
    """A blocking Secrets Manager client, asked in a thread."""

    blocking: Any

    async def get_secret_value(self, **asked: Any) -> Any:
        return await asyncio.to_thread(self.blocking.get_secret_value, **asked)


@asynccontextmanager
async def runtime_secrets(*, region: str) -> AsyncIterator[_InThread]:
    """Secrets Manager by the boto3 that Lambda's runtime brings; see ``read_secret``."""
    import boto3  # noqa: PLC0415 - not in the zip, and not needed where the secret is no ARN

    client = await asyncio.to_thread(boto3.client, "secretsmanager", region_name=region)
    try:
        yield _InThread(client)
    finally:
        client.close()
