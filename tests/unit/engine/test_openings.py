"""What came of pages for agents: in the ledger, in the log, counted, measured and shown."""

from __future__ import annotations

import asyncio

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from structlog.testing import capture_logs

from pipelines.effect import Effect
from pipelines.outcome import Shown
from twins.calls import Call
from twins.dynamics import Failure
from twins.rig import Rig
from worker.amazon_connect.attributes import AttributeScreenPop
from worker.amazon_connect.errors import Busy, ConnectRefused
from worker.amazon_connect.logged import LoggedScreenPop
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.amazon_connect.protocol import Page
from worker.dynamics.errors import Unavailable
from worker.engine.openings import Openings
from worker.operations.contact import described


MakeRig = Callable[..., Rig]
INSTANCE = "arn:aws:connect:x:1:instance/abc"
STEP = "phonecall/STEP3"


class Watched:
    """A rig whose openings are counted and measured."""

    def __init__(self, make_rig: MakeRig, **more: Any) -> None:
        self.rig = make_rig(**more)
        self.counted: list[str] = []
        self.written_back: list[str] = []
        self.measured: list[tuple[str, float]] = []
        openings = self.rig.push.transactions.reports.openings
        openings.counted = self.counted.append
        openings.written_back = self.written_back.append
        openings.latency = lambda milestone, seconds: self.measured.append((milestone, seconds))

    async def effect(self, call: Call) -> Effect:
        return Effect.read((await self.rig.entry(call.id)).contact.effects[STEP])

    async def on_screen(self, call: Call) -> dict[str, str]:
        """What ``contact show`` says of the page."""
        terms, now = self.rig.planner.terms, self.rig.clock.wall()
        told = described(await self.rig.entry(call.id), self.rig.pipelines, terms, now)
        found: dict[str, str] = told["effects"][STEP]
        return found


async def test_a_page_in_time_is_shown_counted_and_measured_from_the_answer(
    make_rig: MakeRig, call: Call
) -> None:
    watched = Watched(make_rig)
    await asyncio.sleep(12)
    with capture_logs() as lines:
        await watched.rig.tell(call.begun(), call.answered())
        await watched.rig.run(1)
    assert watched.counted == ["shown"]
    ((milestone, seconds),) = watched.measured
    assert milestone == "answered"
    assert 2 <= seconds < 3
    (line,) = [line for line in lines if line["event"] == "desktop.shown"]
    assert line["seconds"] == round(seconds, 3)
    assert await watched.on_screen(call) == {
        "state": "shown",
        "when": (await watched.effect(call)).when,
        "why": "",
    }
    assert (await watched.effect(call)).when.startswith("2026-01-02T03:00:1")


async def test_an_answer_is_measured_to_the_millisecond_that_its_event_says(
    make_rig: MakeRig, call: Call
) -> None:
    watched = Watched(make_rig)
    await asyncio.sleep(10.9)
    answered = call.answered("2026-01-02T03:00:10.800Z")  # the event is sent at once
    await watched.rig.tell(call.begun(), answered)
    await watched.rig.run(1)
    assert watched.measured[0][1] < 0.5


async def test_what_is_only_logged_is_never_called_shown_or_done(
    make_rig: MakeRig, call: Call
) -> None:
    watched = Watched(make_rig, desktop=LoggedScreenPop())
    await asyncio.sleep(12)
    with capture_logs() as lines:
        await watched.rig.tell(call.begun(), call.answered())
        await watched.rig.run(1)
    assert (watched.counted, watched.measured) == (["logged"], [])
    assert (await watched.on_screen(call))["state"] == "logged"
    events = {line["event"] for line in lines}
    assert "desktop.logged" in events
    assert not events & {"desktop.shown", "desktop.open", "desktop.opened"}


async def test_a_page_that_connect_refuses_says_so(make_rig: MakeRig, call: Call) -> None:
    class Refusing(MemoryScreenPop):
        async def open(self, page: Page) -> Shown:
            assert page.tab
            raise ConnectRefused("UpdateContactAttributes answered AccessDeniedException")

    watched = Watched(make_rig, desktop=Refusing())
    await asyncio.sleep(12)
    await watched.rig.tell(call.begun(), call.answered())
    await watched.rig.run(1)
    assert watched.counted == ["refused"]
    shown_as = await watched.on_screen(call)
    assert shown_as["state"] == "expired"
    assert shown_as["why"].endswith("UpdateContactAttributes answered AccessDeniedException")


async def test_a_page_that_connect_is_too_busy_for_waits_visibly_and_then_says_why_it_expired(
    make_rig: MakeRig, call: Call
) -> None:
    class Throttled(MemoryScreenPop):
        async def open(self, page: Page) -> Shown:
            assert page.tab
            raise Busy("UpdateContactAttributes answered ThrottlingException")

    watched = Watched(make_rig, desktop=Throttled())
    await asyncio.sleep(12)
    await watched.rig.tell(call.begun(), call.answered())
    await watched.rig.run(10)
    assert set(watched.counted) == {"delayed"}
    waiting = await watched.on_screen(call)
    assert (waiting["state"], "ThrottlingException" in waiting["why"]) == ("delayed", True)
    await watched.rig.run(100)
    assert Counter(watched.counted)["refused"] == 1
    assert watched.counted[-1] == "refused"
    assert "ThrottlingException" in (await watched.on_screen(call))["why"]


@pytest.mark.parametrize(
    ("outcome", "told_after_s", "says"),
    [("heard_late", 85.0, "it was 75 s before"), ("ended_first", 245.5, "the contact ended first")],
)
async def test_a_page_that_is_heard_of_too_late_says_whether_the_call_was_over(
    make_rig: MakeRig, call: Call, outcome: str, told_after_s: float, says: str
) -> None:
    watched = Watched(make_rig)
    await asyncio.sleep(told_after_s)
    over = outcome == "ended_first"
    answer = "2026-01-02T03:04:00.000Z" if over else "2026-01-02T03:00:10.000Z"
    ended = [call.ended()] if over else []
    with capture_logs() as lines:
        await watched.rig.tell(call.begun(), call.answered(answer), *ended)
        await watched.rig.run(1)
    assert watched.counted == [outcome]
    assert says in (await watched.on_screen(call))["why"]
    (line,) = [line for line in lines if line["event"] == "push.expired"]
    assert (line["step"], line["outcome"]) == (STEP, outcome)
    assert line["log_level"] == ("info" if over else "warning")
    assert line["why"] == (await watched.effect(call)).why


@pytest.mark.parametrize("away_s", [70, 300])
async def test_a_record_that_comes_too_late_is_the_reason_why_its_page_is_not_shown(
    make_rig: MakeRig, call: Call, away_s: float
) -> None:
    watched = Watched(make_rig)
    watched.rig.dynamics.script = lambda _request: Failure(Unavailable("no answer"))
    await asyncio.sleep(12)
    await watched.rig.tell(call.begun(), call.answered())
    await watched.rig.run(away_s)
    waiting = await watched.effect(call)
    assert (waiting.outcome, waiting.why) == ("waiting", "it waits for its record")
    assert waiting.when.startswith("2026-01-02T03:00:1")
    watched.rig.dynamics.script = lambda _request: None
    await watched.rig.run(300)
    assert watched.counted == ["record_late"]
    assert not watched.rig.desktop.opened


async def test_a_page_that_waits_says_for_what(make_rig: MakeRig, call: Call) -> None:
    watched = Watched(make_rig)
    await watched.rig.tell(call.begun())
    await watched.rig.run(1)
    assert await watched.on_screen(call) == {
        "state": "waiting",
        "when": "",
        "why": "it waits for an agent to answer",
    }


async def test_the_word_of_an_earlier_release_is_shown_and_the_page_is_not_opened_again(
    make_rig: MakeRig, call: Call
) -> None:
    watched = Watched(make_rig)
    await asyncio.sleep(12)
    await watched.rig.tell(call.begun())
    await watched.rig.run(1)
    entry = await watched.rig.entry(call.id)
    entry.contact.effects[STEP] = "done"
    await watched.rig.store.save([entry])
    await watched.rig.tell(call.answered())
    await watched.rig.run(1)
    assert not watched.rig.desktop.opened
    assert (await watched.on_screen(call))["state"] == "unknown"


async def test_a_bug_in_counting_changes_nothing(make_rig: MakeRig, call: Call) -> None:
    def broken(_outcome: str) -> None:
        raise TypeError

    rig = make_rig(desktop=MemoryScreenPop())
    rig.push.transactions.reports.openings = Openings(broken)
    await asyncio.sleep(12)
    await rig.tell(call.begun(), call.answered())
    await rig.run(1)
    assert (await rig.entry(call.id)).contact.effects[STEP].startswith("shown ")
    assert (await rig.entry(call.id)).due_at is None


# --- a new leg of a chain ---


async def test_a_new_leg_does_not_show_the_page_of_the_leg_before(
    make_rig: MakeRig, pipeline: Callable[[str], Any], calls: Callable[[int], list[Call]]
) -> None:
    steps = """
        [[step]]
        name = "CALL"
        on = "created"
        method = "POST"
        entity = "phonecalls"
        body = '{"subject": "Call"}'
        [[step]]
        name = "OPEN"
        on = "answered"
        open = "main.aspx"
        query = '{"id": "{{CALL-Response.activityid}}"}'
        [writeback]
        ms_id = "{{ContactId}}"
        ms_activity_id = "{{CALL-Response.activityid}}"
    """
    connect = MemoryConnect()
    desktop = AttributeScreenPop(connect, "DynamicsUrl", "DynamicsTab")
    rig = make_rig(pipelines=pipeline(steps), connect=connect, desktop=desktop)
    first, second = calls(2)
    await asyncio.sleep(12)
    await rig.tell(first.begun(instanceArn=INSTANCE), first.answered(instanceArn=INSTANCE))
    await rig.run(1)
    attributes = connect.shared[first.id]
    assert attributes["DynamicsUrl"]
    rig.dynamics.script = lambda _request: Failure(Unavailable("no answer"))
    linked = {"initialContactId": first.id, "previousContactId": first.id}
    began = {"initiationTimestamp": "2026-01-02T03:00:12.000Z", "instanceArn": INSTANCE}
    await rig.tell(second.begun(**linked, **began))
    await rig.run(10)
    assert attributes == {
        "ms_id": second.id,
        "ms_activity_id": "",
        "DynamicsUrl": "",
        "DynamicsTab": "",
    }
