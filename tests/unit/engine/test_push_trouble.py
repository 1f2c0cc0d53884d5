"""Push: what Dynamics, the store and desktops can do to it."""

from __future__ import annotations

import asyncio

from collections.abc import Callable

import pytest

from structlog.testing import capture_logs

from pipelines.effect import Effect
from pipelines.outcome import Shown
from pipelines.pipeline import Pipeline
from twins.calls import Call
from twins.dynamics import Failure, in_turn
from twins.rig import Rig
from worker.amazon_connect.protocol import Page, ScreenPopError
from worker.dynamics.budget import REQUESTS_LEFT
from worker.dynamics.errors import (
    DynamicsError,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.dynamics.failure_counter import PROBE_MAX_S
from worker.dynamics.protocol import Request
from worker.dynamics.reasons import GateState, Reason
from worker.engine.ingest import Ingest
from worker.engine.planner import Planner
from worker.engine.reports import Reports
from worker.errors import StoreUnavailable
from worker.operations.parked import parked_writes, retry_parked
from worker.sources.protocol import Message


def always(error: DynamicsError, *, of: str = "") -> Callable[[Request], Failure | None]:
    """Every request whose body says this fails, probes do not."""
    return lambda r: Failure(error) if r.path != "WhoAmI" and of in str(r) else None


# --- 401, 429, outage ---


async def test_after_401_nothing_is_claimed_until_a_probe_succeeds(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    rig.dynamics.script = lambda _request: Failure(Unauthorized("answered 401", status=401))
    first, second = calls(2)
    await rig.tell(first.begun())
    await rig.run(5)
    saves = rig.store.saves
    await rig.tell(second.begun())
    await rig.run(3600)
    assert rig.store.saves == saves + 1  # the second call, told
    assert rig.sent == ["POST"]
    assert not await rig.parked()
    rig.dynamics.script = lambda _request: None
    await rig.run(120)
    assert len(rig.calls) == 2


async def test_throttled_nothing_leaves_before_retry_after(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    times: list[float] = []

    def note(_request: Request) -> Failure | None:
        times.append(rig.clock.monotonic())
        first = len(times) == 1
        return Failure(Throttled("answered 429", retry_after_s=77.0)) if first else None

    rig.dynamics.script = note
    await rig.tell(calls(1)[0].begun())
    await rig.run(10)
    await rig.tell(*[call.begun() for call in calls(5)])
    await rig.run(100)
    assert times[1] >= times[0] + 77.0
    assert len(rig.calls) == 5


@pytest.mark.parametrize("contacts", [1, 30])
async def test_the_store_is_written_no_more_often_however_long_an_outage_lasts(
    rig: Rig, calls: Callable[[int], list[Call]], contacts: int
) -> None:
    rig.dynamics.script = lambda _request: Failure(Unavailable("no answer"))
    await rig.tell(*[call.begun() for call in calls(contacts)])
    await rig.run(120)
    assert rig.gate.breaker.state is GateState.CLOSED
    saves = rig.store.saves
    await rig.run(36_000)
    assert rig.store.saves == saves
    rig.dynamics.script = lambda _request: None
    await rig.run(300)
    assert len(rig.calls) == contacts
    assert not await rig.parked()


async def test_after_hours_without_dynamics_live_contacts_go_first_at_the_allowed_rate(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    """Ingest goes on meanwhile, and each message costs the one save that keeps it."""
    old, new = calls(48)[:24], calls(48)[24:]
    replay = Ingest(rig.store, rank=1, clock=rig.clock)
    rig.dynamics.script = lambda _request: Failure(Unavailable("no answer"))
    bodies = [call.begun(initiationTimestamp="2026-01-02T02:00:00Z") for call in old]
    await replay.handle([Message(body, "archive:1") for body in bodies])
    await rig.run(300)
    saves = rig.store.saves
    for call in new:
        await rig.tell(call.begun())
        await rig.run(600)
    assert rig.store.saves == saves + len(new)

    sent: list[tuple[float, str]] = []

    def note(request: Request) -> None:
        if request.method == "POST" and request.body:
            sent.append((rig.clock.monotonic(), request.body["actualstart"]))

    rig.dynamics.script = note
    rig.gate.slots.budget.observe({REQUESTS_LEFT: "20"})
    await rig.run(300)
    assert [start for _, start in sent] == [
        *["2026-01-02T03:00:00Z"] * len(new),
        *["2026-01-02T02:00:00Z"] * len(old),
    ]
    seconds = sent[-1][0] - sent[0][0]
    assert len(sent) <= seconds * rig.gate.slots.budget.rate + 3
    assert seconds < 60


@pytest.mark.parametrize(
    "refusal",
    [
        Unauthorized("Entra refuses a token AADSTS7000222: …", code="AADSTS7000222"),
        Unauthorized("Entra refuses a token AADSTS7000215: …", code="AADSTS7000215"),
        Unauthorized("answered 403 0x80040225", status=403, code="0x80040225"),
    ],
    ids=["expired", "rotated", "disabled"],
)
async def test_without_a_secret_or_user_ingest_goes_on_and_push_pauses_with_one_alarm(
    rig: Rig, calls: Callable[[int], list[Call]], refusal: Unauthorized
) -> None:
    rig.dynamics.script = lambda _request: Failure(refusal)
    with capture_logs() as lines:
        for call in calls(5):
            await rig.tell(call.begun())
            await rig.run(600)
        (alarm,) = [line for line in lines if line["log_level"] == "error"]
        assert (alarm["event"], alarm["reason"]) == ("dynamics.paused", "unauthorized")
        assert alarm["cause"] == str(refusal)
        assert rig.gate.breaker.reason is Reason.UNAUTHORIZED
        assert not await rig.parked()
        assert (await rig.store.counts(rig.clock.wall())).due == 5
        rig.dynamics.script = lambda _request: None
        await rig.run(PROBE_MAX_S + 5)
    assert len(rig.calls) == 5
    assert lines[-1]["log_level"] != "error" or lines[-1]["event"] == "dynamics.resumed"


TWO_STEPS = """
[[step]]
name = "A"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{ContactId}}"}'
[[step]]
name = "B"
on = "created"
method = "POST"
entity = "tasks"
body = '{"%s": "{{ContactId}}"}'
"""


async def test_what_is_refused_is_parked_alone_and_tried_again_from_the_facts_after_a_mend(
    make_rig: Callable[..., Rig],
    pipeline: Callable[[str], list[Pipeline]],
    calls: Callable[[int], list[Call]],
) -> None:
    """Its other writes go on, and so do other contacts; a mended mapping is rendered anew."""
    rig = make_rig(pipelines=pipeline(TWO_STEPS % "sbject"))
    rig.dynamics.script = always(Refused("answered 400", status=400, code="0x1"), of="sbject")
    one, two = calls(2)
    await rig.tell(one.begun(), two.begun())
    await rig.run(10)
    assert len(rig.calls) == 2
    assert await rig.parked() == [one.id, two.id]
    mended = Planner(pipeline(TWO_STEPS % "subject"), rig.planner.terms, rig.clock)
    (write,) = [w async for w in parked_writes(rig.store) if w.contact_id == one.id]
    await retry_parked(rig.store, write)
    entry = await rig.entry(one.id)
    entry.due_at = rig.clock.wall()  # the command goes by the clock of the machine
    await rig.store.save([entry])
    await rig.run(10, rig.another(planner=mended))
    assert await rig.parked() == [two.id]
    (task,) = [r for (kind, _), r in rig.dynamics.records.items() if kind == "tasks"]
    assert task["subject"] == one.id


async def test_what_is_refused_for_good_is_parked_with_request_and_answer_and_others_go_on(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    first, second = calls(2)
    refusal = Refused("POST phonecalls answered 400", status=400, code="0x1", detail="no")
    rig.dynamics.script = in_turn(Failure(refusal))
    await rig.tell(first.begun())
    await rig.run(10)
    await rig.tell(first.record(), second.begun())
    await rig.run(10)
    assert rig.sent == ["POST", "POST"]
    assert await rig.parked() == [first.id]
    ((parked,),) = [(await rig.entry(first.id)).contact.parked.values()]
    assert parked.answer == "no"
    assert parked.request["body"]["actualstart"] == "2026-01-02T03:00:00Z"
    assert rig.push.transactions.reports.sent.parked == 1


# --- time ---


async def test_a_contact_due_by_time_alone_does_not_wait_for_one_that_hangs(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    hanging, waiting = calls(2)
    rig.dynamics.script = in_turn(Failure(Unavailable("no answer")))
    await rig.tell(waiting.begun())
    await rig.push.transactions.run(waiting.id)  # to be tried again in a few seconds
    rig.dynamics.slow = lambda r: 60.0 if (r.body or {}).get("phonenumber") else 0.0
    await rig.tell(hanging.record())
    async with asyncio.TaskGroup() as group:
        group.create_task(rig.run(10))
        await asyncio.sleep(9)
        assert len(rig.calls) == 1


async def test_stopping_finishes_what_is_in_hand(rig: Rig, call: Call) -> None:
    rig.dynamics.slow = lambda _request: 5.0
    await rig.tell(call.begun())
    await rig.run(1)
    assert len(rig.calls) == 1
    assert (await rig.entry(call.id)).claim == ""


async def test_stopping_does_not_wait_for_a_gate_that_stays_closed(rig: Rig, call: Call) -> None:
    rig.dynamics.script = lambda _request: Failure(Unauthorized("answered 401", status=401))
    await rig.tell(call.begun())
    await rig.run(100)
    assert rig.clock.monotonic() == pytest.approx(100, abs=1)


async def test_draining_ends_when_nothing_is_due_any_more_however_long_that_takes(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    rig.dynamics.script = in_turn(*[Failure(Unavailable("no answer"))] * 30)
    await rig.tell(*[call.record() for call in calls(5)])
    await rig.push.drain(asyncio.Event())
    assert [call["statecode"] for call in rig.calls] == [1] * 5
    assert await rig.store.next_due() is None


@pytest.mark.parametrize("trouble", ["a gate that stays closed", "a wait of minutes"])
async def test_draining_ends_when_asked_to(rig: Rig, call: Call, trouble: str) -> None:
    if trouble == "a gate that stays closed":
        rig.dynamics.script = lambda _request: Failure(Unauthorized("answered 401", status=401))
    agent = {"Username": "a", "ConnectedToAgentTimestamp": "2026-01-02T03:00:10Z"}
    await rig.tell(call.record(Agent=agent))  # closed a quarter of an hour after its end
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(100, stop.set)
    await rig.push.drain(stop)
    assert rig.clock.monotonic() == pytest.approx(100, abs=1)
    assert (await rig.entry(call.id)).due_at is not None


async def test_how_long_a_contact_was_due_is_told_once_dynamics_matches(
    rig: Rig, call: Call
) -> None:
    told: list[float] = []
    rig.dynamics.slow = lambda _request: 3.0
    await rig.tell(call.begun())
    await rig.run(10, rig.another(reports=Reports(latency=told.append)))
    assert told == pytest.approx([3.0])


# --- the store ---


async def test_a_store_that_cannot_be_used_is_asked_again(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.tell(call.begun())
    for name in ("due", "next_due", "load", "save"):
        monkeypatch.setattr(rig.store, name, failing_twice(getattr(rig.store, name)))
    await rig.run(60)
    assert len(rig.calls) == 1
    assert (await rig.entry(call.id)).due_at is None


def failing_twice(call: Callable[..., object]) -> Callable[..., object]:
    left = iter((1, 2))

    async def fail() -> None:
        raise StoreUnavailable("locked")

    return lambda *args: call(*args) if next(left, None) is None else fail()


@pytest.mark.parametrize(("away_s", "sent"), [(200, ["POST"]), (500, ["POST", "POST", "GET"])])
async def test_an_outcome_is_saved_once_the_store_is_back_or_else_found_out_after_the_claim(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch, away_s: float, sent: list[str]
) -> None:
    await rig.tell(call.begun())
    save = rig.store.save

    async def save_claims_only(entries: list[object]) -> object:
        if rig.calls and rig.clock.monotonic() < away_s:
            raise StoreUnavailable("locked")
        return await save(entries)

    monkeypatch.setattr(rig.store, "save", save_claims_only)
    await rig.run(away_s + 400)
    assert rig.sent == sent
    assert (await rig.entry(call.id)).due_at is None
    assert len(rig.calls) == 1


# --- desktops ---


class BrokenDesktop:
    def __init__(self) -> None:
        self.asked = 0
        self.no_page: dict[str, str] = {}

    async def open(self, page: Page) -> Shown:
        self.asked += 1
        raise ScreenPopError(f"{page.contact_id} cannot be told")


async def test_a_desktop_that_fails_never_blocks_a_write_and_is_told_again_while_it_matters(
    make_rig: Callable[..., Rig], call: Call
) -> None:
    broken = BrokenDesktop()
    rig = make_rig(desktop=broken)
    await asyncio.sleep(10)
    await rig.tell(call.begun(), call.answered())
    await rig.run(5)
    assert len(rig.calls) == 1
    await rig.run(200)
    assert 5 < broken.asked < 60
    effect = Effect.read((await rig.entry(call.id)).contact.effects["phonecall/STEP3"])
    assert (effect.state, effect.outcome) == ("expired", "refused")
    assert effect.why == f"Connect did not take it: {call.id} cannot be told"
    assert (await rig.entry(call.id)).due_at is None


async def test_a_record_is_opened_once_for_the_agent_while_the_contact_is_on(
    rig: Rig, call: Call
) -> None:
    await asyncio.sleep(12)
    await rig.tell(call.begun(), call.answered(instanceArn="arn:aws:connect:x:1:instance/abc"))
    await rig.run(5)
    opening = rig.desktop.opened[call.id]
    assert opening.instance_id == "abc"
    assert opening.initial_contact_id == call.id
    assert rig.calls[0]["activityid"] in opening.url
    await rig.tell(call.record())
    await rig.run(5)
    assert rig.push.transactions.reports.sent.shown == 1


async def test_nothing_is_opened_for_an_agent_after_the_contacts_end_or_a_minute(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    ended, old = calls(2)
    await asyncio.sleep(75)
    await rig.tell(ended.answered(at="2026-01-02T03:01:10.000Z"), ended.record(), old.answered())
    await rig.run(5)
    assert not rig.desktop.opened
    assert rig.push.transactions.reports.sent.expired == 2


@pytest.mark.parametrize("why", ["a side leg has none", "its create is parked"])
async def test_a_page_of_a_record_that_is_not_there_is_not_opened(
    rig: Rig, call: Call, why: str
) -> None:
    method = "MONITOR" if why == "a side leg has none" else "INBOUND"
    rig.dynamics.script = always(Refused("answered 400", status=400))
    await asyncio.sleep(12)
    await rig.tell(call.answered(initiationMethod=method))
    await rig.run(5)
    assert not rig.calls
    assert not rig.desktop.opened


# --- plans that would not end ---


PARTIES = """
[[step]]
name = "A"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{ContactId}}"}'
[[step]]
name = "B"
on = "created"
method = "PATCH"
entity = "phonecalls"
query = "({{A-Response.activityid}})"
when = { DisconnectReason = "UNKNOWN" }
body = '{"phonecall_activity_parties": [{"participationtypemask": 1, "addressused": "x"}]}'
"""


async def test_parties_that_are_no_longer_desired_are_emptied_once(
    make_rig: Callable[..., Rig], pipeline: Callable[[str], list[Pipeline]], call: Call
) -> None:
    rig = make_rig(pipelines=pipeline(PARTIES))
    await rig.tell(call.begun(disconnectReason="UNKNOWN"))
    await rig.run(1)
    await rig.tell(call.record())
    await rig.run(1)
    assert rig.sent == ["POST", "PUT"]
