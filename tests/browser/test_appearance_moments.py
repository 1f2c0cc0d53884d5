"""Nothing wrong is shown, not even for a moment: all that the pages say is noted as they say it."""

from __future__ import annotations

import json

import pytest

from playwright.async_api import BrowserContext, Frame, expect

from browsing.desk import Desk, desk
from browsing.stage import AGENT, LONG, NAME, NUMBER, Stage
from browsing.workspace import Workspace, workspace


pytestmark = pytest.mark.services

#: Notes what the page says each time it says something else: as a person could see it, after each
#: change, and who is marked as being in view then.
WATCH = """
  window.told = [];
  addEventListener('DOMContentLoaded', () => {
    const note = () => {
      const of = (name) => document.querySelector(name)?.textContent.trim() ?? '';
      const inView = document.querySelector('[aria-current="true"]')?.dataset.contact ?? '';
      const shown = document.getElementById('record').hidden ? '' : of('#customer');
      const said = JSON.stringify([inView, shown]);
      if (window.told.at(-1) !== said) window.told.push(said);
    };
    new MutationObserver(note).observe(document.body,
      {subtree: true, childList: true, characterData: true, attributes: true});
    note();
  });
"""


async def said(frame: Frame) -> list[tuple[str, str]]:
    """What the page has said since it was loaded: the contact in view, and the customer's name."""
    return [tuple(json.loads(one)) for one in await frame.evaluate("window.told")]


async def test_the_agent_page_never_shows_another_contact_s_customer_nor_nobody_in_mid_call(
    scene: Stage, context: BrowserContext
) -> None:
    await context.add_init_script(WATCH)
    at = await desk(scene, context)
    call, chat = await two_customers(at, scene)
    await expect(at.page.locator("#customer")).to_have_text(LONG)
    for contact in (call, chat, call):
        await at.contact(contact).get_by_role("button").click()
        await expect(at.contact(contact)).to_have_attribute("aria-current", "true")
    mine = {(call, NAME), (call, NUMBER), (chat, LONG), (chat, "Unknown person")}
    before = {one for one in await said(at.page.main_frame) if one[0]}
    assert before <= mine
    await at.page.reload()
    await expect(at.page.locator("#customer")).to_have_text(NAME)
    await at.page.wait_for_timeout(1000)
    after = await said(at.page.main_frame)
    assert set(after) <= mine | {("", "Starting…"), ("", "Waiting for the softphone…")}
    # One customer comes, and no other after them.
    assert [one for one in after if one[0]] == [(call, NAME)]


async def test_the_panel_never_shows_another_contact_s_customer(
    scene: Stage, context: BrowserContext
) -> None:
    await context.add_init_script(WATCH)
    at = await workspace(scene, context)
    panel = await at.frame()
    call, chat = await two_customers(at, scene)
    await expect(at.sessions).to_have_count(2)
    for contact in (call, chat, call):
        await at.panel.locator(f'[data-contact="{contact}"]').get_by_role("button").click()
        mark = at.panel.locator(f'[data-contact="{contact}"]')
        await expect(mark).to_have_attribute("aria-current", "true")
    mine = {(call, NAME), (call, ""), (chat, LONG), (chat, ""), ("", "")}
    assert set(await said(panel)) <= mine
    await at.panel.locator("body").evaluate("() => location.reload()")
    await expect(at.panel.locator('[aria-current="true"]')).to_have_count(1)
    await at.page.wait_for_timeout(1000)
    assert set(await said(panel)) <= mine


async def two_customers(at: Desk | Workspace, scene: Stage) -> tuple[str, str]:
    """A call and a chat, each with somebody else."""
    call = scene.softphone.ring(AGENT, {"number": NUMBER})
    chat = scene.softphone.ring(AGENT, {"channel": "chat"})
    for contact, channel, name in ((call, "voice", NAME), (chat, "chat", LONG)):
        await scene.log(contact, channel)
        at.answer(contact)
        known = scene.known(contact, channel, ms_customer_name=name)
        scene.softphone.set_attributes(contact, known)
    return call, chat
