"""The agent page: softphone beside the record, in a real browser."""

from __future__ import annotations

import re

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from playwright.async_api import Page, Route, expect

from agent_page import (
    AGENT,
    NUMBER,
    OTHER,
    RECORD,
    AgentPage,
    Dynamics,
    configuration,
    known,
)
from worker.desktop.assembly import MODULES, assemble
from worker.desktop.headers import Sites
from worker.desktop.server import load, serving
from worker.sandbox.browser.softphone import Softphone
from worker.sandbox.server import serve_plainly


pytestmark = pytest.mark.services

Open = Callable[..., Awaitable[AgentPage]]

#: A browser that refuses windows, and how to let it change its mind.
REFUSE = "window.allowed = window.open; window.open = () => null;"
ALLOW = "() => { window.open = window.allowed; }"

#: How long (ms) it may take until the library takes the softphone's silence for a missing sign-in.
UNANSWERED_MS = 15_000


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, assembled."""
    folder = tmp_path_factory.mktemp("desktop") / "dist"
    assemble(MODULES, into=folder)
    return folder


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(
    pages: Path, page: Page, softphone: Softphone, softphone_url: str
) -> AsyncIterator[Open]:
    """Opens the agent page, of an agent who is signed in unless said otherwise."""
    async with AsyncExitStack() as stack:

        async def opened(*, tab: bool = True, signed_in: bool = True, **headers: str) -> AgentPage:
            dynamics = Dynamics()
            dynamics.headers = {name.replace("_", "-"): value for name, value in headers.items()}
            url = await stack.enter_async_context(serve_plainly(dynamics.app))
            config = configuration(softphone_url, url, tab=tab)
            files, sites = load(pages, config), Sites.of(config)
            port = await stack.enter_async_context(serving(files, sites, "localhost", 0))
            desk = AgentPage(page, softphone, dynamics)
            if signed_in:
                softphone.sign_in(AGENT)
            await page.goto(f"http://localhost:{port}/agent.html")
            if signed_in:
                await desk.signed_in()
            return desk

        yield opened
        await page.close()  # before its servers, which it would miss


async def test_the_record_opens_in_the_connected_tab_once_the_contact_is_answered(
    open_page: Open,
) -> None:
    desk = await open_page()
    tab = await desk.connect_tab()
    contact = await desk.ring()
    await expect(desk.customer).to_have_text("Martina Sommerfeld")
    await desk.for_long_enough()
    assert desk.dynamics.records() == []
    desk.softphone.connect(AGENT, contact)
    await expect(tab.locator("main")).to_have_text(RECORD)
    await expect(desk.record).to_have_attribute("data-page", re.compile(f"id={RECORD}$"))
    assert len(desk.page.context.pages) == 2


async def test_every_record_opens_in_the_same_tab_wherever_the_agent_went_with_it(
    open_page: Open,
) -> None:
    desk = await open_page()
    tab = await desk.connect_tab()
    first = await desk.call()
    await expect(tab.locator("main")).to_have_text(RECORD)
    desk.close(first)
    await tab.goto("about:blank")
    await desk.call(lambda contact: known(contact, OTHER))
    await expect(tab.locator("main")).to_have_text(OTHER)
    assert len(desk.page.context.pages) == 2


async def test_a_reload_in_mid_call_opens_nothing_twice(open_page: Open) -> None:
    desk = await open_page()
    tab = await desk.connect_tab()
    contact = await desk.call()
    await expect(tab.locator("main")).to_have_text(RECORD)
    await desk.page.reload()
    await expect(desk.contact(contact)).to_have_attribute("aria-current", "true")
    await desk.for_long_enough()
    assert desk.dynamics.records() == [RECORD]
    await desk.call(lambda other: known(other, OTHER))
    await expect(tab.locator("main")).to_have_text(OTHER)


async def test_nothing_personal_is_stored_or_logged(open_page: Open, page: Page) -> None:
    logged: list[str] = []
    page.on("console", lambda message: logged.append(message.text))
    desk = await open_page()
    await desk.connect_tab()
    await desk.call()
    await expect(desk.customer).to_have_text("Martina Sommerfeld")
    stored = await page.evaluate("() => JSON.stringify({...sessionStorage, ...localStorage})")
    told = " ".join([*logged, stored, await page.title()])
    assert "opened" in stored
    assert [one for one in ("Martina", NUMBER[1:], RECORD) if one in told] == []


async def test_a_refused_tab_is_a_notice_whose_button_opens_the_record(
    open_page: Open, page: Page
) -> None:
    await page.add_init_script(REFUSE)
    desk = await open_page()
    await desk.call()
    await expect(desk.trouble("tab")).to_be_visible()
    await desk.for_long_enough()
    assert len(page.context.pages) == 1
    await page.evaluate(ALLOW)
    async with page.context.expect_page() as opened:
        await desk.trouble("tab").get_by_role("button").click()
    await expect((await opened.value).locator("main")).to_have_text(RECORD)
    await expect(desk.trouble("tab")).to_have_count(0)


async def test_a_record_page_that_cuts_its_tab_off_is_opened_once_for_each_contact(
    open_page: Open,
) -> None:
    desk = await open_page(cross_origin_opener_policy="same-origin")
    await desk.button.click()
    await expect(desk.page.locator("#tab-line")).to_contain_text("keeps it apart")
    await desk.call()
    await desk.for_long_enough()
    await desk.page.reload()
    await desk.signed_in()
    await desk.for_long_enough()
    assert desk.dynamics.records() == [RECORD]


async def test_the_frame_shows_the_contact_in_view_and_keeps_what_the_others_show(
    open_page: Open,
) -> None:
    desk = await open_page(tab=False)
    first = await desk.call()
    await expect(desk.frame.locator("main")).to_have_text(RECORD)
    second = await desk.call(lambda contact: known(contact, OTHER), channel="chat")
    await expect(desk.frame.locator("main")).to_have_text(OTHER)
    await desk.contact(first).click()
    await expect(desk.frame.locator("main")).to_have_text(RECORD)
    await expect(desk.contact(first)).to_have_attribute("aria-current", "true")
    await expect(desk.contact(second)).not_to_have_attribute("aria-current", "true")
    assert desk.dynamics.records() == [RECORD, OTHER]


async def test_a_framed_record_stays_when_its_contact_is_over(open_page: Open) -> None:
    desk = await open_page(tab=False)
    contact = await desk.call()
    await expect(desk.frame.locator("main")).to_have_text(RECORD)
    desk.close(contact)
    await expect(desk.contact(contact)).to_have_count(0)
    await expect(desk.frame.locator("main")).to_have_text(RECORD)


async def test_a_refused_frame_is_told_of_beside_a_button_to_open_a_tab(open_page: Open) -> None:
    desk = await open_page(tab=False, content_security_policy="frame-ancestors 'self'")
    await desk.call()
    await expect(desk.page.locator("#frame-check")).to_contain_text("Nothing to see here?")
    async with desk.page.context.expect_page() as opened:
        await desk.button.click()
    await expect((await opened.value).locator("main")).to_have_text(RECORD)


async def test_a_frame_that_the_pages_own_policy_refuses_is_a_notice_whose_button_opens_a_tab(
    open_page: Open, page: Page
) -> None:
    async def moved(route: Route) -> None:
        """The configuration names another environment than the headers do."""
        answer = await route.fetch()
        config = await answer.json()
        config["dynamics"]["url"] = config["dynamics"]["url"].replace("127.0.0.1", "localhost")
        await route.fulfill(json=config)

    await page.route("**/config.json", moved)
    desk = await open_page(tab=False)
    await desk.call()
    await expect(desk.trouble("dynamics-frame")).to_be_visible()
    async with page.context.expect_page() as opened:
        await desk.trouble("dynamics-frame").get_by_role("button").click()
    await expect((await opened.value).locator("main")).to_have_text(RECORD)


async def test_word_of_the_customer_that_comes_late_changes_no_page_and_is_offered(
    open_page: Open,
) -> None:
    desk = await open_page()
    tab = await desk.connect_tab()
    contact = await desk.call(lambda _: {})
    await expect(desk.page.locator("#awaited")).to_have_text("Looking the customer up…")
    await expect(desk.record).to_have_attribute("data-page", re.compile("etn=phonecall"))
    await expect(desk.trouble("attributes")).to_be_visible()
    desk.softphone.set_attributes(contact, known(contact))
    await expect(desk.customer).to_have_text("Martina Sommerfeld")
    await expect(desk.trouble("attributes")).to_have_count(0)
    assert RECORD not in desk.dynamics.records()
    await desk.page.get_by_role("button", name="Open the record found since").click()
    await expect(tab.locator("main")).to_have_text(RECORD)


async def test_the_customer_of_whom_nothing_is_heard_can_be_searched(open_page: Open) -> None:
    desk = await open_page()
    tab = await desk.connect_tab()
    await desk.call(lambda _: {})
    await desk.trouble("attributes").get_by_role("button").click()
    await expect(tab.locator("main")).to_have_text(NUMBER)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        f"https://evil.example/main.aspx?pagetype=entityrecord&etn=contact&id={OTHER}",
        "//main.aspx",
    ],
)
async def test_a_hostile_address_is_a_notice_and_never_opened(
    open_page: Open, address: str
) -> None:
    desk = await open_page()
    tab = await desk.connect_tab()
    markup = "<img src=x onerror=alert(1)>"
    await desk.call(lambda contact: {**known(contact, name=markup), "DynamicsUrl": address})
    await expect(desk.trouble("address")).to_be_visible()
    await expect(desk.customer).to_have_text(markup)
    await expect(tab.locator("main")).to_have_text(RECORD)
    await desk.trouble("address").get_by_role("button").click()
    await expect(desk.trouble("address")).to_have_count(0)


async def test_the_page_follows_the_contact_that_is_chosen_in_the_softphone(
    open_page: Open,
) -> None:
    desk = await open_page()
    await desk.connect_tab()
    first = await desk.call()
    second = await desk.call(lambda contact: known(contact, OTHER, "Zoran Petrov"), channel="chat")
    await expect(desk.contact(second)).to_have_attribute("aria-current", "true")
    await expect(desk.customer).to_have_text("Zoran Petrov")
    desk.softphone.broadcast(AGENT, "contact::view", {"contactId": first})
    await expect(desk.contact(first)).to_have_attribute("aria-current", "true")
    await expect(desk.page.locator("#tab-line")).to_have_text(
        "The Dynamics tab shows another record now."
    )


async def test_missed_and_monitored_contacts_open_nothing(open_page: Open) -> None:
    desk = await open_page()
    await desk.connect_tab()
    missed = await desk.ring()
    desk.softphone.miss(AGENT, missed)
    await expect(desk.contact(missed)).to_have_attribute("data-state", "missed")
    desk.softphone.clear(AGENT, missed)
    monitored = desk.softphone.monitor(AGENT, {"number": NUMBER})
    desk.softphone.connect(AGENT, monitored)
    await expect(desk.page.locator("#awaited")).to_contain_text("listening in")
    await desk.for_long_enough()
    assert desk.dynamics.records() == []


async def test_an_agent_who_is_signed_out_gets_a_button_to_sign_in(open_page: Open) -> None:
    desk = await open_page(signed_in=False)
    await expect(desk.trouble("login")).to_contain_text("not signed in", timeout=UNANSWERED_MS)
    await expect(desk.customer).to_have_text("Sign in to Amazon Connect")


async def test_a_lost_session_is_told_and_the_contact_stays(open_page: Open) -> None:
    desk = await open_page()
    await desk.connect_tab()
    contact = await desk.call()
    desk.softphone.lose_session(AGENT)
    await expect(desk.trouble("session").get_by_role("button")).to_have_text("Sign in again")
    await expect(desk.contact(contact)).to_be_visible()


async def test_a_softphone_whose_library_is_missing_is_told(open_page: Open, page: Page) -> None:
    await page.route("**/connect-streams-min.js", lambda route: route.abort())
    desk = await open_page(signed_in=False)
    await expect(desk.trouble("library").get_by_role("button")).to_have_text("Load the page again")


@pytest.mark.parametrize(("status", "body"), [(404, ""), (200, "{"), (200, '{"version": 1}')])
async def test_a_configuration_that_cannot_be_used_is_told_to_the_administrator(
    open_page: Open, page: Page, status: int, body: str
) -> None:
    await page.route("**/config.json", lambda route: route.fulfill(status=status, body=body))
    desk = await open_page(signed_in=False)
    await expect(desk.trouble("config")).to_contain_text("For the administrator")


@pytest.mark.parametrize("tab", [True, False])
@pytest.mark.parametrize("width", [320, 1280])
async def test_the_page_is_accessible_and_never_wider_than_its_window(
    open_page: Open, page: Page, tab: bool, width: int
) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    desk = await open_page(tab=tab)
    if tab:
        await desk.connect_tab()
    await desk.call()
    await desk.ring(lambda _: {"DynamicsUrl": "https://evil.example/"}, channel="chat")
    await page.evaluate((MODULES / "axe-core" / "axe.min.js").read_text() + "; 0")
    found: list[Any] = await page.evaluate(
        "async () => (await axe.run({exclude: [['iframe']]})).violations.map(({id}) => id)"
    )
    assert found == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
