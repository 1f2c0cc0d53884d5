"""Every course that two workers and one lease can take, of a few steps of time and progress.

The real table twin, taker and tenure are driven, not a drawing of them. A pause is time that
passes between any two steps of a worker; a late write is one that was sent and arrives any time
after, when its sender may have lost the lease.
"""

from __future__ import annotations

import asyncio

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from worker.clock import Clock
from worker.leases.choice import choose
from worker.leases.lease import Lease
from worker.leases.memory import MemoryLeases
from worker.leases.position import Position
from worker.leases.protocol import LeaseLost
from worker.leases.taker import Taker
from worker.leases.tenure import Tenure


KEY = "shardId-0"
WORKERS = ("a", "b")
FAILOVER_S = 2  # as many steps of time
LAST_POSITION = 1
MOST_STATES = 100_000

# Of counters only the distance to the lease's own makes a difference, and only up to this one.
COUNTER = 10
LONG_AGO = 2


@dataclass(frozen=True)
class Held:
    """A tenure, boiled down."""

    lease: Lease
    left_s: int
    unsure: bool


@dataclass(frozen=True)
class Mind:
    """What one worker knows: what it watched, what it is about to take, what it holds."""

    age_s: int | None = None  # for how long it has seen the counter as it is
    pending: bool = False  # about to take the lease as it is
    held: Held | None = None


@dataclass(frozen=True)
class State:
    lease: Lease
    minds: tuple[Mind, Mind]


class World:
    """The real things, set up as a state says."""

    def __init__(self, state: State) -> None:
        self.clock = Clock(monotonic=lambda: 0.0, chance=lambda: 0.0)
        self.table = MemoryLeases(state.lease)
        self.takers = [self.taker(w, mind) for w, mind in zip(WORKERS, state.minds, strict=True)]
        self.pending = [state.lease if mind.pending else None for mind in state.minds]

    def taker(self, worker: str, mind: Mind) -> Taker:
        taker = Taker(
            self.table,
            worker,
            failover_s=FAILOVER_S,
            period_s=1,
            clock=self.clock,
            report=lambda _: None,
        )
        if mind.age_s is not None:
            taker._watch._seen = {KEY: (COUNTER, -mind.age_s)}
        if mind.held:
            taker.held[KEY] = self.tenure(worker, mind.held)
        return taker

    def tenure(self, worker: str, held: Held) -> Tenure:
        tenure = Tenure(
            self.table,
            held.lease,
            worker,
            since=held.left_s - FAILOVER_S,
            failover_s=FAILOVER_S,
            clock=self.clock,
            report=lambda _: None,
        )
        tenure._unsure = held.unsure
        return tenure

    @property
    def lease(self) -> Lease:
        return self.table.leases[KEY]

    def state(self, passed_s: int = 0) -> State:
        minds = [self.mind(n, passed_s) for n in range(len(WORKERS))]
        return State(replace(self.lease, counter=COUNTER, switches=0), (minds[0], minds[1]))

    def mind(self, n: int, passed_s: int) -> Mind:
        counter, since = self.takers[n]._watch._seen.get(KEY, (None, 0.0))
        pending, tenure = self.pending[n], self.takers[n].held.get(KEY)
        return Mind(
            min(int(-since) + passed_s, FAILOVER_S + 1) if counter == self.lease.counter else None,
            pending is not None and pending.counter == self.lease.counter,
            self.held(tenure, passed_s) if tenure else None,
        )

    def held(self, tenure: Tenure, passed_s: int) -> Held:
        left_s = 0 if tenure.lost.is_set() else max(int(tenure._ends) - passed_s, 0)
        behind = min(self.lease.counter - tenure.lease.counter, LONG_AGO)
        known = tenure.lease if behind < LONG_AGO else self.lease
        lease = replace(known, counter=COUNTER - behind, switches=0)
        return Held(lease, left_s, tenure._unsure and behind == 1)


async def look(world: World, n: int) -> None:
    """Scan the table and choose; the taking comes any time later."""
    choice = choose(world.takers[n]._situation(await world.table.scan()))
    assert choice.steal is None
    world.pending[n] = next(iter(choice.free), None)


async def take(world: World, n: int) -> None:
    pending, world.pending[n] = world.pending[n], None
    if pending:
        await world.takers[n]._take(pending)


async def renew(world: World, n: int) -> None:
    await while_held(world.takers[n], lambda tenure: tenure.renew())


async def checkpoint(world: World, n: int) -> None:
    position = following(world)
    await while_held(world.takers[n], lambda tenure: tenure.move(position))


async def release(world: World, n: int) -> None:
    """Drained: for a hand-off, or because the worker stops."""
    await while_held(world.takers[n], lambda tenure: tenure.release())


async def end(world: World, n: int) -> None:
    """The reader sees that the lease is lost."""
    tenure = world.takers[n].held.get(KEY)
    if tenure and not is_held(tenure):
        del world.takers[n].held[KEY]


async def late_write(world: World, n: int) -> None:
    """A checkpoint passed its sender's own checks, and arrives only now; nobody hears of it."""
    tenure = world.takers[n].held.get(KEY)
    if tenure:
        before = world.lease.holder
        answer = await world.table.move(tenure.lease, following(world))
        tenure._unsure = True
        assert not isinstance(answer, Lease) or before == WORKERS[n], "fencing"


async def hand_off(world: World, n: int) -> None:
    """A leader begins to hand the lease off to this worker; the counter stays."""
    if world.lease.owner == WORKERS[1 - n] and not world.lease.checkpoint_owner:
        world.table.leases[KEY] = replace(
            world.lease, owner=WORKERS[n], checkpoint_owner=WORKERS[1 - n]
        )


ACTIONS = (look, take, renew, checkpoint, release, end, late_write, hand_off)


async def while_held(taker: Taker, act: Callable[[Tenure], Awaitable[None]]) -> None:
    if tenure := taker.held.get(KEY):
        try:
            await act(tenure)
        except LeaseLost:
            assert tenure.lost.is_set()


def is_held(tenure: Tenure) -> bool:
    try:
        tenure.check()
    except LeaseLost:
        return False
    return True


def following(world: World) -> Position:
    """One record on from wherever the lease is, up to the last."""
    done = world.lease.checkpoint.sequence or 0
    return Position(str(min(done + 1, LAST_POSITION)))


async def next_states(state: State) -> list[State]:
    after = [World(state).state(passed_s=1)]
    for act in ACTIONS:
        for n in range(len(WORKERS)):
            world = World(state)
            await act(world, n)
            after.append(world.state())
    return after


async def every_state() -> dict[State, list[State]]:
    first = State(Lease(KEY, Position("0"), counter=COUNTER), (Mind(), Mind()))
    reached: dict[State, list[State]] = {}
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        if state not in reached:
            reached[state] = await next_states(state)
            waiting.extend(reached[state])
            assert len(reached) < MOST_STATES
    return reached


def holders(state: State) -> Iterator[str]:
    for worker, mind in zip(WORKERS, state.minds, strict=True):
        if mind.held and mind.held.left_s > 0:
            yield worker


@pytest.fixture(scope="module")
def reached() -> dict[State, list[State]]:
    """Every state there is, with those that can follow it."""
    return asyncio.run(every_state())


def test_in_every_course_of_two_workers_there_is_one_holder_and_checkpoints_only_grow(
    reached: dict[State, list[State]],
) -> None:
    for state, following_states in reached.items():
        assert len(list(holders(state))) <= 1, "two workers think that they hold the lease"
        for after in following_states:
            assert after.lease.checkpoint >= state.lease.checkpoint
    assert any(state.lease.checkpoint_owner for state in reached)
    assert len(reached) > 1000


def test_from_every_state_each_worker_can_still_come_to_hold_the_lease(
    reached: dict[State, list[State]],
) -> None:
    before: dict[State, list[State]] = {state: [] for state in reached}
    for state, following_states in reached.items():
        for after in following_states:
            before[after].append(state)
    for worker in WORKERS:
        able = {state for state in reached if worker in holders(state)}
        waiting = deque(able)
        while waiting:
            fresh = set(before[waiting.popleft()]) - able
            able |= fresh
            waiting.extend(fresh)
        assert able == set(reached)
