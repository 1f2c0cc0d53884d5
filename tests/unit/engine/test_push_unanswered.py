"""Push: records that Dynamics does not answer, and outages, in which it answers none."""

from __future__ import annotations

import asyncio

from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from structlog.testing import capture_logs

from pipelines.identity import record_id
from pipelines.pipeline import Pipeline
from twins.backlog import p95
from twins.calls import Call
from twins.dynamics import Failure, Script, nothing_fails
from twins.loop import now
from twins.rig import CountingStore, Rig
from worker.dynamics.errors import Busy, DynamicsError, Throttled, Unavailable
from worker.dynamics.protocol import Request
from worker.dynamics.reasons import GateState, Reason
from worker.engine.ingest import Ingest
from worker.engine.policy import UNANSWERED_TRIES
from worker.engine.push import Push
from worker.engine.stall import REFUSED_S
from worker.sources.protocol import Message


HOUR_S = 3600.0

#: What a plug-in's exception looks like.
AT_FAULT = Unavailable(
    "POST phonecalls answered 500 0x80040265", status=500, code="0x80040265", detail="ISV code"
)

NAMED = """
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{ContactId}}"}'
"""


def poisoned(*ids: str, error: DynamicsError = AT_FAULT) -> Script:
    """Writes that name one of these contacts get this error, whatever else they say."""
    names = set(ids)
    return lambda r: Failure(error) if (r.body or {}).get("subject") in names else None


def writes_fail(error: DynamicsError = AT_FAULT) -> Script:
    """All writes fail, reads and probes are fine."""
    return lambda r: Failure(error) if r.method != "GET" else None


@pytest.fixture
def rig(make_rig: Callable[..., Rig], pipeline: Callable[[str], list[Pipeline]]) -> Rig:
    return make_rig(pipelines=pipeline(NAMED))


@pytest.fixture
def replay(rig: Rig) -> Push:
    """A worker that has to end."""
    rig.planner.waits_over = True
    return rig.another()


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred contacts that fail again and again are more than a rig expects."""
    monkeypatch.setattr("twins.rig.TOO_MANY", 100_000)


def asked_for(rig: Rig, call: Call) -> list[Request]:
    return [r for r in rig.dynamics.requests if (r.body or {}).get("subject") == call.id]


async def parked(rig: Rig, call: Call) -> Any:
    (entry,) = (await rig.entry(call.id)).contact.parked.values()
    return entry


# --- one record ---


async def test_a_record_without_an_answer_is_parked_with_what_was_answered_and_others_go_on(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    bad, *others = calls(8)
    rig.dynamics.script = poisoned(bad.id)
    await rig.tell(*[call.begun() for call in (bad, *others)])
    await rig.run(HOUR_S)
    assert len(rig.calls) == 7
    assert await rig.parked() == [bad.id]
    entry = await parked(rig, bad)
    assert (entry.status, entry.code, entry.answer) == (500, "0x80040265", "ISV code")
    assert len(asked_for(rig, bad)) == UNANSWERED_TRIES + 1
    assert rig.push.transactions.reports.sent.parked == 1
    assert rig.gate.breaker.state is GateState.OPEN


async def test_a_replay_with_one_record_without_an_answer_ends_within_a_minute(
    rig: Rig, replay: Push, calls: Callable[[int], list[Call]]
) -> None:
    bad, *others = calls(8)
    rig.dynamics.script = poisoned(bad.id)
    await rig.tell(*[call.begun() for call in (bad, *others)])
    await replay.drain()
    assert len(rig.calls) == 7
    assert await rig.parked() == [bad.id]
    assert now() < 60


async def test_records_of_earlier_runs_are_enough_to_tell_whose_fault_it_is(
    rig: Rig, replay: Push, calls: Callable[[int], list[Call]]
) -> None:
    bad, *others = calls(8)
    await rig.tell(*[call.begun() for call in others])
    await replay.drain()
    rig.store, rig.dynamics.script = CountingStore(), poisoned(bad.id)
    again = Ingest(rig.store, rank=1, clock=rig.clock)
    bodies = [call.begun() for call in (bad, *others)]
    await again.handle([Message(body, "memory:1") for body in bodies])
    before = now()
    await rig.another().drain()
    assert await rig.parked() == [bad.id]
    assert now() - before < 60


async def test_what_gets_no_answer_at_all_is_parked_with_words_that_say_it(
    rig: Rig, replay: Push, calls: Callable[[int], list[Call]]
) -> None:
    bad, other = calls(2)
    rig.dynamics.script = poisoned(bad.id, error=Unavailable("POST phonecalls got no answer"))
    await rig.tell(other.begun(), bad.begun())
    await replay.drain()
    entry = await parked(rig, bad)
    assert (entry.status, entry.answer) == (None, "POST phonecalls got no answer")
    assert entry.unanswered


async def test_tries_are_kept_with_the_contact_when_the_worker_is_another_one(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    bad, *others = calls(20)
    rig.dynamics.script = poisoned(bad.id)
    await rig.tell(bad.begun())
    for other in others:
        await rig.tell(other.begun())
        await rig.run(180, rig.another())
    assert await rig.parked() == [bad.id]
    assert len(asked_for(rig, bad)) < 20 * 5


TWO_RECORDS = """
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{ContactId}}"}'
[[step]]
name = "MORE"
on = "ended"
method = "PATCH"
entity = "phonecalls"
query = "({{CALL-Response.activityid}})"
body = '{"description": "over"}'
[[step]]
name = "TASK"
on = "created"
method = "POST"
entity = "tasks"
body = '{"description": "for {{ContactId}}"}'
[[step]]
name = "ENDED"
on = "ended"
method = "POST"
entity = "letters"
body = '{"description": "of {{ContactId}}"}'
"""


async def test_the_contact_s_other_records_and_its_later_work_do_not_wait_for_one_that_fails(
    make_rig: Callable[..., Rig],
    pipeline: Callable[[str], list[Pipeline]],
    calls: Callable[[int], list[Call]],
) -> None:
    rig = make_rig(pipelines=pipeline(TWO_RECORDS.replace("letters", "emails")))
    bad, *others = calls(3)
    rig.dynamics.script = poisoned(bad.id)
    await rig.tell(bad.begun(), others[0].begun())
    await rig.run(8)
    of_bad = {kind for (kind, _), r in rig.dynamics.records.items() if bad.id in str(r)}
    assert of_bad == {"tasks"}
    asked = len(asked_for(rig, bad))
    await rig.tell(bad.record())
    await rig.run(1)
    of_bad = {kind for (kind, _), r in rig.dynamics.records.items() if bad.id in str(r)}
    assert of_bad == {"tasks", "emails"}
    assert len(asked_for(rig, bad)) == asked, "news do not shorten its pauses"
    rig.dynamics.script = nothing_fails
    await rig.run(60)
    assert {call["description"] for call in rig.calls if call["subject"] == bad.id} == {"over"}
    assert (await rig.entry(bad.id)).contact.failures == {}


LOOKED_UP = """
[[step]]
name = "WHO"
on = "created"
method = "GET"
entity = "contacts"
query = "?$filter=telephone1 eq '{{ContactId}}'"
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{ContactId}}", "description": "{{WHO-Response.LookupStatus}}"}'
"""


async def test_a_question_that_is_never_answered_is_parked_and_the_rest_written(
    make_rig: Callable[..., Rig],
    pipeline: Callable[[str], list[Pipeline]],
    calls: Callable[[int], list[Call]],
) -> None:
    rig = make_rig(pipelines=pipeline(LOOKED_UP))
    bad, *others = calls(8)
    rig.dynamics.script = lambda r: (
        Failure(AT_FAULT) if r.method == "GET" and bad.id in r.path else None
    )
    await rig.tell(*[call.record() for call in (bad, *others)])
    await rig.run(HOUR_S)
    assert len(rig.calls) == 8
    assert list((await rig.entry(bad.id)).contact.parked) == ["p/WHO"]


async def test_a_new_record_is_what_is_tried_on_trial_and_not_one_that_has_failed(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    *old, new = calls(9)
    rig.dynamics.script = writes_fail()
    await rig.tell(*[call.begun() for call in old])
    await rig.run(60)
    assert rig.gate.breaker.reason is Reason.OUTAGE
    asked = len(rig.dynamics.requests)
    await rig.tell(new.begun())
    rig.dynamics.script = nothing_fails
    await rig.run(120)
    assert len(rig.calls) == 9
    first = next(r for r in rig.dynamics.requests[asked:] if r.method == "POST")
    assert (first.body or {})["subject"] == new.id


async def test_if_the_record_that_is_probed_is_the_one_that_fails_those_that_wait_are_tried_in_turn(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    written, *waiting = calls(4)
    await rig.tell(written.begun())
    await rig.run(10)
    key = record_id(written.id, "p", "CALL")
    rig.dynamics.script = writes_fail()
    await rig.tell(*[call.begun() for call in waiting])
    await rig.run(HOUR_S)
    assert len(rig.calls) == 1
    rig.dynamics.script = lambda r: (
        Failure(AT_FAULT) if r.method != "GET" and key in r.path else None
    )
    await rig.run(600)
    assert len(rig.calls) == 4
    assert rig.gate.breaker.reason is Reason.NONE


# --- 429 ---


async def test_a_429_of_one_record_closes_the_gate_for_nobody_and_its_wait_is_its_own(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    bad, *others = calls(8)
    at: list[float] = []

    def script(request: Request) -> Failure | None:
        if (request.body or {}).get("subject") != bad.id:
            return None
        at.append(now())
        return Failure(Busy("POST phonecalls answered 429", retry_after_s=100.0, detail="later"))

    rig.dynamics.script = script
    await rig.tell(*[call.begun() for call in (bad, *others)])
    with capture_logs() as lines:
        await rig.run(HOUR_S)
    assert not [line for line in lines if line["event"] == "dynamics.paused"]
    assert all(later - sooner >= 100 for sooner, later in pairwise(at))
    assert (await parked(rig, bad)).status == 429
    assert len(rig.calls) == 7


async def test_a_record_that_service_protection_refuses_again_and_again_is_parked_alone(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    bad, *others = calls(40)
    limit = Throttled("POST phonecalls answered 429", retry_after_s=5.0, code="0x80072321")
    rig.dynamics.script = poisoned(bad.id, error=limit)
    with capture_logs() as lines:
        await rig.tell(bad.begun())
        for other in others:
            await rig.tell(other.begun())
            await rig.run(2)
        await rig.run(HOUR_S)
    closed = [line for line in lines if line["event"] == "dynamics.paused"]
    assert {line["reason"] for line in closed} == {"throttled"}
    assert len(closed) <= 6, "once it is known to be its own, it pauses nobody"
    assert (await parked(rig, bad)).code == "0x80072321"
    assert len(rig.calls) == 39


async def test_a_record_that_service_protection_alone_refuses_is_parked_with_nothing_else_left(
    rig: Rig, replay: Push, calls: Callable[[int], list[Call]]
) -> None:
    good, bad = calls(2)
    limit = Throttled("POST phonecalls answered 429", retry_after_s=5.0, code="0x80072321")
    rig.dynamics.script = poisoned(bad.id, error=limit)
    await rig.tell(good.begun(), bad.begun())
    await replay.drain()
    assert await rig.parked() == [bad.id]
    assert now() < 300


# --- after an outage ---


async def outage(rig: Rig, calls: list[Call], afterwards_s: float = 200) -> None:
    """Writes are not answered for a while; these calls are due meanwhile."""
    quiet = rig.dynamics.script
    rig.dynamics.script = writes_fail()
    await rig.tell(*[call.begun() for call in calls])
    await rig.run(120)
    assert rig.gate.breaker.reason is Reason.OUTAGE
    rig.dynamics.script = quiet
    await rig.run(afterwards_s)
    assert rig.gate.breaker.state is GateState.OPEN
    assert not rig.gate.breaker.on_trial


async def test_what_was_parked_without_an_answer_is_tried_once_more_after_an_outage(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    bad, good, *others = calls(20)
    rig.dynamics.script = poisoned(bad.id, good.id)
    await rig.tell(*[call.begun() for call in (bad, good, *others[:8])])
    await rig.run(HOUR_S)
    assert await rig.parked() == [bad.id, good.id]
    rig.dynamics.script = poisoned(bad.id)  # the other one's trouble was the outage's beginning
    asked = len(asked_for(rig, bad))
    await rig.run(HOUR_S)
    assert len(asked_for(rig, bad)) == asked, "nothing has changed yet"
    await outage(rig, others[8:])
    assert [call for call in rig.calls if call["subject"] == good.id]
    await rig.run(2 * HOUR_S)
    assert await rig.parked() == [bad.id]
    assert len(asked_for(rig, bad)) <= asked + UNANSWERED_TRIES + 1


@pytest.mark.usefixtures("roomy")
async def test_after_an_outage_all_are_tried_once_more_a_few_at_a_time_while_some_are_not_answered(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    every = calls(70)
    bad, after = every[:30], every[50:]
    rig.dynamics.script = poisoned(*[call.id for call in bad])
    await rig.tell(*[call.begun() for call in every[:50]])
    await rig.run(2 * HOUR_S)
    assert len(await rig.parked()) == 30
    asked = len(rig.dynamics.requests)
    await outage(rig, after, HOUR_S)
    since = [r for r in rig.dynamics.requests[asked:] if r.method == "POST"]
    tried = dict.fromkeys(str((r.body or {}).get("subject")) for r in since)
    wrong = [subject for subject in tried if subject in {call.id for call in bad}]
    assert sorted(wrong) == sorted(call.id for call in bad)
    assert len(await rig.parked()) == 30
    rig.dynamics.script = nothing_fails
    await outage(rig, calls(90)[70:])
    await rig.run(HOUR_S)
    assert await rig.parked() == []
    assert len(rig.calls) == 90


# --- nothing says whose fault it is ---


async def test_without_the_probe_a_worker_goes_on_trying_ever_more_rarely_and_parks_nothing(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    bad, *others = calls(4)
    rig.dynamics.script = poisoned(bad.id)
    await rig.tell(*[call.begun() for call in (*others, bad)])
    await rig.run(4 * HOUR_S, rig.another(probe_writes=False))
    assert await rig.parked() == []
    assert [r.method for r in rig.dynamics.requests].count("PATCH") == 0
    assert 10 < len(asked_for(rig, bad)) < 60


async def test_without_the_probe_a_replay_ends_and_leaves_what_it_could_not_finish_due(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    bad, *others = calls(4)
    rig.planner.waits_over = True
    rig.dynamics.script = poisoned(bad.id)
    await rig.tell(*[call.begun() for call in (*others, bad)])
    with capture_logs() as lines:
        await rig.another(probe_writes=False).drain()
    assert now() < REFUSED_S + 60
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["push.given_up"]
    assert await rig.parked() == []
    assert (await rig.store.counts(rig.clock.wall() + HOUR_S)).due == 1
    assert len(rig.calls) == 3


async def test_a_replay_waits_for_the_end_of_an_outage(
    rig: Rig, replay: Push, calls: Callable[[int], list[Call]]
) -> None:
    rig.dynamics.script = lambda _request: Failure(AT_FAULT)
    asyncio.get_running_loop().call_later(HOUR_S, setattr, rig.dynamics, "script", nothing_fails)
    await rig.tell(*[call.begun() for call in calls(20)])
    await replay.drain()
    assert len(rig.calls) == 20


# --- what the three numbers of the issue are ---


@pytest.mark.usefixtures("roomy")
@pytest.mark.parametrize("acknowledged", [1, 0])
async def test_two_hundred_records_without_an_answer_and_nothing_else_come_to_an_end(
    rig: Rig, replay: Push, calls: Callable[[int], list[Call]], acknowledged: int
) -> None:
    every = calls(200 + acknowledged)
    bad = every[acknowledged:]
    rig.dynamics.script = poisoned(*[call.id for call in bad])
    await rig.tell(*[call.begun() for call in every])
    await replay.drain()
    left = (await rig.store.counts(rig.clock.wall() + HOUR_S)).due
    assert now() < 600
    if acknowledged:
        assert (len(await rig.parked()), left) == (200, 0)
    else:
        assert (len(await rig.parked()), left) == (0, 200), "nothing says whose fault it is"


@pytest.mark.usefixtures("roomy")
async def test_an_hour_in_which_no_write_is_answered_parks_none_of_ten_thousand(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    every = calls(10_000)
    rig.dynamics.script = writes_fail()
    for start in range(0, 10_000, 500):
        if start == 500:  # the first ones are written before
            rig.dynamics.script = nothing_fails
            await rig.run(10)
            rig.dynamics.script = writes_fail()
        await rig.tell(*[call.begun() for call in every[start : start + 500]])
    saves, requests = rig.store.saves, len(rig.dynamics.requests)
    await rig.run(HOUR_S)
    assert await rig.parked() == []
    assert len(rig.calls) == 500
    assert rig.gate.breaker.reason is Reason.OUTAGE
    assert rig.store.saves - saves < 500
    assert len(rig.dynamics.requests) - requests < 500
    rig.dynamics.script = nothing_fails
    await rig.run(HOUR_S)
    assert await rig.parked() == []
    assert len(rig.calls) == 10_000


async def until_written(rig: Rig, calls: list[Call], bad: Collection[int]) -> list[float]:
    """How long (s) each of these took that can be written."""
    written: dict[str, float] = {}
    fail = poisoned(*[calls[number].id for number in bad])

    def script(request: Request) -> Failure | None:
        failure = fail(request)
        if failure is None and request.method == "POST" and request.body:
            written[request.body["subject"]] = now()
        return failure

    rig.dynamics.script, rig.dynamics.slow = script, lambda _request: 0.2
    await rig.tell(*[call.begun() for call in calls])
    began = now()
    await rig.run(120)
    return [written[call.id] - began for n, call in enumerate(calls) if n not in bad]


@pytest.mark.usefixtures("roomy")
@pytest.mark.parametrize(
    "bad", [range(0, 200, 7), Random(1).sample(range(200), 30)], ids=["every seventh", "at random"]
)
async def test_thirty_of_two_hundred_without_an_answer_do_not_slow_the_others(
    make_rig: Callable[..., Rig],
    pipeline: Callable[[str], list[Pipeline]],
    calls: Callable[[int], list[Call]],
    bad: Sequence[int],
) -> None:
    without, with_them = [
        await until_written(make_rig(pipelines=pipeline(NAMED)), calls(200), some)
        for some in (range(0), bad)
    ]
    assert p95(with_them) <= 1.2 * p95(without)
