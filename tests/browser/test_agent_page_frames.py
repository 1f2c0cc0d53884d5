"""Stories of the agent page that last longer than one contact: what its frames and its tab keep."""

from __future__ import annotations

import pytest

from playwright.async_api import BrowserContext, Locator, expect

from browsing.desk import Desk, desk
from browsing.stage import AGENT, Stage
from worker.sandbox.browser.contacts import Channel


pytestmark = pytest.mark.services


async def framing(scene: Stage, context: BrowserContext) -> Desk:
    """A page that shows records in itself, as the environment allows."""
    scene.config["open"]["tab"] = False
    scene.dynamics.switches.frame_ancestors = f"'self' {scene.pages_url}"
    return await desk(scene, context, connected=False)


async def taken(at: Desk, channel: Channel = "voice") -> str:
    """A contact of a known customer is answered; gives its id."""
    contact = await at.ring(channel)
    at.find(contact, channel)
    at.answer(contact)
    return contact


def framed(at: Desk) -> Locator:
    """The record in the frame that is to be seen."""
    return at.page.frame_locator("iframe#dynamics").locator("main")


async def test_the_frame_shows_the_contact_in_view_and_the_others_keep_what_they_show(
    scene: Stage, context: BrowserContext
) -> None:
    at = await framing(scene, context)
    call = await taken(at)
    await expect(framed(at)).to_have_attribute("data-id", scene.activity(call))
    await framed(at).evaluate("one => { one.dataset.typed = 'half a note'; }")
    chat = await taken(at, "chat")
    await expect(framed(at)).to_have_attribute("data-id", scene.activity(chat, "chat"))
    await expect(at.page.locator("#frames iframe:visible")).to_have_count(1)
    await at.contact(call).get_by_role("button").click()
    await expect(framed(at)).to_have_attribute("data-id", scene.activity(call))
    await expect(framed(at)).to_have_attribute("data-typed", "half a note")
    assert await at.page.evaluate(at.opened(call)) == 1
    assert await at.page.evaluate(at.opened(chat)) == 1


async def test_a_framed_record_stays_when_its_contact_is_over_until_the_next_one_s(
    scene: Stage, context: BrowserContext
) -> None:
    at = await framing(scene, context)
    call = await taken(at)
    await expect(framed(at)).to_have_attribute("data-id", scene.activity(call))
    scene.softphone.remove(AGENT, call)
    await expect(at.page.locator("#customer")).to_have_text("The contact is over")
    await expect(framed(at)).to_have_attribute("data-id", scene.activity(call))
    other = await taken(at)
    await expect(framed(at)).to_have_attribute("data-id", scene.activity(other))
    await expect(at.page.locator("#frames iframe")).to_have_count(1)


async def test_every_record_opens_in_the_same_tab_wherever_the_agent_went_with_it(
    scene: Stage, context: BrowserContext
) -> None:
    at = await desk(scene, context)
    first = await taken(at)
    await at.shows(scene.activity(first))
    scene.softphone.remove(AGENT, first)
    await at.tab.goto("about:blank")
    second = await taken(at)
    await at.shows(scene.activity(second))
    assert len(at.tabs) == 1
