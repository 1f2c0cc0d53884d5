"""One worker: the real parts, wired as ``worker.service`` wires them, as a simulated process."""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from random import Random
from typing import cast

from pipelines.plan import Terms
from simulated.bugs import DESKTOP, INGEST, PERFORMER, SHARED_STATE, STORE, Bugs
from simulated.conduct import NOTICE, Conduct
from simulated.damage import Rows
from simulated.dynamics import ENVIRONMENT, Dataverse, Entrance, Tokens, Wire
from simulated.indexes import Indexes
from simulated.kinesis import STREAM, KinesisClient, Stream
from simulated.leases import RemoteLeases
from simulated.loop import Process, VirtualLoop
from simulated.network import Network, Weather
from simulated.safekeeping import Safekeeping
from simulated.store import RemoteStore
from simulated.story import Story
from simulated.traffic import pipelines
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.clock import Clock
from worker.dynamics.breaker import Breaker
from worker.dynamics.client import DataverseClient
from worker.dynamics.gate import Gate
from worker.dynamics.gate_sync import GateSync
from worker.dynamics.lookup import make_lookups
from worker.dynamics.performer import Performer
from worker.dynamics.slots import Slots
from worker.dynamics.users import Users
from worker.engine.far_ahead import FarAhead
from worker.engine.ingest import Ingest
from worker.engine.interests import Interests
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.pushes import Pushes
from worker.engine.transaction import Transactions
from worker.errors import StoreUnavailable
from worker.files import MemoryFiles
from worker.leases.memory import MemoryLeases
from worker.leases.stream import LeasedStream
from worker.outside_time import OutsideTime
from worker.sandbox.traffic import START
from worker.stores.memory import MemoryStore
from worker.stores.protocol import ContactStore, Entry, FaultNote


#: Wall clock (s since 1970) of a host whose clock is right, at virtual time 0.
BEGINNING = START.timestamp()

#: How long after its start a worker is let alone with what it made of others' claims (s).
SETTLED_S = 60.0

#: All workers' key: what is listed changes nothing of what is promised.
INDEX_KEY = b"the key of the simulated worlds."

#: How often a worker removes what has expired (s): more often than a real one, runs being short.
EXPIRE_EVERY_S = 60.0


@dataclass(slots=True)
class Pace:
    """How often a worker looks for work; the less often, the faster a run.

    Attributes:
        poll_s: See ``Feed``.
        failover_s: See ``LeasedStream``.
        lazy_s: Push sleeps so much too long at most: machines are busy.
    """

    poll_s: float
    failover_s: float
    lazy_s: float


@dataclass(slots=True)
class Services:
    """What all workers share, and how each can be reached.

    Attributes:
        loop: Time.
        rng: Chance.
        odd: Chance, for what nobody imagined: without it a world goes as it went before.
        content: Chance, for what goes wrong by what requests are about.
        story: Told what happens.
        network: The way to everything.
        stream: Kinesis.
        leases: The lease table.
        store: The contact store.
        dataverse: Dynamics.
        weathers: By service: ``kinesis``, ``leases``, ``store``, ``entra``.
        safekeeping: Watches stream, leases and store.
        conduct: Watches requests.
        bugs: What raises.
        rows: What cannot be read.
        indexes: What lists of the store's rows show.
        pace: How often workers look for work.
        shares_gate: Whether the workers' gates are one.
        particular: Something goes wrong by what requests are about.
        users: Client ids of the application users that each worker has.
        pushed: Entries that push saved.
        started: Workers that started.
        build: What release runs on workers that are started now.
        passed_s: Time (s) that everybody's clock has let pass without anything happening.
    """

    loop: VirtualLoop
    rng: Random
    odd: Random
    content: Random
    several: Random
    story: Story
    network: Network
    stream: Stream
    leases: MemoryLeases
    store: MemoryStore
    dataverse: Dataverse
    safekeeping: Safekeeping
    conduct: Conduct
    bugs: Bugs
    rows: Rows
    indexes: Indexes
    pace: Pace
    shares_gate: bool
    particular: bool
    users: Sequence[str]
    weathers: dict[str, Weather] = field(default_factory=dict)
    pushed: int = 0
    started: int = 0
    build: str = "this"
    passed_s: float = 0.0

    def wall(self) -> float:
        """Seconds since 1970, as they are."""
        return BEGINNING + self.passed_s + self.loop.time()

    def weather(self, service: str) -> Weather:
        """How a service can be reached."""
        return self.weathers.setdefault(service, Weather())


class Host:
    """A machine: its wall clock may be wrong, and jump.

    Attributes:
        ahead_s: By how much it is ahead of the right time.
        deaf: Answers that reach it have lost their dates on the way.
    """

    def __init__(self, services: Services, ahead_s: float) -> None:
        self.ahead_s = ahead_s
        self.deaf = False
        self._services = services

    def wall(self) -> float:
        """Seconds since 1970, as this machine thinks."""
        return self._services.wall() + self.ahead_s

    def outside_time(self) -> OutsideTime:
        """What a process on it knows of the time by others' clocks: nothing yet."""
        return OutsideTime(self.clock)

    @property
    def clock(self) -> Clock:
        """Its clocks, and chance."""
        services = self._services
        return Clock(self.wall, services.loop.time, asyncio.sleep, services.rng.random)


class Worker:
    """A process that runs.

    Args:
        services: What it uses.
        name: Its id in the lease table.
        host: Where it runs.

    Attributes:
        stop: Set on SIGTERM.
        done: It has ended in order.
    """

    def __init__(self, services: Services, name: str, host: Host) -> None:
        self.name = name
        self.host = host
        self.process = Process(name)
        self.stop = asyncio.Event()
        self.done = False
        self._services = services
        self._outside = host.outside_time()
        gates = {user: _gate(services, self.process, host, user) for user in services.users}
        self._gate_syncs = [sync for _, sync in gates.values()]
        self.ingest, self.pushes, self._interests = _parts(
            services,
            self.process,
            host,
            self._outside,
            {user: gate for user, (gate, _) in gates.items()},
        )
        self._source = _source(services, name, host, self._outside)
        work = self.pushes.transactions
        self._far_ahead = FarAhead(
            work.store,
            work.planner.plan,
            replace(work.clock, sleep=asyncio.sleep),
            work.faults,
        )
        services.loop.start(self.process, self._main())

    async def _main(self) -> None:
        story, shares = self._services.story, self._services.shares_gate
        try:
            async with asyncio.TaskGroup() as group:
                handle = partial(self.ingest.handle, stop=self.stop)
                self._start(group, "source", lambda: self._source.run(handle, self.stop))
                if shares:
                    for sync in self._gate_syncs:
                        await sync.join()
                    sharing = [self._start(group, "gate", sync.run) for sync in self._gate_syncs]
                house = [
                    self._start(group, "housekeeping", loop)
                    for loop in (self._keep_house, self._far_ahead.run, self._interests.run)
                ]
                await self._start(group, "push", lambda: self.pushes.run(self.stop))
                for task in (*house, *(sharing if shares else [])):
                    task.cancel()
        except Exception as error:  # noqa: BLE001 - no worker may ever end like this
            story.breach("worker", f"{self.name} died: {_innermost(error)!r}")
        finally:
            self.done = True
            story.tell(self.name, "has ended")

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(EXPIRE_EVERY_S)
            with suppress(StoreUnavailable):
                if (now := self._outside.at_least()) is not None:
                    await self.pushes.transactions.store.expire(now, 1000)

    def _start(
        self, group: asyncio.TaskGroup, boundary: str, loop: Callable[[], Awaitable[None]]
    ) -> asyncio.Task[None]:
        """Begin a loop as the service does."""
        work = self.pushes.transactions
        return group.create_task(work.faults.again(boundary, loop, work.clock, stop=self.stop))


def _parts(
    services: Services,
    process: Process,
    host: Host,
    outside: OutsideTime,
    gates: Mapping[str, Gate],
) -> tuple[Ingest, Pushes, Interests]:
    dataverse, network, loop = services.dataverse, services.network, services.loop
    bugs, conduct = services.bugs, services.conduct
    chance, began_s = services.rng.random, loop.time()

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds + chance() * services.pace.lazy_s)

    def knows_time() -> bool:
        # Who has just started may have looked at a claim by a clock that it knows better by now.
        return outside.known and loop.time() > began_s + SETTLED_S

    def pushed(entry: Entry) -> None:
        services.pushed += 1
        services.safekeeping.saved(entry)
        conduct.claims(process, entry, outside.now() if knows_time() else inf)

    def put_back(contact_id: str, fault: FaultNote | None) -> None:
        services.pushed += 1
        conduct.put_back(process, contact_id, fault, knows_time=knows_time())

    clock = Clock(outside.now, loop.time, sleep, chance)
    lookups = make_lookups(clock, wildcard=True)
    terms = Terms({"AppId": "app"}, live=True)
    loaded = pipelines(noted=services.particular)
    planner = Planner(bugs.pipelines(loaded), terms, clock)
    pushing = bugs.haunted(_store(services, pushed, put_back), STORE)

    def push(user: str, gate: Gate) -> Push:
        client = DataverseClient(
            ENVIRONMENT,
            Wire(dataverse, network, process, user),
            Tokens(dataverse, network, services.weather("entra"), user),
            gate,
            dated=lambda at: None if host.deaf else outside.observe("dynamics", at),
        )
        entrance = Entrance(client, conduct, process)
        users = Users(entrance, pushing, clock) if len(gates) > 1 else None
        performer = Performer(entrance, clock, MemoryFiles(), lookups=lookups, users=users)
        transactions = Transactions(
            store=pushing,
            performer=bugs.haunted(performer, PERFORMER),
            gate=gate,
            desktop=bugs.haunted(MemoryScreenPop(), DESKTOP),
            connect=MemoryConnect(),
            planner=planner,
            build=services.build,
            clock=clock,
            index_key=INDEX_KEY,
        )
        return Push(transactions, client.probe, user)

    pushes = Pushes(*(push(user, gate) for user, gate in gates.items()))
    store = bugs.haunted(_store(services, services.safekeeping.saved), INGEST)
    shared = bugs.haunted(_store(services, services.safekeeping.saved), SHARED_STATE)
    name = f"{process.name}-{services.started}"
    interests = Interests(shared, loaded, name, clock, pushes.transactions.faults)
    ingest = Ingest(
        store,
        interest=interests.read,
        clock=Clock(outside.now, loop.time, chance=chance),
        arrived=outside.arrived,
        news=pushes.news,
        faults=pushes.transactions.faults,
        index_key=INDEX_KEY,
    )
    return ingest, pushes, interests


def _store(
    services: Services,
    saved: Callable[[Entry], None],
    put_back: Callable[[str, FaultNote | None], None] = lambda _contact_id, _fault: None,
) -> ContactStore:
    weather = services.weather("store")
    remote = RemoteStore(
        services.store,
        services.network,
        weather,
        services.rng,
        services.indexes,
        saved=saved,
        put_back=put_back,
        expired=services.safekeeping.expired,
        agreed=services.conduct.agreed,
    )
    return cast("ContactStore", remote)  # the methods that it passes on are found at run time


def _source(services: Services, name: str, host: Host, outside: OutsideTime) -> LeasedStream:
    network, safekeeping = services.network, services.safekeeping
    kinesis = KinesisClient(
        services.stream,
        network,
        services.weather("kinesis"),
        safekeeping.read,
        lambda at: None if host.deaf else outside.observe("kinesis", at),
    )
    leases = RemoteLeases(services.leases, network, services.weather("leases"), safekeeping, name)
    return LeasedStream(
        lambda: nullcontext(kinesis),
        STREAM,
        lambda: nullcontext(leases),
        name,
        _store(services, services.safekeeping.saved),
        start="earliest",
        failover_s=services.pace.failover_s,
        take_s=services.pace.failover_s / 2,
        on_lease=lambda _, shard, change: services.story.tell(name, f"{shard} {change}"),
        poll_s=services.pace.poll_s,
        limit=3,
        clock=host.clock,
        outside=outside,
    )


def _gate(services: Services, process: Process, host: Host, user: str) -> tuple[Gate, GateSync]:
    """An application user's gate, and what keeps it in sync with those of other workers."""
    store = services.bugs.haunted(_store(services, services.safekeeping.saved), SHARED_STATE)
    services.started += 1
    name = f"{process.name}-{services.started}"  # a restarted worker is another one
    clock = host.clock
    slots = Slots(clock)
    breaker = Breaker(slots, clock)
    sync = GateSync(slots, breaker, store, NOTICE + user, name, clock=clock)
    return Gate(slots, breaker, clock, sync.refresh), sync


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
