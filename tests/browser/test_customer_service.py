"""Stories of the panel inside Dynamics' Customer Service (Channel Integration Framework 2)."""

from __future__ import annotations

import pytest

from playwright.async_api import Browser, BrowserContext, expect

from browsing.stage import AGENT, CUSTOMER, NAME, NUMBER, Stage
from browsing.workspace import Workspace, workspace
from worker.desktop.configuration import load_names
from worker.sandbox.browser.contacts import Channel


pytestmark = pytest.mark.services

SECOND = "tom.okafor"


async def test_a_call_that_is_accepted_in_its_notification_opens_customer_and_activity(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    contact = await at.ring()
    await expect(at.toast).to_contain_text(NAME)
    await at.toast.get_by_role("button", name="Accept").click()
    await expect(at.softphone.get_by_role("button", name="End")).to_be_visible()
    await expect(at.toast).to_have_count(0)
    await expect(at.sessions).to_have_count(0)
    scene.softphone.connect(AGENT, contact)
    await expect(at.sessions).to_have_text(f"Voice-{NAME}")
    await at.shows("Customer", "contact", CUSTOMER)
    await at.shows("Activity", "phonecall", scene.activity(contact))


async def test_a_call_that_is_rejected_in_its_notification_is_rejected(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    rejected: list[str] = []
    scene.softphone.on("reject", lambda _agent, contact: rejected.append(contact))
    contact = await at.ring()
    await at.toast.get_by_role("button", name="Reject").click()
    await expect(at.softphone.locator(f'[data-contact="{contact}"]')).to_have_count(0)
    assert rejected == [contact]
    await expect(at.sessions).to_have_count(0)


@pytest.mark.parametrize("fate", ["accepted", "missed"])
async def test_what_happens_in_the_softphone_takes_the_notification_away(
    fate: str, scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    contact = await at.ring()
    await expect(at.toast).to_be_visible()
    if fate == "accepted":
        await at.softphone.get_by_role("button", name="Accept").click()
    else:
        scene.softphone.miss(AGENT, contact)
    await expect(at.toast).to_have_count(0)
    await expect(at.sessions).to_have_count(0)


async def test_a_call_of_a_single_match_goes_as_cornerstonecx_walks_through_it(
    scene: Stage, context: BrowserContext
) -> None:
    """Their templates and spellings, in the order in which their guide shows them."""
    scene.config["names"] = load_names("cornerstonecx")
    at = await workspace(scene, context)
    # A call comes in: the flow has looked the customer up, and names session and notification.
    contact = await at.ring()
    named = {
        "ms_session_template": "extn_voice_identified_session",
        "ms_notify_template": "extn_voice_notification",
    }
    scene.softphone.set_attributes(contact, named)
    # The notification shows who calls, with accept and reject.
    await expect(at.toast).to_contain_text(f"Voice-{NAME}")
    await expect(at.toast.get_by_role("button", name="Reject")).to_be_visible()
    await at.toast.get_by_role("button", name="Accept").click()
    scene.softphone.connect(AGENT, contact)
    # The session bears the customer's name and comes to the front.
    await expect(at.sessions).to_have_text(f"Voice-{NAME}")
    await expect(at.sessions).to_have_attribute("aria-current", "true")
    # Its anchor tab is the customer's record, the second tab the activity.
    tabs = at.page.get_by_role("tab")
    await expect(tabs).to_have_count(2)
    assert await tabs.nth(0).get_attribute("data-template") == "extn_customer_tab"
    assert await tabs.nth(1).get_attribute("data-template") == "extn_activity_tab"
    await at.shows("Customer", "contact", CUSTOMER)
    await at.shows("Activity", "phonecall", scene.activity(contact))
    # After the call the session stays until the agent closes it.
    scene.softphone.end(AGENT, contact)
    scene.softphone.clear(AGENT, contact)
    await expect(at.panel.locator(f'[data-contact="{contact}"]')).to_have_count(0)
    await expect(at.sessions).to_have_count(1)


@pytest.mark.parametrize(
    ("channel", "table"),
    [("voice", "connect"), ("chat", "connect"), ("task", "cornerstonecx"), ("email", "connect")],
)
async def test_each_channel_has_templates_and_a_title_of_its_own(
    channel: Channel, table: str, scene: Stage, context: BrowserContext
) -> None:
    scene.config["names"] = load_names(table)
    at = await workspace(scene, context)
    contact = await at.ring(channel, number="" if channel != "voice" else NUMBER)
    await expect(at.toast).to_contain_text(NAME)
    at.answer(contact)
    title = {"voice": "Voice", "chat": "Chat", "task": "Task", "email": "Email"}[channel]
    await expect(at.sessions).to_have_text(f"{title}-{NAME}")
    kind = {"voice": "phonecall", "email": "email"}.get(channel, "task")
    await at.shows("Activity", kind, scene.activity(contact, channel))


@pytest.mark.parametrize("status", ["NoMatch", "MultiMatch"])
async def test_without_a_single_match_the_search_opens_first(
    status: str, scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    contact = await at.ring(found=False)
    told = scene.known(contact) | {"LookupStatus": status, "ms_search_text": NUMBER}
    for name in ("ms_contact_id", "ms_customer_name"):
        del told[name]
    scene.softphone.set_attributes(contact, told)
    at.answer(contact)
    await expect(at.sessions).to_have_text(f"Voice-{NUMBER}")
    first = at.page.get_by_role("tab").first
    frame = await first.get_attribute("data-tab")
    main = at.page.frame_locator(f'[data-frame="{frame}"]').locator("main")
    await expect(main).to_have_attribute("data-page", "search")
    await at.shows("Activity", "phonecall", scene.activity(contact))


async def test_values_that_come_while_it_rings_replace_the_notification_once(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    contact = await at.ring(found=False)
    await expect(at.toast).to_contain_text(NUMBER)
    first = await at.toast.get_attribute("data-toast")
    scene.softphone.set_attributes(contact, scene.known(contact))
    await expect(at.toast).to_contain_text(NAME)
    second = await at.toast.get_attribute("data-toast")
    assert first != second
    scene.softphone.set_attributes(contact, {"ms_customer_name": "Somebody Else"})
    await at.page.wait_for_timeout(1000)
    assert await at.toast.get_attribute("data-toast") == second
    accepted: list[str] = []
    scene.softphone.on("accept", lambda _agent, one: accepted.append(one))
    await at.toast.get_by_role("button", name="Accept").click()
    await expect(at.softphone.get_by_role("button", name="End")).to_be_visible()
    await expect(at.toast).to_have_count(0)
    assert accepted == [contact]


async def test_the_activity_s_tab_comes_once_the_record_exists_and_never_as_an_empty_form(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    contact = scene.softphone.ring(AGENT, {"number": NUMBER})
    at.answer(contact)
    await expect(at.sessions).to_have_count(1)
    await at.page.wait_for_timeout(2500)
    await expect(at.tab("Activity")).to_have_count(0)
    await scene.log(contact)
    await at.shows("Activity", "phonecall", scene.activity(contact))
    await expect(at.page.locator("[data-create]")).to_have_count(0)


async def test_a_customer_who_becomes_known_late_gets_a_tab_and_a_title(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    contact = await at.ring(found=False)
    at.answer(contact)
    await expect(at.sessions).to_have_text(f"Voice-{NUMBER}")
    scene.softphone.set_attributes(contact, scene.known(contact))
    await at.shows("Customer", "contact", CUSTOMER)
    await expect(at.sessions).to_have_text(f"Voice-{NAME}")


async def test_with_two_contacts_the_session_follows_the_one_in_view(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    chat = await at.ring("chat", number="")
    at.answer(chat)
    await expect(at.sessions).to_have_count(1)
    call = await at.ring()
    at.answer(call)
    await expect(at.sessions).to_have_count(2)
    await at.shows("Activity", "phonecall", scene.activity(call))
    first = at.softphone.locator(f'[data-contact="{chat}"]')
    await first.get_by_role("button", name="View").click()
    await at.shows("Activity", "task", scene.activity(chat, "chat"))


async def test_a_reload_in_mid_call_opens_no_second_session(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    contact = await at.ring()
    at.answer(contact)
    await at.shows("Activity", "phonecall", scene.activity(contact))
    await at.panel.locator("body").evaluate("() => location.reload()")
    await expect(at.panel.locator(f'[data-contact="{contact}"]')).to_be_visible()
    await at.page.wait_for_timeout(2500)
    await expect(at.sessions).to_have_count(1)
    await expect(at.tab("Activity")).to_have_count(1)


async def test_a_session_that_the_agent_closed_stays_closed(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    contact = await at.ring()
    at.answer(contact)
    await at.shows("Activity", "phonecall", scene.activity(contact))
    await at.page.get_by_role("button", name="Close").first.click()
    await expect(at.sessions).to_have_count(0)
    scene.softphone.set_attributes(contact, {"CallReason": "invoice"})
    await at.page.wait_for_timeout(1500)
    await expect(at.sessions).to_have_count(0)


async def test_each_agent_of_a_transferred_call_has_a_session_of_her_own_leg(
    scene: Stage, context: BrowserContext, browser: Browser
) -> None:
    first = await workspace(scene, context)
    call = await first.ring()
    first.answer(call)
    await first.shows("Activity", "phonecall", scene.activity(call))
    other = await browser.new_context(ignore_https_errors=True)
    second = await workspace(scene, other, agent=SECOND)
    leg = scene.softphone.ring(SECOND, {"method": "transfer", "initial_id": call, "number": NUMBER})
    await scene.log(leg)
    await expect(second.toast).to_contain_text(NUMBER)  # the attributes name the leg before
    scene.softphone.set_attributes(leg, scene.known(leg))
    second.answer(leg)
    await second.shows("Activity", "phonecall", scene.activity(leg))
    scene.softphone.join(AGENT, call, "Tom Okafor")
    await first.shows("Activity", "phonecall", scene.activity(call))
    await expect(first.sessions).to_have_count(1)
    await other.close()


async def test_a_queued_callback_is_announced_and_opens_a_session(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    contact = await at.ring(method="callback")
    await at.toast.get_by_role("button", name="Accept").click()
    scene.softphone.connect(AGENT, contact)
    await at.shows("Activity", "phonecall", scene.activity(contact))


async def test_a_supervisor_who_listens_in_or_barges_has_no_session(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    contact = scene.softphone.monitor(AGENT, {"number": NUMBER})
    at.answer(contact)
    scene.softphone.barge(AGENT, contact)
    await expect(at.panel.locator(f'[data-contact="{contact}"]')).to_be_visible()
    await at.page.wait_for_timeout(1500)
    await expect(at.toast).to_have_count(0)
    await expect(at.sessions).to_have_count(0)


async def test_the_eleventh_session_waits_for_room(scene: Stage, context: BrowserContext) -> None:
    at = await workspace(scene, context)
    for _ in range(10):
        at.answer(await at.ring("chat", number=""))
    await expect(at.sessions).to_have_count(10)
    contact = await at.ring()
    at.answer(contact)
    await expect(at.trouble("sessions")).to_contain_text("Close one")
    await expect(at.sessions).to_have_count(10)
    await at.page.get_by_role("button", name="Close").first.click()
    await at.trouble("sessions").get_by_role("button").click()
    await at.shows("Activity", "phonecall", scene.activity(contact))


# --- click-to-dial --------------------------------------------------------------------------------


async def open_customer(at: Workspace) -> None:
    """The agent opens the customer's record from the dashboard."""
    frame = at.page.frame_locator("[data-frame]").first
    await frame.get_by_role("link", name=NAME).click()


async def test_a_number_that_is_clicked_is_called_after_a_question_and_bound_to_its_record(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    await open_customer(at)
    await at.page.frame_locator("[data-frame]").first.get_by_role("link", name=NUMBER).click()
    await expect(at.panel.locator("#question-text")).to_have_text(f"Call {NUMBER}?")
    await at.panel.locator("#call").click()
    found = at.softphone.locator("[data-contact]")
    await expect(found).to_have_count(1)
    contact = await found.get_attribute("data-contact") or ""
    await scene.log(contact)
    scene.softphone.connect(AGENT, contact)
    await expect(at.sessions).to_have_text(f"Voice-{NAME}")
    await at.shows("Customer", "contact", CUSTOMER)
    await at.shows("Activity", "phonecall", scene.activity(contact))


async def test_nobody_is_called_before_the_agent_says_so(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    await open_customer(at)
    await at.page.frame_locator("[data-frame]").first.get_by_role("link", name=NUMBER).click()
    await at.panel.locator("#cancel").click()
    await expect(at.panel.locator("#question")).to_be_hidden()
    await expect(at.softphone.locator("[data-contact]")).to_have_count(0)


# --- what is wrong --------------------------------------------------------------------------------


async def test_a_template_that_dynamics_does_not_know_is_named(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    contact = await at.ring(found=False)
    told = scene.known(contact) | {"ms_session_template": "extn_unknown"}
    scene.softphone.set_attributes(contact, told)
    at.answer(contact)
    await expect(at.trouble("template")).to_contain_text("extn_unknown")


async def test_without_dynamics_the_softphone_goes_on_working(
    scene: Stage, context: BrowserContext
) -> None:
    scene.dynamics.switches.signed_in = True
    await context.route("**/msdyn_ciLibrary.js", lambda route: route.abort())
    at = await workspace(scene, context)
    await expect(at.trouble("cif")).to_be_visible(timeout=40_000)
    contact = await at.ring()
    await at.softphone.get_by_role("button", name="Accept").click()
    scene.softphone.connect(AGENT, contact)
    await expect(at.panel.locator(f'[data-contact="{contact}"]')).to_have_attribute(
        "data-state", "connected"
    )


async def test_a_softphone_that_may_not_be_framed_runs_in_a_window_of_its_own(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    await at.page.close()
    scene.softphone.frame_ancestors = [
        scene.pages_url
    ]  # not Dynamics: the panel's frame is refused
    panel = await workspace(scene, context, ready=False)
    await panel.panel.locator("body").evaluate("() => { location.search = '?companion=1'; }")
    await expect(panel.trouble("companion")).to_be_visible()
    async with panel.page.context.expect_page() as opening:
        await panel.trouble("companion").get_by_role("button").click()
    window = await opening.value
    await expect(window.frame_locator("iframe").locator("#state")).to_have_text("Available")
    contact = await panel.ring()
    await panel.toast.get_by_role("button", name="Accept").click()
    scene.softphone.connect(AGENT, contact)
    await panel.shows("Activity", "phonecall", scene.activity(contact))


async def test_nothing_personal_gets_into_the_panel_s_console_or_storage(
    scene: Stage, context: BrowserContext
) -> None:
    at = await workspace(scene, context)
    contact = await at.ring()
    at.answer(contact)
    await at.shows("Activity", "phonecall", scene.activity(contact))
    kept = await at.panel.locator("body").evaluate(
        "() => JSON.stringify([{...localStorage}, {...sessionStorage}])"
    )
    assert contact in kept
    for personal in (NAME, NUMBER, CUSTOMER, "Abendroth"):
        assert personal not in kept
        assert not any(personal in line for line in at.said)
    assert not [line for line in at.said if line.startswith("error")]
