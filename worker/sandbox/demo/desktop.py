"""The agent's desktop for ``make up``: softphone, exchange, pages and Customer Service, by hand.

The pages are served by ``connect-dynamics desktop`` as a process of its own, and what they need in
Dynamics is installed by it, as an administrator would.
"""

from __future__ import annotations

import asyncio

from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Final

from worker.desktop.assembly import DIST
from worker.errors import WorkerError
from worker.sandbox.browser.dynamics.addresses import WORKSPACE
from worker.sandbox.browser.exchange import Exchange
from worker.sandbox.browser.softphone import Softphone, serve_softphone
from worker.sandbox.browser.softphone_web import PATH
from worker.sandbox.browser.switchboard import Switchboard
from worker.sandbox.children import child
from worker.sandbox.demo.stage import COMMAND, Stage, inherited
from worker.sandbox.oracle.callers import CALLERS
from worker.sandbox.oracle.customers import introduce
from worker.sandbox.traffic import SentMessage
from worker.sandbox.traffic.people import AGENTS


#: Who sits at the softphone, until somebody else signs in there.
AGENT: Final = AGENTS[0].username

#: How long (s) the pages' server and the installation may take.
LIMIT_S: Final = 60.0

#: Said where the pages were not built.
NOT_BUILT: Final = "the agent's pages are not built: make desktop builds them (it needs Node 20)"


class DesktopError(WorkerError):
    """The pages could not be served, or what they need could not be installed."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where people look.

    Attributes:
        page: The agent's page.
        workspace: Customer Service with the provider's panel.
        switchboard: Where customers are played.
    """

    page: str
    workspace: str
    switchboard: str


def built() -> bool:
    """Whether the agent's pages are there to be served."""
    return (DIST / "agent.html").is_file()


@asynccontextmanager
async def desktop(running: Stage, seed: int) -> AsyncIterator[Addresses]:
    """Serve all of it while the block runs; the stage must have been set with pages.

    Raises:
        DesktopError: A command failed; the text is what it said.
    """
    softphone = Softphone()
    exchange = _exchange(running, softphone, Random(seed))
    softphone.app.router.routes.extend(Switchboard(exchange, CALLERS, AGENT).routes())
    softphone.sign_in(AGENT)
    async with serve_softphone(softphone) as url:
        environment = {
            **inherited(),
            **running.environment,
            "CONNECT_DYNAMICS_CCP_URL": f"{url}{PATH}",
        }
        command = [str(COMMAND), "desktop", "serve", "--port", "0"]
        async with child(command, environment, stdout=PIPE, stderr=PIPE) as server:
            page = await _first_line(server)
            # Another name of this machine: to browsers the pages and the softphone are two sites.
            origin = page.rpartition("/")[0].replace("127.0.0.1", "localhost")
            await _install(environment, origin)
            sending = asyncio.create_task(exchange.run())
            try:
                yield Addresses(f"{origin}/agent.html", f"{running.url}{WORKSPACE}", f"{url}/")
            finally:
                sending.cancel()
                with suppress(asyncio.CancelledError):
                    await sending


def _exchange(running: Stage, softphone: Softphone, rng: Random) -> Exchange:
    """A contact centre whose messages go the way of all traffic."""

    async def send(message: SentMessage) -> None:
        await running.cloud.put([message])

    meet: Callable[..., None] = lambda who: introduce(running.dataverse, [who])  # noqa: E731
    return Exchange(softphone, running.amazon, send, meet, rng=rng)


async def _first_line(server: asyncio.subprocess.Process) -> str:
    """The first address that the server says it is at."""
    assert server.stdout is not None  # noqa: S101 - asked for
    async with asyncio.timeout(LIMIT_S):
        line = await server.stdout.readline()
        if not line:
            raise DesktopError(await _said(server))
    return line.decode().strip()


async def _install(environment: dict[str, str], origin: str) -> None:
    """Write what the panel needs into the sandbox's Dynamics."""
    command = [str(COMMAND), "desktop", "install", "--origin", origin]
    async with child(command, environment, stdout=PIPE, stderr=PIPE) as installer:
        async with asyncio.timeout(LIMIT_S):
            _, err = await installer.communicate()
        if installer.returncode:
            raise DesktopError(err.decode().strip())


async def _said(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None  # noqa: S101 - asked for
    return (await process.stderr.read()).decode().strip()
