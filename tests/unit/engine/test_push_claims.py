"""Push: claims, intents and what becomes of them."""

from __future__ import annotations

import asyncio

from collections.abc import Callable

import pytest

from structlog.testing import capture_logs

from pipelines.contact import UNKNOWN
from pipelines.pipeline import Pipeline
from twins.calls import Call
from twins.dynamics import Failure, in_turn
from twins.rig import Rig
from worker.dynamics.errors import Refused, Unavailable
from worker.dynamics.protocol import Request
from worker.engine.attempts import REQUEST_S
from worker.engine.claims import CLAIM_S
from worker.engine.transaction import SERVER_S
from worker.operations.parked import ParkedWrite, retry_parked


async def test_before_the_first_request_claim_and_intent_are_saved(rig: Rig, call: Call) -> None:
    seen = []

    def look(_request: Request) -> None:
        row = rig.store._rows[call.id]
        seen.append((row.claim, row.claimed_until, row.entry(call.id).contact.intent))

    rig.dynamics.script = look
    await rig.tell(call.begun())
    at = rig.clock.wall()
    await rig.push.transactions.run(call.id)
    ((claim, until, intent),) = seen
    assert claim
    assert until == at + CLAIM_S
    (noted,) = intent.values()
    assert {"", "subject", "actualstart"} <= noted.keys()


async def test_afterwards_claim_and_intent_are_gone_and_nothing_is_owed(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun())
    await rig.run(1)
    entry = await rig.entry(call.id)
    assert (entry.claim, entry.claimed_until, entry.contact.intent) == ("", 0.0, {})
    assert entry.due_at is None
    assert rig.push.transactions.reports.sent.writes == 1


async def test_a_contact_that_is_claimed_is_left_alone(rig: Rig, call: Call) -> None:
    rig.dynamics.slow = lambda _request: 30.0
    await rig.tell(call.begun())
    other = rig.another()
    async with asyncio.TaskGroup() as group:
        group.create_task(rig.push.transactions.run(call.id))
        await asyncio.sleep(1)
        await other.transactions.run(call.id)
        await rig.run(20, other)
    assert rig.sent == ["POST"]


async def test_of_two_workers_that_claim_at_once_one_wins(rig: Rig, call: Call) -> None:
    rig.store.save_s = 0.1
    await rig.tell(call.begun())
    await asyncio.gather(
        rig.push.transactions.run(call.id), rig.another().transactions.run(call.id)
    )
    assert rig.sent == ["POST"]


async def test_a_lapsed_claim_is_taken_over_and_the_late_outcome_is_dropped(
    rig: Rig, call: Call
) -> None:
    rig.dynamics.slow = lambda _request: 0.0 if rig.dynamics.requests else 2 * CLAIM_S
    await rig.tell(call.begun())
    late = asyncio.ensure_future(rig.push.transactions.run(call.id))
    await asyncio.sleep(1)
    rig.dynamics.slow = lambda _request: 0.0
    with capture_logs() as lines:
        await rig.run(CLAIM_S + 10, rig.another())
        entry = await rig.entry(call.id)
        await late
    assert lines[-1]["event"] == "push.superseded"
    assert await rig.entry(call.id) == entry
    assert len(rig.calls) == 1


async def test_what_a_worker_wrote_after_its_claim_had_lapsed_is_written_over(
    rig: Rig, call: Call
) -> None:
    """It was stopped between its last look at the claim and the sending, say."""
    await rig.tell(call.begun())
    await rig.run(20)
    await rig.tell(call.record(Queue={"Name": "Old"}))
    rig.dynamics.slow = lambda _request: 2 * CLAIM_S
    late = asyncio.ensure_future(rig.push.transactions.run(call.id))
    await asyncio.sleep(1)
    rig.dynamics.slow = lambda _request: 0.0
    await rig.tell(call.record(Queue={"Name": "New"}, LastUpdateTimestamp="2026-01-02T03:06:00Z"))
    await rig.run(CLAIM_S + 10, rig.another())
    assert rig.calls[0]["subcategory"] == "New"
    await late
    assert rig.calls[0]["subcategory"] == "Old"
    await rig.run(10, rig.another())
    assert rig.calls[0]["subcategory"] == "New"
    assert len(rig.calls) == 1


async def test_whose_intent_was_not_followed_by_an_outcome_is_read_before_it_is_written(
    rig: Rig, call: Call
) -> None:
    rig.dynamics.script = in_turn(Failure(asyncio.CancelledError(), committed=True))  # type: ignore[arg-type] # the process ends here
    await rig.tell(call.begun())
    with pytest.raises(asyncio.CancelledError):
        await rig.push.transactions.run(call.id)
    await rig.run(CLAIM_S + 1, rig.another())
    assert rig.sent == ["POST", "POST", "GET"]
    assert len(rig.calls) == 1


SLOW_STEPS = "".join(
    f"""
[[step]]
name = "S{n}"
on = "created"
method = "POST"
entity = "tasks"
body = '{{"subject": "{n}"}}'
"""
    for n in range(12)
)


@pytest.fixture
def many_writes(make_rig: Callable[..., Rig], pipeline: Callable[[str], list[Pipeline]]) -> Rig:
    return make_rig(pipelines=pipeline(SLOW_STEPS))


async def test_no_request_leaves_later_than_its_claim_safely_allows(
    many_writes: Rig, call: Call
) -> None:
    rig = many_writes
    left: list[float] = []

    def leave(_request: Request) -> None:
        left.append(rig.store._rows[call.id].claimed_until - (rig.clock.wall() - 50.0))

    rig.dynamics.slow = lambda _request: 50.0
    rig.dynamics.script = leave
    await rig.tell(call.begun())
    await rig.run(700)
    assert len(left) == 12
    assert min(left) >= SERVER_S + REQUEST_S
    assert len(rig.dynamics.records) == 12


async def test_the_time_it_takes_to_save_a_claim_counts(rig: Rig, call: Call) -> None:
    left: list[float] = []

    def leave(_request: Request) -> None:
        left.append(rig.store._rows[call.id].claimed_until - rig.clock.wall())

    rig.dynamics.script = leave
    await rig.tell(call.begun())
    rig.store.save_s = 200.0
    await rig.push.transactions.run(call.id)
    assert all(seconds >= SERVER_S + REQUEST_S for seconds in left)


async def test_facts_that_come_meanwhile_are_kept_and_told_next(rig: Rig, call: Call) -> None:
    rig.dynamics.slow = lambda _request: 10.0
    await rig.tell(call.begun())
    pushing = asyncio.ensure_future(rig.push.transactions.run(call.id))
    await asyncio.sleep(5)
    await rig.tell(call.record())
    assert (await rig.entry(call.id)).claimed_until > rig.clock.wall()  # never shortened
    await pushing
    entry = await rig.entry(call.id)
    assert entry.contact.record is not None
    assert entry.due_at == rig.clock.wall()
    ((record,),) = [entry.contact.ledger.values()]
    assert UNKNOWN not in record.columns.values()
    await rig.run(60)
    assert rig.calls[0]["phonenumber"] == "+15550100200"
    assert rig.sent[:2] == ["POST", "PATCH"]


async def test_a_lost_answer_makes_the_columns_unknown_and_they_are_sent_again(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun())
    await rig.run(1)
    rig.dynamics.script = in_turn(Failure(Unavailable("reset"), committed=True))
    await rig.tell(call.event("DISCONNECTED", disconnectTimestamp="2026-01-02T03:04:05.000Z"))
    await rig.push.transactions.run(call.id)
    ((record,),) = [(await rig.entry(call.id)).contact.ledger.values()]
    assert record.columns["actualend"] == UNKNOWN
    await rig.run(10)
    ((record,),) = [(await rig.entry(call.id)).contact.ledger.values()]
    assert UNKNOWN not in record.columns.values()
    first, second = rig.dynamics.requests[1:]
    assert first == second


async def test_an_operators_retry_during_a_claim_is_not_lost(
    make_rig: Callable[..., Rig], pipeline: Callable[[str], list[Pipeline]], call: Call
) -> None:
    two = """
[[step]]
name = "A"
on = "created"
method = "POST"
entity = "tasks"
body = '{"subject": "{{ContactId}}"}'
[[step]]
name = "B"
on = "record"
method = "POST"
entity = "appointments"
body = '{"subject": "{{ContactId}}"}'
"""
    rig = make_rig(pipelines=pipeline(two))
    rig.dynamics.script = in_turn(Failure(Refused("POST tasks answered 400", status=400)))
    await rig.tell(call.begun())
    await rig.run(1)
    ((place, parked),) = (await rig.entry(call.id)).contact.parked.items()
    rig.dynamics.slow = lambda _request: 10.0
    await rig.tell(call.record())
    pushing = asyncio.ensure_future(rig.push.transactions.run(call.id))
    await asyncio.sleep(5)
    await retry_parked(rig.store, ParkedWrite(call.id, place, parked))
    await pushing
    await rig.run(60)
    assert not await rig.parked()


async def test_a_contact_too_large_to_be_claimed_does_not_spin(
    make_rig: Callable[..., Rig], call: Call
) -> None:
    probe = make_rig()
    await probe.tell(call.begun())
    rig = make_rig(limit_bytes=len(probe.store._rows[call.id].data) + 20)
    await rig.tell(call.begun())
    before = rig.store.saves
    await rig.run(60)
    assert rig.store.saves - before < 60
