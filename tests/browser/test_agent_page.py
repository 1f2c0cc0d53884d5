"""Stories of the agent page: the softphone beside the Dynamics record of its contact."""

from __future__ import annotations

import pytest

from playwright.async_api import Browser, BrowserContext, expect

from browsing.desk import desk
from browsing.stage import AGENT, CUSTOMER, NAME, NUMBER, Stage
from worker.sandbox.browser.contacts import Channel


pytestmark = pytest.mark.services

SECOND = "tom.okafor"


async def test_the_record_of_an_accepted_call_opens_in_the_tab_that_the_agent_opened(
    scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    contact = await at.ring()
    at.find(contact)
    await at.seen(contact, "ringing")
    await expect(at.page.locator("#customer")).to_have_text(NAME)
    await at.softphone.get_by_role("button", name="Accept").click()
    scene.softphone.connect(AGENT, contact)
    scene.softphone.set_attributes(contact, scene.page_of(contact))
    await at.shows(scene.activity(contact))
    assert len(at.tabs) == 1


async def test_nothing_opens_for_a_call_that_only_rings(
    scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    contact = await at.ring()
    at.find(contact)
    await at.seen(contact, "ringing")
    scene.softphone.miss(AGENT, contact)
    await at.seen(contact, "missed")
    scene.softphone.clear(AGENT, contact)
    await expect(at.page.locator("#customer")).to_have_text("No contact at the moment")
    assert await at.page.evaluate(at.opened(contact)) == 0
    assert "entityrecord" not in at.tab.url


@pytest.mark.parametrize("channel", ["chat", "task", "email"])
async def test_the_record_of_a_contact_of_any_channel_opens(
    channel: Channel, scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    contact = await at.ring(channel, number="ada@example.com" if channel == "email" else "")
    at.find(contact, channel)
    at.answer(contact)
    await at.shows(scene.activity(contact, channel))


async def test_the_record_of_a_queued_callback_opens_when_it_is_taken(
    scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    contact = await at.ring(method="callback")
    at.find(contact)
    await at.seen(contact, "ringing")
    at.answer(contact)
    await at.shows(scene.activity(contact))


async def test_the_record_of_a_call_that_the_agent_makes_opens(
    scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    await at.softphone.get_by_label("Number").fill(NUMBER)
    await at.softphone.get_by_role("button", name="Call").click()
    await expect(at.page.locator("[data-contact]")).to_have_count(1)
    contact = await at.page.locator("[data-contact]").get_attribute("data-contact") or ""
    await scene.log(contact)
    at.find(contact)
    scene.softphone.connect(AGENT, contact)
    await at.shows(scene.activity(contact))


async def test_each_agent_of_a_transferred_call_sees_the_record_of_her_own_leg(
    scene: Stage, context: BrowserContext, browser: Browser
) -> None:
    first = await desk(scene, context)
    call = await first.ring()
    first.find(call)
    first.answer(call)
    await first.shows(scene.activity(call))
    other = await browser.new_context(ignore_https_errors=True)
    second = await desk(scene, other, agent=SECOND)
    leg = scene.softphone.ring(SECOND, {"method": "transfer", "initial_id": call, "number": NUMBER})
    await scene.log(leg)
    await second.seen(leg, "ringing")
    second.answer(leg)
    # Attributes are shared along the chain: for now they name the leg before.
    await expect(second.page.locator("#record")).to_have_attribute("data-awaiting", "record")
    second.find(leg)
    await second.shows(scene.activity(leg))
    assert await first.record.get_attribute("data-id") == scene.activity(call)
    await other.close()


async def test_in_a_conference_both_agents_keep_their_own_records(
    scene: Stage, context: BrowserContext, browser: Browser
) -> None:
    first = await desk(scene, context)
    call = await first.ring()
    first.find(call)
    first.answer(call)
    await first.shows(scene.activity(call))
    other = await browser.new_context(ignore_https_errors=True)
    second = await desk(scene, other, agent=SECOND)
    leg = scene.softphone.ring(SECOND, {"method": "transfer", "initial_id": call, "number": NUMBER})
    await scene.log(leg)
    second.find(leg)
    second.answer(leg)
    scene.softphone.join(AGENT, call, "Tom Okafor")
    scene.softphone.join(SECOND, leg, "Maria Keller")
    await second.shows(scene.activity(leg))
    await first.seen(call, "connected")
    # The attributes of the chain name the second leg by now; what is open stays.
    assert await first.page.evaluate(first.opened(call)) == 1
    await first.shows(scene.activity(call))
    await other.close()


async def test_with_two_contacts_the_page_follows_the_one_in_view(
    scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    chat = await at.ring("chat", number="")
    at.answer(chat)
    await at.seen(chat, "connected")
    call = await at.ring()
    at.find(call)
    await at.seen(call, "ringing")
    await expect(at.contact(chat)).to_have_attribute("aria-current", "true")
    at.answer(call)
    await expect(at.contact(call)).to_have_attribute("aria-current", "true")
    await expect(at.page.locator("#customer")).to_have_text(NAME)
    await at.shows(scene.activity(call))
    await at.contact(chat).get_by_role("button").click()
    await expect(at.contact(chat)).to_have_attribute("aria-current", "true")
    shown = at.softphone.locator(f'[data-contact="{call}"]')
    await shown.get_by_role("button", name="View").click()
    await expect(at.contact(call)).to_have_attribute("aria-current", "true")


async def test_a_reload_in_mid_call_opens_nothing_twice(
    scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    contact = await at.ring()
    at.find(contact)
    at.answer(contact)
    await at.shows(scene.activity(contact))
    await at.tab.goto(f"{scene.dynamics_url}/main.aspx?pagetype=search&searchText=else")
    await at.page.reload()
    await at.seen(contact, "connected")
    await expect(at.page.locator("#customer")).to_have_text(NAME)
    await at.page.wait_for_timeout(1500)
    assert "pagetype=search" in at.tab.url
    assert await at.page.evaluate(at.opened(contact)) == 0
    assert len(at.tabs) == 1


async def test_attributes_that_are_late_hold_up_neither_record_nor_customer(
    scene: Stage, context: BrowserContext
) -> None:
    scene.config["open"]["recordAfterMs"] = 1000
    at = await desk(scene, context)
    scene.softphone.poll_s = 30
    contact = await at.ring()
    at.answer(contact)
    await at.seen(contact, "connected")
    at.find(contact)  # not seen before the softphone's next poll
    await at.shows(scene.activity(contact))
    await expect(at.page.locator("#awaited")).to_have_text("Looking the customer up…")
    scene.softphone.poll_s = 0
    scene.softphone.pages.publish(AGENT)
    await expect(at.page.locator("#customer")).to_have_text(NAME)
    assert await at.page.evaluate(at.opened(contact)) == 1


@pytest.mark.parametrize("status", ["NoMatch", "MultiMatch"])
async def test_without_a_single_match_the_activity_opens_and_the_search_is_offered(
    status: str, scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    contact = await at.ring()
    told = scene.known(contact) | {"LookupStatus": status, "ms_search_text": NUMBER}
    for name in ("ms_contact_id", "ms_customer_name"):
        del told[name]
    scene.softphone.set_attributes(contact, told)
    at.answer(contact)
    await at.shows(scene.activity(contact))
    await at.page.get_by_role("button", name="Search the customer").click()
    await expect(at.tab.locator("main")).to_have_attribute("data-page", "search")
    await expect(at.tab.locator("body")).to_contain_text(NUMBER)


async def test_a_supervisor_who_listens_in_or_barges_sees_no_record(
    scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    contact = scene.softphone.monitor(AGENT, {"number": NUMBER})
    at.answer(contact)
    await expect(at.page.locator("#awaited")).to_contain_text("listening in")
    scene.softphone.barge(AGENT, contact)
    await at.page.wait_for_timeout(1500)
    assert await at.page.evaluate(at.opened(contact)) == 0


async def test_a_page_that_is_open_is_not_changed_by_later_attributes(
    scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    contact = await at.ring()
    at.find(contact)
    at.answer(contact)
    await at.shows(scene.activity(contact))
    other = f"{scene.dynamics_url}/main.aspx?pagetype=entityrecord&etn=contact&id={CUSTOMER}"
    scene.softphone.set_attributes(contact, {"DynamicsUrl": other})
    button = at.page.get_by_role("button", name="Open the record found since")
    await expect(button).to_be_visible()
    await at.shows(scene.activity(contact))
    await button.click()
    await at.shows(CUSTOMER)


async def test_a_softphone_without_dynamics_goes_on_working(
    scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context, connected=False)
    await context.route(f"{scene.dynamics_url}/**", lambda route: route.abort())
    contact = await at.ring()
    at.find(contact)
    await at.softphone.get_by_role("button", name="Accept").click()
    scene.softphone.connect(AGENT, contact)
    await at.seen(contact, "connected")
    await at.softphone.get_by_role("button", name="End").click()
    await at.seen(contact, "after")
    await at.softphone.get_by_role("button", name="Close contact").click()
    await expect(at.contact(contact)).to_have_count(0)


async def test_nothing_personal_gets_into_console_or_storage(
    scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    contact = await at.ring()
    at.find(contact)
    at.answer(contact)
    await at.shows(scene.activity(contact))
    await at.page.reload()
    await at.seen(contact, "connected")
    kept = await at.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert contact in kept
    for personal in (NAME, NUMBER, CUSTOMER, "Abendroth", scene.activity(contact)):
        assert personal not in kept
        assert not any(personal in line for line in at.said)
    assert not [line for line in at.said if line.startswith("error")]
    assert at.page.url == f"{scene.pages_url}/agent.html"
