"""The breaker: when nothing may be sent at all, and how the gate opens again."""

from __future__ import annotations

import asyncio

import pytest

from structlog.testing import capture_logs

from gating import Probe, gate_on, take_share, throttled, use
from twins.clock import Turned
from worker.dynamics.errors import (
    DynamicsError,
    Forbidden,
    Missing,
    Unauthorized,
    Unavailable,
)
from worker.dynamics.gate import make_gate
from worker.dynamics.reasons import GateClosed, GateState, Reason
from worker.dynamics.slots import START_SLOTS


async def test_a_429_halves_and_closes_until_retry_after_has_passed() -> None:
    time = Turned(1000.0)
    gate = gate_on(time)
    await use(gate, throttled(30))

    assert (gate.breaker.state, gate.breaker.reason, gate.slots.limit) == (
        GateState.CLOSED,
        Reason.THROTTLED,
        2,
    )
    with pytest.raises(GateClosed) as caught:
        await use(gate)
    assert (caught.value.reason, caught.value.retry_at) == (Reason.THROTTLED, 1030)

    probe = Probe()
    await gate.breaker.reopen(probe)
    assert (gate.breaker.state, probe.calls, time.now) == (GateState.OPEN, 1, 1030)


async def test_of_several_retry_afters_the_longest_wins() -> None:
    time = Turned(1000.0)
    gate = gate_on(time)
    gate.breaker.failed(throttled(30))
    gate.breaker.failed(throttled(45))
    gate.breaker.failed(throttled(10))
    await gate.breaker.reopen(Probe(throttled(100)))
    assert time.now == 1000 + 45 + 100


async def test_retry_after_that_comes_in_while_probing_is_obeyed() -> None:
    time = Turned(1000.0)
    gate = gate_on(time)
    gate.breaker.failed(throttled(30))
    calls = 0

    async def probe() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            gate.breaker.failed(throttled(60))

    await gate.breaker.reopen(probe)
    assert (calls, time.now) == (2, 1090)


async def test_five_unanswered_requests_in_a_row_are_an_outage_and_an_answer_between_is_not() -> (
    None
):
    gate = gate_on()
    for _ in range(4):
        await use(gate, Unavailable("test"))
    await use(gate, Missing("test", status=404))
    for _ in range(4):
        await use(gate, Unavailable("test"))
    assert gate.breaker.state is GateState.OPEN
    await use(gate, Unavailable("test"))
    assert (gate.breaker.state, gate.breaker.reason) == (GateState.CLOSED, Reason.OUTAGE)


async def test_many_requests_that_are_answered_only_at_a_second_try_halve_the_limit() -> None:
    gate = gate_on()
    for number in range(3):
        await use(gate, Unavailable("test"), subject=f"phonecalls({number})")
        await use(gate)
        assert gate.slots.limit == START_SLOTS
        await use(gate, subject=f"phonecalls({number})")
    assert (gate.slots.limit, gate.breaker.state) == (START_SLOTS // 2, GateState.OPEN)


async def test_probes_of_an_outage_come_ever_later_up_to_a_minute() -> None:
    time = Turned(1000.0)
    gate = gate_on(time, outage_after=1)
    await use(gate, Unavailable("test"))
    starts: list[float] = []

    async def probe() -> None:
        starts.append(time.now)
        if len(starts) < 9:
            raise Unavailable("test")

    await gate.breaker.reopen(probe)
    gaps = [later - sooner for sooner, later in zip([1000, *starts], starts, strict=False)]
    assert gaps == [2, 4, 8, 16, 32, 60, 60, 60, 60]


async def test_jitter_takes_up_to_half_of_the_pause_but_never_goes_below_a_second() -> None:
    time = Turned(1000.0)
    gate = make_gate(time.clock(chance=0.0))
    gate.breaker.failed(Unauthorized("test"))
    assert gate.breaker.retry_at == 1001
    await gate.breaker.reopen(Probe(Unauthorized("test"), Unauthorized("test")))
    assert time.now == 1001 + 2 + 4


async def test_a_refused_token_closes_at_once_and_the_probe_s_outcome_names_the_reason() -> None:
    gate = gate_on()
    await use(gate, Unauthorized("test", status=401))
    assert gate.breaker.reason is Reason.UNAUTHORIZED
    seen: list[Reason] = []

    async def probe() -> None:
        seen.append(gate.breaker.reason)
        errors: list[DynamicsError] = [Unavailable("test"), Forbidden("test"), throttled(1)]
        if len(seen) <= len(errors):
            raise errors[len(seen) - 1]

    await gate.breaker.reopen(probe)
    assert seen == [Reason.UNAUTHORIZED, Reason.OUTAGE, Reason.FORBIDDEN, Reason.THROTTLED]
    assert (gate.breaker.state, gate.breaker.reason, gate.slots.limit) == (
        GateState.OPEN,
        Reason.THROTTLED,
        1,
    )
    await use(gate)
    assert (gate.breaker.reason, gate.slots.limit) == (Reason.NONE, START_SLOTS)


async def test_of_many_that_wait_for_the_gate_one_probes() -> None:
    gate = gate_on()
    gate.breaker.failed(Unauthorized("test"))
    probe = Probe(Unauthorized("test"))
    await asyncio.gather(*(gate.breaker.reopen(probe) for _ in range(10)))
    assert probe.calls == 2


async def test_a_gate_opens_with_few_slots_and_an_open_one_needs_no_probe() -> None:
    gate = gate_on()
    gate.slots._slots = 40.0
    gate.breaker.failed(Unauthorized("test"))
    probe = Probe()
    await gate.breaker.reopen(probe)
    await gate.breaker.reopen(probe)
    assert (gate.slots.limit, probe.calls) == (START_SLOTS, 1)


async def test_a_bug_in_the_probe_is_raised_and_the_gate_stays_closed() -> None:
    gate = gate_on()
    gate.breaker.failed(Unauthorized("test"))

    async def probe() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await gate.breaker.reopen(probe)
    assert gate.breaker.state is GateState.CLOSED


async def test_a_403_on_a_request_is_an_answer_and_closes_nothing() -> None:
    gate = gate_on()
    for _ in range(20):
        await use(gate, Forbidden("test", status=403))
    assert gate.breaker.state is GateState.OPEN


async def test_after_a_403_on_the_probe_one_request_is_on_trial_until_a_write_succeeds() -> None:
    gate = gate_on()
    gate.breaker.failed(Unauthorized("test"))
    await gate.breaker.reopen(Probe(Forbidden("test", status=403)))
    assert (gate.breaker.state, gate.breaker.reason, gate.slots.limit, gate.slots.room) == (
        GateState.OPEN,
        Reason.FORBIDDEN,
        1,
        1,
    )
    async with gate.slot(writes=False):
        pass
    assert gate.breaker.reason is Reason.FORBIDDEN
    await use(gate)
    assert (gate.breaker.reason, gate.slots.limit) == (Reason.NONE, START_SLOTS)


async def test_each_reason_is_logged_once_and_so_is_the_end() -> None:
    gate = gate_on()
    with capture_logs() as lines:
        await use(gate, Unauthorized("AADSTS7000222: the client secret has expired"))
        await gate.breaker.reopen(
            Probe(Unauthorized("still"), Unavailable("no answer"), Unavailable("no"))
        )
        await use(gate)
        await use(gate, throttled(1))
        await gate.breaker.reopen(Probe(Forbidden("test", status=403)))
        await use(gate)
    told = [(line["event"], line.get("reason"), line["log_level"]) for line in lines]
    assert told == [
        ("dynamics.paused", "unauthorized", "error"),
        ("dynamics.paused", "outage", "error"),
        ("dynamics.resumed", None, "warning"),
        ("dynamics.paused", "throttled", "warning"),
        ("dynamics.paused", "forbidden", "error"),
        ("dynamics.resumed", None, "warning"),
    ]
    assert lines[0]["cause"] == "AADSTS7000222: the client secret has expired"


async def test_throttling_is_no_alarm() -> None:
    gate = gate_on()
    with capture_logs() as lines:
        await use(gate, throttled(1))
        await gate.breaker.reopen(Probe())
    assert [line["log_level"] for line in lines] == ["warning", "warning"]


async def test_a_worker_without_a_share_waits_until_it_has_one_and_does_not_probe() -> None:
    time = Turned(1000.0)
    gate = gate_on(time)
    gate.take_hint(2)
    take_share(gate, 0, 3)
    with pytest.raises(GateClosed):
        await use(gate)
    probe = Probe()
    reopening = asyncio.create_task(gate.breaker.reopen(probe))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not reopening.done()
    take_share(gate, 0, 2)
    await reopening
    await use(gate)
    assert (gate.breaker.reason, probe.calls) == (Reason.NONE, 0)


async def test_a_worker_that_is_not_the_prober_waits_for_the_one_that_is() -> None:
    time = Turned(1000.0)
    gate = gate_on(time)
    gate.breaker.is_prober = False
    gate.breaker.close_with_others(Reason.OUTAGE, 5, "no answer")
    probe = Probe()
    reopening = asyncio.create_task(gate.breaker.reopen(probe))
    for _ in range(100):
        await asyncio.sleep(0)
    assert time.now > 1010
    assert (gate.breaker.state, gate.breaker.reason) == (GateState.CLOSED, Reason.OUTAGE)
    gate.breaker.open_with_others()
    await reopening
    assert (gate.slots.limit, probe.calls) == (1, 0)
    await use(gate)
    assert gate.slots.limit == START_SLOTS


async def test_a_worker_that_was_on_trial_when_it_lost_its_share_is_on_trial_when_it_has_one() -> (
    None
):
    gate = gate_on()
    for _ in range(2):
        gate.breaker.failed(throttled(1))
        await gate.breaker.reopen(Probe())
    gate.take_hint(1)
    take_share(gate, 0, 2)
    assert (gate.breaker.state, gate.breaker.reason) == (GateState.CLOSED, Reason.SURPLUS)
    take_share(gate, 0, 1)
    assert (gate.breaker.state, gate.slots.room) == (GateState.OPEN, 1)
    await use(gate)
    assert gate.breaker.reason is Reason.NONE
