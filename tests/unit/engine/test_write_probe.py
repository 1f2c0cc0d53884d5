"""The probe of writes: what is sent again, when nothing, and what its outcome says."""

from __future__ import annotations

import asyncio

from collections.abc import Callable

import pytest

from pipelines.action import Change, Verb
from twins.calls import Call
from twins.dynamics import PERSON_ID, Failure, Script
from twins.rig import Rig
from worker.dynamics.errors import (
    Busy,
    DynamicsError,
    Forbidden,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.dynamics.reasons import GateState, Reason
from worker.engine.write_probe import (
    GOOD_FOR_S,
    MOST_REMEMBERED,
    RECALL_EVERY_S,
    WriteProbe,
)


@pytest.fixture
def probe(rig: Rig) -> WriteProbe:
    return rig.push.transactions.write_probe


def patches(error: DynamicsError) -> Script:
    return lambda r: Failure(error) if r.method == "PATCH" else None


async def write(rig: Rig, call: Call) -> str:
    """Have a call written; its key."""
    await rig.tell(call.begun())
    await rig.push.transactions.run(call.id)
    rig.dynamics.requests.clear()
    return next(key for (_, key), _ in rig.dynamics.records.items())


async def test_the_last_change_is_sent_again_as_it_is_now_if_nobody_has_changed_it_since(
    rig: Rig, call: Call, probe: WriteProbe
) -> None:
    key = await write(rig, call)
    before = rig.dynamics.records["phonecalls", key]
    assert await probe.is_answered()
    read, written = rig.dynamics.requests
    assert (read.method, written.method) == ("GET", "PATCH")
    assert written.headers["If-Match"].startswith('W/"')
    assert len(written.body or {}) == 1
    assert rig.dynamics.records["phonecalls", key] == before


async def test_what_a_person_changed_last_is_left_alone(
    rig: Rig, call: Call, probe: WriteProbe
) -> None:
    key = await write(rig, call)
    rig.dynamics.edit("phonecalls", key, subject="by hand")
    assert not await probe.is_answered()
    assert [r.method for r in rig.dynamics.requests] == ["GET"]
    assert not probe.ready, "there is no other record"
    assert rig.gate.breaker.state is GateState.OPEN, "that says nothing of Dynamics"


async def test_an_edit_between_reading_and_writing_is_not_overwritten_and_is_an_answer(
    rig: Rig, call: Call, probe: WriteProbe
) -> None:
    key = await write(rig, call)

    def script(request: object) -> None:
        if getattr(request, "method", "") == "PATCH":
            rig.dynamics.edit("phonecalls", key, description="by hand")

    rig.dynamics.script = script
    assert await probe.is_answered()
    assert rig.dynamics.records["phonecalls", key]["description"] == "by hand"
    assert rig.dynamics.records["phonecalls", key]["_modifiedby_value"] == PERSON_ID


async def test_a_record_that_is_gone_is_not_made_again(
    rig: Rig, call: Call, probe: WriteProbe
) -> None:
    rig.dynamics.delete("phonecalls", await write(rig, call))
    assert not await probe.is_answered()
    assert not rig.calls


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Refused("answered 400", status=400), Reason.NONE),
        (Unavailable("answered 503", status=503), Reason.OUTAGE),
        (Unavailable("no answer"), Reason.OUTAGE),
        (Forbidden("answered 403", status=403), Reason.NONE),
        (Unauthorized("answered 401", status=401), Reason.UNAUTHORIZED),
        (Throttled("answered 429", retry_after_s=9.0), Reason.THROTTLED),
        (Busy("answered 429", retry_after_s=9.0), Reason.NONE),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_only_a_definitive_answer_says_that_writes_are_answered(
    rig: Rig, call: Call, probe: WriteProbe, error: DynamicsError, reason: Reason
) -> None:
    answered = isinstance(error, Refused)
    await write(rig, call)
    mark = rig.gate.breaker.witness.count
    rig.dynamics.script = patches(error)
    assert await probe.is_answered() is answered
    assert rig.gate.breaker.reason is reason
    assert rig.gate.breaker.witness.others_since(mark, "phonecalls(x)", writes=True) is answered


async def test_a_record_that_may_not_be_written_any_more_is_left_and_another_one_asked(
    rig: Rig, calls: Callable[[int], list[Call]], probe: WriteProbe
) -> None:
    keys = [await write(rig, call) for call in calls(2)]
    forbidden = Failure(Forbidden("answered 403", status=403))
    rig.dynamics.script = lambda r: forbidden if keys[-1] in r.path else None
    for _ in range(3):
        assert await probe.is_answered()
        rig.gate.breaker.reason = Reason.OUTAGE  # on trial, so that it is asked anew
    refused = [r for r in rig.dynamics.requests if keys[-1] in r.path]
    assert len(refused) <= 1


async def test_when_all_that_is_remembered_is_lost_the_state_is_searched_for_more(
    rig: Rig, calls: Callable[[int], list[Call]], probe: WriteProbe
) -> None:
    some = calls(MOST_REMEMBERED + 3)
    for call in some:
        await write(rig, call)
    oldest = next(iter(rig.dynamics.records))[1]
    rig.dynamics.script = lambda r: (
        Failure(Unavailable("answered 500", status=500))
        if r.method == "PATCH" and oldest not in r.path
        else None
    )
    for _ in range(2 * MOST_REMEMBERED):
        if await probe.is_answered():
            break
        rig.gate.breaker.open_with_others()
        await asyncio.sleep(RECALL_EVERY_S)
    assert oldest in rig.dynamics.requests[-1].path


async def test_one_record_that_gets_no_answer_is_no_outage_if_another_one_does(
    rig: Rig, calls: Callable[[int], list[Call]], probe: WriteProbe
) -> None:
    for call in calls(2):
        await write(rig, call)
    left = iter([Failure(Unavailable("answered 500", status=500))])
    rig.dynamics.script = lambda r: next(left, None) if r.method == "PATCH" else None
    assert await probe.is_answered()
    assert rig.gate.breaker.state is GateState.OPEN


async def test_an_answer_stands_for_a_moment(rig: Rig, call: Call, probe: WriteProbe) -> None:
    await write(rig, call)
    for _ in range(3):
        assert await probe.is_answered()
    assert len(rig.dynamics.requests) == 2
    await rig.clock.sleep(GOOD_FOR_S)
    assert await probe.is_answered()
    assert len(rig.dynamics.requests) == 4


async def test_with_the_setting_off_nothing_is_ever_sent_again(rig: Rig, call: Call) -> None:
    push = rig.another(probe_writes=False)
    await rig.tell(call.begun())
    await push.transactions.run(call.id)
    assert not push.transactions.write_probe.ready
    assert not await push.transactions.write_probe.is_answered()


def change(number: int, verb: Verb, **columns: object) -> Change:
    return Change(verb, ("p/s",), f"phonecalls({number})", columns)


def test_few_records_are_remembered_and_none_of_which_nothing_plain_was_written(
    probe: WriteProbe,
) -> None:
    parties: dict[str, object] = {"phonecall_activity_parties": [], "a@odata.bind": "/contacts(1)"}
    probe.acknowledged(change(0, Verb.UPDATE, **parties))
    probe.acknowledged(change(0, Verb.CLOSE, statecode=1, statuscode=2))
    probe.acknowledged(change(0, Verb.CREATE, overriddencreatedon="2026-01-02T03:00:00Z"))
    probe.acknowledged(change(0, Verb.NOTE, subject="x"))
    assert not probe.ready
    for number in range(MOST_REMEMBERED + 5):
        probe.acknowledged(change(number, Verb.CREATE, subject="x"))
    assert len(probe._acknowledged) == MOST_REMEMBERED


async def test_a_worker_that_has_written_nothing_itself_sends_what_others_have_written(
    rig: Rig, call: Call
) -> None:
    await write(rig, call)
    restarted = rig.another().transactions.write_probe
    assert restarted.worth_asking
    assert not restarted.ready
    assert await restarted.is_answered()
    assert [r.method for r in rig.dynamics.requests] == ["GET", "PATCH"]


async def test_without_any_record_in_the_state_the_state_is_asked_once_in_a_while(
    rig: Rig, probe: WriteProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    ids = rig.store.ids

    async def noted(after: str, limit: int) -> list[str]:
        asked.append(limit)
        return await ids(after, limit)

    monkeypatch.setattr(rig.store, "ids", noted)
    for _ in range(3):
        assert not await probe.is_answered()
    assert len(asked) == 1
    assert not probe.worth_asking
