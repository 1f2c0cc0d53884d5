"""One run: a world made from a seed, troubled for a while, left in peace, and then judged."""

from __future__ import annotations

import logging

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

import structlog

from pipelines.contact import Parked
from simulated.assaults import CLOCK_S
from simulated.bugs import Bugs
from simulated.conduct import Conduct
from simulated.damage import Rows
from simulated.dynamics import Dataverse
from simulated.fleet import Fleet
from simulated.indexes import Indexes
from simulated.kinesis import Stream
from simulated.loop import StuckError, VirtualLoop
from simulated.nemesis import Nemesis
from simulated.network import Network
from simulated.people import BY_HAND, People
from simulated.safekeeping import Safekeeping
from simulated.story import Story
from simulated.traffic import Traffic, traffic
from simulated.worker import BEGINNING, Host, Pace, Services
from twins.dynamics import ScriptedDynamics
from worker.leases.memory import MemoryLeases
from worker.sandbox.dataverse.rules import InjectedFaults
from worker.sandbox.dataverse.schema.tables import TABLES
from worker.sandbox.dataverse.users import CLIENT_ID, add_user
from worker.sandbox.oracle.verdict import Expected, Records, differences
from worker.stores.memory import MemoryStore


#: Within this many seconds of peace everything must be done.
PEACE_S: Final = 4000.0
#: The same, if a bug befell one contact alone: it is parked by then, which takes an hour.
PARK_S: Final = 12_000.0
#: Share of runs in which workers share one gate, as those with a store in DynamoDB do.
SHARED: Final = 0.3
#: Share of runs in which something goes wrong by what requests are about: see ``Contents``.
PARTICULAR: Final = 0.3
#: Share of runs in which workers have several application users, and how many there may be.
SEVERAL: Final = 0.3
USERS: Final = (CLIENT_ID, *(f"{CLIENT_ID[:-2]}{number}" for number in (56, 57)))
#: How often it is looked whether it is (s).
LOOK_S: Final = 5.0
#: Longer than anything waits that is waited for on purpose (s): a call of an hour is told in
#: minutes, so its end lies ahead.
LONGEST_WAIT_S: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a seed.

    Attributes:
        seed: It.
        breaches: What must not have been, ``I3: …``; none if all is well.
        story: What happened, line by line; empty if all is well and nobody asked.
        outages: How long (s) Dynamics was away, and how many entries push saved meanwhile.
        steps: How many callbacks ran.
        virtual_s: How long it took in virtual time.
    """

    seed: int
    breaches: list[str]
    story: str
    outages: list[tuple[float, int]]
    steps: int
    virtual_s: float


def simulate(seed: int, *, tell: bool = False) -> Outcome:
    """Run the world of a seed; ``tell``: its story also if all is well."""
    with _without_logs():
        world = _World(seed)
        world.run()
    story = str(world.story) if tell or world.story.breaches else ""
    return Outcome(
        seed,
        world.story.breaches,
        story,
        world.nemesis.outages.lived,
        world.loop.steps,
        world.loop.time(),
    )


@contextmanager
def _without_logs() -> Iterator[None]:
    """A run tells its own story; logs would take longer than it does."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


class _World:
    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        self.loop = VirtualLoop(rng)
        self.story = Story(self.loop.time, self.loop.halt)
        over_s = rng.uniform(20, 150)
        content = Random(f"contents {seed}")
        particular = content.random() < PARTICULAR
        self.traffic = traffic(rng, rng.randint(1, 4), over_s, noted=particular)
        odd = Random(f"afflictions {seed}")
        self.services = _services(
            self.loop,
            (rng, odd, content, Random(f"users {seed}")),
            self.story,
            self.traffic,
            particular=particular,
        )
        hosts = [
            Host(self.services, rng.uniform(-CLOCK_S, CLOCK_S)) for _ in range(rng.randint(2, 4))
        ]
        for message in self.traffic.sent:
            self.loop.outside(message.at_s, partial(self._put, message.body))
        self.people = People(self.services)
        self.fleet = Fleet(self.services, hosts)
        last_s = max((message.at_s for message in self.traffic.sent), default=0.0)
        self.nemesis = Nemesis(self.services, self.fleet)
        self.afflictions = self.nemesis.afflictions
        self.contents = self.nemesis.contents
        self.people.tried_again = self._tried_again
        peace_s = self.nemesis.begin(max(over_s, last_s))
        if rng.random() < 0.4:
            for _ in range(3):
                self.loop.outside(rng.random() * peace_s, self.people.interfere)
        self.until_s = peace_s + (PARK_S if self.afflictions.alone else PEACE_S)
        self.loop.outside(peace_s + 1, self._begin_peace)

    def run(self) -> None:
        try:
            self.loop.run()
            for failure in self.loop.failures:
                self.story.breach("worker", failure)
            if not self.story.breaches:
                self._judge()
        except StuckError as stuck:
            self.story.breach("progress", str(stuck))
        finally:
            self.loop.end(self.fleet.processes)

    def _put(self, body: bytes) -> None:
        shard = self.rng.choice(self.services.stream.open_shards)
        self.services.stream.append(shard.name, body)
        self.story.tell("kinesis", f"{shard.name} gets {shard.records[-1].sequence}")

    def _begin_peace(self) -> None:
        self.story.tell("nemesis", "rests")
        for weather in self.services.weathers.values():
            weather.clear()
        self.services.dataverse.mood.clear()
        self.fleet.mend()
        self._look()

    def _look(self) -> None:
        """See whether all is done; if nothing but time is missing, let the clocks pass it by.

        What befell contacts for good is mended when all others are done, and they wait or are
        parked.
        """
        self.people.retry_parked()
        undone = self._undone() or self.afflictions.unsettled() or self._unsettled()
        if not undone:
            self._mend() if self.nemesis.mends else self.loop.halt()
        elif self.loop.time() > self.until_s:
            self.story.breach("progress", f"not done in peace: {undone}")
        else:
            self._pass_time()
        self.loop.outside(LOOK_S, self._look)

    def _mend(self) -> None:
        """Mend the bugs and what they spoilt; have all tried again, or trust in the new build."""
        self.nemesis.mends = False
        self.afflictions.mend()
        self.contents.mend()
        self.people.retry_quarantined()
        if self.services.odd.random() < 0.5:
            self.people.retry_faults()
        else:
            self.story.tell("somebody", "brings another build")
            self.fleet.upgrade("the next")
        self.until_s = self.loop.time() + PEACE_S

    def _unsettled(self) -> str:
        wanted, rows = self._wanted_and_there()
        return self.contents.unsettled(wanted, rows, self.afflictions.lasting)

    def _tried_again(self, place: str, one: Parked) -> bool:
        """Whether an operator has it tried again: what is poisoned only once that is mended."""
        if any(key in place for key in self.contents.poisoned):
            return not self.nemesis.mends
        return self.contents.may_be_parked(place, one)

    @property
    def _lasting(self) -> Collection[str]:
        """Contacts that cannot be done before something is mended."""
        return self.afflictions.lasting | self.contents.waiting

    def _undone(self) -> str:
        unread = self.services.safekeeping.unread()
        if unread:
            return f"unread {unread}"
        if self.services.conduct.going:
            return "requests are on their way"
        lasting = self._lasting
        for contact_id, row in self.services.store._rows.items():
            if row.fault and contact_id not in lasting:
                return f"{contact_id}: {row.fault}"
        due_at = min(self._due(lasting), default=None)
        return "" if due_at is None else f"due at {due_at - BEGINNING:.0f}"

    def _due(self, without: Collection[str]) -> Iterator[float]:
        """When each contact is due and not claimed, some left out."""
        for contact_id, (at, row) in self.services.store._owed.items():
            if contact_id not in without:
                yield max(at, row.claimed_until)

    def _pass_time(self) -> None:
        services, lasting = self.services, self.afflictions.lasting
        rows = services.store._rows.items()
        claimed = any(row.claim for contact_id, row in rows if contact_id not in lasting)
        if claimed or services.conduct.going:
            return
        behind_s = min(
            (h.ahead_s for h in self.fleet.hosts if abs(h.ahead_s) <= CLOCK_S), default=0
        )
        waits_s = (at - services.wall() - behind_s for at in self._due(lasting))
        if self.contents.waiting:  # what is forbidden is tried before, to no effect
            waits_s = (wait_s for wait_s in waits_s if wait_s > 2 * CLOCK_S)
        if 2 * CLOCK_S < (wait_s := min(waits_s, default=0.0)) < LONGEST_WAIT_S:
            services.passed_s += wait_s

    def _judge(self) -> None:
        self.services.safekeeping.check_all()
        for difference in differences(*self._wanted_and_there()):
            self.story.breach("I1", difference)

    def _wanted_and_there(self) -> tuple[list[Expected], Records]:
        """What Dynamics should show, and what it does; deleted calls and their notes left out."""
        rows: Records = {}
        deleted = self.services.conduct.deleted
        gone = {c for key, c in self.traffic.contacts.items() if key in deleted}
        for (entity_set, key), record in self.services.dataverse.memory.records.items():
            if entity_set != "annotations" or self.traffic.contacts.get(key) not in gone:
                rows.setdefault(entity_set, []).append(record)
        wanted = [one for one in self.traffic.wanted if self.traffic.contacts[one.key] not in gone]
        for one in wanted:
            one.columns.update({c: BY_HAND for key, c in self.people.edited if key == one.key})
        return wanted, rows


def _services(
    loop: VirtualLoop,
    chances: tuple[Random, Random, Random, Random],
    story: Story,
    told: Traffic,
    *,
    particular: bool,
) -> Services:
    rng, odd, content, several = chances

    def wall() -> float:
        return services.wall()

    network = Network(loop, rng)
    stream = Stream(rng.randint(1, 3), story, wall)
    store = MemoryStore()
    conduct = Conduct(story, told.contacts, told.calls)
    memory = ScriptedDynamics(refuse_closed=rng.random() < 0.5)
    users = USERS[: several.randint(2, len(USERS)) if several.random() < SEVERAL else 1]
    for user in users:
        add_user(memory.organisation.records, user)
    dataverse = Dataverse(loop, conduct, wall, memory, InjectedFaults(content, TABLES))
    rows = Rows(story, store)
    services = Services(
        loop,
        rng,
        odd,
        content,
        several,
        story,
        network,
        stream,
        MemoryLeases(),
        store,
        dataverse,
        Safekeeping(story, stream, store, rows),
        conduct,
        Bugs(story, wall),
        rows,
        Indexes(store, loop.time),
        Pace(rng.choice((5.0, 20.0)), rng.choice((15.0, 45.0)), rng.choice((5.0, 25.0))),
        rng.random() < SHARED,
        particular,
        users,
        {"dataverse": dataverse.weather, "doorstep": dataverse.doorstep},
    )
    return services
