"""A peak hour: ten workers want more than Dataverse allows, and come close to what it allows.

The real gates, budgets and notices run on virtual time against the sandbox's model of service
protection: requests and execution time in a sliding window, requests at a time.
"""

from __future__ import annotations

import asyncio

from collections import Counter
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


@dataclass
class Server:
    """Dataverse, as far as service protection goes; what it saw."""

    random: Random
    limits: Limits = field(default_factory=Limits)
    hint: int = 52
    latency_s: tuple[float, float] = (0.05, 0.25)
    answers: Counter[int] = field(default_factory=Counter)
    running: int = 0
    most_running: int = 0
    hinted_at: float | None = None
    at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.throttle = Throttle(self.limits, now)

    async def answer(self, gate: Gate) -> None:
        """One request of one worker; its gate learns what the client would tell it."""
        server = self.throttle.server(None)
        self.running += 1
        if self.hinted_at is not None and now() > self.hinted_at + 2 * POLL_S:
            self.most_running = max(self.most_running, self.running)
        try:
            with self.throttle.running(USER, server):
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
        gate.slots.budget.observe(dict(self.throttle.headers(USER, server)))
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

    def __post_init__(self) -> None:
        clock = Clock(monotonic=now, chance=self.random.random)
        slots = Slots(clock)
        breaker = Breaker(slots, clock)
        self.sync = GateSync(slots, breaker, self.store, "gate", self.name, clock=clock)
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
                    await self.server.answer(self.gate)
            except DynamicsError:
                await self._wait()

    async def _wait(self) -> None:
        if self.gate.breaker.state is GateState.CLOSED:
            await self.gate.breaker.reopen(lambda: self.server.answer(self.gate))


async def peak(server: Server, seconds: float) -> None:
    store = MemoryStore()
    fleet = [Worker(server, store, f"worker-{n}", server.random) for n in range(WORKERS)]
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
