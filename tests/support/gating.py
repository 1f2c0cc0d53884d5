"""A gate on a clock that only sleeping moves, what tests do with it, and damaged notices."""

from __future__ import annotations

import asyncio

from typing import Any

from twins.clock import Turned
from worker.dynamics.errors import DynamicsError, Throttled
from worker.dynamics.gate import Gate, make_gate


#: Texts that are no notice of the gate.
DAMAGED_NOTICES = [
    "{",
    "[]",
    "null",
    '{"reason": "x"}',
    '{"reason": ["outage"]}',
    '{"turn": "5"}',
    '{"turn": 1e400}',
    '{"turn": null}',
    '{"turn": -1}',
    '{"cause": {}}',
    '{"owner": 7}',
    '{"retry_s": "soon", "reason": "outage"}',
    '{"retry_s": -1}',
    '{"hint": 2.5}',
    '{"hint": 99999999999999999999}',
    '{"beats": []}',
    '{"beats": {"w0": "x"}}',
    '{"form": "2"}',
    "\ud800",
]


class Probe:
    """A probe with the given outcomes, one after the other, that then succeeds."""

    def __init__(self, *outcomes: DynamicsError) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0

    async def __call__(self) -> None:
        """Raise the next outcome, if any is left."""
        self.calls += 1
        if self.outcomes:
            raise self.outcomes.pop(0)


def gate_on(time: Turned | None = None, **options: Any) -> Gate:
    """A gate on this time; options as ``make_gate`` has them."""
    return make_gate((time or Turned()).clock(chance=1.0), **options)


async def fill(gate: Gate, done: asyncio.Event) -> list[asyncio.Task[None]]:
    """Take every slot until ``done``."""

    async def hold() -> None:
        async with gate.slot():
            await done.wait()

    holders = [asyncio.create_task(hold()) for _ in range(gate.slots.limit)]
    await asyncio.sleep(0)
    assert gate.slots.in_flight == gate.slots.limit
    return holders


async def use(
    gate: Gate, error: DynamicsError | None = None, *, subject: str | None = None
) -> None:
    """Send a request that succeeds, or fails with this error."""
    try:
        async with gate.slot(subject=subject):
            if error is not None:
                raise error
    except DynamicsError as raised:
        if raised is not error:
            raise


def throttled(seconds: float) -> Throttled:
    """A 429 with this Retry-After (s)."""
    return Throttled("test", retry_after_s=seconds)


def take_share(gate: Gate, rank: int, workers: int) -> None:
    """Make a gate one of several workers', as ``gate_sync`` does."""
    gate.slots.take_share(rank, workers)
    gate.breaker.check_share()
