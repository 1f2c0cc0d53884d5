"""I11: a worker pushes nothing from a state that is another organization's."""

from __future__ import annotations

import asyncio

from twins.calls import Call, calls
from twins.organizations import Organization
from twins.rig import Rig
from worker.dynamics.binding import NAME, Bound, read
from worker.dynamics.errors import Unavailable
from worker.dynamics.reasons import GateState, Reason
from worker.operations.rebinding import rebind


async def whole(rig: Rig, call: Call) -> None:
    await rig.tell(call.begun(), call.answered(), call.ended(), call.record())


async def kept(rig: Rig, call: Call) -> bytes:
    return (await rig.entry(call.id)).contact.to_bytes()


async def test_i11_a_worker_pointed_at_another_organization_writes_nothing_and_says_why() -> None:
    rig, (before, new) = Rig(), calls(2)
    first, second = Organization(), Organization()
    await whole(rig, before)
    await rig.run(5, first.worker(rig))
    assert len(rig.calls) == 1
    told = await kept(rig, before)
    await whole(rig, new)
    await rig.run(600, second.worker(rig))
    assert {request.path for request in second.dynamics.requests} == {"WhoAmI"}
    assert rig.gate.breaker.state is GateState.CLOSED
    assert rig.gate.reasons == {Reason.ORGANIZATION}
    assert await second.dynamics.organization_id() in rig.gate.breaker.cause
    assert await kept(rig, before) == told
    entry = await rig.entry(new.id)
    assert entry.due_at is not None
    assert not entry.claim


async def test_a_worker_of_a_state_that_is_anothers_says_so_before_anything_comes_due() -> None:
    rig, first, second = Rig(), Organization(), Organization()
    await whole(rig, Call())
    await rig.run(5, first.worker(rig))
    await rig.run(5, second.worker(rig))
    assert rig.gate.reasons == {Reason.ORGANIZATION}


async def test_a_worker_without_work_binds_its_state_to_nothing() -> None:
    rig, first = Rig(), Organization()
    await rig.run(5, first.worker(rig))
    assert read(await rig.store.recall(NAME)) == Bound()


async def test_a_refused_worker_goes_on_by_itself_once_the_state_was_given_up() -> None:
    rig, first, second = Rig(), Organization(), Organization()
    before, new = calls(2)
    await whole(rig, before)
    await rig.run(5, first.worker(rig))
    await whole(rig, new)

    running = asyncio.create_task(rig.run(600, second.worker(rig)))
    await asyncio.sleep(300)
    assert rig.calls == []
    await rebind(rig.store, rig.clock)
    await running
    assert rig.gate.reasons == set()
    assert len(rig.calls) == 1, "the call that waited; the other one is the first organization's"
    assert read(await rig.store.recall(NAME)).organization == await second.id()


async def test_while_dynamics_does_not_say_who_it_is_messages_are_taken_in_and_wait() -> None:
    rig, first = Rig(), Organization()
    first.trouble = Unavailable("GET WhoAmI got no answer")
    push = first.worker(rig)
    running = asyncio.create_task(rig.run(60, push))
    await asyncio.sleep(10)
    await whole(rig, Call())
    await asyncio.sleep(10)
    assert (await rig.entry(Call().id)).due_at is not None
    assert first.dynamics.requests == []
    first.trouble = None
    await running
    assert len(rig.calls) == 1
    assert read(await rig.store.recall(NAME)).organization == await first.id()


async def test_another_organization_that_answers_after_an_outage_gets_nothing() -> None:
    """It was restored or copied over while nothing could be sent."""
    rig, first, second = Rig(), Organization(), Organization()
    await whole(rig, Call())
    running = asyncio.create_task(rig.run(600, first.worker(rig)))
    await asyncio.sleep(5)
    rig.gate.breaker.write_lost(Unavailable("no answer"))
    first.successor = second
    await running
    assert rig.gate.reasons == {Reason.ORGANIZATION}
