"""The whole product on this machine: embedded AWS, the sandbox over TLS, and the real worker.

The worker is ``connect-dynamics run`` as a process of its own, set up by its environment alone, as
in a container. All files are in one folder.
"""

from __future__ import annotations

import os
import sysconfig

from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson

from worker.definitions import SHIPPED
from worker.sandbox.amazon.connect_api import AmazonConnect
from worker.sandbox.amazon.moto_server import Cloud, embedded_aws
from worker.sandbox.browser.dynamics import Dynamics
from worker.sandbox.children import child
from worker.sandbox.command import settings
from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.oracle.customers import employ
from worker.sandbox.oracle.verdict import PIPELINES
from worker.sandbox.server import serve, serve_plainly
from worker.stores import open_store
from worker.stores.protocol import ContactStore


COMMAND: Final = Path(sysconfig.get_path("scripts")) / "connect-dynamics"

#: What the shipped pipelines wait for a recording, and what they wait here.
WITHIN: Final = "15m"
SHORT_WITHIN: Final = "5s"

#: Whoever runs this may have these for other purposes.
_FOREIGN: Final = ("AWS_", "CONNECT_DYNAMICS_")

#: The contacts played began before the worker did; to it, its pipelines are this old.
_PIPELINES_AGE: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs.

    Attributes:
        cloud: Where to send traffic.
        amazon: Connect's API, which must meet the contacts.
        dataverse: The sandbox, with the records in it.
        url: The sandbox's address.
        worker: The process of ``connect-dynamics run``.
        store: The worker's state, opened here too.
        folder: Where all files are.
        environment: The worker's settings.
    """

    cloud: Cloud
    amazon: AmazonConnect
    dataverse: Dataverse
    url: str
    worker: Process
    store: ContactStore
    folder: Path
    environment: dict[str, str]

    def log(self) -> list[dict[str, Any]]:
        """The worker's log so far."""
        return [orjson.loads(line) for line in self.log_text().splitlines() if line[:1] == "{"]

    def log_text(self) -> str:
        """The same as it stands; a line that is not whole yet is left out."""
        text = _log_file(self.folder).read_text(encoding="utf-8")
        return text[: text.rfind("\n") + 1]


@asynccontextmanager
async def stage(
    folder: Path, *, within: str = SHORT_WITHIN, pages: bool = False
) -> AsyncIterator[Stage]:
    """Everything, while the block runs.

    Args:
        folder: An empty folder for all files.
        within: What pipelines wait for a recording at most, in place of ``WITHIN``.
        pages: Dynamics has pages too, not only its Web API.
    """
    ca, state = folder / "sandbox-ca.pem", f"sqlite:{folder / 'state.sqlite'}"
    dataverse, amazon, store = create_dataverse(), AmazonConnect(), open_store(state)
    employ(dataverse)
    try:
        async with (
            embedded_aws() as cloud,
            serve(Dynamics(dataverse) if pages else dataverse, ca_path=ca) as url,
            serve_plainly(amazon.app) as connect_url,
        ):
            environment = {
                **cloud.environment,
                "AWS_ENDPOINT_URL_CONNECT": connect_url,
                **settings(url, ca),
                "CONNECT_DYNAMICS_CONNECT_SHARE": "1",  # nobody else asks this one
                "CONNECT_DYNAMICS_STATE": state,
                "CONNECT_DYNAMICS_METRICS": "127.0.0.1:0",
                "CONNECT_DYNAMICS_PIPELINES": _pipelines(folder, within),
            }
            await _age_pipelines(store)
            with _log_file(folder).open("wb") as log:
                command = [str(COMMAND), "run"]
                async with child(command, inherited() | environment, stderr=log) as worker:
                    yield Stage(cloud, amazon, dataverse, url, worker, store, folder, environment)
    finally:
        await store.close()
        dataverse.close()


def _log_file(folder: Path) -> Path:
    return folder / "worker.log"


def _pipelines(folder: Path, within: str) -> str:
    """The shipped pipelines with a shorter wait, as files; the setting that names them."""
    paths = []
    for name in PIPELINES:
        text = (SHIPPED / f"{name}.toml").read_text(encoding="utf-8")
        path = folder / f"{name}.toml"
        text = text.replace(f'within = "{WITHIN}"', f'within = "{within}"')
        # The timeline's activities are wanted beside those of the channels' own pipelines.
        both = "both = true\n" if name == "timeline" else ""
        path.write_text(both + text, encoding="utf-8")
        paths.append(str(path))
    return ",".join(paths)


async def _age_pipelines(store: ContactStore) -> None:
    """Let the worker believe that it has known its pipelines for longer (see design, age)."""
    since = (datetime.now(UTC) - _PIPELINES_AGE).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in PIPELINES:
        await store.remember(f"pipeline/{name}", since)


def inherited() -> dict[str, str]:
    """This process's environment without what would lead the worker elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
