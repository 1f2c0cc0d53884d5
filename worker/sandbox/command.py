"""``connect-dynamics sandbox``: serves a local Dataverse until SIGTERM."""

from __future__ import annotations

import asyncio
import errno

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from worker import aws
from worker.dynamics.connection import open_dynamics
from worker.environment import environment_in
from worker.errors import ConfigError
from worker.sandbox.browser.dynamics import Dynamics
from worker.sandbox.dataverse.app import CLIENT_SECRET, create_dataverse
from worker.sandbox.dataverse.schema.files import load_schema, save_schema
from worker.sandbox.dataverse.users import CLIENT_ID, application_user
from worker.sandbox.likeness import switches_like
from worker.sandbox.seed import seed
from worker.sandbox.server import serve
from worker.sandbox.survey import survey
from worker.settings import load_settings
from worker.signals import stopping_on_signals


if TYPE_CHECKING:
    from collections.abc import Callable


#: Any tenant will do for the sandbox; this one is printed.
TENANT = "00000000-0000-4000-8000-000000000001"


@dataclass(frozen=True, slots=True)
class Options:
    """What ``connect-dynamics sandbox`` is told.

    Attributes:
        port: 0 takes a free one.
        data: Keeps records in this file; None: in memory.
        ca: Where the certificate to trust is written.
        schema: File of tables; None: those shipped.
        like: Address of an environment whose tables are to be had, read once into ``schema``; or
            a file of ``connect-dynamics conform``, whose organization's behaviour is.
        customers: File of rows to begin with.
        settings: The worker's settings file, whose credentials ask the environment.
    """

    port: int
    data: Path | None
    ca: Path
    schema: Path | None = None
    like: str = ""
    customers: Path | None = None
    settings: Path | None = None

    @property
    def conformance(self) -> Path | None:
        """The file that ``like`` names; None if it names none, but an environment or nothing."""
        path = Path(self.like)
        return path if self.like and path.is_file() else None


async def serve_until_stopped(options: Options, show: Callable[[str], object]) -> None:
    """Serve until SIGTERM or SIGINT; ``show`` gets the settings that reach it.

    Raises:
        ConfigError: The port is taken, or a file is wrong.
        DynamicsError: The environment does not tell its tables.
    """
    conformance = options.conformance
    switches = switches_like(conformance) if conformance else None
    of_environment = options.like and conformance is None
    path = await _read_once(options) if of_environment else options.schema
    dataverse = create_dataverse(path=options.data, schema=load_schema(path), switches=switches)
    ca, port = options.ca, options.port
    stop = asyncio.Event()
    try:
        if options.customers:
            seed(dataverse.organisation, options.customers, application_user(CLIENT_ID))
        with stopping_on_signals(stop.set):
            async with serve(Dynamics(dataverse), ca_path=ca, port=port) as url:
                show(
                    "\n".join(f"export {name}={value}" for name, value in settings(url, ca).items())
                )
                await stop.wait()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"port {port} is taken; choose another with --port") from None
        raise ConfigError(f"{error.filename or port}: {error.strerror}") from None
    finally:
        dataverse.close()


async def _read_once(options: Options) -> Path:
    """The file of an environment's tables; it is asked only if there is no such file yet."""
    try:
        address = environment_in(options.like)
    except ValueError as error:
        what = f"there is no such file, and an address {error}"
        raise ConfigError(f"--like {options.like}: {what}") from None
    path = options.schema or Path(f"{urlsplit(address).hostname}.json")
    if path.exists():
        return path
    loaded = load_settings(options.settings)
    named = loaded.model_copy(update={"environment_url": address})
    async with open_dynamics(named, aws.secrets) as client:
        save_schema(path, await survey(client))
    return path


def settings(url: str, ca: Path) -> dict[str, str]:
    """The environment that makes ``connect-dynamics`` use a sandbox, which has no Connect."""
    return {
        "CONNECT_DYNAMICS_CONNECT_SHARE": "0",
        "CONNECT_DYNAMICS_ENVIRONMENT_URL": url,
        "CONNECT_DYNAMICS_AUTHORITY": url,
        "CONNECT_DYNAMICS_CA_FILE": str(ca.resolve()),
        "CONNECT_DYNAMICS_TENANT": TENANT,
        "CONNECT_DYNAMICS_CLIENT_ID": CLIENT_ID,
        "CONNECT_DYNAMICS_SECRET": "env:SANDBOX_SECRET",
        "SANDBOX_SECRET": CLIENT_SECRET,
    }
