"""The sandbox's softphone, framed and driven by the unmodified amazon-connect-streams."""

from __future__ import annotations

import asyncio
import json

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from playwright.async_api import BrowserContext, FrameLocator, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from worker.sandbox.browser.softphone import Softphone


pytestmark = pytest.mark.services

STREAMS: Final = (
    Path(__file__).parents[2]
    / ".venv/desktop/node_modules/amazon-connect-streams/release/connect-streams-min.js"
)

AGENT: Final = "maria.keller"
NUMBER: Final = "+4915550000042"

#: Frames the softphone and writes down what the library says, in order.
HOST: Final = """<!doctype html><title>host</title><div id="ccp" style="width:400px;height:600px">
</div><script src="streams.js"></script><script>
const said = [];
const options = Object.fromEntries(new URLSearchParams(location.search));
connect.core.initCCP(document.querySelector('#ccp'), {
  ccpUrl: options.ccp, loginUrl: options.login, loginPopup: true, loginPopupAutoClose: true,
  ccpLoadTimeout: 1000, region: 'eu-central-1', softphone: {allowFramedSoftphone: false},
});
connect.core.onAuthFail(() => said.push('auth_fail'));
connect.core.onAccessDenied(() => said.push('access_denied'));
connect.core.onViewContact((event) => said.push(`view ${event.contactId}`));
connect.agent((agent) => {
  said.push(`agent ${agent.getName()}`);
  agent.onStateChange(({newState}) => said.push(`state ${newState}`));
});
connect.contact((contact) => {
  const id = contact.getContactId();
  for (const name of ['Incoming', 'Connecting', 'Accepted', 'Connected', 'Missed', 'ACW',
      'Ended', 'Destroy', 'Error'])
    contact[`on${name}`](() => said.push(`${name} ${id}`));
});
function contact(id) {
  return new connect.Agent().getContacts().find((one) => one.getContactId() === id);
}
function attributes(id) {
  const read = contact(id).getAttributes();
  return read && Object.fromEntries(Object.entries(read).map(([name, {value}]) => [name, value]));
}
function asked(start) {
  return new Promise((resolve) => start({
    success: (data) => resolve({data}), failure: (error) => resolve({error})}));
}
</script>"""


async def _host(_: Request) -> Response:
    return HTMLResponse(HOST)


async def _streams(_: Request) -> Response:
    return FileResponse(STREAMS)


class Framed:
    """A host page with the softphone in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.ccp: FrameLocator = page.frame_locator("#ccp iframe")

    async def said(self) -> list[str]:
        """What the library has said so far."""
        return list(await self.page.evaluate("said"))

    async def says(self, *lines: str) -> None:
        """Wait until the library has said all of these."""
        await self.page.wait_for_function(
            "lines => lines.every((line) => said.includes(line))", arg=list(lines)
        )

    async def settled(self, question: str, wanted: Any) -> None:
        """Wait until an expression has a value."""
        await self.page.wait_for_function(
            f"wanted => JSON.stringify({question}) === wanted",
            arg=json.dumps(wanted, separators=(",", ":")),
        )


@pytest.fixture
async def open_host(serve_app: Callable[..., Any], softphone_url: str) -> Callable[..., Any]:
    """Opens the host page in a browser's page, with an agent's softphone."""
    url = await serve_app(Starlette(routes=[Route("/", _host), Route("/streams.js", _streams)]))

    async def opened(page: Page, query: str = "") -> Framed:
        login = f"{softphone_url}/login"
        await page.goto(f"{url}/?ccp={softphone_url}/ccp-v2/{query}&login={login}")
        return Framed(page)

    return opened


async def test_the_library_tells_a_call_from_ring_to_close(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    host = await open_host(page)
    await host.says("agent Maria Keller")
    call = softphone.ring(AGENT, {"number": NUMBER, "attributes": {"CallReason": "invoice"}})
    await host.says(f"Connecting {call}")
    await host.ccp.get_by_role("button", name="Accept").click()
    await host.says(f"Accepted {call}")
    softphone.connect(AGENT, call)
    await host.says(f"Connected {call}")
    await host.ccp.get_by_role("button", name="End").click()
    await host.says(f"ACW {call}", f"Ended {call}", "state AfterCallWork")
    await host.ccp.get_by_role("button", name="Close contact").click()
    await host.says(f"Destroy {call}")
    told = [line.partition(" ")[0] for line in await host.said() if line.endswith(call)]
    assert told == ["Connecting", "Accepted", "Connected", "ACW", "Ended", "Destroy"]
