"""The sandbox's softphone, framed and driven by the unmodified amazon-connect-streams."""

from __future__ import annotations

import asyncio
import json

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
import pytest_asyncio

from playwright.async_api import Browser, BrowserContext, FrameLocator, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from worker.sandbox.amazon.connect_api import AmazonConnect
from worker.sandbox.browser.contacts import Channel
from worker.sandbox.browser.exchange import Exchange
from worker.sandbox.browser.outbox import Pace
from worker.sandbox.browser.softphone import Loss, Softphone
from worker.sandbox.oracle.callers import unknown
from worker.sandbox.traffic import SentMessage


pytestmark = pytest.mark.services

STREAMS: Final = (
    Path(__file__).parents[2]
    / ".venv/desktop/node_modules/amazon-connect-streams/release/connect-streams-min.js"
)

AGENT: Final = "maria.keller"
NUMBER: Final = "+4915550000042"

AT_ONCE: Final = Pace(queue=0, ring=0, connect=0, dial=0, event=0)

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


async def _nowhere(_: SentMessage) -> None:
    """Where messages go that no worker reads."""


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


@pytest_asyncio.fixture(loop_scope="session")
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


async def test_a_call_accepted_by_the_page_around_is_accepted_everywhere(
    softphone: Softphone, page: Page, context: BrowserContext, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    softphone.connects_after_s = 0.1
    host, other = await open_host(page), await open_host(await context.new_page())
    call = softphone.ring(AGENT, {"number": NUMBER})
    await host.says(f"Connecting {call}")
    await other.says(f"Connecting {call}")
    answer = await host.page.evaluate("id => asked((told) => contact(id).accept(told))", call)
    assert "error" not in answer
    for each in (host, other):
        await each.says(f"Accepted {call}", f"Connected {call}")
        await each.settled("connect.numberOfConnectedCCPs", 2)


@pytest.mark.parametrize(
    ("act", "line"),
    [
        (Softphone.miss, "Missed"),
        (Softphone.reject, "Missed"),
        (Softphone.fail, "Error"),
        (Softphone.remove, "Destroy"),
    ],
)
async def test_a_call_that_nobody_answers_ends_in_the_librarys_event(
    act: Callable[..., None],
    line: str,
    softphone: Softphone,
    page: Page,
    open_host: Callable[..., Any],
) -> None:
    softphone.sign_in(AGENT)
    host = await open_host(page)
    call = softphone.ring(AGENT)
    await host.says(f"Connecting {call}")
    act(softphone, AGENT, call)
    await host.says(f"{line} {call}")


async def test_rejecting_in_the_page_around_removes_the_call(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    rejected: list[tuple[str, str]] = []
    softphone.on("reject", lambda agent, contact_id: rejected.append((agent, contact_id)))
    host = await open_host(page)
    call = softphone.ring(AGENT)
    await host.says(f"Connecting {call}")
    await page.evaluate("id => asked((told) => contact(id).reject(told))", call)
    await host.says(f"Missed {call}", f"Destroy {call}")
    assert rejected == [(AGENT, call)]


async def test_attributes_written_later_are_seen_at_the_poll(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    softphone.poll_s = 1.5
    host = await open_host(page)
    call = softphone.ring(AGENT, {"attributes": {"language": "de-DE"}})
    await host.says(f"Connecting {call}")
    softphone.set_attributes(call, {"ms_id": call})
    assert await page.evaluate("id => attributes(id)", call) == {"language": "de-DE"}
    await asyncio.sleep(0.5)
    assert await page.evaluate("id => attributes(id)", call) == {"language": "de-DE"}
    await host.settled(f"attributes('{call}')", {"language": "de-DE", "ms_id": call})


async def test_attributes_written_later_are_seen_with_the_next_change_of_state(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    softphone.poll_s = 30
    host = await open_host(page)
    call = softphone.ring(AGENT)
    await host.says(f"Connecting {call}")
    softphone.set_attributes(call, {"ms_id": call})
    softphone.connect(AGENT, call)
    await host.settled(f"attributes('{call}')", {"ms_id": call})


async def test_a_transferred_call_has_the_attributes_of_its_chain(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    first = softphone.ring("tom.okafor", {"attributes": {"ms_id": "first"}})
    host = await open_host(page, f"?agent={AGENT}")
    second = softphone.ring(AGENT, {"initial_id": first, "method": "transfer"})
    await host.says(f"Connecting {second}")
    assert await page.evaluate("id => contact(id).getInitialContactId()", second) == first
    assert await page.evaluate("id => attributes(id)", second) == {"ms_id": "first"}
    softphone.set_attributes(first, {"ms_id": "later"})
    await host.settled(f"attributes('{second}')", {"ms_id": "later"})


async def test_a_number_dialled_by_the_page_around_comes_as_an_outbound_contact(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    host = await open_host(page)
    await host.says("agent Maria Keller")
    dial = """number => asked((told) => new connect.Agent().connect(
        connect.Endpoint.byPhoneNumber(number), told))"""
    assert await page.evaluate(dial, NUMBER) == {"data": {}}  # no id: as in Connect
    await page.wait_for_function("said.some((line) => line.startsWith('Connecting'))")
    call = softphone.contacts(AGENT)[0].id
    about = "id => { const c = contact(id); return [c.isInbound(), c.getType(),"
    about += " c.getInitialConnection().getEndpoint().phoneNumber]; }"
    assert await page.evaluate(about, call) == [False, "voice", NUMBER]
    assert "error" in await page.evaluate(dial, "112")


async def test_a_queued_callback_comes_as_incoming(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    host = await open_host(page)
    call = softphone.ring(AGENT, {"method": "callback", "number": NUMBER})
    await host.says(f"Incoming {call}")
    assert await page.evaluate("id => contact(id).getType()", call) == "queue_callback"
    await host.ccp.get_by_role("button", name="Accept").click()
    await host.says(f"Accepted {call}", f"Connecting {call}")
    softphone.connect(AGENT, call)
    await host.says(f"Connected {call}")


@pytest.mark.parametrize("channel", ["chat", "task", "email"])
async def test_a_written_contact_goes_from_ring_to_close(
    channel: Channel, softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    softphone.connects_after_s = 0
    host = await open_host(page)
    one = softphone.ring(
        AGENT, {"channel": channel, "method": "api", "name": "Ada", "number": "ada@example.com"}
    )
    await host.says(f"Connecting {one}")
    assert await page.evaluate("id => contact(id).getType()", one) == channel
    if channel != "task":  # of a task the library asks amazon-connect-taskjs, which is not loaded
        assert await page.evaluate("id => contact(id).isInbound()", one) is True
    await host.ccp.get_by_role("button", name="Accept").click()
    await host.says(f"Accepted {one}", f"Connected {one}")
    await page.evaluate("id => asked((told) => contact(id).complete(told))", one)
    await host.says(f"Ended {one}", f"Destroy {one}")


async def test_a_supervisor_reads_no_attributes_of_the_call_listened_to(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    host = await open_host(page)
    call = softphone.monitor(AGENT, {"attributes": {"ms_id": "x"}, "name": "Tom Okafor"})
    await host.says(f"Connecting {call}")
    softphone.connect(AGENT, call)
    await host.says(f"Connected {call}")
    told = "id => { const one = contact(id).getAgentConnection();"
    told += " return [one.getType(), one.isSilentMonitor(), one.isBarge(), attributes(id)]; }"
    assert await page.evaluate(told, call) == ["monitoring", True, False, None]
    await page.evaluate("id => asked((told) => contact(id).bargeIn(told))", call)
    await page.wait_for_function("id => contact(id).getAgentConnection().isBarge()", arg=call)


async def test_an_agent_is_under_supervision_while_a_supervisor_barges_in(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    host = await open_host(page)
    call = softphone.ring(AGENT)
    softphone.connect(AGENT, call)
    await host.says(f"Connected {call}")
    assert await page.evaluate("id => contact(id).isUnderSupervision()", call) is False
    softphone.join(AGENT, call, "lena.fischer", "monitoring")
    await page.wait_for_function("id => contact(id).isUnderSupervision()", arg=call)


async def test_a_colleague_on_the_line_is_a_third_connection(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    asked: list[tuple[str, ...]] = []
    softphone.on("transfer", lambda *about: asked.append(about))
    host = await open_host(page)
    call = softphone.ring(AGENT)
    softphone.connect(AGENT, call)
    await host.says(f"Connected {call}")
    script = """async id => {
      const {data} = await asked((told) => new connect.Agent().getEndpoints(['queue'], told));
      const tom = data.endpoints.find(({name}) => name === 'tom.okafor');
      return asked((told) => contact(id).addConnection(tom, told));
    }"""
    assert "error" not in await page.evaluate(script, call)
    assert asked == [(AGENT, call, "tom.okafor")]
    softphone.join(AGENT, call, "tom.okafor")
    await page.wait_for_function(
        "id => contact(id).getSingleActiveThirdPartyConnection() !== null", arg=call
    )


async def test_the_contact_chosen_in_the_softphone_is_told(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    host = await open_host(page)
    first, second = softphone.ring(AGENT), softphone.ring(AGENT, {"channel": "chat"})
    await host.says(f"Connecting {first}", f"Connecting {second}")
    await host.ccp.locator(f"[data-contact='{second}']").get_by_role("button", name="View").click()
    await host.says(f"view {second}")


async def test_a_page_opened_again_in_mid_call_is_told_of_the_call(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    host = await open_host(page)
    call = softphone.ring(AGENT)
    softphone.connect(AGENT, call)
    await host.says(f"Connected {call}")
    await page.reload()
    await host.says(f"Connected {call}")


@pytest.mark.parametrize("saml", [False, True])
async def test_signing_in_in_the_popup_lets_the_frame_go_on(
    saml: bool, softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.saml = saml
    async with page.expect_popup() as opened:
        host = await open_host(page)
    popup = await opened.value
    await popup.get_by_label("User name").fill(AGENT)
    if saml:
        await popup.get_by_role("button", name="Next").click()
    await popup.get_by_label("Password").fill("anything")
    await popup.get_by_role("button", name="Sign in").click()
    await host.says("agent Maria Keller")
    await host.ccp.get_by_role("button", name="Available").click()
    await host.says("state Available")
    await page.wait_for_function("connect.core.loginWindow === null")  # the library closed it


async def test_a_window_that_signed_in_closes_itself_where_that_is_wanted(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.popup_closes = True
    async with page.expect_popup() as opened:
        host = await open_host(page)
    popup = await opened.value
    await popup.get_by_label("User name").fill(AGENT)
    closed = popup.wait_for_event("close")
    await asyncio.gather(closed, popup.get_by_role("button", name="Sign in").click())
    await host.says("agent Maria Keller")


@pytest.mark.parametrize("loss", ["auth_fail", "access_denied"])
async def test_a_lost_session_is_told_to_the_page_around(
    loss: Loss, softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    host = await open_host(page)
    await host.says("agent Maria Keller")
    softphone.lose_session(AGENT, loss)
    await host.says(loss)
    await host.ccp.get_by_text("You are signed out").wait_for()


async def test_an_agent_who_signs_out_in_mid_call_finds_the_call_again(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    host = await open_host(page)
    call = softphone.ring(AGENT)
    softphone.connect(AGENT, call)
    await host.says(f"Connected {call}")
    async with page.expect_popup() as opened:
        await host.ccp.get_by_role("button", name="Sign out").click()
    popup = await opened.value
    await popup.get_by_label("User name").fill(AGENT)
    await popup.get_by_role("button", name="Sign in").click()
    await host.ccp.locator(f"[data-contact='{call}'][data-state='connected']").wait_for()


async def test_the_softphone_is_framed_only_by_a_page_that_is_approved_and_says_who_asks(
    softphone: Softphone, page: Page, open_host: Callable[..., Any]
) -> None:
    softphone.sign_in(AGENT)
    softphone.frame_ancestors = ["https://elsewhere.example.com"]
    host = await open_host(page)
    await page.wait_for_timeout(700)
    assert await host.said() == []
    softphone.frame_ancestors = [str(await page.evaluate("location.origin"))]
    host = await open_host(page)
    await host.says("agent Maria Keller")


async def test_each_browser_has_the_agent_who_signed_in_with_it(
    browser: Browser, open_host: Callable[..., Any], softphone_url: str
) -> None:
    hosts = []
    for name in ("maria.keller", "tom.okafor"):
        page = await (await browser.new_context()).new_page()
        await page.goto(f"{softphone_url}/login")
        await page.get_by_label("User name").fill(name)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("button", name="Available").wait_for()
        hosts.append(await open_host(page))
    await hosts[0].says("agent Maria Keller")
    await hosts[1].says("agent Tom Okafor")
    for host in hosts:
        await host.page.context.close()


async def test_both_agents_of_a_conference_see_each_other_and_the_customer(
    softphone: Softphone, page: Page, context: BrowserContext, open_host: Callable[..., Any]
) -> None:
    exchange = Exchange(softphone, AmazonConnect(), _nowhere, rng=Random(3), pace=AT_ONCE)
    running = asyncio.create_task(exchange.run())
    softphone.sign_in(AGENT)
    first = exchange.call(unknown(exchange.rng))
    maria = await open_host(page, f"?agent={AGENT}")
    await maria.ccp.get_by_role("button", name="Accept").click()
    await maria.says(f"Connected {first.id}")
    softphone.sign_in("tom.okafor")
    tom = await open_host(await context.new_page(), "?agent=tom.okafor")
    await tom.says("agent Tom Okafor")
    await maria.ccp.get_by_role("button", name="Ask a colleague").click()
    await tom.ccp.get_by_role("button", name="Accept").click()
    second = exchange.legs[-1].id
    await tom.says(f"Connected {second}")
    others = "id => contact(id).getThirdPartyConnections().map((c) => c.getEndpoint().name)"
    await page.wait_for_function(f"id => ({others})(id).includes('tom.okafor')", arg=first.id)
    assert await tom.page.evaluate(others, second) == [AGENT]
    assert await tom.page.evaluate("id => contact(id).getInitialContactId()", second) == first.id
    exchange.hang_up(first)
    await maria.says(f"ACW {first.id}")
    await tom.says(f"ACW {second}")
    running.cancel()
