"""Stories of the panel inside Dynamics (Channel Integration Framework 2)."""

from __future__ import annotations

import pytest

from playwright.async_api import BrowserContext, Page, expect

from browsing.stage import AGENT, CUSTOMER, NAME, NUMBER, Stage, install


pytestmark = pytest.mark.services


async def workspace(scene: Stage, context: BrowserContext) -> Page:
    """Customer Service with our panel in it, signed in."""
    await install(scene)
    page = await context.new_page()
    page.on("console", lambda message: print("console", message.text[:200]))
    page.on("pageerror", lambda message: print("error", str(message)[:400]))
    await page.goto(f"{scene.dynamics_url}/apps/customer-service")
    return page


async def test_a_call_of_a_known_customer_is_shown_as_a_notification_and_accepted_in_it(
    scene: Stage, context: BrowserContext
) -> None:
    page = await workspace(scene, context)
    await page.wait_for_timeout(3000)
    contact = scene.softphone.ring(AGENT, {"number": NUMBER})
    activity = await scene.log(contact)
    scene.softphone.set_attributes(contact, scene.known(contact))
    await page.wait_for_timeout(2000)
    await page.screenshot(path="/tmp/h/b1.png")
    toast = page.locator("[data-toast]")
    await expect(toast).to_contain_text(NAME)
    await toast.get_by_role("button", name="Accept").click()
    await page.wait_for_timeout(1000)
    scene.softphone.connect(AGENT, contact)
    await page.wait_for_timeout(3000)
    await page.screenshot(path="/tmp/h/b2.png")
    print(CUSTOMER, activity)
