"""What the agent's pages look like in each of their states; see ``browsing.album``.

Each host is driven through its states in one window, and all that is wrong with any of them is told
at the end, by the name of the state.
"""

from __future__ import annotations

import asyncio

import pytest

from playwright.async_api import Browser, BrowserContext, expect

from browsing.album import Album
from browsing.desk import Desk, desk
from browsing.obstacles import BLOCKED, held, nothing
from browsing.stage import AGENT, CUSTOMER, LONG, NAME, NUMBER, Stage


pytestmark = pytest.mark.services


async def test_the_agent_page_is_readable_and_usable_in_every_state(
    scene: Stage, context: BrowserContext
) -> None:
    scene.config["open"]["recordAfterMs"] = 60_000
    go = await held(context, "**/config.json")
    page = await context.new_page()
    album = Album("agent", page)
    loading = asyncio.create_task(desk(scene, context, page=page, connected=False))
    await expect(page.locator("#customer")).to_have_text("Starting…")
    await album.look("starting")
    go.set()
    at = await loading
    await album.look("idle, no tab", main="open-tab")
    await page.click("#open-tab")
    await expect(page.locator("#open-tab")).to_have_text("Show the Dynamics tab")
    await page.bring_to_front()
    await album.look("idle", main="open-tab")
    await one_call(at, album)
    await several_contacts(at, album)
    await without_a_match(at, album)
    await the_tab(at, album)
    assert not album.faults, "\n".join(album.faults)


async def one_call(at: Desk, album: Album) -> None:
    """From the first ring to the end of a call with a known customer."""
    page, softphone = at.page, at.scene.softphone
    call = await at.ring()
    await at.seen(call, "ringing")
    await album.look("ringing, unknown", main="open-tab")
    softphone.accept(AGENT, call)
    await at.seen(call, "accepted")
    await album.look("accepted", main="open-tab")
    softphone.connect(AGENT, call)
    await expect(page.locator("#awaited")).to_have_text("Looking the customer up…")
    await album.look("awaiting", main="open-tab")
    told_known(at, call, CallReason="Invoice 4711: the amount is wrong")
    await at.shows(at.scene.activity(call))
    await page.bring_to_front()
    await album.look("connected", main="open-tab")
    softphone.end(AGENT, call)
    await at.seen(call, "after")
    await album.look("after-call work", main="open-tab")
    softphone.clear(AGENT, call)
    await expect(page.locator("#customer")).to_have_text("No contact at the moment")
    call = await at.ring()
    at.find(call)
    await expect(page.locator("#customer")).to_have_text(NAME)
    await album.look("ringing, known", main="open-tab")
    softphone.miss(AGENT, call)
    await at.seen(call, "missed")
    await album.look("missed", main="open-tab")
    softphone.clear(AGENT, call)
    listened = softphone.monitor(AGENT, {"number": NUMBER})
    at.answer(listened)
    await expect(page.locator("#awaited")).to_contain_text("listening in")
    await album.look("listening in")
    softphone.remove(AGENT, listened)


def told_known(at: Desk, contact: str, channel: str = "voice", **more: str) -> None:
    """The worker tells who the customer is, and more."""
    at.scene.softphone.set_attributes(contact, at.scene.known(contact, channel, **more))


async def several_contacts(at: Desk, album: Album) -> None:
    """A contact of each kind, one after the other and all of them at once."""
    page, softphone = at.page, at.scene.softphone
    chat = await at.ring("chat", number="")
    told_known(at, chat, "chat", ms_customer_name=LONG)
    at.answer(chat)
    await expect(page.locator("#customer")).to_have_text(LONG)
    await album.look("chat, long name", main="open-tab")
    task = await at.ring("task", number="")
    await at.seen(task, "ringing")
    await album.look("two contacts", main="Customer not known")
    at.answer(task)
    await at.seen(task, "connected")
    await album.look("task")
    mail = await at.ring("email", number="ada.abendroth@customers.example.com")
    at.answer(mail)
    await at.seen(mail, "connected")
    await album.look("email")
    callback = await at.ring(method="callback")
    at.find(callback)
    await at.seen(callback, "ringing")
    await at.contact(callback).get_by_role("button").click()
    await album.look("callback")
    for contact in (chat, task, mail, callback):
        softphone.remove(AGENT, contact)
    await expect(page.locator("#customer")).to_have_text("No contact at the moment")


async def without_a_match(at: Desk, album: Album) -> None:
    """Nobody was found, or several."""
    for status, state in (("NoMatch", "no match"), ("MultiMatch", "several matches")):
        call = await at.ring()
        at.scene.softphone.set_attributes(call, at.scene.unmatched(call, status))
        at.answer(call)
        await at.shows(at.scene.activity(call))
        await at.page.bring_to_front()
        await album.look(state, main="second")
        if status == "MultiMatch":
            page = at.scene.page_of("11111111-2222-4333-8444-555555555555")
            told_known(at, call, **page)
            await expect(at.page.get_by_role("button", name="found since")).to_be_visible()
            await album.look("found since", main="open-tab")
        at.scene.softphone.remove(AGENT, call)


async def the_tab(at: Desk, album: Album) -> None:
    """What becomes of the Dynamics tab."""
    call = await at.ring()
    at.find(call)
    at.answer(call)
    await at.shows(at.scene.activity(call))
    await at.page.reload()
    await expect(at.page.locator("#customer")).to_have_text(NAME)
    await album.look("loaded again", main="open-tab")
    await at.page.click("#open-tab")
    await expect(at.page.locator("#tab-line")).to_have_text("Opened in the Dynamics tab.")
    await at.tab.close()
    await expect(at.page.locator("#tab-line")).not_to_have_text("Opened in the Dynamics tab.")
    await album.look("tab closed", main="open-tab")


async def test_the_agent_page_with_records_in_it_is_readable_and_usable(
    scene: Stage, context: BrowserContext
) -> None:
    scene.config["open"]["tab"] = False
    scene.dynamics.switches.frame_ancestors = f"'self' {scene.pages_url}"
    at = await desk(scene, context, connected=False)
    album = Album("agent-frame", at.page)
    await album.look("idle", main="open-tab")
    call = await at.ring()
    at.find(call)
    await at.seen(call, "ringing")
    await album.look("ringing", main="open-tab")
    at.answer(call)
    record = at.page.frame_locator("iframe#dynamics").locator("main")
    await expect(record).to_have_attribute("data-id", scene.activity(call))
    await expect(at.page.locator("#frame-check")).to_be_visible()
    await album.look("record framed", main="open-tab")
    found = f"{scene.dynamics_url}/main.aspx?pagetype=entityrecord&etn=contact&id={CUSTOMER}"
    scene.softphone.set_attributes(call, {"DynamicsUrl": found})
    await expect(at.page.locator("#second")).to_be_visible()
    await album.look("found since", main="second")
    scene.softphone.remove(AGENT, call)
    await expect(at.page.locator("#customer")).to_have_text("The contact is over")
    await album.look("contact over", main="open-tab")
    scene.dynamics.switches.frame_ancestors = "'none'"
    call = await at.ring()
    scene.softphone.set_attributes(call, scene.unmatched(call, "NoMatch"))
    at.answer(call)
    await expect(at.page.locator("#second")).to_be_visible()
    await expect(at.page.locator("#frame-check")).to_be_visible()
    await album.look("frame refused", main="open-tab")
    await at.page.add_init_script(f"const allowed = '{scene.softphone_url}'; {FORBID}")
    await at.page.reload()
    await album.notice("dynamics-frame")
    assert not album.faults, "\n".join(album.faults)


#: The page allows frames of one origin alone, as with headers of a server that knows no other.
FORBID = """
  new MutationObserver((_, observer) => {
    if (!document.head) return;
    observer.disconnect();
    const policy = document.createElement('meta');
    policy.httpEquiv = 'Content-Security-Policy';
    policy.content = `frame-src ${allowed}`;
    document.head.append(policy);
  }).observe(document, {childList: true, subtree: true});
"""


async def test_each_trouble_of_the_agent_page_is_readable_and_has_a_button(
    scene: Stage, context: BrowserContext, browser: Browser
) -> None:
    album = Album("agent-trouble", await context.new_page())
    silent = [await browser.new_context(ignore_https_errors=True) for _ in range(2)]
    waiting, blocked = [await one.new_page() for one in silent]
    await blocked.add_init_script(BLOCKED)
    async with waiting.expect_popup(timeout=30_000) as opening:
        for page in (waiting, blocked):
            await page.route(f"{scene.softphone_url}/**", nothing)
            await page.goto(f"{scene.pages_url}/agent.html")
        await not_started(scene, album)
        await in_work(scene, context, album)
    login = await opening.value
    for page, kind in ((waiting, "login"), (blocked, "popup")):
        album.page = page
        await album.notice(kind)
    await login.close()
    album.page = waiting
    await album.notice("frame")
    for one in silent:
        await one.close()
    assert not album.faults, "\n".join(album.faults)


async def not_started(scene: Stage, album: Album) -> None:
    """Pages that cannot start at all."""
    for kind, pattern in (("config", "**/config.json"), ("library", "**/connect-streams-min.js")):
        await album.page.route(pattern, lambda route: route.fulfill(status=404))
        await album.page.goto(f"{scene.pages_url}/agent.html")
        await album.notice(kind)
        await album.page.unroute(pattern)
    await album.page.close()


async def in_work(scene: Stage, context: BrowserContext, album: Album) -> None:
    """What goes wrong later, last of all the session."""
    scene.config["open"] |= {"recordAfterMs": 500, "searchAfterMs": 1000}
    album.page = await context.new_page()
    await album.page.add_init_script(BLOCKED)
    at = await desk(scene, context, page=album.page, connected=False)
    call = await at.ring()
    scene.softphone.set_attributes(call, {"DynamicsUrl": "https://org.example.com/main.aspx"})
    at.answer(call)
    for kind in ("tab", "attributes", "address"):
        await album.notice(kind)
    other = await context.new_page()
    await other.goto(f"{scene.pages_url}/agent.html")
    await album.notice("other-page")
    await other.close()
    scene.softphone.lose_session(AGENT)
    await album.notice("session")
    scene.softphone.sign_in(AGENT)
    await at.page.reload()
    await at.seen(call, "connected")
    scene.softphone.lose_session(AGENT, "access_denied")
    await album.notice("denied")
