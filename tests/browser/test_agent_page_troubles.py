"""Stories of the agent page in which something is wrong: each has a sentence and a button."""

from __future__ import annotations

import pytest

from playwright.async_api import BrowserContext, Page, Route, expect

from browsing.desk import Desk, desk
from browsing.stage import AGENT, CUSTOMER, NUMBER, Stage
from worker.sandbox.browser.softphone import Loss


pytestmark = pytest.mark.services

STRANGER = "11111111-2222-4333-8444-555555555555"


async def signed_out(scene: Stage, context: BrowserContext) -> Page:
    """The agent page of somebody who is not signed in to Amazon Connect."""
    page = await context.new_page()
    await page.goto(f"{scene.pages_url}/agent.html")
    return page


# --- addresses that are not believed --------------------------------------------------------------


HOSTILE = (
    "javascript:document.title='taken'",
    "data:text/html,<h1>taken</h1>",
    "https://org.example.com/main.aspx?pagetype=entityrecord&etn=contact&id={customer}",
    "{dynamics}@example.com/main.aspx?pagetype=entityrecord&etn=contact&id={customer}",
    "{dynamics}/api/data/v9.2/contacts({customer})",
    "{dynamics}/main.aspx/../sign-in?pagetype=entityrecord&etn=contact&id={customer}",
    "{dynamics}/main.aspx?pagetype=webresource&webresourceName=x",
    "{dynamics}/main.aspx?pagetype=entityrecord&etn=contact&id={customer}&id={stranger}",
)


async def test_an_address_that_leads_elsewhere_is_not_opened_and_the_own_record_is(
    scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    for address in HOSTILE:
        contact = await at.ring()
        hostile = address.format(dynamics=scene.dynamics_url, customer=CUSTOMER, stranger=STRANGER)
        scene.softphone.set_attributes(contact, scene.known(contact) | {"DynamicsUrl": hostile})
        at.answer(contact)
        await at.shows(scene.activity(contact))
        await expect(at.trouble("address"), address).to_contain_text("was not opened")
        await at.trouble("address").get_by_role("button").click()
        await expect(at.trouble("address")).to_have_count(0)
        scene.softphone.end(AGENT, contact)
        scene.softphone.clear(AGENT, contact)
    assert len(at.tabs) == 1


async def test_attributes_of_another_contact_open_nothing_of_somebody_else(
    scene: Stage, context: BrowserContext
) -> None:
    scene.config["open"]["recordAfterMs"] = 1000
    at = await desk(scene, context)
    contact = await at.ring()
    other = scene.known(STRANGER) | scene.page_of(STRANGER)
    scene.softphone.set_attributes(contact, other)
    at.answer(contact)
    await at.shows(scene.activity(contact))
    await expect(at.page.locator("#customer")).to_have_text(NUMBER)
    await expect(at.trouble("address")).to_have_count(0)


async def test_text_of_attributes_is_shown_as_text(scene: Stage, context: BrowserContext) -> None:
    at = await desk(scene, context)
    contact = await at.ring()
    name = "<img src=x onerror=alert(1)>"
    scene.softphone.set_attributes(contact, scene.known(contact) | {"ms_customer_name": name})
    await expect(at.page.locator("#customer")).to_have_text(name)
    await expect(at.page.locator("#record img")).to_have_count(0)


# --- the tab --------------------------------------------------------------------------------------


async def test_a_refused_popup_is_told_with_a_button_that_opens_the_record(
    scene: Stage, context: BrowserContext
) -> None:
    # Headless browsers let every popup through; a blocker gives no window.
    await context.add_init_script(
        "const real = window.open; let blocked = true;"
        "addEventListener('click', () => { blocked = false; }, true);"
        "window.open = (...given) => (blocked ? null : real.apply(window, given));"
    )
    at = await desk(scene, context, connected=False)
    contact = await at.ring()
    at.find(contact)
    at.answer(contact)
    await expect(at.trouble("tab")).to_contain_text("blocked")
    assert await at.page.evaluate(at.opened(contact)) == 0
    async with at.page.expect_popup():
        await at.trouble("tab").get_by_role("button").click()
    await at.shows(scene.activity(contact))
    await expect(at.trouble("tab")).to_have_count(0)


async def test_records_that_cut_the_tab_off_open_once_each(
    scene: Stage, context: BrowserContext
) -> None:
    scene.dynamics.switches.coop = "same-origin"
    at = await desk(scene, context)
    contact = await at.ring()
    at.find(contact)
    at.answer(contact)
    await expect(at.page.locator("#tab-line")).to_contain_text("keeps it apart from this page")
    await at.page.wait_for_timeout(1500)
    assert await at.page.evaluate(at.opened(contact)) == 1
    shown = [tab for tab in context.pages if scene.activity(contact) in tab.url]
    assert len(shown) == 1


async def test_a_tab_that_was_closed_is_opened_anew(scene: Stage, context: BrowserContext) -> None:
    at = await desk(scene, context)
    await at.tab.close()
    contact = await at.ring()
    at.find(contact)
    at.answer(contact)
    await expect(at.page.locator("#record")).to_have_attribute("data-page", pattern(contact, scene))
    await expect(at.page.locator("#tab-line")).to_have_text("Opened in the Dynamics tab.")
    await at.shows(scene.activity(contact))


def pattern(contact: str, scene: Stage) -> str:
    """The address of a contact's record."""
    record = scene.activity(contact)
    return f"{scene.dynamics_url}/main.aspx?pagetype=entityrecord&etn=phonecall&id={record}"


# --- the frame ------------------------------------------------------------------------------------


async def framing(scene: Stage, context: BrowserContext) -> tuple[Desk, str]:
    """A page that shows records in itself, with a contact whose record is there."""
    scene.config["open"]["tab"] = False
    at = await desk(scene, context, connected=False)
    contact = await at.ring()
    at.find(contact)
    at.answer(contact)
    return at, contact


async def test_the_record_opens_in_the_page_where_it_is_to(
    scene: Stage, context: BrowserContext
) -> None:
    scene.dynamics.switches.frame_ancestors = f"'self' {scene.pages_url}"
    at, contact = await framing(scene, context)
    record = at.page.frame_locator("iframe#dynamics").locator("main")
    await expect(record).to_have_attribute("data-id", scene.activity(contact))
    await expect(at.page.get_by_role("button", name="Open in a tab")).to_be_visible()


async def test_a_frame_that_dynamics_refuses_leaves_a_way_to_the_record(
    scene: Stage, context: BrowserContext
) -> None:
    at, contact = await framing(scene, context)
    await expect(at.page.locator("#frame-check")).to_be_visible()
    async with at.page.expect_popup():
        await at.page.get_by_role("button", name="Open in a tab").click()
    await at.shows(scene.activity(contact))


# --- the softphone --------------------------------------------------------------------------------


async def test_an_agent_signs_in_at_the_identity_provider_and_becomes_available(
    scene: Stage, context: BrowserContext
) -> None:
    scene.softphone.sign_out(AGENT)
    scene.softphone.saml = True
    scene.config["connect"]["loginUrl"] = f"{scene.softphone_url}/login"
    page = await context.new_page()
    async with page.expect_popup(timeout=30_000) as opening:
        await page.goto(f"{scene.pages_url}/agent.html")
    login = await opening.value
    await login.get_by_label("User name").fill(AGENT)
    await login.get_by_role("button").click()
    await login.get_by_label("Password").fill("invented")
    await login.get_by_role("button").click()
    softphone = page.frame_locator("#softphone iframe")
    await softphone.get_by_role("button", name="Available").click(timeout=30_000)
    await expect(page.locator("#agent-state")).to_have_text("Available")
    await expect(page.locator("[data-trouble]")).to_have_count(0)


async def test_a_blocked_sign_in_window_is_told_with_a_button_that_opens_it(
    scene: Stage, context: BrowserContext
) -> None:
    await context.add_init_script(
        "const real = window.open; let blocked = true;"
        "addEventListener('click', () => { blocked = false; }, true);"
        "window.open = (...given) => (blocked ? null : real.apply(window, given));"
    )
    scene.softphone.sign_out(AGENT)
    page = await signed_out(scene, context)
    notice = page.locator('[data-trouble="popup"]')
    await expect(notice).to_be_visible(timeout=30_000)
    async with page.expect_popup() as opening:
        await notice.get_by_role("button").click()
    await expect((await opening.value).get_by_label("User name")).to_be_visible()


@pytest.mark.parametrize(
    ("loss", "kind"),
    [("auth_fail", "session"), ("terminated", "session"), ("access_denied", "denied")],
)
async def test_a_lost_session_is_told_with_a_button(
    loss: Loss, kind: str, scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    scene.softphone.lose_session(AGENT, loss)
    await expect(at.trouble(kind)).to_be_visible()
    await expect(at.trouble(kind).get_by_role("button")).to_be_visible()


async def test_a_softphone_that_may_not_be_framed_is_told_with_a_window_of_its_own(
    scene: Stage, context: BrowserContext
) -> None:
    scene.softphone.frame_ancestors = ["https://approved.example.com"]
    page = await context.new_page()
    async with page.expect_popup(timeout=30_000) as opening:
        await page.goto(f"{scene.pages_url}/agent.html")
    # The agent was signed in all the time, and closes the window that was to sign her in.
    await (await opening.value).close()
    notice = page.locator('[data-trouble="frame"]')
    await expect(notice).to_be_visible(timeout=30_000)
    async with page.expect_popup() as again:
        await notice.get_by_role("button").click()
    await expect((await again.value).locator("#agent")).to_have_text("Maria Keller")


async def test_a_library_that_is_not_loaded_is_told(scene: Stage, context: BrowserContext) -> None:
    async def missing(route: Route) -> None:
        await route.fulfill(status=404)

    await context.route("**/connect-streams-min.js", missing)
    page = await signed_out(scene, context)
    await expect(page.locator('[data-trouble="library"]')).to_be_visible()


async def test_a_page_that_is_not_set_up_says_so(scene: Stage, context: BrowserContext) -> None:
    scene.config["dynamics"]["url"] = "http://org.example.com"
    page = await signed_out(scene, context)
    notice = page.locator('[data-trouble="config"]')
    await expect(notice).to_contain_text("tell your administrator")
    await expect(notice).to_contain_text("dynamics")


async def test_attributes_that_never_come_are_told_with_a_search(
    scene: Stage, context: BrowserContext
) -> None:
    scene.config["open"] |= {"recordAfterMs": 500, "searchAfterMs": 2000}
    at = await desk(scene, context)
    contact = await at.ring()
    at.answer(contact)
    await at.shows(scene.activity(contact))
    await at.trouble("attributes").get_by_role("button").click()
    await expect(at.tab.locator("main")).to_have_attribute("data-page", "search")
