"""The session at which flows ask: the way to Dynamics, kept open between invocations."""

from __future__ import annotations

import asyncio
import time

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pipelines.lookup import Search
from pipelines.pipeline import Pipeline
from pipelines.step import LookupStep
from worker.definitions import find_all
from worker.dynamics.client import DataverseClient
from worker.dynamics.connection import open_dynamics
from worker.dynamics.gate import Gate, GateClosed, GateState
from worker.dynamics.lookup import Remembered, look_up
from worker.dynamics.protocol import Answer, Request
from worker.errors import ConfigError
from worker.settings import CreateBy, Settings


#: How long a flow waits for an answer (s). It gives up after 8 itself, a cold start included.
ANSWER_S = 6.0


@dataclass(slots=True)
class FlowSession:
    """What is at hand to answer flows.

    Attributes:
        client: The way to Dynamics.
        gate: The gate its requests pass.
        pipeline: Says how customers are looked up and what an activity looks like.
        create_by: How records are made, see ``worker.dynamics.requests``.
        clock: The gate's clock (s).
    """

    client: DataverseClient
    gate: Gate
    pipeline: Pipeline
    create_by: CreateBy = "post"
    clock: Callable[[], float] = time.monotonic
    _remembered: Remembered = field(default_factory=Remembered)

    async def open(self) -> None:
        """Let requests pass again if they may: nothing probes a closed gate between invocations.

        Raises:
            GateClosed: Dynamics has asked to be left alone for longer than a flow waits.
        """
        if self.gate.state is GateState.CLOSED:
            if self.gate.retry_at - self.clock() >= ANSWER_S:
                raise GateClosed(self.gate.reason, self.gate.retry_at)
            await self.gate.reopen(self.client.probe)

    async def look_up(self, search: Search) -> dict[str, Any]:
        """See ``worker.dynamics.lookup``."""
        return await look_up(self.client, search, self._remembered, timeout_s=ANSWER_S)

    async def send(self, request: Request) -> Answer:
        """Send a request; see ``worker.dynamics.protocol``."""
        return await self.client.send(request, timeout_s=ANSWER_S)


@asynccontextmanager
async def open_session(settings: Settings) -> AsyncIterator[FlowSession]:
    """A session with the worker's own settings.

    Raises:
        ConfigError: A setting it needs is empty or unusable.
    """
    async with open_dynamics(settings, runtime_secrets) as connection:
        pipeline = looking_up(find_all(settings.pipelines))
        yield FlowSession(connection.client, connection.gate, pipeline, settings.create_by)


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
