"""The agent page as an agent has it open, and what she sees on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from playwright.async_api import BrowserContext, FrameLocator, Locator, Page, expect

from browsing.stage import AGENT, NUMBER, Stage
from worker.sandbox.browser.contacts import Channel


#: Window name of the tab that records open in.
TAB: Final = "connect-dynamics-record"


@dataclass(slots=True)
class Desk:
    """One agent at the agent page.

    Attributes:
        scene: What stands round it.
        context: The agent's browser.
        page: The agent page.
        agent: Who works at it.
        tabs: Every tab that the page has opened.
        said: What was written to the browser's console.
    """

    scene: Stage
    context: BrowserContext
    page: Page
    agent: str = AGENT
    tabs: list[Page] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def tab(self) -> Page:
        """The tab that records open in."""
        (only,) = [tab for tab in self.tabs if not tab.is_closed()]
        return only

    @property
    def record(self) -> Locator:
        """The record shown in the tab."""
        return self.tab.locator("main")

    @property
    def softphone(self) -> FrameLocator:
        """The framed softphone."""
        return self.page.frame_locator("#softphone iframe")

    def trouble(self, kind: str) -> Locator:
        """The notice of a trouble."""
        return self.page.locator(f'[data-trouble="{kind}"]')

    def contact(self, contact_id: str) -> Locator:
        """A contact in the list."""
        return self.page.locator(f'[data-contact="{contact_id}"]')

    def opened(self, contact_id: str) -> str:
        """An expression: how often the page of a contact was opened since it was loaded."""
        return f"performance.getEntriesByName('connect-dynamics:opened:{contact_id}').length"

    async def ring(
        self, channel: Channel = "voice", *, method: str = "inbound", number: str = NUMBER
    ) -> str:
        """A contact rings, with the record that the worker makes; gives its id."""
        told = {"channel": channel, "method": method, "number": number}
        contact = self.scene.softphone.ring(self.agent, told)  # type: ignore[arg-type]
        await self.scene.log(contact, channel)
        return contact

    def answer(self, contact: str) -> None:
        """The agent accepts it in the softphone, and is connected."""
        self.scene.softphone.accept(self.agent, contact)
        self.scene.softphone.connect(self.agent, contact)

    def find(self, contact: str, channel: str = "voice") -> None:
        """The worker tells who the customer is."""
        self.scene.softphone.set_attributes(contact, self.scene.known(contact, channel))

    async def shows(self, record_id: str) -> None:
        """The tab comes to show a record."""
        while all(tab.is_closed() for tab in self.tabs):
            await self.page.wait_for_event("popup")
        await expect(self.record).to_have_attribute("data-id", record_id)
        await expect(self.record).to_have_attribute("data-found", "true")

    async def seen(self, contact: str, state: str) -> None:
        """The list comes to show a contact in a state."""
        await expect(self.contact(contact)).to_have_attribute("data-state", state)


async def desk(
    scene: Stage,
    context: BrowserContext,
    *,
    agent: str = AGENT,
    connected: bool = True,
    page: Page | None = None,
) -> Desk:
    """Open the agent page.

    Args:
        scene: What stands round it.
        context: The agent's browser.
        agent: Who is signed in; nobody else is signed in afterwards.
        connected: The agent opens the Dynamics tab by the page's button.
        page: The window to open it in, rather than a new one.
    """
    scene.softphone.sign_in(agent)
    page = page or await context.new_page()
    sat = Desk(scene, context, page, agent)
    page.on("popup", lambda tab: sat.tabs.append(tab))  # noqa: PLW0108 - playwright sets an attribute
    page.on("console", lambda message: sat.said.append(message.text))
    page.on("pageerror", lambda error: sat.said.append(f"error: {error}"))
    await page.goto(f"{scene.pages_url}/agent.html")
    await expect(page.locator("#customer")).to_have_text("No contact at the moment")
    if connected:
        async with page.expect_popup() as opening:
            await page.click("#open-tab")
        await (await opening.value).wait_for_load_state()
    return sat
