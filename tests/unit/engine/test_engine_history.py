"""What a worker does for a contact stands in its history, at the cost of no save more."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from pipelines.contact import Contact
from pipelines.history import Happening, happenings, iso
from pipelines.outcome import Shown
from pipelines.pipeline import Pipeline
from twins.calls import Call
from twins.dynamics import Failure, in_turn
from twins.rig import Rig
from worker.amazon_connect.errors import Busy, ConnectRefused
from worker.amazon_connect.logged import LoggedScreenPop
from worker.amazon_connect.memory import MemoryScreenPop
from worker.amazon_connect.protocol import Page
from worker.dynamics.errors import Forbidden, Refused, Unavailable
from worker.dynamics.protocol import Answer, Request
from worker.exchange import answered
from worker.operations.erasure import erase
from worker.operations.parked import drop_parked, parked_writes, retry_parked
from worker.stores.protocol import FaultNote


MakeRig = Callable[..., Rig]
UNANSWERED = Failure(Unavailable("POST phonecalls answered 503", status=503))
REFUSED = Failure(
    Refused("POST phonecalls answered 400 0x80048d19", status=400, code="0x80048d19", detail="Ada")
)


async def told(rig: Rig, call: Call) -> list[Happening]:
    return happenings((await rig.entry(call.id)).contact)


def words(history: list[Happening]) -> list[str]:
    return [one.what for one in history]


async def test_what_was_done_is_told_in_its_order_with_columns_by_name(
    rig: Rig, call: Call
) -> None:
    await asyncio.sleep(12)
    await rig.tell(call.begun(), call.answered())
    await rig.run(10)
    await rig.tell(call.ended(), call.record(), call.recorded())
    await rig.run(10)
    history = await told(rig, call)
    assert words(history) == ["create", "open", "update", "close"]
    create, opened, _, close = history
    ((_, key),) = rig.dynamics.records
    assert create.place == close.place == f"phonecalls({key})"
    assert {"subject", "actualstart"} <= {*create.columns}
    assert create.steps == ("phonecall/STEP2",)
    assert (opened.steps, opened.why) == (("phonecall/STEP3",), "")
    assert close.columns == ("statecode", "statuscode")
    assert [one.at for one in history] == sorted(one.at for one in history)
    assert iso(create.at).startswith("2026-01-02T03:00:1")
    assert "+15550100200" not in str(history)


async def test_what_failed_again_and_again_is_told_as_first_last_and_how_often(
    rig: Rig, call: Call
) -> None:
    rig.dynamics.script = in_turn(*[UNANSWERED] * 5)
    await rig.tell(call.begun())
    await rig.run(120)
    first, last, done = await told(rig, call)
    assert (first.what, first.status, first.times) == ("create", 503, 1)
    assert first.why == "POST phonecalls answered 503"
    assert (last.what, last.times, last.at > first.at) == ("create", 4, True)
    assert (done.what, done.why) == ("create", "")


async def test_tries_duration_and_ids_are_those_of_the_requests_that_it_took(
    make_rig: MakeRig, call: Call
) -> None:
    class Told(type(make_rig().dynamics)):  # type: ignore[misc] # the rig's own kind
        async def send(self, request: Request, *, timeout_s: float) -> Answer:
            await asyncio.sleep(0.25)
            answered(503, {"service": "7c1f"})
            answered(201)
            return await super().send(request, timeout_s=timeout_s)  # type: ignore[no-any-return]

    rig = make_rig(dynamics=Told())
    await rig.tell(call.begun())
    await rig.run(10)
    (create,) = await told(rig, call)
    assert (create.attempts, create.status, create.duration_ms) == (2, 201, 250)
    assert create.ids == {"service": "7c1f"}


async def test_what_is_parked_is_told_with_code_and_without_dynamics_words_and_who_retried_it(
    rig: Rig, call: Call
) -> None:
    rig.dynamics.script = in_turn(REFUSED)
    await rig.tell(call.begun())
    await rig.run(10)
    (write,) = [one async for one in parked_writes(rig.store)]
    await retry_parked(rig.store, write, rig.clock, by="ada", why="the role was given")
    await rig.run(10)
    parked, retried, done = await told(rig, call)
    assert (parked.what, parked.status, parked.code) == ("parked", 400, "0x80048d19")
    assert parked.why == "POST phonecalls answered 400 0x80048d19"
    assert (retried.what, retried.by, retried.why) == ("retried", "ada", "the role was given")
    assert retried.place == parked.place
    assert retried.steps == ("phonecall/STEP2",)
    assert done.what == "create"


async def test_who_dropped_a_write_and_why_is_told(rig: Rig, call: Call) -> None:
    rig.dynamics.script = in_turn(REFUSED)
    await rig.tell(call.begun())
    await rig.run(10)
    (write,) = [one async for one in parked_writes(rig.store)]
    await drop_parked(rig.store, write, rig.clock, by="ada", why="a test call")
    dropped = (await told(rig, call))[-1]
    assert (dropped.what, dropped.by, dropped.why) == ("dropped", "ada", "a test call")


async def test_what_an_operator_did_while_the_contact_was_claimed_is_told(
    rig: Rig, call: Call
) -> None:
    rig.dynamics.script = in_turn(REFUSED)
    await rig.tell(call.begun())
    await rig.run(10)
    (write,) = [one async for one in parked_writes(rig.store)]
    rig.dynamics.slow = lambda _request: 10.0
    await rig.tell(call.answered(), call.record())
    pushing = asyncio.ensure_future(rig.push.transactions.run(call.id))
    await asyncio.sleep(0.001)
    await retry_parked(rig.store, write, rig.clock, by="ada", why="mended")
    await pushing
    await rig.run(60)
    history = await told(rig, call)
    assert words(history).count("retried") == 1
    assert words(history)[:1] == ["parked"]
    assert words(history)[-1] in ("create", "close")


async def test_a_record_that_a_person_deleted_is_told_when_it_is_noticed(
    make_rig: MakeRig, pipeline: Callable[[str], list[Pipeline]], call: Call
) -> None:
    step = """
[[step]]
name = "A"
on = "created"
method = "POST"
entity = "tasks"
on_missing = "ON_MISSING"
body = '{"subject": "{{Agent.Username | default: nobody}}", "category": "{{CustomerEndpoint}}"}'
"""
    for on_missing, expected in (
        ("skip", ["create", "deleted"]),
        ("recreate", ["create", "deleted", "create"]),
        ("park", ["create", "parked"]),
    ):
        rig = make_rig(pipelines=pipeline(step.replace("ON_MISSING", on_missing)))
        await rig.tell(call.begun())
        await rig.run(5)
        ((_, key),) = rig.dynamics.records
        rig.dynamics.delete("tasks", key)
        await rig.tell(call.record())
        await rig.run(5)
        history = await told(rig, call)
        assert words(history) == expected
        assert history[1].status == 404


async def test_a_record_of_somebody_else_that_is_taken_over_is_told(rig: Rig, call: Call) -> None:
    await rig.tell(call.begun())
    await rig.run(5)
    ((_, key),) = rig.dynamics.records
    rig.dynamics.edit("phonecalls", key, category="by hand")
    (entry,) = await rig.store.load([call.id])
    entry.contact = Contact(call.id, entry.contact.facts)  # the state was lost
    await rig.store.save([entry])
    await rig.tell(call.record())
    await rig.run(5)
    history = await told(rig, call)
    assert words(history)[:2] == ["create", "took_over"]
    assert (history[0].status, history[0].why.startswith("POST phonecalls")) == (412, True)


async def test_what_a_crashed_worker_left_is_told_by_who_takes_it_up(rig: Rig, call: Call) -> None:
    rig.dynamics.slow = lambda _request: 30.0
    await rig.tell(call.begun())
    working = asyncio.ensure_future(rig.push.transactions.run(call.id))
    await asyncio.sleep(1)
    working.cancel()
    rig.dynamics.slow = lambda _request: 0.0
    await rig.run(600)
    resumed, create = await told(rig, call)
    assert (resumed.what, create.what) == ("resumed", "create")
    assert resumed.place == create.place
    assert "subject" in resumed.columns


async def test_rounds_that_ended_in_a_bug_of_ours_are_told_once_one_ends_well(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun())
    (entry,) = await rig.store.load([call.id])
    note = FaultNote("our bug: KeyError at worker.x:1", 3, rig.clock.wall() - 60)
    await rig.store.put_back(call.id, entry.version, rig.clock.wall(), note)
    await rig.run(5)
    create, fault = await told(rig, call)
    assert create.what == "create"
    assert (fault.what, fault.why, fault.times) == ("fault", note.what, 3)
    assert 60_000 <= fault.duration_ms < 70_000


@pytest.mark.parametrize("act", [retry_parked, drop_parked])
async def test_who_freed_a_contact_that_a_bug_of_ours_kept_is_told(
    rig: Rig, call: Call, act: Callable[..., Any]
) -> None:
    await rig.tell(call.begun())
    (entry,) = await rig.store.load([call.id])
    note = FaultNote("our bug: KeyError at worker.x:1", 3, rig.clock.wall() - 60, parked=True)
    await rig.store.put_back(call.id, entry.version, None, note)
    (write,) = [one async for one in parked_writes(rig.store)]
    await act(rig.store, write, rig.clock, by="ada", why="a new release")
    (freed,) = await told(rig, call)
    assert freed.what == {retry_parked: "retried", drop_parked: "dropped"}[act]
    assert (freed.by, freed.why, freed.place) == ("ada", "a new release", "")


# --- pages and write-backs ---


class Desktop(MemoryScreenPop):
    """Fails with these errors one after the other."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = [*errors]

    async def open(self, page: Page) -> Shown:
        if self.errors:
            raise self.errors.pop(0)
        return await super().open(page)


async def test_a_page_that_was_delayed_refused_or_only_logged_is_told_with_its_reason(
    make_rig: MakeRig, call: Call
) -> None:
    busy, refused = Busy("it answered Throttling"), ConnectRefused("it answered AccessDenied")
    for desktop, expected in (
        (Desktop(busy), [("open", "not now: it answered Throttling"), ("open", "")]),
        (Desktop(refused), [("gave_up", "it answered AccessDenied")]),
        (LoggedScreenPop(), [("logged", "")]),
    ):
        rig = make_rig(desktop=desktop)
        await asyncio.sleep(12 - rig.clock.wall() % 60)
        at = iso(rig.clock.wall())
        await rig.tell(call.begun(initiationTimestamp=at), call.answered(at))
        await rig.run(20)
        pages = [one for one in await told(rig, call) if one.steps == ("phonecall/STEP3",)]
        assert [(one.what, one.why) for one in pages] == expected


async def test_a_page_that_it_was_too_late_for_is_told_with_its_reason(
    rig: Rig, call: Call
) -> None:
    await asyncio.sleep(300)
    await rig.tell(call.begun(), call.answered(), call.ended())
    await rig.run(5)
    (expired,) = [one for one in await told(rig, call) if one.what == "expired"]
    assert (expired.steps, expired.code) == (("phonecall/STEP3",), "heard_late")
    assert expired.why.endswith("before the worker heard of it")


async def test_attributes_written_back_are_told_by_their_names(
    make_rig: MakeRig, pipeline: Callable[[str], list[Pipeline]], call: Call
) -> None:
    rig = make_rig(
        pipelines=pipeline("""
[[step]]
name = "A"
on = "ended"
method = "POST"
entity = "tasks"
body = '{"subject": "{{ContactId}}"}'
[writeback]
ms_id = "{{ContactId}}"
secret = "x"
""")
    )
    await rig.tell(call.begun(instanceArn="arn:aws:connect:x:1:instance/abc"))
    await rig.run(5)
    (written,) = await told(rig, call)
    assert (written.what, written.columns) == ("write_back", ("ms_id", "secret"))


# --- what it costs, and whom it tells of ---


def without_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.engine.notes.note", lambda *_: None)


async def test_the_history_costs_no_save_more(
    make_rig: MakeRig, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def saves() -> tuple[int, int]:
        rig = make_rig()
        refused = [UNANSWERED, Failure(Forbidden("POST answered 403", status=403)), REFUSED]
        rig.dynamics.script = in_turn(*refused)
        await rig.tell(call.begun())
        await rig.run(60)
        await rig.tell(call.answered(), call.ended(), call.record(), call.recorded())
        await rig.run(60)
        return rig.store.saves, len((await rig.entry(call.id)).contact.history)

    with_it, rows = await saves()
    without_history(monkeypatch)
    assert await saves() == (with_it, 0)
    assert rows > 3


async def test_a_bug_of_the_note_taking_keeps_nothing_from_being_done(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("+15550100200")

    monkeypatch.setattr("worker.engine.notes.note", broken)
    await rig.tell(call.begun(), call.record())
    await rig.run(5)
    assert len(rig.calls) == 1
    assert (await rig.entry(call.id)).due_at is None


async def test_a_key_that_is_no_id_is_left_out_for_it_may_be_a_persons(
    make_rig: MakeRig, pipeline: Callable[[str], list[Pipeline]], call: Call
) -> None:
    rig = make_rig(
        pipelines=pipeline("""
[[step]]
name = "A"
on = "record"
method = "PATCH"
entity = "contacts"
query = "(telephone1='{{CustomerEndpoint}}')"
body = '{"description": "called"}'
""")
    )
    await rig.tell(call.begun(), call.record())
    await rig.run(5)
    history = await told(rig, call)
    assert {one.place for one in history} == {"contacts(…)"}
    assert b"5550100200" not in orjson.dumps((await rig.entry(call.id)).contact.history)


async def test_who_had_a_contact_forgotten_is_told_to_those_that_knew_of_it_without_its_id(
    make_rig: MakeRig, call: Call
) -> None:
    rig, other = make_rig(), Call("00000000-0000-4000-8000-000000000009")
    await rig.tell(call.begun(), other.record(PreviousContactId=call.id))
    assert (await rig.entry(call.id)).contact.facts.keys() > {"event/INITIATED"}
    await erase(rig.store, other.id, rig.clock, by="ada", why="asked to")
    (untold,) = await told(rig, call)
    assert (untold.what, untold.by, untold.why) == ("untold", "ada", "asked to")
    assert other.id not in str(untold)
