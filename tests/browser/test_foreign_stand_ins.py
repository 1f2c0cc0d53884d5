"""Both hosts with a softphone and a Dynamics other than the sandbox's."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, Literal

import pytest
import pytest_asyncio

from playwright.async_api import BrowserContext, Page, expect

from browsing.foreign import CUSTOMER, NAME, Abroad, Phone, abroad, activity


#: An hour (ms).
HOUR: Final = 3_600_000


@pytest_asyncio.fixture(loop_scope="session")
async def foreign(dist: Path) -> AsyncIterator[Abroad]:
    async with abroad(dist) as around:
        yield around


class AtDesk:
    """The agent page, with its Dynamics tab open."""

    def __init__(self, page: Page, tab: Page) -> None:
        self.page, self.tab, self.phone = page, tab, Phone(page)

    async def shows(self, record: str) -> None:
        await expect(self.tab.locator("main")).to_have_attribute("data-id", record)

    async def opened(self, contact: str) -> int:
        mark = f"connect-dynamics:opened:{contact}"
        found = await self.page.evaluate("name => performance.getEntriesByName(name).length", mark)
        return int(found)


async def sit_down(foreign: Abroad, page: Page) -> AtDesk:
    await page.goto(f"{foreign.pages_url}/agent.html")
    await expect(page.locator("#customer")).to_have_text("No contact at the moment")
    async with page.expect_popup() as opening:
        await page.click("#open-tab")
    return AtDesk(page, await opening.value)


async def test_a_call_of_another_softphone_opens_its_record(foreign: Abroad, page: Page) -> None:
    at = await sit_down(foreign, page)
    contact = await at.phone.ring()
    await at.phone.find(contact)
    await expect(page.locator("#customer")).to_have_text(NAME)
    assert await at.opened(contact) == 0
    await at.phone.become(contact, "connected")
    await at.shows(activity(contact))


async def test_a_queued_callback_of_another_softphone_opens_its_record(
    foreign: Abroad, page: Page
) -> None:
    at = await sit_down(foreign, page)
    offered = {"type": "queue_callback", "state": {"type": "incoming"}}
    contact = await at.phone.ring(contact=offered)
    item = page.locator(f'[data-contact="{contact}"]')
    await expect(item).to_have_attribute("data-state", "ringing")
    await at.phone.become(contact, "connecting")
    await expect(item).to_have_attribute("data-state", "accepted")
    await at.phone.find(contact)
    await at.phone.become(contact, "connected")
    await at.shows(activity(contact))


@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["ahead", "behind"])
async def test_a_softphone_whose_clock_is_an_hour_off_does_not_change_when_a_record_opens(
    foreign: Abroad, page: Page, ahead: int
) -> None:
    at = await sit_down(foreign, page)
    await at.phone.frame.evaluate("ms => { ahead = ms; }", ahead)
    contact = await at.phone.ring()
    await at.phone.become(contact, "connected")
    await asyncio.sleep(1)
    assert await at.opened(contact) == 0, "a record that may not be there yet was opened"
    await at.shows(activity(contact))


@pytest.mark.parametrize(
    "agent",
    [{"monitorStatus": "SILENT_MONITOR"}, {"monitorStatus": "BARGE"}, {"type": "monitoring"}],
    ids=["listening", "barged in", "monitoring connection"],
)
async def test_nothing_opens_for_a_contact_that_the_agent_supervises(
    foreign: Abroad, page: Page, agent: dict[str, Any]
) -> None:
    at = await sit_down(foreign, page)
    contact = await at.phone.ring(agent=agent, contact={"queue": None, "attributes": None})
    await at.phone.become(contact, "connected")
    await expect(page.locator("#awaited")).to_contain_text("listening in")
    await asyncio.sleep(5)  # an ordinary contact's record opens after four
    assert await at.opened(contact) == 0


class AtWork:
    """Another workspace, with our panel in it."""

    def __init__(self, page: Page) -> None:
        self.page, self.phone = page, Phone(page)
        self.panel = page.frame_locator("#panel")

    async def until(self, expression: str) -> None:
        await self.page.wait_for_function(expression)


async def begin(foreign: Abroad, page: Page, **more: Any) -> AtWork:
    await page.goto(foreign.workspace(**more))
    at = AtWork(page)
    await at.until("calls.includes('getEnvironment')")
    await expect(at.panel.frame_locator("#softphone iframe").locator("p")).to_be_visible()
    return at


async def answered(at: AtWork) -> str:
    """A contact whose customer is known rings, and is accepted in its toast."""
    contact = await at.phone.ring()
    await at.phone.find(contact)
    await at.until(f"toasts[0]?.templateParameters.customerName === {NAME!r}")
    await at.page.evaluate("answer('Accept', 'Accept')")
    return contact


@pytest.mark.parametrize("form", ["text", "object"])
async def test_a_call_in_another_workspace_has_its_session_and_its_activitys_tab(
    foreign: Abroad, page: Page, form: Literal["text", "object"]
) -> None:
    at = await begin(foreign, page, form=form)
    contact = await answered(at)
    await at.until("sessions[0]?.templateName === 'connect_voice_match'")
    given = await page.evaluate("sessions[0].templateParameters")
    assert given["customerRecordId"] == CUSTOMER
    await page.evaluate("key => records.add(key)", f"phonecall/{activity(contact)}")
    await at.until("sessions[0].tabs.join() === 'connect_activity'")
    assert await page.evaluate("[toasts.length, sessions.length]") == [0, 1]
    assert await at.phone.frame.evaluate("asked") == ["acceptContact"]


@pytest.mark.parametrize(
    "without",
    [
        {"refused": ["getFocusedSession"]},
        {"refused": ["getEnvironment", "setClickToAct", "setMode"]},
        {"silent": ["getEnvironment", "addHandler"]},
        {"refused": ["canCreateSession", "updateContext", "cancelEvent"]},
    ],
    ids=["focus refused", "surroundings refused", "surroundings silent", "session calls refused"],
)
async def test_toasts_and_sessions_do_without_what_dynamics_refuses(
    foreign: Abroad, page: Page, without: dict[str, list[str]]
) -> None:
    at = await begin(foreign, page, **without)
    contact = await at.phone.ring()
    await at.until("toasts.length === 1")
    await page.evaluate("answer('Accept', 'Accept')")
    await at.until("sessions.length === 1")
    await expect(at.panel.locator(f'[data-contact="{contact}"]')).to_have_attribute(
        "data-state", "connected"
    )
    await expect(at.panel.locator("[data-trouble]")).to_have_count(0)


async def test_an_accept_that_the_softphone_does_not_confirm_is_not_told_as_failed(
    foreign: Abroad, page: Page
) -> None:
    at = await begin(foreign, page)
    await at.phone.frame.evaluate("answers.acceptContact = 'lost'")
    await answered(at)
    await at.until("sessions.length === 1")
    await asyncio.sleep(11)  # an answer is waited for ten seconds
    await expect(at.panel.locator("[data-trouble]")).to_have_count(0)


async def test_no_session_opens_for_a_contact_that_the_agent_supervises(
    foreign: Abroad, page: Page, context: BrowserContext
) -> None:
    at = await begin(foreign, page)
    contact = await at.phone.ring(agent={"monitorStatus": "SILENT_MONITOR"})
    await at.phone.become(contact, "connected")
    item = at.panel.locator(f'[data-contact="{contact}"]')
    await expect(item).to_have_attribute("data-state", "connected")
    assert await page.evaluate("[toasts.length, sessions.length]") == [0, 0]
    assert len(context.pages) == 1
