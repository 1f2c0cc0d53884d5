"""Push and Connect: what is asked before a plan, and what goes back."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from typing import Any

import pytest

from structlog.testing import capture_logs

from pipelines.effect import Effect
from pipelines.live import LIVE_WITHIN_S
from pipelines.pipeline import Pipeline
from twins.calls import Call
from twins.dynamics import Failure
from twins.rig import Rig
from worker.amazon_connect.errors import Busy, ConnectRefused
from worker.amazon_connect.memory import MemoryConnect
from worker.dynamics.errors import Forbidden, Unavailable


MakeRig = Callable[..., "Rig"]

INSTANCE = "arn:aws:connect:x:1:instance/abc"
NUMBER = "+15550100299"
PATIENCE_S = 3.0

WRITING = """
[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{Channel}}"}'
[writeback]
ms_id = "{{ContactId}}"
ms_activity_id = "{{MAKE-Response.activityid}}"
reason = "{{Attributes.CallReason}}"
"""


class Slow(MemoryConnect):
    """Never answers in time."""

    async def contact(self, instance_id: str, contact_id: str) -> Any:
        await asyncio.sleep(1_000)
        return await super().contact(instance_id, contact_id)


def knowing(call: Call) -> MemoryConnect:
    endpoint = {"Address": NUMBER, "Type": "TELEPHONE_NUMBER"}
    return MemoryConnect(contacts={call.id: {"CustomerEndpoint": endpoint, "Channel": "VOICE"}})


@pytest.fixture
def writing(make_rig: MakeRig, pipeline: Callable[[str], list[Pipeline]]) -> Rig:
    return make_rig(pipelines=pipeline(WRITING), connect=MemoryConnect())


# --- enrichment ---


async def test_the_activity_has_the_number_before_the_contact_record_comes(
    make_rig: MakeRig, call: Call
) -> None:
    rig = make_rig(connect=knowing(call), patience_s=PATIENCE_S)
    await rig.tell(call.begun(instanceArn=INSTANCE))
    await rig.run(1)
    assert rig.calls[0]["phonenumber"] == NUMBER
    assert rig.connect.calls == [("DescribeContact", call.id)]
    await rig.tell(call.answered(instanceArn=INSTANCE))
    await rig.run(1)
    assert [c for c, _ in rig.connect.calls].count("DescribeContact") == 1


async def test_the_contact_record_has_the_last_word(make_rig: MakeRig, call: Call) -> None:
    rig = make_rig(connect=knowing(call), patience_s=PATIENCE_S)
    await rig.tell(call.begun(instanceArn=INSTANCE))
    await rig.run(1)
    await rig.tell(call.record())
    await rig.run(1)
    assert rig.calls[0]["phonenumber"] == "+15550100200"
    await rig.tell(call.record(CustomerEndpoint=None, LastUpdateTimestamp="2026-01-02T03:06:00Z"))
    await rig.run(1)
    assert rig.calls[0]["phonenumber"] is None
    assert len(rig.connect.calls) == 1


@pytest.mark.parametrize(
    "error", [Busy("ThrottlingException"), ConnectRefused("AccessDeniedException")]
)
async def test_without_an_answer_the_activity_is_made_without_and_completed_later(
    make_rig: MakeRig, call: Call, error: Exception
) -> None:
    def refuse(_call: str) -> None:
        raise error

    rig = make_rig(connect=MemoryConnect(script=refuse), patience_s=PATIENCE_S)
    await rig.tell(call.begun(instanceArn=INSTANCE))
    await rig.run(1)
    assert "phonenumber" not in rig.calls[0]
    await rig.tell(call.record())
    await rig.run(1)
    assert rig.calls[0]["phonenumber"] == "+15550100200"
    assert not await rig.parked()


async def test_a_contact_waits_for_answers_no_longer_than_its_patience(
    make_rig: MakeRig, call: Call
) -> None:
    rig = make_rig(connect=Slow(), patience_s=PATIENCE_S)
    made_at = []
    rig.dynamics.script = lambda _request: made_at.append(asyncio.get_running_loop().time())
    await rig.tell(call.begun(instanceArn=INSTANCE))
    await rig.run(2 * PATIENCE_S)
    assert made_at == [PATIENCE_S]


async def test_of_several_workers_one_asks(make_rig: MakeRig, call: Call) -> None:
    rig = make_rig(connect=knowing(call), patience_s=PATIENCE_S)
    rig.store.save_s = 0.1
    await rig.tell(call.begun(instanceArn=INSTANCE))
    await asyncio.gather(*(rig.another().transactions.run(call.id) for _ in range(3)))
    assert len(rig.connect.calls) == 1
    assert len(rig.calls) == 1


async def test_facts_that_come_while_connect_is_asked_are_kept_with_its_answer(
    make_rig: MakeRig, call: Call
) -> None:
    class Unhurried(MemoryConnect):
        async def contact(self, instance_id: str, contact_id: str) -> Any:
            await asyncio.sleep(1)
            return await super().contact(instance_id, contact_id)

    rig = make_rig(connect=Unhurried(contacts=knowing(call).contacts), patience_s=PATIENCE_S)
    await rig.tell(call.begun(instanceArn=INSTANCE))
    pushed = asyncio.ensure_future(rig.push.transactions.run(call.id))
    await asyncio.sleep(0.5)
    await rig.tell(call.event("QUEUED", instanceArn=INSTANCE))
    await pushed
    await rig.run(1)
    assert rig.calls[0]["phonenumber"] == NUMBER
    facts = (await rig.entry(call.id)).contact.facts
    assert {"event/INITIATED", "event/QUEUED", "enrichment/contact"} <= facts.keys()
    assert len(rig.connect.calls) == 1


async def test_answers_are_logged_without_what_they_say(make_rig: MakeRig, call: Call) -> None:
    rig = make_rig(connect=knowing(call), patience_s=PATIENCE_S)
    with capture_logs() as lines:
        await rig.tell(call.begun(instanceArn=INSTANCE))
        await rig.run(1)
    assert NUMBER not in str(lines)


# --- write-back ---


async def test_attributes_are_written_while_the_contact_is_on(writing: Rig, call: Call) -> None:
    await writing.tell(call.begun(instanceArn=INSTANCE))
    await writing.run(1)
    written = writing.connect.shared[call.id]
    made = writing.calls[0]["activityid"]
    assert written == {"ms_id": call.id, "ms_activity_id": made, "reason": ""}
    assert writing.push.transactions.reports.sent.written_back == 1


async def test_what_connect_tells_of_written_attributes_makes_no_further_request(
    writing: Rig, call: Call
) -> None:
    """UpdateContactAttributes re-emits the contact record and sends CONTACT_DATA_UPDATED."""
    await writing.tell(call.begun(instanceArn=INSTANCE))
    await writing.run(1)
    attributes = writing.connect.shared[call.id]
    updated = {"updatedProperties": ["UserDefinedAttributes"], "instanceArn": INSTANCE}
    await writing.tell(call.event("CONTACT_DATA_UPDATED", **updated))
    await writing.run(1)
    await writing.tell(call.record(Attributes=attributes))
    await writing.run(1)
    calls, requests = len(writing.connect.calls), len(writing.sent)
    again = call.record(Attributes=attributes, LastUpdateTimestamp="2026-01-02T03:05:01Z")
    await writing.tell(again)
    await writing.run(100)
    assert (len(writing.connect.calls), len(writing.sent)) == (calls, requests)
    assert calls == 1


async def test_attributes_that_do_not_name_a_forbidden_record_are_written_all_the_same(
    writing: Rig, call: Call
) -> None:
    writing.dynamics.script = lambda request: (
        Failure(Forbidden("answered 403", status=403)) if request.method == "POST" else None
    )
    await writing.tell(call.begun(instanceArn=INSTANCE))
    await writing.run(1)
    written = {"ms_id": call.id, "reason": "", "ms_activity_id": ""}
    assert writing.connect.shared[call.id] == written
    writing.dynamics.script = lambda _request: None
    await writing.run(30)
    made = writing.calls[0]["activityid"]
    assert writing.connect.shared[call.id]["ms_activity_id"] == made


async def test_a_replayed_archive_asks_writes_and_opens_nothing(
    make_rig: MakeRig, pipeline: Callable[[str], list[Pipeline]], call: Call
) -> None:
    opening = '[[step]]\nname = "OPEN"\non = "answered"\nopen = "main.aspx"\n'
    steps = pipeline(WRITING.replace("[writeback]", opening + "query = '{}'\n[writeback]"))
    rig = make_rig(pipelines=steps, live=False, connect=knowing(call))
    await rig.tell(call.begun(instanceArn=INSTANCE), call.answered(), call.record())
    await rig.run(100)
    assert len(rig.calls) == 1
    assert rig.connect.calls == []
    assert not rig.desktop.opened


async def test_a_failed_write_back_holds_nothing_up_and_is_repeated_while_it_matters(
    writing: Rig, call: Call
) -> None:
    def refuse(_call: str) -> None:
        raise Busy("ThrottlingException")

    writing.connect.script = refuse
    await writing.tell(call.begun(instanceArn=INSTANCE))
    await writing.run(1)
    assert len(writing.calls) == 1
    outcomes: list[str] = []
    writing.push.transactions.reports.openings.written_back = outcomes.append
    await writing.run(2 * LIVE_WITHIN_S)
    assert set(outcomes) == {"delayed"}
    assert 5 < len(writing.connect.calls) < LIVE_WITHIN_S
    entry = await writing.entry(call.id)
    assert entry.due_at is None
    assert not entry.contact.parked
    assert len(writing.sent) == 1


async def test_a_refused_write_back_is_not_repeated(writing: Rig, call: Call) -> None:
    def refuse(_call: str) -> None:
        raise ConnectRefused("ResourceNotFoundException")

    writing.connect.script = refuse
    await writing.tell(call.begun(instanceArn=INSTANCE))
    outcomes: list[str] = []
    writing.push.transactions.reports.openings.written_back = outcomes.append
    await writing.run(30)
    assert len(writing.connect.calls) == 1
    assert outcomes == ["refused"]
    text = (await writing.entry(call.id)).contact.effects["p/writeback"]
    assert Effect.read(text).why == "Connect did not take it: ResourceNotFoundException"
    assert len(writing.calls) == 1


async def test_a_write_back_whose_outcome_is_unknown_is_repeated(
    make_rig: MakeRig, pipeline: Callable[[str], list[Pipeline]], call: Call
) -> None:
    """It may have been written: doing it twice is doing it once."""

    class Silent(MemoryConnect):
        async def update_attributes(self, *about: Any) -> None:
            await super().update_attributes(*about)
            await asyncio.sleep(1_000 if len(self.calls) == 1 else 0)

    rig = make_rig(pipelines=pipeline(WRITING), connect=Silent())
    await rig.tell(call.begun(instanceArn=INSTANCE))
    await rig.run(30)
    assert len(rig.connect.calls) == 2


async def test_a_record_that_dynamics_has_not_taken_holds_up_only_what_names_it(
    writing: Rig, call: Call
) -> None:
    writing.dynamics.script = lambda _request: Failure(Unavailable("no answer"))
    await writing.tell(call.begun(instanceArn=INSTANCE))
    await writing.run(10)
    written = writing.connect.shared[call.id]
    assert written == {"ms_id": call.id, "ms_activity_id": "", "reason": ""}


async def test_of_two_legs_the_newer_one_writes(
    writing: Rig, calls: Callable[[int], list[Call]]
) -> None:
    first, second = calls(2)
    await writing.tell(first.begun(instanceArn=INSTANCE))
    await writing.run(1)
    linked = {"initialContactId": first.id, "previousContactId": first.id}
    began = {"initiationTimestamp": "2026-01-02T03:00:01.000Z", "instanceArn": INSTANCE}
    await writing.tell(second.begun(**linked, **began))
    await writing.tell(first.event("QUEUED", instanceArn=INSTANCE))
    await writing.run(1)
    assert writing.connect.shared.keys() == {first.id}
    assert writing.connect.shared[first.id]["ms_id"] == second.id
    assert len(writing.connect.calls) == 2
