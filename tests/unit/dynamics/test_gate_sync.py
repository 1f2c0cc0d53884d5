"""The shared gate: what one worker learns of Dynamics binds all workers of the application user."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from worker.dynamics.errors import DynamicsError, Throttled, Unauthorized, Unavailable
from worker.dynamics.gate import (
    FORBIDDEN_PAUSE_S,
    LOOK_S,
    START_SLOTS,
    Gate,
    GateClosed,
    GateState,
    Reason,
)
from worker.dynamics.gate_sync import BEAT_S, JOIN_S, LIFE_S, LOOK_LIMIT_S, GateSync
from worker.dynamics.notice import FORM, Notice, NoticeError
from worker.dynamics.reasons import OWN
from worker.errors import StoreUnavailable
from worker.stores.memory import MemoryStore


Virtually = Callable[[Coroutine[Any, Any, None]], None]

NAME = "gate/https://org.test/client"

#: Until every worker has looked once more, and written if it had to (s).
SOON_S = 2.1 * LOOK_S


class Board(MemoryStore):
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
        self, name: str, board: Board, dynamics: Dynamics, *, ahead_s: float = 0.0
    ) -> None:
        def clock() -> float:
            return asyncio.get_running_loop().time() + ahead_s

        self.name = name
        self.dynamics = dynamics
        self.gate = Gate(clock=clock, random=lambda: 1.0)
        self.shared = GateSync(self.gate, board, NAME, name, clock=clock)
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.shared.join()
        self.tasks = [asyncio.create_task(self.shared.run()), asyncio.create_task(self._push())]

    async def _push(self) -> None:
        while True:
            await self.gate.reopen(self.probe)
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
        self.shared._leave = nothing  # type: ignore[method-assign] # a killed process says nothing
        for task in self.tasks:
            task.cancel()


async def nothing() -> None:
    """What a dead worker says."""


class Fleet:
    def __init__(self) -> None:
        self.board = Board()
        self.dynamics = Dynamics()
        self.workers: list[Worker] = []

    def __getitem__(self, number: int) -> Worker:
        return self.workers[number]

    async def add(self, **more: Any) -> Worker:
        worker = Worker(f"w{len(self.workers)}", self.board, self.dynamics, **more)
        self.workers.append(worker)
        await worker.start()
        return worker

    async def ask(self) -> None:
        """Each worker wants to send a request."""
        for worker in self.workers:
            with suppress(GateClosed):
                await worker.use()

    def states(self) -> list[GateState]:
        return [worker.gate.state for worker in self.workers]

    def reasons(self) -> set[Reason]:
        return {worker.gate.reason for worker in self.workers}


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
            assert fleet.states() == [GateState.OPEN] * 3
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
                assert 40 - 2 * SOON_S < worker.gate.retry_s <= 40
            await asyncio.sleep(40)
            assert fleet.states() == [GateState.OPEN] * 3

    virtually(story())


def test_a_longer_retry_after_of_another_worker_wins(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(3) as fleet:
            begun = asyncio.get_running_loop().time()
            async with fleet[2].gate.slot():
                await fleet[0].use(Throttled("429", retry_after_s=10))
                await asyncio.sleep(SOON_S)
            fleet[2].gate.throttled(60)  # of a request that was under way
            await asyncio.sleep(30)
            assert fleet.reasons() == {Reason.THROTTLED}
            await asyncio.sleep(60)
            assert fleet.states() == [GateState.OPEN] * 3
            assert min(at for _, at in fleet.dynamics.probes) >= begun + 60

    virtually(story())


def test_a_worker_that_comes_while_it_is_closed_waits_too(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(2) as fleet:
            begun = asyncio.get_running_loop().time()
            await fleet[0].use(Throttled("429", retry_after_s=100))
            await asyncio.sleep(50)
            late = await fleet.add()
            assert late.gate.reason is Reason.THROTTLED
            await asyncio.sleep(49 - JOIN_S)
            assert GateState.OPEN not in fleet.states()
            await asyncio.sleep(5)
            assert fleet.states() == [GateState.OPEN] * 3
            assert fleet.dynamics.probes[0][1] >= begun + 100

    virtually(story())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unauthorized("401"), Reason.UNAUTHORIZED),
        (Throttled("429", retry_after_s=3), Reason.THROTTLED),
    ],
)
def test_while_it_is_closed_one_worker_at_a_time_probes(
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
            assert fleet.states() == [GateState.OPEN] * 4
            assert all(worker.gate.limit <= START_SLOTS for worker in fleet.workers)

    virtually(story())


def test_when_the_one_that_probes_dies_another_one_does(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(3) as fleet:
            await fleet[0].use(Throttled("429", retry_after_s=10))
            await asyncio.sleep(SOON_S)
            fleet[0].freeze()
            await asyncio.sleep(LIFE_S + BEAT_S)
            assert fleet.states()[1:] == [GateState.OPEN] * 2
            assert len(fleet.dynamics.probes) == 1

    virtually(story())


def test_when_the_one_that_probes_stops_another_one_does_at_once(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(3) as fleet:
            await fleet[0].use(Throttled("429", retry_after_s=10))
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            await fleet[0].end()
            await asyncio.sleep(10 + SOON_S)
            assert fleet.states()[1:] == [GateState.OPEN] * 2

    virtually(story())


def test_a_worker_that_alone_has_trouble_does_not_hold_up_the_others(virtually: Virtually) -> None:
    """Its network, or its copy of the secret: a probe of the next worker proves it wrong."""

    async def story() -> None:
        async with fleet_of(3) as fleet:
            fleet.dynamics.fails["w1"] = Unavailable("no answer")
            closed = 0
            for _ in range(600):
                if fleet[1].gate.state is GateState.OPEN:
                    await fleet[1].lose()
                closed += fleet[0].gate.state is GateState.CLOSED
                await asyncio.sleep(1)
            assert closed < 15
            fleet.dynamics.fails.clear()
            await asyncio.sleep(LIFE_S + 60)
            assert fleet.states() == [GateState.OPEN] * 3
            fleet.dynamics.error = Unavailable("no answer")
            await fleet[1].lose()  # and this time all of them
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            assert fleet.reasons() == {Reason.OUTAGE}

    virtually(story())


def test_a_role_that_is_gone_pauses_all_and_each_comes_back_on_trial(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(2) as fleet:
            for contact in "abc":
                fleet[0].gate.forbidden(contact, "0x80040220")
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            assert fleet.reasons() == {Reason.FORBIDDEN}
            await asyncio.sleep(FORBIDDEN_PAUSE_S)
            assert fleet.states() == [GateState.OPEN] * 2
            assert [worker.gate.limit for worker in fleet.workers] == [1, 1]
            await fleet[1].use()
            assert fleet[1].gate.reason is Reason.NONE

    virtually(story())


def test_slots_and_budget_are_divided_by_the_workers_that_live(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(4) as fleet:
            fleet[3].gate.hint(12)
            await fleet[3].use()
            await asyncio.sleep(2 * BEAT_S)
            for worker in fleet.workers:
                await worker.use()
            await asyncio.sleep(SOON_S)
            assert [worker.gate.limit for worker in fleet.workers] == [3] * 4
            assert {worker.gate.budget.workers for worker in fleet.workers} == {4}
            fleet[0].freeze()
            await fleet[1].end()
            await asyncio.sleep(LIFE_S + 2 * BEAT_S)
            assert [worker.gate.limit for worker in fleet.workers[2:]] == [4, 4]  # as they started
            assert {worker.gate.workers for worker in fleet.workers[2:]} == {2}
            assert set(fleet.board.notice().beats) == {"w2", "w3"}

    virtually(story())


def test_a_hint_is_known_to_a_worker_before_its_first_request(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(1) as fleet:
            fleet[0].gate.hint(2)
            await fleet[0].use()
            await asyncio.sleep(SOON_S)
            late = await fleet.add()
            assert late.gate.limit == 1

    virtually(story())


def test_idle_it_costs_a_read_and_a_write_per_beat_and_busy_a_read_per_second(
    virtually: Virtually,
) -> None:
    async def story() -> None:
        async with fleet_of(1) as fleet:
            board = fleet.board
            reads, writes = board.reads, board.writes
            await asyncio.sleep(10 * BEAT_S)
            assert 9 <= board.reads - reads == board.writes - writes <= 10
            reads, writes = board.reads, board.writes
            for _ in range(int(10 * BEAT_S / 0.05)):
                await fleet[0].use()
                await asyncio.sleep(0.05)
            assert board.reads - reads <= 10 * BEAT_S / LOOK_S + 1
            assert board.writes - writes <= 11

    virtually(story())


def test_an_hour_s_outage_costs_no_more_writes_than_a_quiet_one_but_for_the_probes(
    virtually: Virtually,
) -> None:
    async def story() -> None:
        async with fleet_of(2) as fleet:
            fleet.dynamics.error = Unavailable("no answer")
            await fleet[0].lose()
            await asyncio.sleep(60)
            writes, probes = fleet.board.writes, len(fleet.dynamics.probes)
            await asyncio.sleep(3600)
            probes = len(fleet.dynamics.probes) - probes
            assert 55 <= probes <= 65
            assert fleet.board.writes - writes <= 2 * 3600 / BEAT_S + probes + 2

    virtually(story())


@pytest.mark.parametrize("trouble", ["away", "slow"])
def test_without_the_store_each_worker_goes_by_its_own_gate(
    virtually: Virtually, trouble: str
) -> None:
    async def story() -> None:
        async with fleet_of(2) as fleet:
            with capture_logs() as lines:
                if trouble == "away":
                    fleet.board.away = True
                else:
                    fleet.board.slow_s = 3600.0
                await fleet[0].use(Throttled("429", retry_after_s=30))
                await asyncio.sleep(LOOK_LIMIT_S + SOON_S)
                assert fleet.states() == [GateState.CLOSED, GateState.OPEN]
                await fleet[1].use()
                await asyncio.sleep(30)
                assert fleet.states() == [GateState.OPEN] * 2
            told = [line for line in lines if line["event"] == "gate.not_shared"]
            assert 0 < len(told) <= 2
            fleet.board.away, fleet.board.slow_s = False, 0.0
            await asyncio.sleep(2 * LOOK_LIMIT_S)
            await fleet[0].use(Throttled("429", retry_after_s=30))
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            assert fleet.reasons() == {Reason.THROTTLED}

    virtually(story())


def test_one_that_followed_and_loses_the_store_probes_by_itself(virtually: Virtually) -> None:
    async def story() -> None:
        async with fleet_of(2) as fleet:
            await fleet[0].use(Throttled("429", retry_after_s=30))
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            fleet.board.away = True
            await asyncio.sleep(30)
            assert {name for name, _ in fleet.dynamics.probes} == {"w0", "w1"}
            assert fleet.states() == [GateState.OPEN] * 2

    virtually(story())


@given(
    st.builds(
        Notice,
        turn=st.integers(0, 2**40),
        reason=st.sampled_from([reason for reason in Reason if reason not in OWN]),
        cause=st.text(),
        retry_s=st.floats(0, 300),
        owner=st.text(),
        hint=st.integers(0, 100),
        beats=st.dictionaries(st.text(), st.integers(0, 2**40)),
    )
)
def test_a_notice_is_read_as_it_was_written(notice: Notice) -> None:
    assert Notice.from_text(notice.to_text()) == notice


@pytest.mark.parametrize("text", [None, "", '{"later": 1}'])
def test_of_nothing_and_of_unknown_fields_comes_an_empty_notice(text: str | None) -> None:
    assert Notice.from_text(text) == Notice()


DAMAGED = [
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


@pytest.mark.parametrize("text", DAMAGED)
def test_what_is_damaged_is_no_notice(text: str) -> None:
    with pytest.raises(NoticeError) as caught:
        Notice.from_text(text)
    assert not caught.value.newer


def test_a_pause_that_is_told_is_never_longer_than_the_longest_there_can_be() -> None:
    assert Notice.from_text('{"retry_s": 1e300, "reason": "outage"}').retry_s == 300


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_notice_is_written_anew_with_one_warning(virtually: Virtually, text: str) -> None:
    async def story() -> None:
        async with fleet_of(2) as fleet:
            await asyncio.sleep(SOON_S)
            with capture_logs() as lines:
                fleet.board._remembered[NAME] = text
                await asyncio.sleep(BEAT_S + SOON_S)
            warned = [line["event"] for line in lines]
            assert set(warned) == {"gate.notice_damaged"}
            assert len(warned) <= 2  # each worker once
            assert set(fleet.board.notice().beats) <= {"w0", "w1"}
            await fleet[0].use(Throttled("429", retry_after_s=40))
            await asyncio.sleep(SOON_S)
            await fleet.ask()
            assert fleet.reasons() == {Reason.THROTTLED}
            fleet.board._remembered[NAME] = text
            await asyncio.sleep(20)
            assert fleet.states() == [GateState.CLOSED] * 2, "Retry-After is still obeyed"
            await asyncio.sleep(20 + SOON_S)
            assert fleet.states() == [GateState.OPEN] * 2

    virtually(story())


def test_a_newer_release_s_notice_is_left_as_it_is_and_told_once(virtually: Virtually) -> None:
    newer = f'{{"form": {FORM + 1}, "turn": {{}}}}'

    async def story() -> None:
        async with fleet_of(2) as fleet:
            await asyncio.sleep(SOON_S)
            with capture_logs() as lines:
                fleet.board._remembered[NAME] = newer
                await asyncio.sleep(10 * BEAT_S)
                await fleet.ask()
            assert fleet.board._remembered[NAME] == newer
            assert [line["event"] for line in lines] == ["gate.not_shared"] * 2  # each worker once
            assert "newer" in lines[0]["reason"]
            assert fleet.states() == [GateState.OPEN] * 2

    virtually(story())


def test_what_nobody_imagined_leaves_a_worker_on_its_own_and_is_tried_ever_more_rarely(
    virtually: Virtually,
) -> None:
    async def story() -> None:
        async with fleet_of(1) as fleet:
            await asyncio.sleep(SOON_S)
            fleet.board.broken = True
            reads = fleet.board.reads
            with capture_logs() as lines:
                for _ in range(600):
                    await fleet[0].use()
                    await asyncio.sleep(1)
            assert not fleet[0].tasks[0].done()
            assert 10 < fleet.board.reads - reads < 60
            told = [line for line in lines if line["event"] == "fault.contained"]
            assert {(line["boundary"], line["kind"]) for line in told} == {("gate", "KeyError")}
            fleet.board.broken = False
            await asyncio.sleep(60)
            assert set(fleet.board.notice().beats) == {"w0"}

    virtually(story())
