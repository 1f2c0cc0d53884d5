"""Pages and templates in a browser, as ``desktop serve`` and ``desktop install`` set them up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from playwright.async_api import ConsoleMessage, FrameLocator, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from pipelines.identity import timeline_id
from worker import aws
from worker.definitions import find_all
from worker.desktop.assembly import MODULES, assemble
from worker.desktop.configuration import configuration
from worker.desktop.headers import Sites
from worker.desktop.installation import Installer
from worker.desktop.server import load, serving
from worker.desktop.templates import rows
from worker.dynamics.connection import open_dynamics
from worker.sandbox.browser.dynamics import Dynamics
from worker.sandbox.browser.softphone import Softphone
from worker.sandbox.command import settings as settings_of
from worker.sandbox.dataverse.app import CLIENT_SECRET, create_dataverse
from worker.sandbox.server import serve, serve_plainly
from worker.settings import load_settings


pytestmark = pytest.mark.services

AGENT: Final = "maria.keller"
NUMBER: Final = "+351210000001"
CUSTOMER: Final = "0a0b0c0d-0001-4002-8003-000000000001"
LEG: Final = "0a0b0c0d-0001-4002-8003-000000000009"


@dataclass(frozen=True)
class Site:
    """Everything that is served: Dynamics, our pages, the softphone."""

    organization: str
    pages: str
    softphone: Softphone


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed") / "dist"
    assemble(MODULES, into=folder)
    return folder


@pytest_asyncio.fixture(loop_scope="session")
async def site(
    dist: Path,
    softphone: Softphone,
    softphone_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Site]:
    dynamics = Dynamics(create_dataverse())
    ca = tmp_path / "ca.pem"
    async with serve(dynamics, ca_path=ca) as organization:
        monkeypatch.setenv("CONNECT_DYNAMICS_CCP_URL", f"{softphone_url}/ccp-v2/")
        monkeypatch.setenv("CONNECT_DYNAMICS_PIPELINES", "timeline")
        monkeypatch.setenv("SANDBOX_SECRET", CLIENT_SECRET)
        for name, value in settings_of(organization, ca).items():
            monkeypatch.setenv(name, value)
        settings = load_settings()
        content = configuration(settings, find_all(settings.pipelines)).content
        files, sites = load(dist, content), Sites.of(content)
        async with serving(files, sites, "localhost", 0) as port:
            pages = f"http://localhost:{port}"
            base = f"{organization}/api/data/v9.2/"
            async with open_dynamics(settings, aws.secrets) as client:
                async for _ in Installer(client, base).install(rows(content, pages)):
                    pass
            dynamics.dataverse.put(
                "contacts", {"contactid": CUSTOMER, "firstname": "Ana", "lastname": "Silva"}
            )
            activity = {"activityid": timeline_id(LEG, "phonecall"), "subject": "Call from Ana"}
            dynamics.dataverse.put("phonecalls", activity)
            softphone.sign_in(AGENT)
            yield Site(organization, pages, softphone)
    dynamics.dataverse.close()


@pytest_asyncio.fixture(loop_scope="session")
async def refusals(page: Page) -> list[str]:
    """What a policy made the browser refuse; to listen to a page takes the loop it lives in."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "Refused to" in message.text:
            found.append(message.text)

    page.on("console", note)
    return found


async def _opened(page: Page, site: Site) -> FrameLocator:
    """The workspace with our panel in it, and the softphone in that; gives the panel."""
    await page.goto(f"{site.organization}/apps/customer-service")
    panel = page.frame_locator("[data-panel]")
    await expect(panel.locator("#softphone iframe")).to_be_visible()
    return panel


async def test_a_ringing_contact_is_a_toast_of_the_installed_template_and_a_session_once_accepted(
    page: Page, site: Site, refusals: list[str]
) -> None:
    await _opened(page, site)
    site.softphone.ring(
        AGENT,
        {
            "id": LEG,
            "number": NUMBER,
            "queue": "Support",
            "attributes": {
                "ms_id": LEG,
                "ms_contact_id": CUSTOMER,
                "ms_customer_name": "Ana Silva",
                "ms_customer_entity_name": "contact",
                "LookupStatus": "SingleMatch",
                "CallReason": "Contract",
            },
        },
    )
    toast = page.locator("[data-toast]")
    for text in ("Voice-Ana Silva", "Number", NUMBER, "Queue", "Support", "Reason", "Contract"):
        await expect(toast).to_contain_text(text)
    await toast.get_by_role("button", name="Accept").click()
    await expect(toast).to_have_count(0)
    site.softphone.connect(AGENT, LEG)
    await expect(page.locator("[data-session]", has_text="Voice-Ana Silva")).to_be_visible()
    for tab, record in (("Customer", CUSTOMER), ("Activity", timeline_id(LEG, "phonecall"))):
        shown = page.frame_locator(f"iframe[title={tab}]").locator("main")
        await expect(shown).to_have_attribute("data-id", record)
        await expect(shown).to_have_attribute("data-found", "true")
    assert refusals == []


@pytest.mark.parametrize("name", ["agent.html", "companion.html"])
async def test_a_page_of_its_own_works_within_its_policy(
    page: Page, site: Site, refusals: list[str], name: str
) -> None:
    await page.goto(f"{site.pages}/{name}")
    await expect(page.frame_locator("#softphone iframe").locator("body")).to_contain_text(
        "Maria Keller"
    )
    assert refusals == []


@pytest.mark.parametrize("name", ["agent.html", "cif.html", "companion.html"])
async def test_no_other_site_frames_a_page(
    page: Page, site: Site, refusals: list[str], name: str
) -> None:
    async def around(_: Request) -> HTMLResponse:
        return HTMLResponse(f'<!doctype html><iframe src="{site.pages}/{name}"></iframe>')

    async with serve_plainly(Starlette(routes=[Route("/", around)])) as url:
        await page.goto(url)
        await expect(page.frame_locator("iframe").locator("#softphone")).to_have_count(0)
        assert any("frame-ancestors" in text for text in refusals)
        await page.goto("about:blank")
