"""The long-running worker: wires sources, ingest and push, and ends them in order."""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from typing import TypeVar

import structlog

from worker import aws, heartbeat
from worker.clock import Clock, run_until
from worker.dynamics.gate import Gate
from worker.dynamics.gate_sync import GateSync
from worker.engine.far_ahead import LOOK_EVERY_S, FarAhead
from worker.engine.ingest import Ingest
from worker.engine.interests import Interests
from worker.engine.planner import Planner
from worker.engine.pushes import Pushes
from worker.engine.remembered_steps import remember_steps
from worker.errors import StoreUnavailable
from worker.faults import Faults
from worker.heartbeat import Health
from worker.moments import remembered, set_right, text_of
from worker.operations.quarantine import retry_newer
from worker.outside_time import OutsideTime
from worker.retry import retry_until
from worker.sources.protocol import Source
from worker.stores.protocol import ContactStore
from worker.stores.restoration import Keeper
from worker.telemetry.metrics import Metrics
from worker.telemetry.state_collector import StateCollector
from worker.telemetry.store_counts import StoreCounts


T = TypeVar("T")

_log = structlog.get_logger(__name__)

#: How often expired contacts are removed (s), and how many at a time.
EXPIRE_EVERY_S = 3600.0
EXPIRE_AT_ONCE = 1000

#: How often (s) messages that an older release set aside are taken in.
TAKE_IN_EVERY_S = 240.0

#: The same while no other clock's time is known.
ASK_AGAIN_S = 30.0

#: How long a worker waits for another clock's time before it trusts its own (s).
PATIENCE_S = 5.0

#: How long a loop may be silent (s). A call to AWS takes up to 145 in all its tries; push waits
#: for the longest Retry-After, 300, which may be renewed meanwhile, and for a probe.
SILENCE_S = 300.0
PUSH_SILENCE_S = 600.0

#: Part of the drain time that is kept for cancelling what would not end.
CANCEL_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class About:
    """What a worker works on.

    Attributes:
        target: The environment's address.
        state: The state, as the setting names it.
        pipelines: Their names.
    """

    target: str
    state: str
    pipelines: tuple[str, ...]


@dataclass(slots=True)
class Service:
    """A worker that is wired and ready to run.

    Attributes:
        store: Contact state.
        sources: Where messages come from, by name.
        ingest: Brings them into the store.
        push: Brings Dynamics to match.
        drain_s: Longest time (s) from stop to return.
        gate_syncs: Keep the gates, one for each application user, in sync with the other workers',
            if there may be any.
        metrics: What is measured.
        health: Watches the loops.
        faults: Counts and reports bugs of ours.
        begin: What push waits for before it begins; it returns once ``stop`` is set.
        clock: Time and chance.
        outside: What time it is by others' clocks.
        keeper: Knows whether the state was restored.
        interests: What live workers read.
        about: What the first line of the log tells.
        census: Counts what the store holds.
        far_ahead: Finds work that a wrong clock put off into the future.
    """

    store: ContactStore
    sources: Mapping[str, Source]
    ingest: Ingest
    push: Pushes
    drain_s: float
    gate_syncs: Sequence[GateSync] = ()
    metrics: Metrics = field(default_factory=Metrics)
    health: Health = field(default_factory=Health)
    faults: Faults = field(default_factory=Faults)
    begin: Callable[[asyncio.Event], Awaitable[None]] | None = None
    clock: Clock = field(default_factory=Clock)
    outside: OutsideTime = field(default_factory=OutsideTime)
    keeper: Keeper | None = None
    interests: Interests | None = None
    about: About = field(default_factory=lambda: About("", "", ()))
    census: StoreCounts = field(init=False)
    far_ahead: FarAhead = field(init=False)

    def __post_init__(self) -> None:
        transactions = self.push.transactions
        plan, clock = transactions.planner.plan, transactions.clock
        self.census = StoreCounts(self.store, self.health, self.clock)
        self.far_ahead = FarAhead(self.store, plan, clock, self.faults)
        readings = StateCollector(
            self.ingest.tally,
            self.gates,
            self.census,
            self.faults,
            self.clock,
            lambda: {push.user: len(push.buckets) for push in self.push.each},
            lambda now: {p.user: p.transactions.freshness.oldest(now) for p in self.push.each},
        )
        self.metrics.registry.register(readings)

    @property
    def gates(self) -> dict[str, Gate]:
        """The gate of each application user, by client id."""
        return {push.user: push.transactions.gate for push in self.push.each}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then finish what is in hand, within ``drain_s``."""
        _log.info(
            "service.started",
            target=self.about.target,
            state=self.about.state,
            pipelines=self.about.pipelines,
            release=version("connect-dynamics"),
            sources=len(self.sources),
        )
        async with asyncio.TaskGroup() as group:
            work = group.create_task(self._work(stop))
            stopped = group.create_task(stop.wait())
            await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            _log.info("service.draining", drain_s=self.drain_s)
            await asyncio.wait((work,), timeout=self.drain_s * (1 - CANCEL_SHARE))
            if not work.done():
                # Nothing is lost: what was not acknowledged comes again, claims lapse.
                _log.warning("service.drain_cut_short")
                work.cancel()
        _log.info("service.stopped")

    async def _work(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:

            def start(
                name: str,
                boundary: str,
                loop: Callable[[], Awaitable[None]],
                silence_s: float,
                *,
                connects: bool = False,
            ) -> asyncio.Task[None]:
                heart = self.health.heart(name, silence_s, connects=connects)
                contained = self.faults.again(boundary, loop, self.clock, stop=stop, name=name)
                return group.create_task(contained, context=heart.context())

            for name, source in self.sources.items():
                handle = partial(self.ingest.handle, stop=stop)
                read = partial(source.run, handle, stop)
                start(name, "source", read, SILENCE_S, connects=True)
            await asyncio.gather(*(sync.join() for sync in self.gate_syncs))
            sharing = [
                start(f"gate {n}" if n else "gate", "gate", sync.run, SILENCE_S)
                for n, sync in enumerate(self.gate_syncs)
            ]
            push = start("push", "push", partial(self._begin_and_push, stop), PUSH_SILENCE_S)
            looks = EXPIRE_EVERY_S + SILENCE_S
            keep_house = partial(self._repeat, self._keep_house, self._house_pause_s)
            house = start("housekeeping", "housekeeping", keep_house, looks)
            taken = TAKE_IN_EVERY_S + SILENCE_S
            take_in = partial(self._repeat, self._take_in_again, lambda: TAKE_IN_EVERY_S)
            again = start("quarantine", "housekeeping", take_in, taken)
            census = start("census", "census", self.census.run, SILENCE_S)
            far = LOOK_EVERY_S + SILENCE_S
            ahead = start("far_ahead", "housekeeping", self.far_ahead.run, far)
            background = [house, again, census, ahead]
            if self.keeper is not None:
                keep = partial(self.keeper.run, self._saved)
                background.append(start("restoration", "housekeeping", keep, SILENCE_S))
            if self.interests is not None:
                reading = self.interests.run
                background.append(start("interests", "housekeeping", reading, SILENCE_S))
            await stop.wait()
            for task in background:
                task.cancel()
            await asyncio.wait((push,))
            for task in sharing:
                task.cancel()

    def _saved(self) -> tuple[int, int]:
        """Grows with what is saved."""
        sent = self.push.sent
        return self.ingest.tally.facts, sent.writes + sent.parked

    async def _begin_and_push(self, stop: asyncio.Event) -> None:
        if self.keeper is not None:
            kept = await _waiting_for_store(self.keeper.look, self.clock, stop)
            if kept is None:
                return
        if self.begin is not None:
            await self.begin(stop)
        await self.push.run(stop)

    async def _repeat(
        self, work: Callable[[], Awaitable[None]], pause_s: Callable[[], float]
    ) -> None:
        """Do the work repeatedly, until cancelled; without the store it waits for the next time."""
        while True:
            heartbeat.beat()
            try:
                await work()
            except StoreUnavailable as error:
                _log.warning("service.store_unavailable", reason=str(error))
            await self.clock.sleep(pause_s())

    async def _keep_house(self) -> None:
        await correct_pipelines(self.push.transactions.planner, self.store, self.outside)
        await self._expire()

    def _house_pause_s(self) -> float:
        return EXPIRE_EVERY_S if self.outside.known else ASK_AGAIN_S

    async def _expire(self) -> None:
        """Remove what has certainly expired, not by our own clock alone."""
        removed = EXPIRE_AT_ONCE
        while removed == EXPIRE_AT_ONCE and (now := self.outside.at_least()) is not None:
            heartbeat.beat()
            removed = await self.store.expire(now, EXPIRE_AT_ONCE)

    async def _take_in_again(self) -> None:
        """Take in what an older release had to leave, for contacts that this one can read."""
        if self.census.counts is None or self.census.counts.quarantined:
            await retry_newer(self.store, self.ingest)


async def begin_pipelines(
    planner: Planner,
    store: ContactStore,
    stop: asyncio.Event,
    outside: OutsideTime | None = None,
) -> None:
    """Find in the store since when each pipeline applies to live contacts, however long it takes.

    If ``stop`` is set first, nothing is known and nothing must be pushed. A pipeline that is new
    applies from now on, and other workers' claims are judged by the clock: so other clocks are
    waited for first, for a while.
    """
    outside = outside or OutsideTime(planner.clock)
    names = {pipeline.name: f"pipeline/{pipeline.name}" for pipeline in planner.pipelines}
    await run_until(stop, outside.wait_until_known(PATIENCE_S))
    now = text_of(planner.clock.wall())
    since = {}
    for pipeline in planner.pipelines:
        for note in pipeline.warnings():
            _log.info("service.pipeline_note", note=note)
        remember = partial(remembered, store, names[pipeline.name], now, outside)
        kept = await _waiting_for_store(remember, outside.clock, stop)
        if kept is None:
            return
        since[pipeline.name] = kept
    remember_all = partial(remember_steps, store, planner.pipelines, now)
    versions = await _waiting_for_store(remember_all, outside.clock, stop)
    if versions is None:
        return
    planner.terms = replace(planner.terms, since=since, versions=versions)


async def correct_pipelines(planner: Planner, store: ContactStore, outside: OutsideTime) -> None:
    """Correct since when the pipelines apply, if a clock that was ahead had set it.

    Raises:
        StoreUnavailable: The store cannot be used just now.
    """
    since = {
        name: await set_right(store, f"pipeline/{name}", kept, outside)
        for name, kept in planner.terms.since.items()
    }
    if since != planner.terms.since:
        planner.terms = replace(planner.terms, since=since)


async def _waiting_for_store(
    call: Callable[[], Awaitable[T]], clock: Clock, stop: asyncio.Event
) -> T | None:
    """What the call returns once the store can be used; None if that is not so until ``stop``."""

    def waits(code: str) -> None:
        _log.warning("service.waits_for_store", code=code)

    return await retry_until(
        call, clock=clock, errors=aws.OUTSIDE, failed=aws.reporting(waits), stop=stop
    )
