"""What can be the matter with the framed softphone, as pages are told of it, in a real browser."""

from __future__ import annotations

import json

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Literal

import pytest
import pytest_asyncio

from playwright.async_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from worker.sandbox.browser.softphone import Softphone


pytestmark = pytest.mark.services

AGENT: Final = "maria.keller"
ROOT: Final = Path(__file__).parents[2]
PAGES: Final = ROOT / "worker" / "desktop" / "pages"
STREAMS: Final = (
    ROOT / ".venv/desktop/node_modules/amazon-connect-streams/release/connect-streams-min.js"
)
TABLE: Final = ROOT / "worker" / "desktop" / "tables" / "connect.json"

#: The library waits 5 s for the frame, and loads it again every 5 s.
PATIENCE_MS: Final = 40_000

#: A host of nothing but softphone.js: what is the matter now, and what the agent is doing.
HOST: Final = """<!doctype html><title>host</title><div id="ccp" style="width:400px;height:600px">
</div><button>Sign in</button><script src="streams.js"></script><script type="module">
import {startSoftphone} from './pages/softphone.js';
import {checked} from './pages/core/config.js';
const now = new Set();
window.told = {agent: '', seen: [], troubles: () => [...now].sort().join(' ')};
const softphone = startSoftphone({
  connect: window.connect, container: document.querySelector('#ccp'),
  config: checked(CONFIG).config, now: () => Date.now(), onView: () => undefined,
  onSeen: (seen) => { told.seen = seen; },
  onAgent: ({name, state}) => { told.agent = `${name} ${state}`; },
  onTrouble: (kind) => now.add(kind), onWell: (kind) => now.delete(kind),
});
document.querySelector('button').onclick = () => softphone.signIn();
</script>"""

Open = Callable[..., Awaitable[None]]


@pytest_asyncio.fixture(loop_scope="session")
async def open_host(serve_app: Callable[..., Any], softphone_url: str) -> Open:
    """Opens the host in a browser's page."""
    config = {
        "version": 1,
        "connect": {"ccpUrl": f"{softphone_url}/ccp-v2/", "loginUrl": f"{softphone_url}/login"},
        "dynamics": {"url": "https://org.crm4.dynamics.com"},
        "namespace": "5f0c7c5e-7a3b-5d0e-9c53-1d6f6a4e2b10",
        "names": json.loads(TABLE.read_text()),
    }

    async def host(_: Request) -> Response:
        return HTMLResponse(HOST.replace("CONFIG", json.dumps(config)))

    async def streams(_: Request) -> Response:
        return FileResponse(STREAMS)

    pages = Mount("/pages", StaticFiles(directory=PAGES))
    routes = [Route("/", host), Route("/streams.js", streams), pages]
    url = await serve_app(Starlette(routes=routes))

    async def opened(page: Page) -> None:
        await page.goto(url)

    return opened


async def troubled(page: Page, *kinds: str) -> None:
    """Wait until just these are the matter."""
    expected = " ".join(sorted(kinds))
    await page.wait_for_function(
        "kinds => told.troubles() === kinds", arg=expected, timeout=PATIENCE_MS
    )


async def working(page: Page, state: str = "Available") -> None:
    """Wait until the agent is there, and nothing is the matter."""
    await page.wait_for_function(
        "agent => told.agent === agent", arg=f"Maria Keller {state}", timeout=PATIENCE_MS
    )
    await troubled(page)


async def sign_in(popup: Page) -> None:
    await popup.get_by_label("User name").fill(AGENT)
    await popup.get_by_label("Password").fill("anything")
    await popup.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize(("loss", "kind"), [("auth_fail", "session"), ("access_denied", "denied")])
async def test_a_lost_session_is_told_of_until_the_agent_is_back(
    loss: Literal["auth_fail", "access_denied"],
    kind: str,
    softphone: Softphone,
    page: Page,
    open_host: Open,
) -> None:
    softphone.sign_in(AGENT)
    await open_host(page)
    await working(page)
    contact = softphone.ring(AGENT)
    await page.wait_for_function("told.seen.length === 1")
    softphone.lose_session(AGENT, loss)
    await page.wait_for_function("kind => told.troubles().includes(kind)", arg=kind)
    assert await page.evaluate("told.seen[0].id") == contact


async def test_an_agent_who_signs_in_again_in_mid_call_finds_the_call_and_no_trouble(
    softphone: Softphone, page: Page, open_host: Open
) -> None:
    softphone.sign_in(AGENT)
    await open_host(page)
    await working(page)
    contact = softphone.ring(AGENT)
    softphone.connect(AGENT, contact)
    await page.wait_for_function("told.seen[0]?.state === 'connected'")
    async with page.expect_popup() as opened:
        softphone.lose_session(AGENT)
        await page.wait_for_function("told.troubles() !== ''")
        await page.get_by_role("button", name="Sign in").click()
    await sign_in(await opened.value)
    await troubled(page)
    assert await page.evaluate("told.seen.map(({id}) => id)") == [contact]


async def test_a_second_page_with_the_softphone_is_told_of_until_it_is_closed(
    softphone: Softphone, page: Page, open_host: Open
) -> None:
    softphone.sign_in(AGENT)
    await open_host(page)
    await working(page)
    softphone.broadcast(AGENT, "update_connected_ccps", {"length": 2})
    await troubled(page, "other-page")
    softphone.broadcast(AGENT, "update_connected_ccps", {"length": 1})
    await troubled(page)
