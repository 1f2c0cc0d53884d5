"""Stories of the agent page: the softphone beside the Dynamics record, in a tab or a frame."""

from __future__ import annotations

import pytest

from playwright.async_api import BrowserContext, Page, expect

from browsing.stage import AGENT, NAME, NUMBER, Stage


pytestmark = pytest.mark.services


async def desk(scene: Stage, context: BrowserContext) -> tuple[Page, Page]:
    """The agent page, and the Dynamics tab that the agent opens by a click at first."""
    page = await context.new_page()
    await page.goto(f"{scene.pages_url}/agent.html")
    await expect(page.locator("#customer")).to_have_text("No contact at the moment")
    async with page.expect_popup() as opening:
        await page.click("#open-tab")
    return page, await opening.value


async def test_the_record_of_an_accepted_call_opens_in_the_tab_that_the_agent_opened(
    scene: Stage, context: BrowserContext
) -> None:
    page, tab = await desk(scene, context)
    contact = scene.softphone.ring(AGENT, {"number": NUMBER})
    activity = await scene.log(contact)
    scene.softphone.set_attributes(contact, scene.known(contact))
    await expect(page.locator(f'[data-contact="{contact}"]')).to_have_attribute(
        "data-state", "ringing"
    )
    await expect(page.locator("#customer")).to_have_text(NAME)
    scene.softphone.accept(AGENT, contact)
    scene.softphone.connect(AGENT, contact)
    scene.softphone.set_attributes(contact, scene.page_of(contact))
    await expect(tab.locator("main")).to_have_attribute("data-id", activity)
    await expect(tab.locator("main")).to_have_attribute("data-found", "true")
    assert len(context.pages) == 2
