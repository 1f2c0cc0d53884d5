"""Push: records that Dynamics does not answer, and outages, in which it answers none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import Any

import pytest

from pipelines.pipeline import Pipeline
from twins.backlog import p95
from twins.calls import Call
from twins.dynamics import Failure, Script, nothing_fails
from twins.loop import now
from twins.rig import Rig
from worker.dynamics.errors import DynamicsError, Unavailable
from worker.dynamics.protocol import Request
from worker.dynamics.reasons import GateState, Reason
from worker.engine.policy import UNANSWERED_TRIES
from worker.engine.push import Push


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
    assert rig.push.transactions.sent.parked == 1
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


# --- what the three numbers of the issue are ---


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred contacts that fail again and again are more than a rig expects."""
    monkeypatch.setattr("twins.rig.TOO_MANY", 100_000)


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
