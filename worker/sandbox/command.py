"""``connect-dynamics sandbox``: serves a local Dataverse until SIGTERM."""

from __future__ import annotations

import asyncio
import errno

from pathlib import Path
from typing import TYPE_CHECKING

from worker.errors import ConfigError
from worker.sandbox.browser.dynamics import Dynamics
from worker.sandbox.dataverse.app import CLIENT_SECRET, create_dataverse
from worker.sandbox.dataverse.users import CLIENT_ID
from worker.sandbox.likeness import switches_like
from worker.sandbox.server import serve
from worker.signals import stopping_on_signals


if TYPE_CHECKING:
    from collections.abc import Callable


#: Any tenant will do for the sandbox; this one is printed.
TENANT = "00000000-0000-4000-8000-000000000001"


async def serve_until_stopped(
    port: int, data: Path | None, ca: Path, show: Callable[[str], object], like: str = ""
) -> None:
    """Serve until SIGTERM or SIGINT; ``show`` gets the settings that reach it.

    Args:
        port: 0 takes a free one.
        data: File that keeps the records.
        ca: Where the certificate to trust goes.
        show: See above.
        like: File of ``connect-dynamics conform``, whose organization's behaviour is to be had.

    Raises:
        ConfigError: The port is taken.
    """
    switches = switches_like(Path(like)) if like else None
    dataverse = create_dataverse(path=data, switches=switches)
    stop = asyncio.Event()
    try:
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
