"""What the panel inside Dynamics and the softphone's window look like in each of their states."""

from __future__ import annotations

import pytest

from playwright.async_api import BrowserContext, Frame, expect

from browsing.album import Album
from browsing.obstacles import held
from browsing.stage import AGENT, LONG, NAME, NUMBER, Stage
from browsing.workspace import Workspace, workspace


pytestmark = pytest.mark.services


async def test_the_panel_is_readable_and_usable_in_every_state(
    scene: Stage, context: BrowserContext
) -> None:
    go = await held(context, "**/config.json")
    at = await workspace(scene, context, ready=False)
    scene.softphone.sign_in(AGENT)
    panel = await at.frame()
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
    assert not album.faults, "\n".join(album.faults)


def listed(contact: str, state: str) -> str:
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
    await expect(panel.locator(listed(call, "after"))).to_be_visible()
    await album.look("after-call work", main="open-session", frame=panel)
    softphone.clear(AGENT, call)
    call = await at.ring()
    await expect(at.toast).to_contain_text(NAME)
    await album.look("ringing, known", frame=panel)
    softphone.miss(AGENT, call)
    await expect(panel.locator(listed(call, "missed"))).to_be_visible()
    await album.look("missed", frame=panel)
    softphone.clear(AGENT, call)
    for status, state in (("NoMatch", "no match"), ("MultiMatch", "several matches")):
        call = await at.ring(found=False)
        scene.softphone.set_attributes(call, scene.unmatched(call, status))
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
    await expect(panel.locator(listed(task, "connected"))).to_be_visible()
    await album.look("task, two contacts", main="Wilhelmine", frame=panel)
    mail = await at.ring("email", number="ada.abendroth@customers.example.com", found=False)
    at.answer(mail)
    await expect(panel.locator(listed(mail, "connected"))).to_be_visible()
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
    await album.notice("template", panel)
    at.answer(call)
    await album.notice("sessions", panel)


async def test_each_trouble_of_the_panel_is_readable_and_has_a_button(
    scene: Stage, context: BrowserContext
) -> None:
    scene.softphone.sign_in(AGENT)
    await context.route("**/msdyn_ciLibrary.js", lambda route: route.abort())
    page = await context.new_page()
    album = Album("panel-alone", page)
    await page.goto(f"{scene.pages_url}/cif.html")
    await expect(page.frame_locator("#softphone iframe").locator("#state")).to_have_text(
        "Available"
    )
    await album.notice("cif")
    await page.evaluate(EVERY_NOTICE)
    await album.look("every notice", main="Hide this notice")
    await page.goto(f"{scene.pages_url}/cif.html?companion=1")
    await album.notice("companion")
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
    await own.notice("session")
    faults = album.faults + own.faults
    assert not faults, "\n".join(faults)


#: All notices that there are, beneath one another; some take minutes to come about.
EVERY_NOTICE = """async () => {
  const {src} = document.querySelector('script[type="module"]');
  const {TROUBLES, Troubles} = await import(new URL('cif/troubles.js', src).href);
  const region = document.getElementById('trouble');
  region.replaceChildren();
  const troubles = new Troubles(region, () => undefined);
  for (const kind of Object.keys(TROUBLES)) troubles.set(kind, true);
}"""
