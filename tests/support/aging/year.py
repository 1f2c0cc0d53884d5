"""A simulated year: whole workers, as ``worker.wiring`` builds them, on twins of all else.

Every day a few contacts; every week the streams are resharded; every month another release comes
with other pipelines, worker by worker, and a secret is rotated now and then, once only after it had
expired. Clocks are stepped, Dynamics is away, or throttles for a day. One worker is never replaced.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import re

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import accumulate, count
from math import inf
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
import structlog

from structlog.typing import EventDict

from aging import census
from aging.clouds import Amazon, Shared, Web, asked_with
from aging.loop import LeapingLoop
from worker import aws, wiring
from worker.clock import Clock
from worker.definitions import SHIPPED
from worker.dynamics import connection
from worker.dynamics.auth import MsalTokens
from worker.dynamics.http import make_http
from worker.sandbox.command import TENANT
from worker.sandbox.dataverse.app import CLIENT_SECRET, Dataverse, create_dataverse
from worker.sandbox.dataverse.users import CLIENT_ID
from worker.sandbox.oracle.customers import employ
from worker.sandbox.oracle.verdict import OF_CHANNELS, differences, expected
from worker.sandbox.traffic import (
    EVENTS,
    KINDS,
    RECORDINGS,
    RECORDS,
    START,
    Leg,
    SentMessage,
    disturb,
    history,
)
from worker.service import Service
from worker.settings import Settings


DAY_S: Final = 86_400.0
MONTH_DAYS: Final = 30
MONTHS: Final = 12

CONTACTS_A_DAY: Final = 2
SHARDS: Final = 2

#: Longer than time leaps; a lease of a worker that was stopped in order is free at once.
FAILOVER_S: Final = 4 * 3600.0

TOKEN_S: Final = 5 * 86_400

#: How long (s) all may take to come to rest at the end of a month.
REST_S: Final = 12 * 3600.0

#: Days of a year on which something happens.
ROTATED: Final = (40, 130, 220, 310)
EXPIRED: Final = 250
AWAY: Final = (75, 195)
THROTTLED: Final = (105, 285)
STEPPED: Final = {20: 7200.0, 22: -7200.0, 90: -3600.0, 93: 3600.0, 170: 900.0, 171: -900.0}

#: Another step of each month's release: what it reads grows with the months.
_MONTHLY: Final = """
[[step]]
name   = "MONTHLY"
on     = "record"
method = "PATCH"
entity = "phonecalls"
query  = "({{{{STEP2-Response.activityid}}}})"
body   = '''{{"activityadditionalparams": "month {month} {read}"}}'''
"""
_READ: Final = ("Channel", "InitiationMethod", "QueueName", "AgentName")

#: What no log line may have in it: numbers, addresses, secrets.
_PRIVATE: Final = re.compile(r"\+\d{8,}|@example|secret-\d")

#: How far the clock of the machine that runs is ahead (s).
_MACHINE: ContextVar[Machine | None] = ContextVar("machine", default=None)


@dataclass(eq=False, slots=True)
class Machine:
    """Where a worker runs."""

    ahead_s: float = 0.0


@dataclass(slots=True)
class Worker:
    """A worker that runs.

    Attributes:
        machine: Where.
        stop: Ends it in order.
        task: Its work.
        service: It, once it is built.
    """

    machine: Machine
    stop: asyncio.Event
    task: asyncio.Task[None]
    service: Service | None = None


@dataclass(frozen=True, slots=True)
class Month:
    """How things were at the end of a month.

    Attributes:
        number: 1 to 12.
        wrong: What was not as it should be.
        sizes: Of everything that can be reached from the worker that is never replaced, of the
            product's modules, of the state and the lease tables.
        tasks: asyncio's.
        series: On that worker's metrics page.
        lines: Log lines of the month, by event.
    """

    number: int
    wrong: list[str]
    sizes: Counter[census.Place]
    tasks: int
    series: int
    lines: Counter[str]


@dataclass(eq=False)
class Year:
    """The world.

    Args:
        folder: For pipelines and the secret.
        seed: Decides what contacts there are.
        month_days: How long a month is.
    """

    folder: Path
    seed: int = 1
    month_days: int = MONTH_DAYS
    stories: list[tuple[float, list[Leg]]] = field(default_factory=list)
    lines: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.loop = LeapingLoop()
        self.store = Shared()
        self.amazon = Amazon((EVENTS, RECORDS), SHARDS, self.wall)
        self.dataverse = _dataverse(self.wall, self.random)
        self.web = Web(self.dataverse, self.wall, self.random)
        self._events: list[tuple[float, int, Callable[[], Awaitable[None] | None]]] = []
        self._numbers = count()
        self._release = 0
        self._secrets = count(1)

    def run(self, months: int) -> list[Month]:
        """Live so many months."""
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner, self._patched():
            return runner.run(self._live(months))

    # --- time ---

    def wall(self) -> float:
        """Seconds since 1970, as they are."""
        return START.timestamp() + self.loop.time()

    def _machine_wall(self) -> float:
        machine = _MACHINE.get()
        return self.wall() + (machine.ahead_s if machine else 0.0)

    def at(self, at_s: float, act: Callable[[], Awaitable[None] | None]) -> None:
        """Have something happen at a time (s)."""
        heapq.heappush(self._events, (at_s, next(self._numbers), act))

    async def _happen(self, until_s: float) -> None:
        """Let everything happen until then."""
        while self._events and self._events[0][0] <= until_s:
            at_s, _, act = heapq.heappop(self._events)
            self.loop.next_event(at_s)
            await asyncio.sleep(max(0.0, at_s - self.loop.time()))
            self.loop.next_event(inf)
            self.loop.be_exact()
            if (going_on := act()) is not None:
                await going_on

    # --- the year ---

    async def _live(self, months: int) -> list[Month]:
        self._write_secret(CLIENT_SECRET)
        for day in range(months * self.month_days):
            self._plan(day)
        self.workers = [self._start(Machine()) for _ in range(3)]
        found = []
        for month in range(1, months + 1):
            await self._happen(month * self.month_days * DAY_S - REST_S)
            await self._come_to_rest(month * self.month_days * DAY_S)
            found.append(self._look(month))
            self.lines.clear()
            await self._roll_out()
        for worker in self.workers:
            await self._end(worker)
        return found

    def _plan(self, day: int) -> None:
        begin_s = day * DAY_S
        if day % self.month_days < self.month_days - 1:  # the last day of a month is quiet
            self.at(begin_s, partial(self._tell, begin_s))
        if day % self.month_days == self.month_days - 1:
            self.at(begin_s + 1800, self._forget)
        if day % 7 == 3:
            self.at(begin_s + 3600, self._reshard)
        if day in ROTATED:
            self.at(begin_s + 7200, self._rotate)
        if day == EXPIRED:
            self.at(begin_s + 7200, self._expire)
            self.at(begin_s + DAY_S, self._rotate)
        if day in AWAY:
            self.at(begin_s + 8 * 3600, partial(setattr, self.web, "down", True))
            self.at(begin_s + 14 * 3600, partial(setattr, self.web, "down", False))
        if day in THROTTLED:
            self.at(begin_s, partial(setattr, self.web, "throttled", True))
            self.at(begin_s + DAY_S, partial(setattr, self.web, "throttled", False))
        if day in STEPPED:
            self.at(begin_s + 10 * 3600, partial(self._step, STEPPED[day]))

    def _tell(self, begin_s: float) -> None:
        """Tell a day's contacts, with what happens to messages on their way."""
        for _ in range(CONTACTS_A_DAY):
            at_s = begin_s + self.random.uniform(0, DAY_S / 2)
            told = history(_kind(self.random), self.random, START + timedelta(seconds=at_s))
            sent = [message._replace(at_s=message.at_s + at_s) for message in told.sent]
            disturbed = disturb(sent, self.random)
            self.stories.append((disturbed[-1].at_s, told.contacts))
            for message in disturbed:
                self.at(message.at_s, partial(self._put, message))

    def _put(self, message: SentMessage) -> None:
        if message.stream == RECORDS:
            self._last_record = message.contact_id, message
        if message.stream == RECORDINGS:
            self.amazon.queue.put(message.body.decode())
        else:
            stream = self.amazon.streams[message.stream]
            stream.append(self.random.choice(stream.opened), message.body)

    async def _forget(self) -> None:
        """Erase a contact; Connect sends its record once more."""
        contact_id, message = self._last_record
        self.forgotten.append(contact_id)
        await self.store.forget([contact_id])
        self._put(message)

    def _reshard(self) -> None:
        for stream in self.amazon.streams.values():
            stream.trim()
            if len(stream.opened) > SHARDS:
                stream.merge(*stream.opened[:2])
            else:
                stream.split(stream.opened[0])

    def _rotate(self) -> None:
        secret = f"secret-{next(self._secrets)}"
        self.dataverse.tokens.clients[CLIENT_ID] = secret
        self._write_secret(secret)

    def _expire(self) -> None:
        """Nobody rotated it in time: no token is good any more, and none is given."""
        self.dataverse.tokens.clients[CLIENT_ID] = "nobody knows it"
        self.dataverse.tokens._tokens.clear()

    def _write_secret(self, secret: str) -> None:
        (self.folder / "secret").write_text(secret, encoding="ascii")

    def _step(self, ahead_s: float) -> None:
        """Step the clock of one machine."""
        self.workers[0].machine.ahead_s += ahead_s

    # --- the workers ---

    async def _roll_out(self) -> None:
        """Bring the next release, worker by worker; the last one is never replaced."""
        self._release += 1
        for number in range(len(self.workers) - 1):
            machine = self.workers[number].machine
            await self._end(self.workers[number])
            self.workers[number] = self._start(machine)

    async def _end(self, worker: Worker) -> None:
        self.loop.be_exact(inf)
        worker.stop.set()
        await worker.task
        self.loop.be_exact()

    def _start(self, machine: Machine) -> Worker:
        stop, settings = asyncio.Event(), self._settings()

        async def work() -> None:
            _MACHINE.set(machine)
            async with wiring.build(settings) as service:
                worker.service = service
                await service.run(stop)

        worker = Worker(machine, stop, asyncio.create_task(work()))
        return worker

    def _settings(self) -> Settings:
        return Settings(
            environment_url="https://year.crm.dynamics.com",
            app_id="11111111-1111-4111-8111-111111111111",
            tenant=TENANT,
            client_id=CLIENT_ID,
            secret=f"file:{self.folder / 'secret'}",
            contact_events=EVENTS,
            contact_records=RECORDS,
            recordings=f"https://sqs.invalid/1/{RECORDINGS}",
            contact_events_start="earliest",
            contact_records_start="earliest",
            contact_events_leases=f"{EVENTS}-leases",
            contact_records_leases=f"{RECORDS}-leases",
            failover_s=FAILOVER_S,
            poll_s=1,
            state="dynamodb:state",
            connect_share=1,
            pipelines=tuple(self._pipelines()),
        )

    def _pipelines(self) -> Iterator[str]:
        """The shipped ones, the first with the release's own step."""
        for name in OF_CHANNELS:
            text = (SHIPPED / f"{name}.toml").read_text(encoding="utf-8")
            if name == "phonecall":
                read = " ".join(f"{{{{{name}}}}}" for name in _READ[: 1 + self._release // 3])
                text += _MONTHLY.format(month=self._release, read=read)
            path = self.folder / f"{self._release}" / f"{name}.toml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            yield str(path)

    # --- what is seen ---

    async def _come_to_rest(self, until_s: float) -> None:
        """Wait until nothing is due any more."""
        while self.loop.time() < until_s:
            step_s = min(until_s, self.loop.time() + 1800)
            self.at(step_s, lambda: None)
            await self._happen(step_s)

    def _look(self, number: int) -> Month:
        service = self.workers[-1].service
        assert service is not None
        gc.collect()
        outside = (self.store, self.amazon, self.dataverse, self.web, self.loop, self)
        sizes = census.collections([service, *asyncio.all_tasks()], outside)
        sizes += census.module_collections()
        for name in ("_rows", "_owed", "_quarantine", "_remembered", "_positions"):
            sizes[f"state.{name}"] = len(getattr(self.store, name))
        sizes["state.remembered bytes"] = sum(map(len, self.store._remembered.values()))
        for table, leases in self.amazon.leases.items():
            sizes[f"{table}.rows"] = len(leases.leases)
        page = service.metrics.exposition().decode()
        series = page.count("\n") - page.count("\n#")
        wrong = list(self._wrong())
        return Month(number, wrong, sizes, len(asyncio.all_tasks()), series, Counter(self.lines))

    def _wrong(self) -> Iterator[str]:
        """What is not as the invariants have it."""
        legs = [leg for _, legs in self.stories for leg in legs]
        # Some contacts go on: a customer is called back only days later.
        ended_s = self.loop.time() - REST_S / 2
        on = [leg for end_s, legs in self.stories if end_s > ended_s for leg in legs]
        going_on = {one.key for one in expected(on, OF_CHANNELS)}
        for line in differences(expected(legs, OF_CHANNELS), self.dataverse.dump()):
            if not any(key in line for key in going_on):
                yield line
        for key, (at, _) in self.store._owed.items():
            if key not in {leg.id for leg in on}:
                yield f"{key} is due in {at - self.wall():.0f} s"
        yield from (f"{key} is parked" for key, row in self.store._rows.items() if row.parked)
        for key in self.forgotten:
            if key in self.store._rows:
                yield f"{key} is back"
        if len(self.amazon.queue):
            yield f"{len(self.amazon.queue)} messages are left in the queue"
        yield from self.told

    # --- what is another than outside ---

    @contextmanager
    def _patched(self) -> Iterator[None]:
        """The product with the world's clocks and clouds, and its log counted."""
        before = structlog.get_config()
        defaults = (self._machine_wall, self.loop.time, asyncio.sleep, self.random.random)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Clock.__init__, "__defaults__", defaults)
            patch.setattr(aws, "client", self.amazon.client)
            patch.setattr(wiring, "open_leases", self.amazon.open_leases)
            patch.setattr(wiring, "open_store", lambda _spec: self.store)
            patch.setattr(connection, "make_http", lambda _ca: make_http(transport=self.web))
            patch.setattr(MsalTokens, "_ask_with", asked_with(self.dataverse, CLIENT_ID))
            structlog.configure(processors=[self._note])
            try:
                yield
            finally:
                structlog.configure(**before)

    def _note(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        self.lines[event["event"]] += 1
        if _PRIVATE.search(repr(event)):
            self.told.append(f"{event['event']} tells what is private")
        raise structlog.DropEvent


def _dataverse(wall: Callable[[], float], random: Random) -> Dataverse:
    dataverse = create_dataverse(clock=wall, random=random, expires_in_s=TOKEN_S)
    employ(dataverse)
    return dataverse


_WEIGHTS: Final = list(accumulate(kind.weight for kind in KINDS.values()))


def _kind(random: Random) -> str:
    return random.choices(list(KINDS), cum_weights=_WEIGHTS)[0]
