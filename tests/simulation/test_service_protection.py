"""A peak hour: ten workers want more than Dataverse allows, and come close to what it allows.

The real gates, budgets and notices run on virtual time against the sandbox's model of service
protection: requests and execution time in a sliding window, requests at a time.
"""

from __future__ import annotations

import asyncio

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from twins.loop import now, run
from worker.clock import Clock
from worker.dynamics.breaker import Breaker
from worker.dynamics.errors import DynamicsError, Throttled
from worker.dynamics.gate import Gate
from worker.dynamics.gate_sync import GateSync
from worker.dynamics.reasons import GateState
from worker.dynamics.slots import POLL_S, Slots
from worker.sandbox.dataverse.limits import Limits, Throttle
from worker.sandbox.dataverse.odata.refusals import Refusal
from worker.stores.memory import MemoryStore


HOUR_S = 3600.0
WORKERS = 10

#: Requests that each worker wants to send at a time, always.
WANTED = 5

USER = "the application user"
USERS = ("one", "two", "three", "four")


@dataclass
class Server:
    """Dataverse, as far as service protection goes; what it saw."""

    random: Random
    limits: Limits = field(default_factory=Limits)
    hint: int = 52
    latency_s: tuple[float, float] = (0.05, 0.25)
    answers: Counter[int] = field(default_factory=Counter)
    closed_for_s: dict[str, tuple[float, float]] = field(default_factory=dict)
    running: int = 0
    most_running: int = 0
    hinted_at: float | None = None
    at: list[float] = field(default_factory=list)
    by: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.throttle = Throttle(self.limits, now)

    async def answer(self, gate: Gate, user: str = USER) -> None:
        """One request of one worker; its gate learns what the client would tell it."""
        server = self.throttle.server(None)
        since, until = self.closed_for_s.get(user, (0.0, 0.0))
        if since <= now() < until:
            raise Throttled("429", retry_after_s=until - now())
        self.running += 1
        if self.hinted_at is not None and now() > self.hinted_at + 2 * POLL_S:
            self.most_running = max(self.most_running, self.running)
        try:
            with self.throttle.running(user, server):
                await asyncio.sleep(self.random.uniform(*self.latency_s))
        except Refusal as refusal:
            self.answers[429] += 1
            raise Throttled(
                "429", retry_after_s=float(dict(refusal.headers)["retry-after"])
            ) from None
        finally:
            self.running -= 1
        self.answers[200] += 1
        self.at.append(now())
        self.by.append(user)
        gate.slots.budget.observe(dict(self.throttle.headers(user, server)))
        gate.take_hint(self.hint)
        if self.hinted_at is None:
            self.hinted_at = now()

    def used(self, seconds: float, allowed: float | None = None) -> float:
        """How much was carried out, as a part of what a window allows."""
        allowed = allowed or self.limits.requests
        return len(self.at) / (allowed * seconds / self.limits.window_s)

    @property
    def refused(self) -> float:
        """Part of the answers that were 429."""
        return self.answers[429] / self.answers.total()


@dataclass
class Worker:
    """One worker's way to Dataverse, with more to send than may pass."""

    server: Server
    store: MemoryStore
    name: str
    random: Random
    user: str = USER

    def __post_init__(self) -> None:
        clock = Clock(monotonic=now, chance=self.random.random)
        slots = Slots(clock)
        breaker = Breaker(slots, clock)
        notice = f"gate/{self.user}"
        self.sync = GateSync(slots, breaker, self.store, notice, self.name, clock=clock)
        self.gate = Gate(slots, breaker, clock, self.sync.refresh)

    async def run(self) -> None:
        await asyncio.sleep(self.random.uniform(0, 5))
        await self.sync.join()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.sync.run())
            for _ in range(WANTED):
                group.create_task(self._send())

    async def _send(self) -> None:
        while True:
            try:
                async with self.gate.slot(wait_s=60):
                    await self._ask()
            except DynamicsError:
                await self._wait()

    async def _ask(self) -> None:
        await self.server.answer(self.gate, self.user)

    async def _wait(self) -> None:
        if self.gate.breaker.state is GateState.CLOSED:
            await self.gate.breaker.reopen(self._ask)


async def peak(server: Server, seconds: float, users: Sequence[str] = (USER,)) -> None:
    """Ten workers, each with a way of its own for each application user, as ``wiring`` has it."""
    store = MemoryStore()
    fleet = [
        Worker(server, store, f"worker-{n}", server.random, user)
        for n in range(WORKERS)
        for user in users
    ]
    tasks = [asyncio.create_task(worker.run()) for worker in fleet]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(
    "seconds",
    [pytest.param(HOUR_S, marks=pytest.mark.judge, id="hour"), pytest.param(900, id="quarter")],
)
def test_ten_workers_use_what_dataverse_allows_and_hardly_ever_more(seconds: float) -> None:
    server = Server(Random(1))
    run(peak(server, seconds))
    assert server.used(seconds) >= 0.95
    assert server.refused < 0.01
    assert server.most_running <= server.limits.concurrent
    windows = Counter(int(at // server.limits.window_s) for at in server.at)
    whole = range(int(seconds // server.limits.window_s))
    assert min(windows[n] for n in whole) >= 0.95 * server.limits.requests


@pytest.mark.parametrize("hint", [4, 20])
def test_workers_keep_together_to_the_recommended_parallelism_even_if_it_is_less_than_one_each(
    hint: int,
) -> None:
    server = Server(Random(hint), hint=hint, latency_s=(0.03, 0.15))
    run(peak(server, 400))
    assert server.most_running <= hint
    assert server.refused < 0.01
    assert server.used(400) >= 0.95


def test_when_requests_are_slow_execution_time_is_what_they_share() -> None:
    """At half a second each, 2400 requests are all the work that five minutes allow."""
    server = Server(Random(3), latency_s=(0.4, 0.6))
    run(peak(server, 900))
    assert server.used(900, server.limits.execution_ms / 500) >= 0.95
    assert server.refused < 0.01


def test_of_several_web_servers_they_use_more_than_of_one() -> None:
    """Nobody tells how many there are; each answer tells what is left on its own."""
    server = Server(Random(4), limits=Limits(servers=3))
    run(peak(server, 300))
    assert server.used(300) > 2
    assert server.refused < 0.01


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(HOUR_S, marks=pytest.mark.judge, id="hour"),
        pytest.param(300, id="five-minutes"),
    ],
)
def test_ten_workers_use_what_dataverse_allows_to_four_application_users(seconds: float) -> None:
    server = Server(Random(5))
    run(peak(server, seconds, USERS))
    allowed = len(USERS) * server.limits.requests
    assert server.used(seconds, allowed) >= 0.95
    assert server.refused < 0.01
    for user, requests in Counter(server.by).items():
        assert requests >= 0.95 * server.limits.requests * seconds / server.limits.window_s, user


@pytest.mark.parametrize(
    ("before_s", "closed_s"),
    [
        pytest.param(300.0, 600.0, marks=pytest.mark.judge, id="ten-minutes"),
        pytest.param(60.0, 120.0, id="two-minutes"),
    ],
)
def test_while_one_of_four_application_users_is_closed_the_others_send_as_much_as_before(
    before_s: float, closed_s: float
) -> None:
    def sent_by_others(closed_for_s: float) -> int:
        server = Server(Random(6))
        server.closed_for_s["one"] = (before_s, before_s + closed_for_s)
        run(peak(server, before_s + closed_s, USERS))
        requests = [at for at, user in zip(server.at, server.by, strict=True) if user != "one"]
        return sum(at >= before_s for at in requests)

    assert sent_by_others(closed_s) > 0.98 * sent_by_others(0.0)
