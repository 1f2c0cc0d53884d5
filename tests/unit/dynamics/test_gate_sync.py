"""Gates in sync: what one worker learns of Dynamics binds all workers of the application user."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest

from structlog.testing import capture_logs

from gating import DAMAGED_NOTICES
from worker.clock import Clock
from worker.dynamics.breaker import Breaker
from worker.dynamics.errors import DynamicsError, Throttled, Unauthorized, Unavailable
from worker.dynamics.gate import Gate
from worker.dynamics.gate_sync import JOIN_S, SYNC_TIMEOUT_S, GateSync
from worker.dynamics.live_workers import EXPIRY_S, HEARTBEAT_S
from worker.dynamics.notice import FORM, Notice
from worker.dynamics.reasons import GateClosed, GateState, Reason
from worker.dynamics.slots import POLL_S, START_SLOTS, Slots
from worker.errors import StoreUnavailable
from worker.stores.memory import MemoryStore


Virtually = Callable[[Coroutine[Any, Any, None]], None]

NAME = "gate/https://org.test/client"

#: Until every worker has looked once more, and written if it had to (s).
SOON_S = 2.1 * POLL_S


class SharedState(MemoryStore):
    """Counts reads and writes, can be away, and can be slow (s)."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = self.writes = 0
        self.away = self.broken = False
        self.slow_s = 0.0

    async def recall(self, name: str) -> str | None:
        self.reads += 1
        await self._answer()
        return await super().recall(name)

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        await self._answer()
        self.writes += await super().replace(name, old, new)
        return await super().recall(name) == new

    async def _answer(self) -> None:
        await asyncio.sleep(self.slow_s)
        if self.away:
            raise StoreUnavailable("throttled")
        if self.broken:
            raise KeyError("value")

    def notice(self) -> Notice:
        return Notice.from_text(self._remembered.get(NAME))


class Dynamics:
    """Answers probes; counts whose."""

    def __init__(self) -> None:
        self.fails: dict[str, DynamicsError] = {}
        self.error: DynamicsError | None = None
        self.probes: list[tuple[str, float]] = []


class Worker:
    """A worker that has work all the time: its push waits for the gate when it is closed."""

    def __init__(
        self, name: str, state: SharedState, dynamics: Dynamics, *, ahead_s: float = 0.0
    ) -> None:
        def monotonic() -> float:
            return asyncio.get_running_loop().time() + ahead_s

        clock = Clock(monotonic=monotonic, chance=lambda: 1.0)
        slots = Slots(clock)
        breaker = Breaker(slots, clock)
        self.name = name
        self.dynamics = dynamics
        self.sync = GateSync(slots, breaker, state, NAME, name, clock=clock)
        self.gate = Gate(slots, breaker, clock, self.sync.refresh)
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.sync.join()
        self.tasks = [asyncio.create_task(self.sync.run()), asyncio.create_task(self._push())]

    async def _push(self) -> None:
        while True:
            await self.gate.breaker.reopen(self.probe)
            await asyncio.sleep(0.1)

    async def probe(self) -> None:
        self.dynamics.probes.append((self.name, asyncio.get_running_loop().time()))
        if error := self.dynamics.fails.get(self.name) or self.dynamics.error:
            raise error

    async def use(self, error: DynamicsError | None = None) -> None:
        """One request that ends so."""
        try:
            async with self.gate.slot(wait_s=5):
                if error is not None:
                    raise error
        except DynamicsError as raised:
            if raised is not error:
                raise

    async def lose(self) -> None:
        """As many requests without an answer as make an outage."""
        with suppress(GateClosed):
            for _ in range(5):
                await self.use(Unavailable("no answer"))

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def freeze(self) -> None:
        """End without a word, as by SIGKILL."""
        self.sync._leave = nothing  # type: ignore[method-assign] # a killed process says nothing
        for task in self.tasks:
            task.cancel()


async def nothing() -> None:
    """What a dead worker says."""


class Fleet:
    def __init__(self) -> None:
        self.state = SharedState()
        self.dynamics = Dynamics()
        self.workers: list[Worker] = []

    def __getitem__(self, number: int) -> Worker:
        return self.workers[number]

    async def add(self, **more: Any) -> Worker:
        worker = Worker(f"w{len(self.workers)}", self.state, self.dynamics, **more)
        self.workers.append(worker)
        await worker.start()
        return worker

    async def ask(self) -> None:
        """Each worker wants to send a request."""
        for worker in self.workers:
            with suppress(GateClosed):
                await worker.use()

    def gates(self) -> list[GateState]:
        return [worker.gate.breaker.state for worker in self.workers]

    def reasons(self) -> set[Reason]:
        return {worker.gate.breaker.reason for worker in self.workers}


@asynccontextmanager
async def fleet_of(number: int, ahead_s: Iterable[float] = ()) -> AsyncIterator[Fleet]:
    fleet = Fleet()
    ahead = list(ahead_s) or [0.0] * number
    try:
        async with asyncio.TaskGroup() as group:
            for n in range(number):
                group.create_task(fleet.add(ahead_s=ahead[n]))
        await asyncio.sleep(SOON_S)
        yield fleet
    finally:
        for worker in fleet.workers:
            await worker.end()


def test_the_retry_after_of_one_request_binds_every_worker(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(3) as fleet:
            begun = asyncio.get_running_loop().time()
            await fleet[1].use(Throttled("429", retry_after_s=77))
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            assert fleet.reasons() == {Reason.THROTTLED}
            for worker in fleet.workers:
                with pytest.raises(GateClosed):
                    await worker.use()
            await asyncio.sleep(77)
            assert fleet.gates() == [GateState.OPEN] * 3
            ((prober, at),) = fleet.dynamics.probes
            assert prober == "w1"
            assert at >= begun + 77

    virtually(story())


def test_clocks_that_differ_by_hours_make_no_difference(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(3, ahead_s=(0, 9_000, -9_000)) as fleet:
            await fleet[0].use(Throttled("429", retry_after_s=40))
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            assert fleet.reasons() == {Reason.THROTTLED}
            for worker in fleet.workers:
                assert 40 - 2 * SOON_S < worker.gate.breaker.retry_s <= 40
            await asyncio.sleep(40)
            assert fleet.gates() == [GateState.OPEN] * 3

    virtually(story())


def test_a_longer_retry_after_of_another_worker_wins(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(3) as fleet:
            begun = asyncio.get_running_loop().time()
            async with fleet[2].gate.slot():
                await fleet[0].use(Throttled("429", retry_after_s=10))
                await asyncio.sleep(SOON_S)
            fleet[2].gate.breaker.failed(
                Throttled("429", retry_after_s=60)
            )  # of a request that was under way
            await asyncio.sleep(30)
            assert fleet.reasons() == {Reason.THROTTLED}
            await asyncio.sleep(60)
            assert fleet.gates() == [GateState.OPEN] * 3
            assert min(at for _, at in fleet.dynamics.probes) >= begun + 60

    virtually(story())


def test_a_worker_that_starts_while_the_gate_is_closed_waits_too(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(2) as fleet:
            begun = asyncio.get_running_loop().time()
            await fleet[0].use(Throttled("429", retry_after_s=100))
            await asyncio.sleep(50)
            late = await fleet.add()
            assert late.gate.breaker.reason is Reason.THROTTLED
            await asyncio.sleep(49 - JOIN_S)
            assert GateState.OPEN not in fleet.gates()
            await asyncio.sleep(5)
            assert fleet.gates() == [GateState.OPEN] * 3
            assert fleet.dynamics.probes[0][1] >= begun + 100

    virtually(story())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unauthorized("401"), Reason.UNAUTHORIZED),
        (Throttled("429", retry_after_s=3), Reason.THROTTLED),
    ],
)
def test_while_the_gate_is_closed_one_worker_at_a_time_probes(
    virtually: Virtually, error: DynamicsError, reason: Reason
) -> None:
    async def story() -> None:
        async with fleet_of(4) as fleet:
            fleet.dynamics.error = error
            await fleet[2].use(error)
            await asyncio.sleep(600)
            assert fleet.reasons() == {reason}
            times = [at for _, at in fleet.dynamics.probes]
            pauses = [later - at for at, later in pairwise(times)]
            assert min(pauses) >= 1
            fleet.dynamics.error = None
            await asyncio.sleep(60 + SOON_S)
            assert fleet.gates() == [GateState.OPEN] * 4
            assert all(worker.gate.slots.limit <= START_SLOTS for worker in fleet.workers)

    virtually(story())


def test_when_the_prober_dies_another_worker_probes(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(3) as fleet:
            await fleet[0].use(Throttled("429", retry_after_s=10))
            await asyncio.sleep(SOON_S)
            fleet[0].freeze()
            await asyncio.sleep(EXPIRY_S + HEARTBEAT_S)
            assert fleet.gates()[1:] == [GateState.OPEN] * 2
            assert len(fleet.dynamics.probes) == 1

    virtually(story())


def test_when_the_prober_stops_another_worker_probes_at_once(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(3) as fleet:
            await fleet[0].use(Throttled("429", retry_after_s=10))
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            await fleet[0].end()
            await asyncio.sleep(10 + SOON_S)
            assert fleet.gates()[1:] == [GateState.OPEN] * 2

    virtually(story())


def test_a_worker_that_alone_has_trouble_does_not_hold_up_the_others(virtually: Virtually) -> None:
    """Its network, or its copy of the secret: a probe of the next worker proves it wrong."""

    async def story() -> None:
        async with fleet_of(3) as fleet:
            fleet.dynamics.fails["w1"] = Unavailable("no answer")
            closed = 0
            for _ in range(600):
                if fleet[1].gate.breaker.state is GateState.OPEN:
                    await fleet[1].lose()
                closed += fleet[0].gate.breaker.state is GateState.CLOSED
                await asyncio.sleep(1)
            assert closed < 15
            fleet.dynamics.fails.clear()
            await asyncio.sleep(EXPIRY_S + 60)
            assert fleet.gates() == [GateState.OPEN] * 3
            fleet.dynamics.error = Unavailable("no answer")
            await fleet[1].lose()  # and this time all of them
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            assert fleet.reasons() == {Reason.OUTAGE}

    virtually(story())


def test_slots_and_budget_are_divided_by_the_workers_that_are_alive(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(4) as fleet:
            fleet[3].gate.take_hint(12)
            await fleet[3].use()
            await asyncio.sleep(2 * HEARTBEAT_S)
            for worker in fleet.workers:
                await worker.use()
            await asyncio.sleep(SOON_S)
            assert [worker.gate.slots.limit for worker in fleet.workers] == [3] * 4
            assert {worker.gate.slots.budget.workers for worker in fleet.workers} == {4}
            fleet[0].freeze()
            await fleet[1].end()
            await asyncio.sleep(EXPIRY_S + 2 * HEARTBEAT_S)
            assert [worker.gate.slots.limit for worker in fleet.workers[2:]] == [
                4,
                4,
            ]  # as they started
            assert {worker.gate.slots.workers for worker in fleet.workers[2:]} == {2}
            assert set(fleet.state.notice().heartbeats) == {"w2", "w3"}

    virtually(story())


def test_a_hint_is_known_to_a_worker_before_its_first_request(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(1) as fleet:
            fleet[0].gate.take_hint(2)
            await fleet[0].use()
            await asyncio.sleep(SOON_S)
            late = await fleet.add()
            assert late.gate.slots.limit == 1

    virtually(story())


def test_an_idle_worker_costs_a_read_and_a_write_per_heartbeat_and_a_busy_one_a_read_per_second(
    virtually: Virtually,
) -> None:
    async def story() -> None:
        async with fleet_of(1) as fleet:
            state = fleet.state
            reads, writes = state.reads, state.writes
            await asyncio.sleep(10 * HEARTBEAT_S)
            assert 9 <= state.reads - reads == state.writes - writes <= 10
            reads, writes = state.reads, state.writes
            for _ in range(int(10 * HEARTBEAT_S / 0.05)):
                await fleet[0].use()
                await asyncio.sleep(0.05)
            assert state.reads - reads <= 10 * HEARTBEAT_S / POLL_S + 1
            assert state.writes - writes <= 11

    virtually(story())


def test_an_hour_s_outage_costs_no_more_writes_than_a_quiet_one_but_for_the_probes(
    virtually: Virtually,
) -> None:
    async def story() -> None:
        async with fleet_of(2) as fleet:
            fleet.dynamics.error = Unavailable("no answer")
            await fleet[0].lose()
            await asyncio.sleep(60)
            writes, probes = fleet.state.writes, len(fleet.dynamics.probes)
            await asyncio.sleep(3600)
            probes = len(fleet.dynamics.probes) - probes
            assert 55 <= probes <= 65
            assert fleet.state.writes - writes <= 2 * 3600 / HEARTBEAT_S + probes + 2

    virtually(story())


@pytest.mark.parametrize("trouble", ["away", "slow"])
def test_without_the_store_each_worker_goes_by_its_own_gate(
    virtually: Virtually, trouble: str
) -> None:
    async def story() -> None:
        async with fleet_of(2) as fleet:
            with capture_logs() as lines:
                if trouble == "away":
                    fleet.state.away = True
                else:
                    fleet.state.slow_s = 3600.0
                await fleet[0].use(Throttled("429", retry_after_s=30))
                await asyncio.sleep(SYNC_TIMEOUT_S + SOON_S)
                assert fleet.gates() == [GateState.CLOSED, GateState.OPEN]
                await fleet[1].use()
                await asyncio.sleep(30)
                assert fleet.gates() == [GateState.OPEN] * 2
            told = [line for line in lines if line["event"] == "gate.not_shared"]
            assert 0 < len(told) <= 2
            fleet.state.away, fleet.state.slow_s = False, 0.0
            await asyncio.sleep(2 * SYNC_TIMEOUT_S)
            await fleet[0].use(Throttled("429", retry_after_s=30))
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            assert fleet.reasons() == {Reason.THROTTLED}

    virtually(story())


def test_a_worker_that_waits_for_the_prober_and_loses_the_store_probes_by_itself(
    virtually: Virtually,
) -> None:
    async def story() -> None:
        async with fleet_of(2) as fleet:
            await fleet[0].use(Throttled("429", retry_after_s=30))
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            fleet.state.away = True
            await asyncio.sleep(30 + SOON_S)  # w1 counts from when it read of it
            assert {name for name, _ in fleet.dynamics.probes} == {"w0", "w1"}
            assert fleet.gates() == [GateState.OPEN] * 2

    virtually(story())


@pytest.mark.parametrize("text", DAMAGED_NOTICES)
def test_a_damaged_notice_is_written_anew_with_one_warning(virtually: Virtually, text: str) -> None:
    async def story() -> None:
        async with fleet_of(2) as fleet:
            await asyncio.sleep(SOON_S)
            with capture_logs() as lines:
                fleet.state._remembered[NAME] = text
                await asyncio.sleep(HEARTBEAT_S + SOON_S)
            warned = [line["event"] for line in lines]
            assert set(warned) == {"gate.notice_damaged"}
            assert len(warned) <= 2  # each worker once
            assert set(fleet.state.notice().heartbeats) <= {"w0", "w1"}
            await fleet[0].use(Throttled("429", retry_after_s=40))
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            assert fleet.reasons() == {Reason.THROTTLED}
            fleet.state._remembered[NAME] = text
            await asyncio.sleep(20)
            assert fleet.gates() == [GateState.CLOSED] * 2, "Retry-After is still obeyed"
            await asyncio.sleep(20 + SOON_S)
            assert fleet.gates() == [GateState.OPEN] * 2

    virtually(story())


def test_a_newer_release_s_notice_is_left_as_it_is_and_logged_once(virtually: Virtually) -> None:
    newer = f'{{"form": {FORM + 1}, "turn": {{}}}}'

    async def story() -> None:
        async with fleet_of(2) as fleet:
            await asyncio.sleep(SOON_S)
            with capture_logs() as lines:
                fleet.state._remembered[NAME] = newer
                await asyncio.sleep(10 * HEARTBEAT_S)
                await fleet.ask()
            assert fleet.state._remembered[NAME] == newer
            assert [line["event"] for line in lines] == ["gate.not_shared"] * 2  # each worker once
            assert "newer" in lines[0]["reason"]
            assert fleet.gates() == [GateState.OPEN] * 2

    virtually(story())


def test_an_unexpected_exception_leaves_a_worker_on_its_own_and_is_retried_ever_more_rarely(
    virtually: Virtually,
) -> None:
    async def story() -> None:
        async with fleet_of(1) as fleet:
            await asyncio.sleep(SOON_S)
            fleet.state.broken = True
            reads = fleet.state.reads
            with capture_logs() as lines:
                for _ in range(600):
                    await fleet[0].use()
                    await asyncio.sleep(1)
            assert not fleet[0].tasks[0].done()
            assert 10 < fleet.state.reads - reads < 60
            told = [line for line in lines if line["event"] == "fault.contained"]
            assert {(line["boundary"], line["kind"]) for line in told} == {("gate", "KeyError")}
            fleet.state.broken = False
            await asyncio.sleep(60)
            assert set(fleet.state.notice().heartbeats) == {"w0"}

    virtually(story())
