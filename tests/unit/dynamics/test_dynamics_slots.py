"""Slots: how many requests at a time, in which order, and how the limit moves."""

from __future__ import annotations

import asyncio

import pytest

from gating import Probe, fill, gate_on, take_share, throttled, use
from twins.clock import Turned
from worker.dynamics.budget import REQUESTS_LEFT
from worker.dynamics.errors import (
    NotSent,
    Unavailable,
)
from worker.dynamics.gate import make_gate
from worker.dynamics.reasons import GateClosed, GateState, Reason
from worker.dynamics.slots import START_SLOTS


async def test_slots_start_low_and_more_requests_than_the_limit_wait_their_turn() -> None:
    gate, done = gate_on(), asyncio.Event()
    holders = await fill(gate, done)
    assert gate.slots.in_flight == START_SLOTS

    late = asyncio.create_task(use(gate))
    await asyncio.sleep(0)
    assert not late.done()

    done.set()
    await asyncio.gather(late, *holders)
    assert gate.slots.in_flight == 0


async def test_a_round_of_successes_that_used_all_slots_adds_about_one() -> None:
    gate, done = gate_on(), asyncio.Event()
    for _ in range(2):
        holders = await fill(gate, done)
        done.set()
        await asyncio.gather(*holders)
        done.clear()
    # Only the first of each round leaves a full house behind.
    assert gate.slots._slots == pytest.approx(START_SLOTS + 2 / START_SLOTS, abs=0.05)


async def test_under_load_the_limit_grows_to_its_maximum_and_not_beyond() -> None:
    gate = gate_on(max_slots=10)
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            async with gate.slot():
                assert gate.slots.in_flight <= gate.slots.limit
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(work())
        for _ in range(1000):
            await asyncio.sleep(0)
        assert gate.slots.limit == 10
        stop.set()


async def test_an_idle_line_does_not_raise_the_limit() -> None:
    gate = gate_on()
    for _ in range(100):
        await use(gate)
    assert gate.slots.limit == START_SLOTS


async def test_the_server_s_hint_is_the_maximum_within_the_configured_one() -> None:
    gate = gate_on(max_slots=10)
    gate.take_hint(2)
    assert gate.slots.limit == 2
    gate.take_hint(0)
    assert gate.slots.limit == 1
    gate.take_hint(1000)
    assert gate.slots._shared_limit == 10


async def test_requests_that_wait_for_a_slot_are_refused_when_the_gate_closes() -> None:
    gate, done = gate_on(), asyncio.Event()
    holders = await fill(gate, done)
    late = asyncio.create_task(use(gate))
    await asyncio.sleep(0)

    gate.breaker.failed(throttled(1))
    await gate.breaker.reopen(Probe())
    with pytest.raises(GateClosed):
        await late

    done.set()
    await asyncio.gather(*holders)
    assert gate.slots.in_flight == 0


async def test_waiting_for_a_slot_is_bounded_and_says_nothing_about_dataverse() -> None:
    gate, done = gate_on(), asyncio.Event()
    holders = await fill(gate, done)
    for _ in range(10):
        with pytest.raises(Unavailable, match="no slot"):
            async with gate.slot(wait_s=0):
                pass
    assert gate.breaker.state is GateState.OPEN
    done.set()
    await asyncio.gather(*holders)


async def test_a_slot_granted_to_a_request_cancelled_at_that_moment_is_not_lost() -> None:
    gate, done = gate_on(), asyncio.Event()
    holders = await fill(gate, done)
    late = asyncio.create_task(use(gate))
    await asyncio.sleep(0)

    gate.slots.in_flight -= 1
    gate.slots._wake()  # grants the slot, before the waiter has run
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    assert gate.slots.in_flight == START_SLOTS - 1

    gate.slots.in_flight += 1
    done.set()
    await asyncio.gather(*holders)
    assert gate.slots.in_flight == 0


async def test_cancelled_waiters_leave_the_queue() -> None:
    gate, done = gate_on(), asyncio.Event()
    holders = await fill(gate, done)
    late = asyncio.create_task(use(gate))
    await asyncio.sleep(0)
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    done.set()
    await asyncio.gather(*holders)
    await use(gate)
    assert gate.slots.in_flight == 0


@pytest.mark.parametrize(("slots", "workers"), [(52, 10), (4, 4), (4, 10), (1, 3), (20, 1)])
async def test_the_shares_of_all_workers_add_up_to_all_the_slots(slots: int, workers: int) -> None:
    gates = [gate_on() for _ in range(workers)]
    for rank, gate in enumerate(gates):
        gate.slots._slots = 99.0
        gate.take_hint(slots)
        take_share(gate, rank, workers)
    assert sum(gate.slots.limit for gate in gates) == slots
    assert [gate.breaker.reason is Reason.SURPLUS for gate in gates].count(True) == max(
        0, workers - slots
    )


async def test_when_little_of_the_budget_is_left_requests_wait_for_it_in_order() -> None:
    time = Turned(1000.0)
    gate = gate_on(time)
    gate.slots.budget.observe({REQUESTS_LEFT: "5"})
    starts: list[tuple[int, float]] = []

    async def request(number: int) -> None:
        async with gate.slot():
            starts.append((number, time.now - 1000))

    await asyncio.gather(*(request(number) for number in range(4)))
    assert [number for number, _ in starts] == [0, 1, 2, 3]
    every = 1 / gate.slots.budget.rate
    assert [at for _, at in starts] == pytest.approx([0, every, 2 * every, 3 * every], abs=0.1)


async def test_requests_that_wait_for_the_budget_are_refused_when_the_gate_closes() -> None:
    time = Turned(1000.0)
    gate = gate_on(time)
    gate.slots.budget.observe({REQUESTS_LEFT: "0"})
    await use(gate)
    late = [asyncio.create_task(use(gate)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.breaker.failed(throttled(30))
    assert [type(e) for e in await asyncio.gather(*late, return_exceptions=True)] == [
        GateClosed
    ] * 3


async def test_waiting_for_the_budget_is_bounded() -> None:
    gate = make_gate()
    gate.slots.budget.observe({REQUESTS_LEFT: "0"})
    await use(gate)
    with pytest.raises(NotSent, match="budget"):
        async with gate.slot(wait_s=0.01):
            pass
