"""What a Dynamics in part out of order costs."""

from __future__ import annotations

import asyncio

from dataclasses import replace
from typing import Any

import pytest

from twins.calls import Call
from twins.clock import Turned
from twins.dynamics import Failure, Script, ScriptedDynamics
from twins.site import Site
from worker.clock import alongside
from worker.dynamics.errors import DynamicsError, Refused, Throttled, Unavailable
from worker.dynamics.gate import Gate, make_gate
from worker.dynamics.protocol import WHO_AM_I, Request
from worker.dynamics.reasons import GateState, Reason
from worker.stores.memory import MemoryStore


HOUR_S = 3600.0


class CountingStore(MemoryStore):
    """Counts saved entries."""

    saves = 0

    async def save(self, entries: Any) -> Any:
        self.saves += len(entries)
        return await super().save(entries)


def writes_fail(error: DynamicsError) -> Script:
    """Writes fail; whatever reads is fine."""
    return lambda request: None if request.method == "GET" else Failure(error)


def at_fault(*contact_ids: str) -> Script:
    """What is written for these contacts fails, and nothing else."""

    def script(request: Request) -> Failure | None:
        theirs = any(contact_id in str(request.body) for contact_id in contact_ids)
        return Failure(Unavailable("answered 500", status=500)) if theirs else None

    return script


def calls_like(call: Call, many: int) -> list[Call]:
    return [replace(call, id=f"c0000000-0000-4000-8000-{number:012}") for number in range(many)]


NAMED = """
[[step]]
name = "STEP"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{ContactId}}"}'
"""


@pytest.mark.parametrize(
    "error",
    [Unavailable("answered 503", status=503), Throttled("answered 429", retry_after_s=0.0)],
    ids=["503", "429 at once"],
)
async def test_writes_that_are_refused_while_reads_are_fine_cost_ever_fewer_requests_and_saves(
    call: Call, error: DynamicsError
) -> None:
    """200 contacts due, for an hour; then Dynamics is mended."""
    store = CountingStore()
    site = Site(store=store, dynamics=ScriptedDynamics(script=writes_fail(error)))
    calls = calls_like(call, 200)
    saves: list[int] = []

    async def watch() -> None:
        while True:
            saves.append(store.saves)
            await asyncio.sleep(60)

    site.stream.put(*(call.begun() for call in calls))
    async with alongside(watch()):
        await site.run(HOUR_S)
    requests = [at for at, request in site.sent_at if request.method != "GET"]
    probes = site.dynamics.requests.count(WHO_AM_I)
    # A pause is 45 s here in the end; before that each is twice the last one.
    assert len(requests) <= HOUR_S / 45 + 15
    assert probes <= HOUR_S / 45 + 15
    assert len([at for at in requests if at >= HOUR_S / 2]) <= HOUR_S / 2 / 45 + 1
    assert saves[-1] - saves[len(saves) // 2] <= 2 * (HOUR_S / 2 / 45 + 2)
    assert saves[1] <= 500  # 200 are what ingest keeps
    site.dynamics.script = lambda _request: None
    await site.run(300)
    assert len(site.calls) == 200


async def test_records_that_are_refused_for_ever_close_the_gate_for_nobody_else(
    pipeline: Any, call: Call
) -> None:
    """30 of 200 are answered 500, whatever is tried."""
    calls = calls_like(call, 200)
    bad = [call.id for call in calls[::7]] + [calls[-1].id]
    site = Site(pipelines=pipeline(NAMED), dynamics=ScriptedDynamics(script=at_fault(*bad)))
    seen: list[GateState] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.05)
            seen.extend(gate.breaker.state for gate in site.gates[-1:])

    async def come() -> None:
        for one in calls:
            site.stream.put(one.begun())
            await asyncio.sleep(1)

    async with alongside(watch()), alongside(come()):
        await site.run(210)
    assert len(bad) == 30
    assert len(site.calls) == 170
    assert seen.count(GateState.OPEN) > 0.99 * len(seen)


# --- the gate alone, in the same two ways ---


def gate_on(time: Turned) -> Gate:
    return make_gate(time.clock(chance=1.0))


async def lose(gate: Gate, error: DynamicsError, subject: str | None = None) -> None:
    with pytest.raises(type(error)):
        async with gate.slot(subject=subject):
            raise error


async def use(gate: Gate, *, writes: bool = True) -> None:
    async with gate.slot(writes=writes):
        pass


async def probe() -> None:
    """Reads are fine."""


async def test_each_pause_is_twice_the_last_one_until_a_write_is_answered() -> None:
    time = Turned(1000.0)
    gate = gate_on(time)
    for _ in range(5):
        await lose(gate, Unavailable("503"))
    pauses = []
    for _ in range(8):
        closed_at = time.now
        await gate.breaker.reopen(probe)
        pauses.append(time.now - closed_at)
        assert (gate.slots.limit, gate.slots.room, gate.breaker.reason) == (1, 1, Reason.OUTAGE)
        await use(gate, writes=False)
        await lose(gate, Unavailable("503"))
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    await gate.breaker.reopen(probe)
    await use(gate)
    assert (gate.slots.limit, gate.breaker.reason) == (4, Reason.NONE)
    for _ in range(5):
        await lose(gate, Unavailable("503"))
    assert gate.breaker.retry_s == 2


async def test_a_definitive_refusal_of_a_write_ends_the_trial_too() -> None:
    gate = gate_on(Turned(1000.0))
    for _ in range(5):
        await lose(gate, Unavailable("503"))
    await gate.breaker.reopen(probe)
    await lose(gate, Refused("400", status=400))
    assert gate.breaker.reason is Reason.NONE


async def test_retry_after_0_is_at_least_a_second_and_longer_each_time() -> None:
    time = Turned(1000.0)
    gate = gate_on(time)
    pauses = []
    for _ in range(8):
        await lose(gate, Throttled("429", retry_after_s=0.0))
        pauses.append(gate.breaker.retry_s)
        await gate.breaker.reopen(probe)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    await use(gate)
    await lose(gate, Throttled("429", retry_after_s=0.0))
    assert gate.breaker.retry_s == 1


async def test_a_retry_after_that_helps_stays_as_it_is() -> None:
    gate = gate_on(Turned(1000.0))
    for _ in range(5):
        await lose(gate, Throttled("429", retry_after_s=17.0))
        assert gate.breaker.retry_s == 17
        await gate.breaker.reopen(probe)
        await use(gate)


async def test_reads_alone_that_got_no_answer_are_over_with_the_first_that_does() -> None:
    """The Lambda of a contact flow may write nothing all day."""
    gate = gate_on(Turned(1000.0))
    for number in range(5):
        with pytest.raises(Unavailable):
            async with gate.slot(writes=False, subject=f"contacts?{number}"):
                raise Unavailable("503")
    await gate.breaker.reopen(probe)
    await use(gate, writes=False)
    assert gate.breaker.reason is Reason.NONE


async def test_reads_that_are_answered_do_not_hide_an_outage_of_writes() -> None:
    gate = gate_on(Turned(1000.0))
    for number in range(5):
        await use(gate, writes=False)
        await lose(gate, Unavailable("503"), f"phonecalls({number})")
    assert gate.breaker.reason is Reason.OUTAGE


async def test_a_record_that_failed_while_others_were_answered_counts_no_more() -> None:
    gate = gate_on(Turned(1000.0))
    for number in range(4):
        await lose(gate, Unavailable("500"), f"phonecalls({number})")
    await use(gate)
    for number in range(100):
        await lose(gate, Unavailable("500"), f"phonecalls({number % 4})")
    assert (gate.breaker.state, gate.slots.limit) == (GateState.OPEN, 4)
    for number in range(4, 9):
        await lose(gate, Unavailable("500"), f"phonecalls({number})")
    assert gate.breaker.reason is Reason.OUTAGE, "of others it still is one"


async def test_one_record_that_fails_is_judged_by_a_probe_and_pauses_nothing() -> None:
    time = Turned(1000.0)
    gate = gate_on(time)
    for _ in range(20):
        for _ in range(5):
            await lose(gate, Unavailable("500"), "phonecalls(1)")
        assert (gate.breaker.reason, gate.breaker.retry_s) == (Reason.DOUBT, 0)
        await gate.breaker.reopen(probe)
    breaker = gate.breaker
    assert (time.now, breaker.state, breaker.reason) == (1000, GateState.OPEN, Reason.NONE)


async def test_one_record_without_an_answer_and_a_probe_without_one_are_an_outage() -> None:
    time = Turned(1000.0)
    gate = gate_on(time)
    for _ in range(5):
        await lose(gate, Unavailable("no answer"), "phonecalls(1)")
    asked: list[float] = []

    async def probing() -> None:
        asked.append(time.now)
        if len(asked) < 4:
            raise Unavailable("no answer")

    await gate.breaker.reopen(probing)
    assert asked == [1000, 1002, 1006, 1014]
