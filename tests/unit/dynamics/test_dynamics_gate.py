"""The gate: how many requests at a time, when none at all, and how it opens again."""

from __future__ import annotations

import asyncio

from typing import Any

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from worker.dynamics.budget import REQUESTS_LEFT
from worker.dynamics.errors import (
    DynamicsError,
    Forbidden,
    Missing,
    NotSent,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.dynamics.gate import FORBIDDEN_PAUSE_S, START_SLOTS, Gate, GateClosed, GateState, Reason


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Probe:
    """A probe that ends as told, one outcome after the other, then succeeds."""

    def __init__(self, *outcomes: DynamicsError) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0

    async def __call__(self) -> None:
        self.calls += 1
        if self.outcomes:
            raise self.outcomes.pop(0)


def make_gate(time: Time | None = None, **options: Any) -> Gate:
    time = time or Time()
    return Gate(clock=time, sleep=time.sleep, random=lambda: 1.0, **options)


async def fill(gate: Gate, done: asyncio.Event) -> list[asyncio.Task[None]]:
    """Take every slot until ``done``."""

    async def hold() -> None:
        async with gate.slot():
            await done.wait()

    holders = [asyncio.create_task(hold()) for _ in range(gate.limit)]
    await asyncio.sleep(0)
    assert gate.in_flight == gate.limit
    return holders


async def use(gate: Gate, error: DynamicsError | None = None) -> None:
    """One request that ends so."""
    try:
        async with gate.slot():
            if error is not None:
                raise error
    except DynamicsError as raised:
        if raised is not error:
            raise


def throttled(seconds: float) -> Throttled:
    return Throttled("test", retry_after_s=seconds)


async def test_a_gate_starts_low_and_more_than_the_limit_wait_their_turn() -> None:
    gate, done = make_gate(), asyncio.Event()
    holders = await fill(gate, done)
    assert gate.in_flight == START_SLOTS

    late = asyncio.create_task(use(gate))
    await asyncio.sleep(0)
    assert not late.done()

    done.set()
    await asyncio.gather(late, *holders)
    assert gate.in_flight == 0


async def test_a_round_of_successes_that_used_all_slots_adds_about_one() -> None:
    gate, done = make_gate(), asyncio.Event()
    for _ in range(2):
        holders = await fill(gate, done)
        done.set()
        await asyncio.gather(*holders)
        done.clear()
    # Only the first of each round leaves a full house behind.
    assert gate._slots == pytest.approx(START_SLOTS + 2 / START_SLOTS, abs=0.05)


async def test_under_load_it_grows_to_its_maximum_and_not_beyond() -> None:
    gate = make_gate(max_slots=10)
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            async with gate.slot():
                assert gate.in_flight <= gate.limit
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(work())
        for _ in range(1000):
            await asyncio.sleep(0)
        assert gate.limit == 10
        stop.set()


async def test_an_idle_line_does_not_raise_the_limit() -> None:
    gate = make_gate()
    for _ in range(100):
        await use(gate)
    assert gate.limit == START_SLOTS


async def test_the_server_s_hint_is_the_maximum_within_the_configured_one() -> None:
    gate = make_gate(max_slots=10)
    gate.hint(2)
    assert gate.limit == 2
    gate.hint(0)
    assert gate.limit == 1
    gate.hint(1000)
    assert gate._ceiling == 10


async def test_a_429_halves_and_closes_until_retry_after_has_passed() -> None:
    time = Time()
    gate = make_gate(time)
    await use(gate, throttled(30))

    assert (gate.state, gate.reason, gate.limit) == (GateState.CLOSED, Reason.THROTTLED, 2)
    with pytest.raises(GateClosed) as caught:
        await use(gate)
    assert (caught.value.reason, caught.value.retry_at) == (Reason.THROTTLED, 1030)

    probe = Probe()
    await gate.reopen(probe)
    assert (gate.state, probe.calls, time.now) == (GateState.OPEN, 1, 1030)


async def test_of_several_retry_afters_the_longest_wins() -> None:
    time = Time()
    gate = make_gate(time)
    gate.throttled(30)
    gate.throttled(45)
    gate.throttled(10)
    await gate.reopen(Probe(throttled(100)))
    assert time.now == 1000 + 45 + 100


async def test_retry_after_that_comes_in_while_probing_is_obeyed() -> None:
    time = Time()
    gate = make_gate(time)
    gate.throttled(30)
    calls = 0

    async def probe() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            gate.throttled(60)

    await gate.reopen(probe)
    assert (calls, time.now) == (2, 1090)


async def test_five_unanswered_requests_in_a_row_are_an_outage_and_an_answer_between_is_not() -> (
    None
):
    gate = make_gate()
    for _ in range(4):
        await use(gate, Unavailable("test"))
    await use(gate, Missing("test", status=404))
    for _ in range(4):
        await use(gate, Unavailable("test"))
    assert gate.state is GateState.OPEN
    await use(gate, Unavailable("test"))
    assert (gate.state, gate.reason) == (GateState.CLOSED, Reason.OUTAGE)


async def test_many_time_outs_between_answers_halve_the_limit_without_closing() -> None:
    gate = make_gate()
    for _ in range(2):
        await use(gate, Unavailable("test"))
        await use(gate)
    assert gate.limit == START_SLOTS
    await use(gate, Unavailable("test"))
    assert (gate.limit, gate.state) == (START_SLOTS // 2, GateState.OPEN)


async def test_probes_of_an_outage_come_ever_later_up_to_a_minute() -> None:
    time = Time()
    gate = make_gate(time, outage_after=1)
    await use(gate, Unavailable("test"))
    starts: list[float] = []

    async def probe() -> None:
        starts.append(time.now)
        if len(starts) < 9:
            raise Unavailable("test")

    await gate.reopen(probe)
    gaps = [later - sooner for sooner, later in zip([1000, *starts], starts, strict=False)]
    assert gaps == [2, 4, 8, 16, 32, 60, 60, 60, 60]


async def test_jitter_takes_up_to_half_of_the_pause_but_never_goes_below_a_second() -> None:
    time = Time()
    gate = Gate(clock=time, sleep=time.sleep, random=lambda: 0.0)
    gate.unauthorized()
    assert gate.retry_at == 1001
    await gate.reopen(Probe(Unauthorized("test"), Unauthorized("test")))
    assert time.now == 1001 + 2 + 4


async def test_a_refused_token_closes_at_once_and_the_probe_s_outcome_names_the_reason() -> None:
    gate = make_gate()
    await use(gate, Unauthorized("test", status=401))
    assert gate.reason is Reason.UNAUTHORIZED
    seen: list[Reason] = []

    async def probe() -> None:
        seen.append(gate.reason)
        errors: list[DynamicsError] = [Unavailable("test"), Forbidden("test"), throttled(1)]
        if len(seen) <= len(errors):
            raise errors[len(seen) - 1]

    await gate.reopen(probe)
    assert seen == [Reason.UNAUTHORIZED, Reason.OUTAGE, Reason.FORBIDDEN, Reason.THROTTLED]
    assert (gate.state, gate.reason, gate.limit) == (GateState.OPEN, Reason.THROTTLED, 1)
    await use(gate)
    assert (gate.reason, gate.limit) == (Reason.NONE, START_SLOTS)


async def test_the_same_403_on_three_contacts_pauses_but_three_on_one_contact_do_not() -> None:
    time = Time()
    gate = make_gate(time)
    assert [gate.forbidden("a", "0x1") for _ in range(3)] == [False, False, False]
    assert not gate.forbidden("b", "0x1")
    assert not gate.forbidden("c", "0x2")
    assert gate.forbidden("c", "0x1")
    assert (gate.reason, gate.retry_at) == (Reason.FORBIDDEN, 1000 + FORBIDDEN_PAUSE_S)
    assert gate.forbidden("d", "0x1")


async def test_a_successful_write_between_403s_proves_the_role_and_a_read_does_not() -> None:
    gate = make_gate()
    gate.forbidden("a", "0x1")
    gate.forbidden("b", "0x1")
    await use(gate)
    assert not gate.forbidden("c", "0x1")

    gate.forbidden("d", "0x1")
    async with gate.slot(writes=False):
        pass
    assert gate.forbidden("e", "0x1")


async def test_who_waits_for_a_slot_is_told_when_the_gate_closes() -> None:
    gate, done = make_gate(), asyncio.Event()
    holders = await fill(gate, done)
    late = asyncio.create_task(use(gate))
    await asyncio.sleep(0)

    gate.throttled(1)
    await gate.reopen(Probe())
    with pytest.raises(GateClosed):
        await late

    done.set()
    await asyncio.gather(*holders)
    assert gate.in_flight == 0


async def test_waiting_for_a_slot_is_bounded_and_says_nothing_about_dataverse() -> None:
    gate, done = make_gate(), asyncio.Event()
    holders = await fill(gate, done)
    for _ in range(10):
        with pytest.raises(Unavailable, match="no slot"):
            async with gate.slot(wait_s=0):
                pass
    assert gate.state is GateState.OPEN
    done.set()
    await asyncio.gather(*holders)


async def test_a_slot_granted_to_somebody_cancelled_at_that_moment_is_not_lost() -> None:
    gate, done = make_gate(), asyncio.Event()
    holders = await fill(gate, done)
    late = asyncio.create_task(use(gate))
    await asyncio.sleep(0)

    gate.in_flight -= 1
    gate._wake()  # grants the slot, before the waiter has run
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    assert gate.in_flight == START_SLOTS - 1

    gate.in_flight += 1
    done.set()
    await asyncio.gather(*holders)
    assert gate.in_flight == 0


async def test_cancelled_waiters_leave_the_queue() -> None:
    gate, done = make_gate(), asyncio.Event()
    holders = await fill(gate, done)
    late = asyncio.create_task(use(gate))
    await asyncio.sleep(0)
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    done.set()
    await asyncio.gather(*holders)
    await use(gate)
    assert gate.in_flight == 0


async def test_of_many_who_want_it_open_one_probes() -> None:
    gate = make_gate()
    gate.unauthorized()
    probe = Probe(Unauthorized("test"))
    await asyncio.gather(*(gate.reopen(probe) for _ in range(10)))
    assert probe.calls == 2


async def test_a_gate_opens_with_few_slots_and_needs_no_probe_while_open() -> None:
    gate = make_gate()
    gate._slots = 40.0
    gate.unauthorized()
    probe = Probe()
    await gate.reopen(probe)
    await gate.reopen(probe)
    assert (gate.limit, probe.calls) == (START_SLOTS, 1)


async def test_a_fault_of_our_own_in_the_probe_is_raised_and_it_stays_closed() -> None:
    gate = make_gate()
    gate.unauthorized()

    async def probe() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await gate.reopen(probe)
    assert gate.state is GateState.CLOSED


def forbid(gate: Gate) -> None:
    """Take the role away, as three contacts see it."""
    for contact in "abc":
        gate.forbidden(contact, "0x1")


async def test_after_a_lost_role_one_request_at_a_time_is_on_trial_until_a_write_succeeds() -> None:
    """``WhoAmI`` needs no role, so the probe says nothing of it."""
    gate = make_gate()
    forbid(gate)
    await gate.reopen(Probe())
    assert (gate.state, gate.reason, gate.limit, gate.room) == (
        GateState.OPEN,
        Reason.FORBIDDEN,
        1,
        1,
    )
    async with gate.slot(writes=False):
        pass
    assert gate.reason is Reason.FORBIDDEN
    await use(gate)
    assert (gate.reason, gate.limit) == (Reason.NONE, START_SLOTS)


async def test_on_trial_one_403_more_closes_again() -> None:
    gate = make_gate()
    forbid(gate)
    await gate.reopen(Probe())
    assert gate.forbidden("d", "0x2")
    assert gate.state is GateState.CLOSED


async def test_the_operator_is_told_once_of_each_reason_and_once_of_the_end() -> None:
    gate = make_gate()
    with capture_logs() as lines:
        await use(gate, Unauthorized("AADSTS7000222: the client secret has expired"))
        await gate.reopen(Probe(Unauthorized("still"), Unavailable("no answer"), Unavailable("no")))
        await use(gate)
        forbid(gate)
        for _ in range(3):
            await gate.reopen(Probe())
            gate.forbidden("a", "0x1")
        await gate.reopen(Probe())
        await use(gate)
    told = [(line["event"], line.get("reason"), line["log_level"]) for line in lines]
    assert told == [
        ("dynamics.paused", "unauthorized", "error"),
        ("dynamics.paused", "outage", "error"),
        ("dynamics.resumed", None, "error"),
        ("dynamics.paused", "forbidden", "error"),
        ("dynamics.resumed", None, "error"),
    ]
    assert lines[0]["cause"] == "AADSTS7000222: the client secret has expired"


async def test_throttling_is_no_alarm() -> None:
    gate = make_gate()
    with capture_logs() as lines:
        await use(gate, throttled(1))
        await gate.reopen(Probe())
    assert [line["log_level"] for line in lines] == ["warning", "warning"]


@pytest.mark.parametrize(("slots", "workers"), [(52, 10), (4, 4), (4, 10), (1, 3), (20, 1)])
async def test_all_workers_parts_together_are_all_the_slots(slots: int, workers: int) -> None:
    gates = [make_gate() for _ in range(workers)]
    for rank, gate in enumerate(gates):
        gate._slots = 99.0
        gate.hint(slots)
        gate.share(rank, workers)
    assert sum(gate.limit for gate in gates) == slots
    assert [gate.reason is Reason.SURPLUS for gate in gates].count(True) == max(0, workers - slots)


async def test_a_worker_too_many_waits_until_there_is_room_for_it_and_does_not_probe() -> None:
    time = Time()
    gate = make_gate(time)
    gate.hint(2)
    gate.share(0, 3)
    with pytest.raises(GateClosed):
        await use(gate)
    probe = Probe()
    reopening = asyncio.create_task(gate.reopen(probe))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not reopening.done()
    gate.share(0, 2)
    await reopening
    await use(gate)
    assert (gate.reason, probe.calls) == (Reason.NONE, 0)


async def test_a_worker_that_does_not_lead_waits_for_the_one_that_does() -> None:
    time = Time()
    gate = make_gate(time)
    gate.leads = False
    gate.follow(Reason.OUTAGE, 5, "no answer")
    probe = Probe()
    reopening = asyncio.create_task(gate.reopen(probe))
    for _ in range(100):
        await asyncio.sleep(0)
    assert time.now > 1010
    assert (gate.state, gate.reason) == (GateState.CLOSED, Reason.OUTAGE)
    gate.opened()
    await reopening
    assert (gate.limit, probe.calls) == (1, 0)
    await use(gate)
    assert gate.limit == START_SLOTS


async def test_when_little_is_left_requests_wait_for_their_turn_in_order() -> None:
    time = Time()
    gate = make_gate(time)
    gate.budget.told({REQUESTS_LEFT: "5"})
    starts: list[tuple[int, float]] = []

    async def request(number: int) -> None:
        async with gate.slot():
            starts.append((number, time.now - 1000))

    await asyncio.gather(*(request(number) for number in range(4)))
    assert [number for number, _ in starts] == [0, 1, 2, 3]
    every = 1 / gate.budget.rate
    assert [at for _, at in starts] == pytest.approx([0, every, 2 * every, 3 * every], abs=0.1)


async def test_who_waits_for_a_turn_is_told_when_the_gate_closes() -> None:
    time = Time()
    gate = make_gate(time)
    gate.budget.told({REQUESTS_LEFT: "0"})
    await use(gate)
    late = [asyncio.create_task(use(gate)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.throttled(30)
    assert [type(e) for e in await asyncio.gather(*late, return_exceptions=True)] == [
        GateClosed
    ] * 3


async def test_waiting_for_a_turn_is_bounded() -> None:
    gate = Gate()
    gate.budget.told({REQUESTS_LEFT: "0"})
    await use(gate)
    with pytest.raises(NotSent, match="budget"):
        async with gate.slot(wait_s=0.01):
            pass


class WatchedGate(Gate):
    """A gate that fails the test when it admits beyond its limit."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "in_flight" and isinstance(value, int):
            assert value <= max(self.limit, self.__dict__.get("in_flight", 0))
        super().__setattr__(name, value)


OUTCOMES = st.sampled_from(["ok", "missing", "lost", "throttled", "401", "hint", "403", "cancel"])
ERRORS: dict[str, DynamicsError] = {
    "missing": Missing("test"),
    "lost": Unavailable("test"),
    "throttled": throttled(7),
    "401": Unauthorized("test"),
}


@settings(max_examples=150, deadline=None)
@given(
    script=st.lists(st.tuples(OUTCOMES, st.integers(0, 4)), max_size=60),
    probes=st.lists(st.sampled_from([*ERRORS.values(), Forbidden("test")]), max_size=5),
)
async def test_whatever_happens_it_never_admits_beyond_its_limit_and_always_opens_again(
    script: list[tuple[str, int]], probes: list[DynamicsError]
) -> None:
    time = Time()
    gate = WatchedGate(clock=time, sleep=time.sleep, random=lambda: 1.0, max_slots=6)

    async def request(number: int, outcome: str, turns: int) -> None:
        try:
            async with gate.slot():
                assert gate.state is GateState.OPEN
                for _ in range(turns):
                    await asyncio.sleep(0)
                if outcome == "hint":
                    gate.hint(turns)
                elif outcome == "403":
                    gate.forbidden(str(number), "0x1")
                elif outcome in ERRORS:
                    raise ERRORS[outcome]
        except DynamicsError:
            return  # told so by the script, or found the gate closed

    tasks: list[asyncio.Task[None]] = []
    for number, (outcome, turns) in enumerate(script):
        tasks.append(asyncio.create_task(request(number, outcome, turns)))
        if turns == 0:
            await asyncio.sleep(0)
        if outcome == "cancel":
            tasks[number // 2].cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(e is None or isinstance(e, asyncio.CancelledError) for e in ended)
    assert gate.in_flight == 0
    await gate.reopen(Probe(*probes))
    assert gate.state is GateState.OPEN
    await use(gate)
