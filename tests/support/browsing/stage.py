"""The agent's desktop with everything round it, on three origins of one machine.

Pages come from ``http://localhost``, the softphone from ``http://127.0.0.1``, Dynamics from
``https://127.0.0.1``: three sites to the browser, as there are in real life.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.identity import record_id
from worker.definitions import find
from worker.desktop.configuration import Choices, configuration
from worker.desktop.headers import Sites
from worker.desktop.installation import Installer
from worker.desktop.server import load as load_pages
from worker.desktop.server import serving
from worker.desktop.templates import rows
from worker.dynamics.protocol import Request
from worker.sandbox.browser.dynamics import Dynamics
from worker.sandbox.browser.softphone import Softphone, serve_softphone
from worker.sandbox.dataverse.app import create_dataverse
from worker.sandbox.inprocess import InProcessDynamics
from worker.sandbox.server import serve
from worker.settings import Settings


#: The customer whom Dynamics knows, and the record that the worker makes of a call with her.
NAME: Final = "Ada Abendroth"
NUMBER: Final = "+4915550000042"
LONG: Final = "Wilhelmine-Friederike von Hohenstaufen-Württemberg-Oberlausitz"
CUSTOMER: Final = "7d9f6a52-0f0c-4c37-9f3a-0a6f3f2f6a11"

AGENT: Final = "maria.keller"

#: Channel of the pages -> pipeline step, entity set.
STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "voice": ("PHONECALL", "phonecalls"),
    "chat": ("TASK", "tasks"),
    "task": ("TASK", "tasks"),
    "email": ("EMAIL", "emails"),
}


@dataclass(slots=True)
class Stage:
    """What stands round the pages.

    Attributes:
        softphone: Who rings.
        dynamics: The organization, with its pages.
        softphone_url: Origin of the softphone.
        dynamics_url: Origin of the organization.
        pages_url: Origin of our pages.
        config: What the pages are told; changes count for pages that load afterwards.
    """

    softphone: Softphone
    dynamics: Dynamics
    softphone_url: str
    dynamics_url: str
    pages_url: str
    config: dict[str, Any]

    def activity(self, contact_id: str, channel: str = "voice") -> str:
        """The id of the record that the worker makes of a contact."""
        return record_id(contact_id, "timeline", STEPS[channel][0])

    async def log(self, contact_id: str, channel: str = "voice", subject: str = "Call") -> str:
        """The worker makes the contact's record; gives its id."""
        key = self.activity(contact_id, channel)
        table = STEPS[channel][1]
        await self.write("POST", table, {"activityid": key, "subject": subject})
        return key

    async def write(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        """Send a request to the organization, as the application user."""
        twin = InProcessDynamics(self.dynamics.dataverse.organisation)
        await twin.send(Request(method, path, {}, dict(body)), timeout_s=1)

    def known(self, contact_id: str, channel: str = "voice", **more: str) -> dict[str, str]:
        """Attributes of a contact whose customer was found, as the worker writes them."""
        key = self.activity(contact_id, channel)
        table = STEPS[channel][1].removesuffix("s")
        return {
            "ms_id": contact_id,
            "LookupStatus": "SingleMatch",
            "ms_contact_id": CUSTOMER,
            "ms_customer_name": NAME,
            "ms_customer_entity_name": "contact",
            "ms_activity_id": key,
            "ms_entityrecord_entity_name": table,
            "ms_entityrecord_record_id": key,
            **more,
        }

    def unmatched(self, contact_id: str, status: str) -> dict[str, str]:
        """Attributes of a contact whose customer was not found, or that several may be."""
        nobody = self.known(contact_id) | {"LookupStatus": status, "ms_search_text": NUMBER}
        for name in ("ms_contact_id", "ms_customer_name"):
            del nobody[name]
        return nobody

    def page_of(self, contact_id: str, channel: str = "voice") -> dict[str, str]:
        """The attributes that name the page to open, as the worker writes them on the answer."""
        table = STEPS[channel][1].removesuffix("s")
        key = self.activity(contact_id, channel)
        url = f"{self.dynamics_url}/main.aspx?pagetype=entityrecord&etn={table}&id={key}"
        return {"DynamicsUrl": url, "DynamicsTab": "true"}


@asynccontextmanager
async def stage(dist: Path, folder: Path) -> AsyncIterator[Stage]:
    """Everything, while the block runs.

    Args:
        dist: The assembled pages.
        folder: For the certificate of the organization.
    """
    softphone, dataverse = Softphone(), create_dataverse()
    dynamics = Dynamics(dataverse)
    try:
        async with (
            serve_softphone(softphone) as softphone_url,
            serve(dynamics, ca_path=folder / "ca.pem") as dynamics_url,
        ):
            settings = Settings(environment_url=dynamics_url, ccp_url=f"{softphone_url}/ccp-v2/")
            config = configuration(settings, [find("timeline")], Choices()).content
            # The configuration is read again with each request, so that a test may change it.
            files = _Pages(dist, config)
            async with serving(files, Sites.of(config), "127.0.0.1", 0) as port:
                pages_url = f"http://localhost:{port}"
                staged = Stage(softphone, dynamics, softphone_url, dynamics_url, pages_url, config)
                await staged.write(
                    "POST",
                    "contacts",
                    {
                        "contactid": CUSTOMER,
                        "firstname": "Ada",
                        "lastname": "Abendroth",
                        "telephone1": NUMBER,
                    },
                )
                yield staged
    finally:
        dataverse.close()


async def install(staged: Stage) -> None:
    """What ``desktop install`` brings into the organization."""
    twin = InProcessDynamics(staged.dynamics.dataverse.organisation)
    installer = Installer(twin, f"{staged.dynamics_url}/api/data/v9.2/")
    async for _ in installer.install(rows(staged.config, staged.pages_url)):
        pass


class _Pages(dict[str, Any]):
    """The served files, with the configuration as it is when it is asked for."""

    def __init__(self, dist: Path, config: Mapping[str, Any]) -> None:
        super().__init__(load_pages(dist, config))
        self._dist, self._config = dist, config

    def get(self, path: str, default: Any = None) -> Any:
        """See ``dict``."""
        if path == "/config.json":
            return load_pages(self._dist, self._config)[path]
        return super().get(path, default)
