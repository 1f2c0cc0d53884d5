"""Targets: the Dynamics that a command works on, an environment or the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from worker import aws
from worker.dynamics.connection import open_dynamics, users_of
from worker.dynamics.dry import DryRun
from worker.dynamics.gate import Gate, make_gate
from worker.dynamics.protocol import Dynamics
from worker.environment import environment_in
from worker.errors import ConfigError
from worker.files import Files, MemoryFiles, S3Files
from worker.sandbox.dataverse.organisation import create_organisation
from worker.sandbox.dataverse.schema.files import load_schema
from worker.sandbox.inprocess import InProcessDynamics
from worker.settings import Settings


#: The sandbox as a ``--dynamics`` target; ``sandbox:PATH`` keeps its records in a file.
SANDBOX = "sandbox"

#: With ``--state sqlite:PATH`` the records of the sandbox are kept in PATH with this suffix.
SANDBOX_SUFFIX = ".sandbox"


@dataclass(frozen=True, slots=True)
class Way:
    """The way to Dynamics of one application user.

    Attributes:
        dynamics: Where requests go.
        gate: What they pass.
        probe: One request past the gate, to find out whether it can open again.
        user: The user's client id; "" where there is one only.
        organization: Asks which organization it leads to; None: to none.
    """

    dynamics: Dynamics
    gate: Gate
    probe: Callable[[], Awaitable[object]]
    user: str = ""
    organization: Callable[[], Awaitable[str]] | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where records go.

    Attributes:
        ways: How it is reached, one for each application user.
        files: Where stored files are read.
        dump: All rows by entity set, of the sandbox.
    """

    ways: Sequence[Way]
    files: Files
    dump: Callable[[], dict[str, list[dict[str, object]]]] | None = None


def is_sandbox(dynamics: str) -> bool:
    """Whether a ``--dynamics`` option names the sandbox."""
    return dynamics == SANDBOX or dynamics.startswith(f"{SANDBOX}:")


def opened(
    dynamics: str, settings: Settings, state: str = "", schema: Path | None = None
) -> AbstractAsyncContextManager[Target]:
    """The target that a ``--dynamics`` option names.

    Args:
        dynamics: ``sandbox``, ``sandbox:PATH`` or an environment's address.
        settings: They say how environments are reached.
        state: The state; the sandbox's records are kept beside its file.
        schema: The sandbox's tables.

    Raises:
        ConfigError: There is no such target, or it cannot be reached.
    """
    if is_sandbox(dynamics):
        return _sandbox(_sandbox_path(dynamics, state), schema)
    return _environment(dynamics, settings)


def _sandbox_path(dynamics: str, state: str) -> Path | None:
    """The file of the sandbox's records: named, or beside the state; None: in memory."""
    named = dynamics.partition(":")[2]
    if named:
        return Path(named)
    kind, _, path = state.partition(":")
    return Path(path + SANDBOX_SUFFIX) if kind == "sqlite" and path else None


@asynccontextmanager
async def nowhere() -> AsyncIterator[Target]:
    """Accepts everything and keeps nothing."""

    async def probe() -> None:
        """There is nothing to probe."""

    yield Target([Way(DryRun(), make_gate(), probe)], MemoryFiles())


@asynccontextmanager
async def _sandbox(path: Path | None, schema: Path | None) -> AsyncIterator[Target]:
    organisation = create_organisation(path, schema=load_schema(schema))
    dynamics = InProcessDynamics(organisation)
    try:
        way = Way(dynamics, make_gate(), dynamics.user_id, organization=dynamics.organization_id)
        yield Target([way], MemoryFiles(), organisation.records.dump)
    finally:
        organisation.records.close()


@asynccontextmanager
async def _environment(url: str, settings: Settings) -> AsyncIterator[Target]:
    try:
        address = environment_in(url)
    except ValueError as error:
        raise ConfigError(
            f"--dynamics {url} {error}: 'sandbox', or an address that begins with https://"
        ) from None
    named = settings.model_copy(update={"environment_url": address})
    async with AsyncExitStack() as opened:
        ways = []
        for user in users_of(named):
            client = await opened.enter_async_context(open_dynamics(named, aws.secrets, user=user))
            await client.user_id()  # a wrong address or secret shows before work begins
            ways.append(
                Way(client, client.gate, client.probe, user.client_id, client.organization_id)
            )
        yield Target(ways, S3Files(partial(aws.client, "s3")))
