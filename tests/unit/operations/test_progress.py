"""Of each step an operator is told how far it is, why, and what comes next."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.contact import Contact
from pipelines.pipeline import Pipeline
from twins.calls import Call
from twins.dynamics import Failure, in_turn
from twins.rig import Rig
from worker.definitions import find
from worker.dynamics.errors import Refused, Unavailable
from worker.operations.contact import described
from worker.operations.parked import parked_writes, retry_parked
from worker.operations.terms import remembered_terms
from worker.stores.protocol import Entry, FaultNote


MakeRig = Callable[..., Rig]
MakePipelines = Callable[[str], list[Pipeline]]
REFUSED = Failure(Refused("POST phonecalls answered 400 0x80048d19", status=400, code="0x80048d19"))
UNANSWERED = Failure(Unavailable("POST phonecalls answered 503", status=503))


async def shown(rig: Rig, call: Call, pipelines: list[Pipeline] | None = None) -> dict[str, Any]:
    terms = rig.planner.terms
    entry = await rig.entry(call.id)
    return described(entry, pipelines or rig.pipelines, terms, rig.clock.wall())


async def step(rig: Rig, call: Call, name: str) -> dict[str, str]:
    (pipeline,) = (await shown(rig, call))["pipelines"].values()
    found: dict[str, str] = pipeline["steps"][name]
    return found


async def test_a_pipeline_that_does_not_take_the_contact_says_what_it_takes(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun())
    told = await shown(rig, call, [find("chat"), find("phonecall")])
    chat = told["pipelines"]["chat"]
    assert (chat["takes"], chat["why"]) == (False, "takes Channel CHAT, this is VOICE")
    assert chat["steps"] == {}
    assert told["pipelines"]["phonecall"]["takes"] is True


async def test_a_pipeline_that_waits_for_a_name_to_decide_says_which(
    rig: Rig, call: Call, pipeline: MakePipelines
) -> None:
    await rig.tell(call.begun())
    waiting = pipeline("""
when = { "Attributes.tier" = "gold" }
[[step]]
name = "A"
on = "created"
method = "POST"
entity = "tasks"
body = '{"subject": "x"}'
""")
    told = (await shown(rig, call, waiting))["pipelines"]["p"]
    assert (told["takes"], told["why"]) == (None, "its 'when' needs Attributes.tier")


async def test_a_step_that_is_done_says_when_and_one_that_waits_says_for_what(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun())
    await rig.run(5)
    done, waits = await step(rig, call, "STEP2"), await step(rig, call, "STEP5")
    assert done["state"] == "done"
    assert done["when"].startswith("2026-01-02T03:00:0")
    assert waits["state"] == "waiting"
    assert waits["why"] == "for a recording"
    assert waits["next"].startswith("waits for a recording")


async def test_a_step_that_will_go_on_without_what_it_waits_for_says_until_when_it_waits(
    make_rig: MakeRig, pipeline: MakePipelines, call: Call
) -> None:
    rig = make_rig(
        pipelines=pipeline("""
[[step]]
name = "FILE"
on = "recording"
method = "POST"
entity = "tasks"
body = '{"subject": "x"}'
[[step]]
name = "CLOSE"
on = "ended"
after = ["FILE"]
within = "15m"
method = "POST"
entity = "appointments"
body = '{"subject": "x"}'
""")
    )
    await rig.tell(call.begun(), call.answered(), call.ended())
    close, file = await step(rig, call, "CLOSE"), await step(rig, call, "FILE")
    then = "waits for FILE until 2026-01-02T03:19:05.000Z, then goes on without"
    assert (close["state"], close["next"]) == ("waiting", then)
    assert file["next"].startswith("waits for a recording, until 2026-05-02")


async def test_a_recording_of_a_call_that_nobody_answered_is_said_to_come_hardly(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun(), call.ended())
    assert "nobody answered" in (await step(rig, call, "STEP5"))["next"]


async def test_a_parked_step_says_how_to_retry_it(rig: Rig, call: Call) -> None:
    rig.dynamics.script = in_turn(REFUSED)
    await rig.tell(call.begun())
    await rig.run(5)
    parked = await step(rig, call, "STEP2")
    assert (parked["state"], parked["why"]) == ("parked", "400 0x80048d19")
    assert parked["next"] == (
        f"parked: retry with connect-dynamics parked retry {call.id} --step phonecall/STEP2"
    )


async def test_a_step_that_was_retried_for_a_reason_is_owed_and_does_not_fail_for_it(
    rig: Rig, call: Call
) -> None:
    rig.dynamics.script = in_turn(REFUSED)
    await rig.tell(call.begun())
    await rig.run(5)
    [write] = [write async for write in parked_writes(rig.store)]
    await retry_parked(rig.store, write, rig.clock, by="olga", why="the role was mended")
    assert (await step(rig, call, "STEP2"))["state"] == "owed"


async def test_a_step_that_fails_says_why_and_in_how_long_it_is_tried_again(
    rig: Rig, call: Call
) -> None:
    rig.dynamics.script = lambda _request: UNANSWERED
    await rig.tell(call.begun())
    await rig.push.transactions.run(call.id)
    (entry,) = await rig.store.load([call.id])
    entry.due_at = rig.clock.wall() + 40
    await rig.store.save([entry])
    failing = await step(rig, call, "STEP2")
    assert (failing["state"], failing["why"]) == ("failing", "POST phonecalls answered 503")
    assert failing["next"] == "next try in 40 s"


async def test_what_is_owed_says_who_has_it_in_hand_or_what_it_waits_for(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun())
    (entry,) = await rig.store.load([call.id])
    now, terms = rig.clock.wall(), rig.planner.terms

    def then(**changes: Any) -> str:
        changed = Entry(entry.contact, 1, **changes)
        told = described(changed, rig.pipelines, terms, now)
        said: str = told["pipelines"]["phonecall"]["steps"]["STEP2"]["next"]
        return said

    assert then(due_at=now - 300) == "due for 5 min: sent as soon as a worker takes it"
    assert then(due_at=now, claimed_until=now + 90) == "a worker has it in hand, for 90 s more"
    assert then() == "sent once something makes the contact due: its next message, or a replay"
    fault = FaultNote("our bug: KeyError at worker.x:1", 9, now, parked=True)
    assert then(fault=fault).startswith("a bug of ours keeps it: another release tries it, or")


async def test_a_step_whose_when_does_not_admit_the_contact_says_what_it_takes(
    make_rig: MakeRig, pipeline: MakePipelines, call: Call
) -> None:
    rig = make_rig(
        pipelines=pipeline("""
[[step]]
name = "OUT"
on = "created"
when = { InitiationMethod = "OUTBOUND" }
method = "POST"
entity = "tasks"
body = '{"subject": "x"}'
""")
    )
    await rig.tell(call.begun())
    out = await step(rig, call, "OUT")
    assert out["state"] == "skipped"
    assert out["why"] == "takes InitiationMethod OUTBOUND, this is INBOUND"


async def test_a_page_says_what_came_of_it(rig: Rig, call: Call) -> None:
    await asyncio.sleep(12)
    await rig.tell(call.begun())
    await rig.run(1)
    assert (await step(rig, call, "STEP3"))["why"] == "it waits for an agent to answer"
    await rig.tell(call.answered())
    await rig.run(1)
    assert (await step(rig, call, "STEP3"))["state"] == "shown"


async def test_facts_and_history_are_one_line_of_time(rig: Rig, call: Call) -> None:
    rig.dynamics.script = in_turn(REFUSED)
    await asyncio.sleep(12)
    await rig.tell(call.begun())
    await rig.run(5)
    (write,) = [one async for one in parked_writes(rig.store)]
    await retry_parked(rig.store, write, rig.clock, by="ada", why="mended")
    await rig.run(5)
    told = await shown(rig, call)
    line = [(row["what"], row.get("fact", row.get("by", ""))) for row in told["timeline"]]
    assert line == [
        ("received", "event/INITIATED"),
        ("arrived", ""),
        ("parked", ""),
        ("retried", "ada"),
        ("create", ""),
    ]
    received = ("received", "arrived")
    assert told["history"] == [row for row in told["timeline"] if row["what"] not in received]
    assert [row["at"] for row in told["timeline"]] == sorted(r["at"] for r in told["timeline"])


async def test_a_contact_of_which_only_others_have_told_says_so(rig: Rig) -> None:
    told = described(Entry(Contact("c"), 1), rig.pipelines, rig.planner.terms, rig.clock.wall())
    assert "only others" in told["pipelines"]["phonecall"]["why"]


async def test_what_is_shown_is_planned_by_what_the_state_remembers(rig: Rig, call: Call) -> None:
    await rig.store.remember("pipeline/phonecall", "2026-01-02T04:00:00Z")
    await rig.tell(call.begun())
    terms = await remembered_terms(rig.store, rig.pipelines, {"AppId": "app"}, "original")
    told = described(await rig.entry(call.id), rig.pipelines, terms, rig.clock.wall())
    made = told["pipelines"]["phonecall"]["steps"]["STEP2"]
    assert made["state"] == "skipped"
    assert made["why"] == "the contact began before this pipeline was first loaded"


@pytest.mark.parametrize("kind", ["phonecall", "chat", "task", "email", "timeline"])
async def test_every_step_of_every_shipped_pipeline_has_a_state(
    make_rig: MakeRig, call: Call, kind: str
) -> None:
    rig = make_rig(pipelines=[find(kind)])
    states = {"done", "owed", "waiting", "skipped", "expired", "shown", "nothing"}
    for body in (call.begun(), call.answered(), call.ended(), call.record(), call.recorded()):
        await rig.tell(body)
        await rig.run(2)
        (one,) = (await shown(rig, call))["pipelines"].values()
        assert {step["state"] for step in one["steps"].values()} <= states
        assert all(step["next"] for step in one["steps"].values() if step["state"] == "waiting")
