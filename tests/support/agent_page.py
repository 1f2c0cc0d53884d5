"""The agent page in a real browser, with a Dynamics that says which record it was asked for."""

from __future__ import annotations

import asyncio
import json

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from playwright.async_api import FrameLocator, Locator, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from worker.sandbox.browser.contacts import Channel
from worker.sandbox.browser.softphone import Softphone


AGENT: Final = "maria.keller"
NUMBER: Final = "+4915550000042"
RECORD: Final = "33333333-3333-4333-8333-333333333333"
OTHER: Final = "44444444-4444-4444-8444-444444444444"

#: How long (ms) the page waits for a record, and for word of the customer.
RECORD_AFTER_MS: Final = 800
SEARCH_AFTER_MS: Final = 2_500

_TABLE: Final = Path(__file__).parents[2] / "worker" / "desktop" / "tables" / "connect.json"


def configuration(softphone_url: str, dynamics_url: str, *, tab: bool) -> dict[str, Any]:
    """A config.json for the stand-ins."""
    return {
        "version": 1,
        "connect": {"ccpUrl": f"{softphone_url}/ccp-v2/", "region": "eu-central-1"},
        "dynamics": {"url": dynamics_url},
        "open": {
            "tab": tab,
            "recordAfterMs": RECORD_AFTER_MS,
            "searchAfterMs": SEARCH_AFTER_MS,
        },
        "namespace": "6b1f2c1e-6a1d-4a52-9a3d-2d9b6d6f1c11",
        "records": {
            "voice": {
                "table": "phonecall",
                "set": "phonecalls",
                "pipeline": "timeline",
                "step": "PHONECALL",
            }
        },
        "names": json.loads(_TABLE.read_text()),
    }


def known(contact: str, record: str = RECORD, name: str = "Martina Sommerfeld") -> dict[str, str]:
    """Attributes of a contact whose customer and record are known."""
    return {
        "ms_id": contact,
        "ms_contact_id": RECORD,
        "ms_customer_name": name,
        "ms_customer_entity_name": "contact",
        "LookupStatus": "SingleMatch",
        "ms_entityrecord_entity_name": "phonecall",
        "ms_entityrecord_record_id": record,
    }


class Dynamics:
    """Record pages.

    Attributes:
        app: The ASGI application.
        asked: Queries of the pages that were asked for, in order.
        headers: What the pages are answered with besides.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.app = Starlette(routes=[Route("/main.aspx", self._main)])

    async def _main(self, request: Request) -> Response:
        self.asked.append(request.url.query)
        shown = request.query_params.get("id") or request.query_params.get("searchText", "home")
        page = f"<!doctype html><title>Dynamics</title><main>{shown}</main>"
        return HTMLResponse(page, headers=self.headers)

    def records(self) -> list[str]:
        """Ids of the records that were asked for."""
        return [query.rpartition("id=")[2] for query in self.asked if "id=" in query]


class AgentPage:
    """The page of one agent, and what happens to her."""

    def __init__(self, page: Page, softphone: Softphone, dynamics: Dynamics) -> None:
        self.page = page
        self.softphone = softphone
        self.dynamics = dynamics

    @property
    def record(self) -> Locator:
        """The panel of the contact in view."""
        return self.page.locator("#record")

    @property
    def customer(self) -> Locator:
        """Who it is."""
        return self.page.locator("#customer")

    @property
    def button(self) -> Locator:
        """The one to the record."""
        return self.page.locator("#open-tab")

    @property
    def frame(self) -> FrameLocator:
        """The framed record in view."""
        return self.page.frame_locator("#dynamics")

    def trouble(self, kind: str) -> Locator:
        """A notice."""
        return self.page.locator(f'[data-trouble="{kind}"]')

    def contact(self, contact: str) -> Locator:
        """An item of the list."""
        return self.page.locator(f'[data-contact="{contact}"]')

    async def signed_in(self) -> None:
        """Wait for the softphone."""
        await expect(self.page.locator("#agent-name")).to_have_text("Maria Keller")

    async def connect_tab(self) -> Page:
        """The click at the start of the shift; gives the tab."""
        async with self.page.context.expect_page() as opened:
            await self.button.click()
        await expect(self.button).to_have_text("Show the Dynamics tab")
        return await opened.value

    async def ring(
        self, attributes: Callable[[str], Mapping[str, str]] = known, channel: Channel = "voice"
    ) -> str:
        """A contact rings, with attributes made for its id; gives the id."""
        contact = self.softphone.ring(AGENT, {"number": NUMBER, "channel": channel})
        self.softphone.set_attributes(contact, attributes(contact))
        await expect(self.contact(contact)).to_have_attribute("data-state", "ringing")
        return contact

    async def call(
        self, attributes: Callable[[str], Mapping[str, str]] = known, channel: Channel = "voice"
    ) -> str:
        """A contact rings, and is answered."""
        contact = await self.ring(attributes, channel)
        self.softphone.connect(AGENT, contact)
        await expect(self.contact(contact)).to_have_attribute("data-state", "connected")
        return contact

    def close(self, contact: str) -> None:
        """The contact ends, and its after-call work."""
        self.softphone.end(AGENT, contact)
        self.softphone.clear(AGENT, contact)

    async def for_long_enough(self) -> None:
        """Longer than the page waits for anything but word of the customer."""
        await asyncio.sleep(RECORD_AFTER_MS / 1000 + 0.8)
