"""What the agent's pages look like in each of their states; see ``browsing.album``.

Each host is driven through its states in one window, and all that is wrong with any of them is told
at the end, by the name of the state.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from browsing.album import Album
from browsing.desk import Desk, desk
from browsing.stage import AGENT, CUSTOMER, NAME, NUMBER, Stage
from browsing.workspace import Workspace, workspace
from playwright.async_api import Browser, BrowserContext, Frame, Page, Route, expect


pytestmark = pytest.mark.services

LONG = "Wilhelmine-Friederike von Hohenstaufen-Württemberg-Oberlausitz"

#: A browser that lets no window be opened, but by a click.
BLOCKED = (
    "const real = window.open; let blocked = true;"
    "addEventListener('click', () => { blocked = false; }, true);"
    "window.open = (...given) => (blocked ? null : real.apply(window, given));"
)


async def held(context: BrowserContext, pattern: str) -> asyncio.Event:
    """Answers to requests wait until the event is set."""
    go = asyncio.Event()

    async def wait(route: Route) -> None:
        await go.wait()
        await route.continue_()

    await context.route(pattern, wait)
    return go


def told(scene: Stage, contact: str, status: str) -> None:
    """The worker tells that the lookup found nobody, or several."""
    found = scene.known(contact) | {"LookupStatus": status, "ms_search_text": NUMBER}
    for name in ("ms_contact_id", "ms_customer_name"):
        del found[name]
    scene.softphone.set_attributes(contact, found)


# --- the agent page -------------------------------------------------------------------------------


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
    assert album.faults == []


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
        told(at.scene, call, status)
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
    told(scene, call, "NoMatch")
    at.answer(call)
    await expect(at.page.locator("#second")).to_be_visible()
    await expect(at.page.locator("#frame-check")).to_be_visible()
    await album.look("frame refused", main="open-tab")
    assert album.faults == []


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
        await noticed(album, kind)
    await login.close()
    album.page = waiting
    await noticed(album, "frame")
    for one in silent:
        await one.close()
    assert album.faults == []


async def nothing(route: Route) -> None:
    """The softphone answers with an empty page, as it does to who is not signed in."""
    await route.fulfill(body="")


async def noticed(album: Album, kind: str, frame: Frame | None = None) -> None:
    """A notice comes; its button is what the agent needs."""
    notice = (frame or album.page.main_frame).locator(f'[data-trouble="{kind}"]')
    await expect(notice).to_be_visible(timeout=30_000)
    button = await notice.get_by_role("button").text_content()
    await album.look(kind, main=button or "no button", frame=frame)


async def not_started(scene: Stage, album: Album) -> None:
    """Pages that cannot start at all."""
    for kind, pattern in (("config", "**/config.json"), ("library", "**/connect-streams-min.js")):
        await album.page.route(pattern, lambda route: route.fulfill(status=404))
        await album.page.goto(f"{scene.pages_url}/agent.html")
        await noticed(album, kind)
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
        await noticed(album, kind)
    other = await context.new_page()
    await other.goto(f"{scene.pages_url}/agent.html")
    await noticed(album, "other-page")
    await other.close()
    scene.softphone.lose_session(AGENT)
    await noticed(album, "session")
    scene.softphone.sign_in(AGENT)
    await at.page.reload()
    await at.seen(call, "connected")
    scene.softphone.lose_session(AGENT, "access_denied")
    await noticed(album, "denied")


# --- the panel inside Dynamics --------------------------------------------------------------------


async def test_the_panel_is_readable_and_usable_in_every_state(
    scene: Stage, context: BrowserContext
) -> None:
    go = await held(context, "**/config.json")
    at = await workspace(scene, context, ready=False)
    scene.softphone.sign_in(AGENT)
    panel = await panel_of(at)
    album = Album("panel", at.page)
    await expect(at.panel.locator("#contacts")).to_be_attached()
    await album.look("starting", frame=panel)
    go.set()
    await expect(at.softphone.locator("#state")).to_have_text("Available")
    await album.look("idle", frame=panel)
    await a_call(at, album, panel)
    await any_channel(at, album, panel)
    await a_question(at, album, panel)
    await too_many(at, album, panel)
    assert album.faults == []


async def panel_of(at: Workspace) -> Frame:
    """Our page in the workspace."""
    element = await at.page.wait_for_selector("[data-panel]", state="attached")
    frame = await element.content_frame()
    assert frame is not None
    await frame.wait_for_load_state("domcontentloaded")
    return frame


def listed(at: Workspace, contact: str, state: str) -> str:
    """A contact of the panel's list, in a state."""
    return f'[data-contact="{contact}"][data-state="{state}"]'


async def a_call(at: Workspace, album: Album, panel: Frame) -> None:
    """From the ring to the end, with a customer who is known late."""
    scene, softphone = at.scene, at.scene.softphone
    call = softphone.ring(AGENT, {"number": NUMBER})
    await expect(at.toast).to_be_visible()
    await album.look("ringing, unknown", frame=panel)
    at.answer(call)
    await expect(at.panel.locator("#awaited")).to_contain_text("Looking the customer up")
    await expect(at.sessions).to_have_count(1)
    await album.look("awaiting", frame=panel)
    softphone.set_attributes(call, scene.known(call, CallReason="Invoice 4711 is wrong"))
    await scene.log(call)
    await at.shows("Activity", "phonecall", scene.activity(call))
    await album.look("connected", frame=panel)
    await at.page.get_by_role("button", name="Close Voice").click()
    await expect(at.panel.locator("#open-session")).to_be_visible()
    await album.look("session closed", main="open-session", frame=panel)
    softphone.end(AGENT, call)
    await expect(panel.locator(listed(at, call, "after"))).to_be_visible()
    await album.look("after-call work", main="open-session", frame=panel)
    softphone.clear(AGENT, call)
    call = await at.ring()
    await expect(at.toast).to_contain_text(NAME)
    await album.look("ringing, known", frame=panel)
    softphone.miss(AGENT, call)
    await expect(panel.locator(listed(at, call, "missed"))).to_be_visible()
    await album.look("missed", frame=panel)
    softphone.clear(AGENT, call)
    for status, state in (("NoMatch", "no match"), ("MultiMatch", "several matches")):
        call = await at.ring(found=False)
        told(scene, call, status)
        at.answer(call)
        await at.shows("Activity", "phonecall", scene.activity(call))
        await album.look(state, frame=panel)
        softphone.remove(AGENT, call)
        await closed(at)
    call = softphone.monitor(AGENT, {"number": NUMBER})
    at.answer(call)
    await expect(at.panel.locator("#awaited")).to_contain_text("listening in")
    await album.look("listening in", frame=panel)
    softphone.remove(AGENT, call)


async def closed(at: Workspace) -> None:
    """The agent closes all sessions."""
    while count := await at.sessions.count():
        await at.page.locator("#sessions").get_by_role("button", name="Close").first.click()
        await expect(at.sessions).to_have_count(count - 1)


async def any_channel(at: Workspace, album: Album, panel: Frame) -> None:
    """A contact of each channel, all at once in the end."""
    scene, softphone = at.scene, at.scene.softphone
    chat = await at.ring("chat", number="", found=False)
    softphone.set_attributes(chat, scene.known(chat, "chat", ms_customer_name=LONG))
    at.answer(chat)
    await at.shows("Activity", "task", scene.activity(chat, "chat"))
    await album.look("chat, long name", frame=panel)
    task = await at.ring("task", number="", found=False)
    at.answer(task)
    await expect(panel.locator(listed(at, task, "connected"))).to_be_visible()
    await album.look("task, two contacts", main="Wilhelmine", frame=panel)
    mail = await at.ring("email", number="ada.abendroth@customers.example.com", found=False)
    at.answer(mail)
    await expect(panel.locator(listed(at, mail, "connected"))).to_be_visible()
    await album.look("email", frame=panel)
    callback = await at.ring(method="callback")
    await expect(at.toast).to_be_visible()
    await album.look("callback", frame=panel)
    for contact in (chat, task, mail, callback):
        softphone.remove(AGENT, contact)
    await expect(panel.locator("[data-contact]")).to_have_count(0)
    await closed(at)


async def a_question(at: Workspace, album: Album, panel: Frame) -> None:
    """A number was clicked in a record."""
    await at.page.locator("[data-session]").first.click()
    record = at.page.frame_locator("[data-frame]").first
    await record.get_by_role("link", name=NAME).click()
    await record.get_by_role("link", name=NUMBER).click()
    await expect(at.panel.locator("#question")).to_be_visible()
    await album.look("dial question", main="call", frame=panel)
    await at.panel.locator("#cancel").click()


async def too_many(at: Workspace, album: Album, panel: Frame) -> None:
    """There is no room for another session, and a template is missing."""
    scene = at.scene
    while await at.sessions.count() < 10:
        before = await at.sessions.count()
        contact = scene.softphone.ring(AGENT, {"channel": "chat"})
        at.answer(contact)
        await expect(at.sessions).to_have_count(before + 1)
    call = await at.ring(found=False)
    named = {"ms_notification_template": "extn_unknown", "ms_notify_template": "extn_unknown"}
    scene.softphone.set_attributes(call, scene.known(call, **named))
    await noticed(album, "template", panel)
    at.answer(call)
    await noticed(album, "sessions", panel)


async def test_each_trouble_of_the_panel_is_readable_and_has_a_button(
    scene: Stage, context: BrowserContext
) -> None:
    scene.softphone.sign_in(AGENT)
    await context.route("**/msdyn_ciLibrary.js", lambda route: route.abort())
    page = await context.new_page()
    album = Album("panel-alone", page)
    await page.goto(f"{scene.pages_url}/cif.html")
    await expect(page.frame_locator("#softphone iframe").locator("#state")).to_have_text("Available")
    await noticed(album, "cif")
    await page.evaluate(EVERY_NOTICE)
    await album.look("every notice", main="Hide this notice")
    await page.goto(f"{scene.pages_url}/cif.html?companion=1")
    await noticed(album, "companion")
    async with page.expect_popup() as opening:
        await page.locator('[data-trouble="companion"] button').click()
    window = await opening.value
    await expect(page.locator("#show-softphone")).to_be_visible()
    call = scene.softphone.ring(AGENT, {"number": NUMBER})
    scene.softphone.set_attributes(call, scene.known(call))
    await expect(page.locator(f'[data-contact="{call}"]')).to_be_visible()
    await album.look("softphone elsewhere", main="show-softphone")
    own = Album("companion", window)
    await own.look("ringing")
    scene.softphone.lose_session(AGENT)
    await noticed(own, "session")
    assert album.faults + own.faults == []


#: All notices that there are, beneath one another; some take minutes to come about.
EVERY_NOTICE = """async () => {
  const {src} = document.querySelector('script[type="module"]');
  const {TROUBLES, Troubles} = await import(new URL('cif/troubles.js', src).href);
  const region = document.getElementById('trouble');
  region.replaceChildren();
  const troubles = new Troubles(region, () => undefined);
  for (const kind of Object.keys(TROUBLES)) troubles.set(kind, true);
}"""


# --- nothing wrong, not even for a moment ---------------------------------------------------------

#: Notes what the page says each time it says something else: as a person could see it, after each
#: change, and who is marked as being in view then.
WATCH = """
  window.told = [];
  addEventListener('DOMContentLoaded', () => {
    const note = () => {
      const of = (name) => document.querySelector(name)?.textContent.trim() ?? '';
      const inView = document.querySelector('[aria-current="true"]')?.dataset.contact ?? '';
      const shown = document.getElementById('record').hidden ? '' : of('#customer');
      const said = JSON.stringify([inView, shown]);
      if (window.told.at(-1) !== said) window.told.push(said);
    };
    new MutationObserver(note).observe(document.body,
      {subtree: true, childList: true, characterData: true, attributes: true});
    note();
  });
"""


async def said(frame: Frame) -> list[tuple[str, str]]:
    """What the page has said since it was loaded: the contact in view, and the customer's name."""
    return [tuple(json.loads(one)) for one in await frame.evaluate("window.told")]


async def test_the_agent_page_never_shows_another_contact_s_customer_nor_nobody_in_mid_call(
    scene: Stage, context: BrowserContext
) -> None:
    await context.add_init_script(WATCH)
    at = await desk(scene, context)
    call, chat = await two_customers(at, scene)
    await expect(at.page.locator("#customer")).to_have_text(LONG)
    for contact in (call, chat, call):
        await at.contact(contact).get_by_role("button").click()
        await expect(at.contact(contact)).to_have_attribute("aria-current", "true")
    mine = {(call, NAME), (call, NUMBER), (chat, LONG), (chat, "Unknown person")}
    before = {one for one in await said(at.page.main_frame) if one[0]}
    assert before <= mine
    await at.page.reload()
    await expect(at.page.locator("#customer")).to_have_text(NAME)
    await at.page.wait_for_timeout(1000)
    after = await said(at.page.main_frame)
    assert set(after) <= mine | {("", "Starting…"), ("", "Waiting for the softphone…")}
    # One customer comes, and no other after them.
    assert [one for one in after if one[0]] == [(call, NAME)]


async def test_the_panel_never_shows_another_contact_s_customer(
    scene: Stage, context: BrowserContext
) -> None:
    await context.add_init_script(WATCH)
    at = await workspace(scene, context)
    panel = await panel_of(at)
    call, chat = await two_customers(at, scene)
    await expect(at.sessions).to_have_count(2)
    for contact in (call, chat, call):
        await at.panel.locator(f'[data-contact="{contact}"]').get_by_role("button").click()
        mark = at.panel.locator(f'[data-contact="{contact}"]')
        await expect(mark).to_have_attribute("aria-current", "true")
    mine = {(call, NAME), (call, ""), (chat, LONG), (chat, ""), ("", "")}
    assert set(await said(panel)) <= mine
    await at.panel.locator("body").evaluate("() => location.reload()")
    await expect(at.panel.locator('[aria-current="true"]')).to_have_count(1)
    await at.page.wait_for_timeout(1000)
    assert set(await said(panel)) <= mine


async def two_customers(at: Desk | Workspace, scene: Stage) -> tuple[str, str]:
    """A call and a chat, each with somebody else."""
    call = scene.softphone.ring(AGENT, {"number": NUMBER})
    chat = scene.softphone.ring(AGENT, {"channel": "chat"})
    for contact, channel, name in ((call, "voice", NAME), (chat, "chat", LONG)):
        await scene.log(contact, channel)
        at.answer(contact)
        known = scene.known(contact, channel, ms_customer_name=name)
        scene.softphone.set_attributes(contact, known)
    return call, chat
