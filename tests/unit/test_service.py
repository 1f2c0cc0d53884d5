"""The service: sources, ingest and push side by side, and an end within its bound."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from datetime import date
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from structlog.testing import capture_logs

from pipelines.plan import Terms
from twins.calls import Call
from twins.dynamics import Failure
from twins.rig import Rig
from worker import wiring
from worker.dynamics.errors import Unauthorized
from worker.dynamics.gate_sync import JOIN_S, GateSync
from worker.dynamics.notice import Notice
from worker.engine.pushes import Pushes
from worker.errors import ConfigError, StoreUnavailable
from worker.service import EXPIRE_EVERY_S, Service, begin_pipelines
from worker.settings import ApplicationUser, Settings
from worker.signals import stopping_on_signals
from worker.sources.memory import MemorySource
from worker.sources.protocol import Handle, Message, Source
from worker.stores.protocol import Quarantined
from worker.wiring import SECRET_WARNING_DAYS, serve, warn_of_secret


DRAIN_S = 25.0


def serving(rig: Rig, *sources: Source) -> Service:
    named = {str(number): source for number, source in enumerate(sources)}
    return Service(rig.store, named, rig.ingest, Pushes(rig.push), DRAIN_S)


async def run(service: Service, seconds: float) -> float:
    """Run it, ask it to stop after a while; how long (s) it then took."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.call_later(seconds, stop.set)
    begun = loop.time()
    await service.run(stop)
    return loop.time() - begun - seconds


async def test_what_sources_hand_out_reaches_dynamics(rig: Rig, call: Call) -> None:
    events = MemorySource([[Message(call.begun(), "memory:1")]])
    records = MemorySource([[Message(call.record(), "memory:2")]])
    assert await run(serving(rig, events, records), 30) == pytest.approx(0, abs=1)
    assert rig.calls[0]["phonenumber"] == "+15550100200"


async def test_the_service_goes_on_after_its_sources_are_exhausted(rig: Rig, call: Call) -> None:
    """The call is closed a quarter of an hour after its end, long after the last message."""
    agent = {"Username": "a", "ConnectedToAgentTimestamp": "2026-01-02T03:00:10Z"}
    source = MemorySource([[Message(call.record(Agent=agent), "memory:1")]])
    await run(serving(rig, source), 600)
    assert rig.calls[0]["statecode"] == 0
    await run(serving(rig), 3600)
    assert rig.calls[0]["statecode"] == 1


async def test_stopping_finishes_the_request_in_hand(rig: Rig, call: Call) -> None:
    rig.dynamics.slow = lambda _request: 10.0
    source = MemorySource([[Message(call.begun(), "memory:1")]])
    assert await run(serving(rig, source), 1) == pytest.approx(9, abs=0.5)
    assert len(rig.calls) == 1
    assert (await rig.entry(call.id)).claim == ""


async def test_what_does_not_end_is_cut_short_within_the_drain_time(rig: Rig, call: Call) -> None:
    rig.dynamics.slow = lambda _request: 10_000.0
    source = MemorySource([[Message(call.begun(), "memory:1")]])
    with capture_logs() as lines:
        assert await run(serving(rig, source), 1) <= DRAIN_S
    assert "service.drain_cut_short" in [line["event"] for line in lines]
    assert (await rig.entry(call.id)).contact.intent  # what may have been sent is known


async def test_a_worker_joins_the_others_before_it_sends_and_leaves_them_when_it_has_ended(
    rig: Rig, call: Call
) -> None:
    service = serving(rig, MemorySource([[Message(call.begun(), "memory:1")]]))
    gate = rig.gate
    sync = GateSync(gate.slots, gate.breaker, rig.store, "gate", "w", clock=gate.clock)
    service.gate_syncs = [sync]
    working = asyncio.create_task(run(service, 30))
    await asyncio.sleep(JOIN_S / 2)
    assert not rig.dynamics.requests
    await asyncio.sleep(20)
    assert len(rig.calls) == 1
    assert Notice.from_text(await rig.store.recall("gate")).heartbeats.keys() == {"w"}
    await working
    assert not Notice.from_text(await rig.store.recall("gate")).heartbeats


async def test_a_batch_that_cannot_be_saved_does_not_hold_up_the_end(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_contact_ids: Any) -> Any:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(rig.store, "load", away)
    source = MemorySource([[Message(call.begun(), "memory:1")]])
    assert await run(serving(rig, source), 5) == pytest.approx(0, abs=1)
    assert not source.acknowledged


async def test_push_waits_for_a_store_that_is_away_when_the_worker_starts(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember, clock = rig.store.remember, asyncio.get_running_loop().time
    since = {"phonecall": "2026-01-02T03:00:00Z"}  # the call began then
    await remember("pipeline/phonecall", since["phonecall"])

    async def away_for_a_minute(name: str, value: str) -> str:
        if clock() < 60:
            assert not rig.dynamics.requests  # which dates hold is not known yet
            raise StoreUnavailable("no answer")
        return await remember(name, value)

    monkeypatch.setattr(rig.store, "remember", away_for_a_minute)
    service = serving(rig, MemorySource([[Message(call.begun(), "memory:1")]]))
    service.begin = partial(begin_pipelines, rig.planner, rig.store)
    await run(service, 120)
    ((pipeline, (version,)),) = rig.planner.terms.versions.items()
    assert (pipeline, version.steps) == ("phonecall", (("STEP2", "phonecalls"),))
    versions = rig.planner.terms.versions
    assert rig.planner.terms == Terms({"AppId": "app"}, live=True, since=since, versions=versions)
    assert len(rig.calls) == 1


async def test_a_worker_whose_store_never_answers_ends_when_it_is_told_to(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_name: str, _value: str) -> str:
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(rig.store, "remember", away)
    service = serving(rig, MemorySource([[Message(call.begun(), "memory:1")]]))
    service.begin = partial(begin_pipelines, rig.planner, rig.store)
    assert await run(service, 100) == pytest.approx(0, abs=1)
    assert not rig.dynamics.requests


async def test_a_closed_gate_does_not_hold_up_the_end(rig: Rig, call: Call) -> None:
    rig.dynamics.script = lambda _request: Failure(Unauthorized("answered 401", status=401))
    source = MemorySource([[Message(call.begun(), "memory:1")]])
    assert await run(serving(rig, source), 100) == pytest.approx(0, abs=1)


async def test_a_source_that_breaks_begins_again_after_growing_pauses_and_ends_nothing(
    rig: Rig, call: Call
) -> None:
    begun: list[float] = []

    class Broken:
        async def run(self, handle: Handle, stop: asyncio.Event) -> None:
            begun.append(asyncio.get_running_loop().time())
            if len(begun) > 5:
                await handle([Message(call.begun(), "memory:1")])
                await stop.wait()
                return
            raise LookupError(f"{handle} {stop}")

    service = serving(rig, Broken())
    await run(service, 3600)
    assert len(begun) == 6
    pauses = [later - earlier for earlier, later in pairwise(begun)]
    assert all(0.2 * 2**n < pause < 0.6 * 2**n for n, pause in enumerate(pauses)), pauses
    assert sum(service.faults.counts.values()) == 5
    assert len(rig.calls) == 1


async def test_a_declared_error_of_a_source_ends_the_service_with_it(rig: Rig) -> None:
    class Misconfigured:
        async def run(self, handle: Handle, stop: asyncio.Event) -> None:
            raise ConfigError(f"there is no such stream: {handle} {stop}")

    with pytest.raises(ExceptionGroup) as caught:
        await run(serving(rig, Misconfigured()), 3600)
    assert caught.group_contains(ConfigError)
    assert asyncio.get_running_loop().time() < 1


async def test_what_has_expired_is_removed_every_hour_also_after_the_store_was_away(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    async def expire(_now: float, limit: int) -> int:
        asked.append(asyncio.get_running_loop().time())
        if len(asked) == 1:
            raise StoreUnavailable("locked")
        return limit if len(asked) == 2 else 0  # a full page: there is more

    monkeypatch.setattr(rig.store, "expire", expire)
    service = serving(rig)
    service.outside.observe("dynamics", time.time())
    await run(service, EXPIRE_EVERY_S + 1)
    assert asked == [0, EXPIRE_EVERY_S, EXPIRE_EVERY_S]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_stop_the_service_while_the_block_runs(number: signal.Signals) -> None:
    stop = asyncio.Event()
    before = signal.getsignal(number)
    with stopping_on_signals(stop.set):
        asyncio.get_running_loop().call_later(1, os.kill, os.getpid(), number)
        await asyncio.sleep(2)
        assert stop.is_set()
    assert signal.getsignal(number) in {before, signal.SIG_DFL, signal.default_int_handler}


@pytest.mark.parametrize(
    ("days", "warned"), [(SECRET_WARNING_DAYS, True), (SECRET_WARNING_DAYS + 1, False), (-1, True)]
)
def test_a_secret_that_expires_is_warned_of_30_days_before(days: int, warned: bool) -> None:
    today = date(2026, 1, 2).toordinal()
    settings = Settings(
        client_id="c", secret="env:X", secret_expires=date.fromordinal(today + days)
    )
    with capture_logs() as lines:
        warn_of_secret(settings, today)
        warn_of_secret(Settings(), today)
    assert [line["days"] for line in lines] == ([days] if warned else [])


def test_of_several_application_users_each_secret_that_expires_is_warned_of() -> None:
    today = date(2026, 1, 2)
    users = tuple(
        ApplicationUser(client_id=one, secret="env:X", secret_expires=today) for one in "ab"
    )
    with capture_logs() as lines:
        warn_of_secret(Settings(application_users=users), today.toordinal())
    assert [line["client_id"] for line in lines] == ["a", "b"]


async def test_serving_ends_on_a_signal(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ready:
        async def __aenter__(self) -> Service:
            asyncio.get_running_loop().call_later(1, os.kill, os.getpid(), signal.SIGTERM)
            return serving(rig)

        async def __aexit__(self, *_: object) -> None:
            """Nothing is open."""

    monkeypatch.setattr(wiring, "build", lambda _settings: Ready())
    await serve(Settings(metrics="127.0.0.1:0"))
    left = asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
    assert not left, "the signal is everybody's again"


#: A background task -> the store's call that it makes, and no other task does.
BEHIND = {
    "census": "counts",
    "housekeeping": "expire",
    "far_ahead": "ahead",
    "quarantine": "quarantined",
    "push": "due",
    "revival": "parked",
}


@pytest.mark.parametrize("times", [1, 10_000], ids=["once", "always"])
@pytest.mark.parametrize("call_name", BEHIND.values(), ids=BEHIND)
async def test_a_bug_in_a_background_task_ends_neither_it_nor_the_others_nor_the_worker(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch, call_name: str, times: int
) -> None:
    original, left = getattr(rig.store, call_name), times

    async def breaks(*arguments: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise TypeError(f"{arguments}: +15550100200")
        return await original(*arguments)

    monkeypatch.setattr(rig.store, call_name, breaks)
    await rig.store.quarantine([Quarantined("1", 0.0, "memory:0", "not JSON", b"{")])
    source = MemorySource([[Message(call.begun(), "memory:1")]])
    service = serving(rig, source)
    service.outside.observe("dynamics", time.time())
    with capture_logs() as logs:
        took = await run(service, 2 * EXPIRE_EVERY_S)
    assert took < DRAIN_S
    contained = [line for line in logs if line["event"] == "fault.contained"]
    counted = service.faults.counts.total() + rig.push.transactions.faults.counts.total()
    assert counted == len(contained) >= 1
    assert len(contained) < 400, "after growing pauses, which are half a minute at last"
    assert "+1555" not in str(logs)
    if call_name != "due" or times == 1:
        assert len(rig.calls) == 1
    else:
        assert (await rig.entry(call.id)).due_at is not None, "taken in, and waits"


async def test_what_is_cancelled_in_the_middle_of_a_round_stays_cancelled(
    rig: Rig, call: Call
) -> None:
    rig.dynamics.slow = lambda _request: 100.0
    await rig.tell(call.begun())
    pushing = asyncio.create_task(Pushes(rig.push).run(asyncio.Event()))
    await asyncio.sleep(50)
    pushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pushing
    assert not rig.push.transactions.faults.counts
    assert (await rig.entry(call.id)).fault is None
