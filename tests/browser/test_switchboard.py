"""The switchboard: a person plays the customer and an agent in a real browser."""

from __future__ import annotations

import asyncio

from contextlib import suppress
from random import Random

import pytest

from playwright.async_api import Page

from worker.sandbox.amazon.connect_api import AmazonConnect
from worker.sandbox.browser.exchange import Exchange
from worker.sandbox.browser.outbox import Pace
from worker.sandbox.browser.softphone import Softphone
from worker.sandbox.browser.switchboard import Switchboard
from worker.sandbox.oracle.callers import CALLERS
from worker.sandbox.traffic import SentMessage


pytestmark = pytest.mark.services

QUICK = Pace(queue=0, ring=0.1, connect=0.1, dial=0.1, event=0, record=0, recording=0)


async def test_a_call_is_played_by_hand_from_ring_to_record(
    softphone: Softphone, softphone_url: str, page: Page
) -> None:
    sent: list[SentMessage] = []

    async def send(message: SentMessage) -> None:
        sent.append(message)

    exchange = Exchange(softphone, AmazonConnect(), send, rng=Random(5), pace=QUICK)
    softphone.app.router.routes += Switchboard(exchange, CALLERS).routes()
    softphone.sign_in("maria.keller")
    running = asyncio.create_task(exchange.run())
    await page.goto(softphone_url)
    await page.get_by_text("Signed in: maria.keller").wait_for()
    known = page.get_by_role("group", name="A known customer")
    await known.get_by_role("button", name="calls").click()
    agent = await page.context.new_page()
    await agent.goto(f"{softphone_url}/ccp-v2/")
    await agent.get_by_role("button", name="Accept").click()
    await page.get_by_text("talks to maria.keller").wait_for()
    await page.get_by_role("button", name="Customer ends it").click()
    await page.get_by_text("is over").wait_for()
    await agent.get_by_role("button", name="Close contact").click()
    await page.locator("#contacts li").wait_for(state="detached")
    assert [message.stream for message in sent].count("contact-records") == 1
    assert [message.stream for message in sent].count("recordings") == 1
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
