"""The gate: slots and breaker together, whatever happens."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gating import Probe, throttled, use
from twins.clock import Turned
from worker.dynamics.breaker import Breaker
from worker.dynamics.errors import (
    DynamicsError,
    Forbidden,
    Missing,
    Unauthorized,
    Unavailable,
)
from worker.dynamics.gate import Gate
from worker.dynamics.reasons import GateState
from worker.dynamics.slots import Slots


class WatchedSlots(Slots):
    """Slots that fail the test when they admit requests beyond their limit."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "in_flight" and isinstance(value, int) and value > 0:
            assert value <= max(self.limit, self.in_flight)
        super().__setattr__(name, value)


OUTCOMES = st.sampled_from(["ok", "missing", "lost", "throttled", "401", "hint", "403", "cancel"])
ERRORS: dict[str, DynamicsError] = {
    "missing": Missing("test"),
    "lost": Unavailable("test"),
    "throttled": throttled(7),
    "401": Unauthorized("test"),
    "403": Forbidden("test"),
}


@settings(max_examples=150, deadline=None)
@given(
    script=st.lists(st.tuples(OUTCOMES, st.integers(0, 4)), max_size=60),
    probes=st.lists(st.sampled_from([*ERRORS.values()]), max_size=5),
)
async def test_whatever_happens_a_gate_never_admits_beyond_its_limit_and_always_opens_again(
    script: list[tuple[str, int]], probes: list[DynamicsError]
) -> None:
    time = Turned(1000.0)
    clock = time.clock(chance=1.0)
    slots = WatchedSlots(clock, max_slots=6)
    gate = Gate(slots, Breaker(slots, clock), clock)

    async def request(outcome: str, turns: int) -> None:
        try:
            async with gate.slot():
                assert gate.breaker.state is GateState.OPEN
                for _ in range(turns):
                    await asyncio.sleep(0)
                if outcome == "hint":
                    gate.take_hint(turns)
                elif outcome in ERRORS:
                    raise ERRORS[outcome]
        except DynamicsError:
            return  # from the script, or because the gate is closed

    tasks: list[asyncio.Task[None]] = []
    for number, (outcome, turns) in enumerate(script):
        tasks.append(asyncio.create_task(request(outcome, turns)))
        if turns == 0:
            await asyncio.sleep(0)
        if outcome == "cancel":
            tasks[number // 2].cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(e is None or isinstance(e, asyncio.CancelledError) for e in ended)
    assert gate.slots.in_flight == 0
    await gate.breaker.reopen(Probe(*probes))
    assert gate.breaker.state is GateState.OPEN
    await use(gate)
