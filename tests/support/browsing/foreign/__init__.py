"""A softphone and a Dynamics that know nothing of the sandbox's.

They are written from amazon-connect-streams' messages and the Channel Integration Framework's
documentation alone and do the least of both, so that the pages are not built for our stand-ins.
"""

from __future__ import annotations

import json

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote
from uuid import uuid4

from playwright.async_api import Frame, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from browsing.stage import STEPS
from pipelines.identity import record_id
from worker.definitions import find
from worker.desktop.configuration import Choices, configuration
from worker.desktop.headers import Sites
from worker.desktop.server import load, serving
from worker.sandbox.server import serve_plainly
from worker.settings import Settings


HERE: Final = Path(__file__).parent

ANY_ORGANIZATION: Final = "https://org.crm4.dynamics.com"

CUSTOMER: Final = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeee01"
NAME: Final = "Zoë Ziegler"


@dataclass(slots=True)
class Abroad:
    """Where everything is.

    Attributes:
        pages_url: Our pages.
        dynamics_url: The organization.
    """

    pages_url: str
    dynamics_url: str

    def workspace(
        self,
        form: Literal["text", "object"] = "text",
        refused: Sequence[str] = (),
        silent: Sequence[str] = (),
    ) -> str:
        """Address of the workspace with our panel in it.

        Args:
            form: How it answers.
            refused: Methods that it refuses.
            silent: Methods that it never answers.
        """
        told = {
            "panel": f"{self.pages_url}/cif.html",
            "form": form,
            "refused": list(refused),
            "silent": list(silent),
        }
        return f"{self.dynamics_url}/workspace#{quote(json.dumps(told))}"


@dataclass(slots=True)
class Phone:
    """The softphone that a page has framed."""

    page: Page

    @property
    def frame(self) -> Frame:
        """The frame that it is in."""
        (only,) = [frame for frame in self.page.frames if "/ccp-v2/" in frame.url]
        return only

    async def ring(self, **more: Any) -> str:
        """A contact rings; gives its id. ``contact`` and ``agent`` say what is different."""
        contact_id = str(uuid4())
        await self.frame.evaluate("([id, more]) => ring(id, more)", [contact_id, more])
        return contact_id

    async def become(self, contact_id: str, state: str) -> None:
        """A contact comes into another state."""
        await self.frame.evaluate("([id, state]) => become(id, state)", [contact_id, state])

    async def find(self, contact_id: str) -> None:
        """The worker tells who the customer is."""
        told = [contact_id, known(contact_id)]
        await self.frame.evaluate("([id, attributes]) => tell(id, attributes)", told)


def activity(contact_id: str) -> str:
    """The record that the worker makes of a call."""
    return record_id(contact_id, "timeline", STEPS["voice"][0])


def known(contact_id: str) -> dict[str, str]:
    """Attributes of a contact whose customer was found."""
    return {
        "ms_id": contact_id,
        "LookupStatus": "SingleMatch",
        "ms_contact_id": CUSTOMER,
        "ms_customer_name": NAME,
        "ms_customer_entity_name": "contact",
        "ms_entityrecord_entity_name": "phonecall",
        "ms_entityrecord_record_id": activity(contact_id),
    }


@asynccontextmanager
async def abroad(dist: Path) -> AsyncIterator[Abroad]:
    """Everything, while the block runs.

    Args:
        dist: The assembled pages.
    """
    async with serve_plainly(_softphone()) as softphone, serve_plainly(_dynamics()) as dynamics:
        config = _config(softphone, dynamics)
        async with serving(load(dist, config), Sites.of(config), "127.0.0.1", 0) as port:
            yield Abroad(f"http://localhost:{port}", dynamics)


def _config(softphone: str, dynamics: str) -> dict[str, Any]:
    settings = Settings(environment_url=ANY_ORGANIZATION, ccp_url=f"{softphone}/ccp-v2/")
    config = configuration(settings, [find("timeline")], Choices()).content
    # The worker speaks to none without TLS; the pages do, on this machine.
    return {**config, "dynamics": {**config["dynamics"], "url": dynamics}}


def _softphone() -> Starlette:
    return Starlette(routes=[Route("/ccp-v2/", _file("softphone.html"))])


def _dynamics() -> Starlette:
    async def record(request: Request) -> Response:
        asked = request.query_params
        table, key = asked.get("etn", ""), asked.get("id", "")
        return HTMLResponse(f'<main data-table="{table}" data-id="{key}">Record</main>')

    return Starlette(
        routes=[
            Route("/main.aspx", record),
            Route("/workspace", _file("workspace.html")),
            Route("/webresources/Widget/msdyn_ciLibrary.js", _file("library.js")),
        ]
    )


def _file(name: str) -> Any:
    async def given(_request: Request) -> Response:
        return FileResponse(HERE / name)

    return given
