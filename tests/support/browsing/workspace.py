"""Customer Service as an agent has it open, with our panel in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.async_api import BrowserContext, Frame, FrameLocator, Locator, Page, expect

from browsing.stage import AGENT, NUMBER, Stage, install
from worker.sandbox.browser.contacts import Channel


@dataclass(slots=True)
class Workspace:
    """One agent in Customer Service.

    Attributes:
        scene: What stands round it.
        page: The workspace.
        agent: Who works in it.
        said: What was written to the browser's console.
    """

    scene: Stage
    page: Page
    agent: str = AGENT
    said: list[str] = field(default_factory=list)

    @property
    def panel(self) -> FrameLocator:
        """Our page."""
        return self.page.frame_locator("[data-panel]")

    @property
    def softphone(self) -> FrameLocator:
        """The softphone in our page."""
        return self.panel.frame_locator("#softphone iframe")

    @property
    def toast(self) -> Locator:
        """The notifications on screen."""
        return self.page.locator("[data-toast]")

    @property
    def sessions(self) -> Locator:
        """Our sessions."""
        return self.page.locator('[data-session][data-owner="provider"]')

    async def frame(self) -> Frame:
        """Our page, once it is there."""
        element = await self.page.wait_for_selector("[data-panel]", state="attached")
        frame = await element.content_frame() if element else None
        assert frame is not None
        await frame.wait_for_load_state("domcontentloaded")
        return frame

    def trouble(self, kind: str) -> Locator:
        """The notice of a trouble in our page."""
        return self.panel.locator(f'[data-trouble="{kind}"]')

    def tab(self, name: str) -> Locator:
        """A tab of the session in front, by its title."""
        return self.page.get_by_role("tab", name=name)

    async def ring(
        self,
        channel: Channel = "voice",
        *,
        method: str = "inbound",
        number: str = NUMBER,
        found: bool = True,
    ) -> str:
        """A contact rings, with the record that the worker makes; gives its id."""
        told = {"channel": channel, "method": method, "number": number}
        contact = self.scene.softphone.ring(self.agent, told)  # type: ignore[arg-type]
        await self.scene.log(contact, channel)
        if found:
            self.scene.softphone.set_attributes(contact, self.scene.known(contact, channel))
        return contact

    def answer(self, contact: str) -> None:
        """The agent accepts it in the softphone, and is connected."""
        self.scene.softphone.accept(self.agent, contact)
        self.scene.softphone.connect(self.agent, contact)

    async def shows(self, title: str, table: str, record_id: str) -> None:
        """The session in front has a tab that shows a record."""
        await expect(self.tab(title)).to_be_visible()
        # In one expression, so that it is looked for anew if another session comes to the front.
        tab = f'//*[@role="tab" and contains(., "{title}")]'
        main = self.page.frame_locator(f"//*[@data-frame = {tab}/@data-tab]").locator("main")
        await expect(main).to_have_attribute("data-table", table)
        await expect(main).to_have_attribute("data-id", record_id)
        await expect(main).to_have_attribute("data-found", "true")


async def workspace(
    scene: Stage, context: BrowserContext, *, agent: str = AGENT, ready: bool = True
) -> Workspace:
    """Open Customer Service with our panel, as ``desktop install`` sets it up.

    Args:
        scene: What stands round it.
        context: The agent's browser.
        agent: Who is signed in to Amazon Connect.
        ready: Wait until the softphone in it is.
    """
    await install(scene)
    if ready:
        scene.softphone.sign_in(agent)
    page = await context.new_page()
    sat = Workspace(scene, page, agent)
    page.on("console", lambda message: sat.said.append(message.text))
    page.on("pageerror", lambda error: sat.said.append(f"error: {error}"))
    await page.goto(f"{scene.dynamics_url}/apps/customer-service")
    if ready:
        await expect(sat.softphone.locator("#state")).to_have_text("Available")
    return sat
