"""Wrong clocks: nothing is lost by one, and it is told.

Real parts of workers over one store and one Dynamics; each worker's machine has clocks of its own,
which can be turned.
"""

from __future__ import annotations

import asyncio

from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import permutations
from typing import Any

import orjson
import pytest

from structlog.testing import capture_logs

from pipelines.age import KEPT_S
from pipelines.contact import Contact
from pipelines.decode.arrival import AHEAD
from pipelines.loader import load
from pipelines.pipeline import Pipeline
from pipelines.plan import Plan, Terms, plan
from twins.calls import Call
from twins.dynamics import ScriptedDynamics
from twins.loop import BEGINNING, clock, iso, wall
from twins.site import Stream
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.clock import Clock
from worker.definitions import find
from worker.dynamics.gate import make_gate
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Answer, Request
from worker.engine import far_ahead as far_ahead_module
from worker.engine.claims import CLAIM_S
from worker.engine.far_ahead import LOOK_EVERY_S, FarAhead
from worker.engine.ingest import Ingest
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.pushes import Pushes
from worker.engine.transaction import Transactions
from worker.files import MemoryFiles
from worker.operations.quarantine import retry_quarantined
from worker.outside_time import OutsideTime
from worker.service import Service, begin_pipelines
from worker.sources.kinesis import KinesisStream
from worker.sources.protocol import Handle, Message
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry


MakeCalls = Callable[[int], list[Call]]

Virtually = Callable[[Coroutine[Any, Any, Any]], Any]

MINUTE, HOUR, DAY, YEAR = 60.0, 3600.0, 86_400.0, 365 * 86_400.0


@dataclass
class Machine:
    """Where a worker runs, with a wall clock that is ahead by so much (s)."""

    ahead_s: float = 0.0

    def wall(self) -> float:
        return wall() + self.ahead_s

    @property
    def clock(self) -> Clock:
        return replace(clock(), wall=self.wall)


@dataclass
class Site:
    """What the workers share: a store, and Dynamics, whose answers can be slow (s)."""

    store: MemoryStore = field(default_factory=MemoryStore)
    dynamics: ScriptedDynamics = field(default_factory=ScriptedDynamics)
    pipelines: list[Pipeline] = field(default_factory=lambda: [find("phonecall")])
    slow_s: float = 0.0
    going: Counter[str] = field(default_factory=Counter)
    most_going: int = 0

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        about = str((request.body or {}).get("activityid", request.path))
        self.going[about] += 1
        self.most_going = max(self.most_going, self.going[about])
        await asyncio.sleep(self.slow_s)
        self.going[about] -= 1
        return await self.dynamics.send(request, timeout_s=timeout_s)

    async def user_id(self) -> str:
        return await self.dynamics.user_id()

    @property
    def records(self) -> list[str]:
        """The entity sets of the records that there are."""
        return sorted(entity_set for entity_set, _ in self.dynamics.records)

    @property
    def created(self) -> int:
        return sum(request.method == "POST" for request in self.dynamics.requests)

    async def entries(self) -> list[Entry]:
        return await self.store.load(await self.store.ids("", 10_000))


class Worker:
    """One worker's parts, wired as ``service`` wires them.

    ``outside`` is its own; as long as nobody tells it the time, its wall clock is all it has.
    """

    def __init__(self, site: Site, machine: Machine) -> None:
        loop = asyncio.get_running_loop()
        self.site = site
        self.machine = machine
        self.outside = OutsideTime(machine.clock)
        self.gate = make_gate(Clock(monotonic=loop.time, chance=lambda: 0.5))
        clock = replace(self.outside.clock, monotonic=loop.time, chance=lambda: 0.5)
        self.planner = Planner(site.pipelines, Terms({"AppId": "app"}, live=True), clock)
        transactions = Transactions(
            store=site.store,
            performer=Performer(site, clock, MemoryFiles()),
            gate=self.gate,
            desktop=MemoryScreenPop(),
            connect=MemoryConnect(),
            planner=self.planner,
            build="this",
            clock=clock,
        )
        self.push = Push(transactions, site.user_id)
        self.ingest = Ingest(
            site.store,
            clock=self.outside.clock,
            news=self.push.news,
            arrived=self.outside.arrived,
        )
        self.far_ahead = FarAhead(site.store, self.planned, self.outside.clock)

    def planned(self, contact: Contact) -> Plan:
        return plan(contact, self.planner.pipelines, self.outside.now(), self.planner.terms)

    async def tell(self, *bodies: bytes, arrived: float | None = None) -> None:
        """Take messages in that have just arrived, or had then."""
        at = wall() if arrived is None else arrived
        await self.ingest.handle(
            [Message(body, f"memory:{n}", arrived=at) for n, body in enumerate(bodies)]
        )

    async def run(self, seconds: float, *parts: Coroutine[Any, Any, None]) -> None:
        """Push for a while, with other parts beside it."""
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        beside = [asyncio.ensure_future(part) for part in parts]
        await Pushes(self.push).run(stop)
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)

    def service(self, *sources: Any) -> Service:
        """All of it as a service, whose sources are these."""
        named = {str(number): source for number, source in enumerate(sources)}
        return Service(
            self.site.store,
            named,
            self.ingest,
            Pushes(self.push),
            25.0,
            begin=partial(begin_pipelines, self.planner, self.site.store, outside=self.outside),
            outside=self.outside,
        )

    async def serve(self, seconds: float, *sources: Any) -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        await self.service(*sources).run(stop)


class Telling:
    """A source that begins to answer after a while (s), and so says what time it is."""

    def __init__(self, outside: OutsideTime, after_s: float) -> None:
        self.outside = outside
        self.after_s = after_s

    async def run(self, handle: Handle, stop: asyncio.Event) -> None:
        await handle(())
        await asyncio.sleep(self.after_s)
        while not stop.is_set():
            self.outside.observe("kinesis", wall())
            await asyncio.sleep(MINUTE)


def whole(call: Call) -> list[bytes]:
    """All that is told of a call."""
    return [call.begun(), call.answered(), call.ended(), call.record()]


def dated(call: Call, at: str, **fields: Any) -> bytes:
    """A contact record that is dated then."""
    return call.record(LastUpdateTimestamp=at, **fields)


# --- age ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead_s", [40 * DAY, 3 * YEAR, -40 * DAY])
def test_calls_that_end_while_the_clock_is_wrong_by_weeks_get_their_records(
    virtually: Virtually, calls: MakeCalls, ahead_s: float
) -> None:
    async def story() -> None:
        site, machine = Site(), Machine(ahead_s)
        worker = Worker(site, machine)
        await asyncio.sleep(5 * MINUTE)
        arrived = wall()
        for call in calls(10):
            await worker.tell(*whole(call))
        await worker.run(30)
        machine.ahead_s = 0.0
        for call in calls(10):
            await worker.tell(*whole(call), arrived=arrived)
        await worker.run(5 * MINUTE, worker.far_ahead.run())
        assert site.records == ["phonecalls"] * 10
        assert site.created == 10

    virtually(story())


@pytest.mark.parametrize("pushing", [True, False])
@pytest.mark.parametrize("kind", ["INITIATED", "DISCONNECTED", "CONTACT_DATA_UPDATED"])
def test_one_event_dated_1971_does_no_harm_in_any_order(
    virtually: Virtually, call: Call, kind: str, pushing: bool
) -> None:
    long_ago = "1971-01-01T00:00:00.000Z"

    async def story(order: tuple[int, ...]) -> Site:
        site, worker = Site(), None
        await asyncio.sleep(5 * MINUTE)
        worker = Worker(site, Machine())
        worker.planner.terms = replace(worker.planner.terms, since={"phonecall": iso(BEGINNING)})
        wrong = call.event(kind, initiationTimestamp=long_ago, disconnectTimestamp=long_ago)
        bodies = [
            orjson.dumps({**orjson.loads(wrong), "time": long_ago}),
            call.begun(),
            call.record(),
        ]
        for place in order:
            await worker.tell(bodies[place])
            if pushing:
                await worker.run(5)
        await worker.run(30)
        return site

    for order in permutations(range(3)):
        site = virtually(story(order))
        ((_, row),) = site.dynamics.records.items()
        assert row["phonenumber"] == "+15550100200"
        assert row["statecode"] == 1


TWO = """
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{ContactId}}", "description": "{{Queue}}"}'

[[step]]
name = "TASK"
on = "recording"
method = "POST"
entity = "tasks"
body = '{"subject": "{{objectUri}}"}'
"""


def test_what_a_person_deleted_is_not_back_because_its_contact_is_old(
    virtually: Virtually, call: Call
) -> None:
    """I6, with a step that is reached only after the state of the contact had expired."""

    async def story() -> None:
        site = Site(pipelines=[load(f'name = "p"\n{TWO}')])
        await asyncio.sleep(5 * MINUTE)
        worker = Worker(site, Machine())
        recorded = call.recorded()
        await worker.tell(call.record(), recorded)
        await worker.run(30)
        assert site.records == ["phonecalls", "tasks"]
        await asyncio.sleep(40 * DAY)
        assert await site.store.expire(wall(), 10) == 1
        for entity_set, key in site.dynamics.records:
            if entity_set == "tasks":
                site.dynamics.delete(entity_set, key)
        await worker.tell(dated(call, iso(wall()), Queue={"Name": "Support"}))
        await worker.run(30)
        await worker.tell(recorded)
        await worker.run(30)
        ((entity_set, _), row) = next(iter(site.dynamics.records.items()))
        assert (site.records, entity_set) == (["phonecalls"], "phonecalls")
        assert row["description"] == "Support"
        assert site.created == 2

    virtually(story())


# --- expiry ---------------------------------------------------------------------------------------


def test_nothing_expires_by_a_clock_that_is_ahead_of_everybody_elses(
    virtually: Virtually, calls: MakeCalls
) -> None:
    async def story() -> None:
        site = Site()
        await asyncio.sleep(5 * MINUTE)
        first = Worker(site, Machine())
        for call in calls(5):
            await first.tell(call.record())
        await first.run(MINUTE)
        wrong = Worker(site, Machine(40 * DAY))
        await wrong.serve(HOUR + MINUTE)
        assert len(await site.entries()) == 5  # nobody has told the time
        await wrong.serve(HOUR + MINUTE, Telling(wrong.outside, 10))
        assert len(await site.entries()) == 5
        await asyncio.sleep(KEPT_S + DAY)
        await wrong.serve(HOUR + MINUTE, Telling(wrong.outside, 10))
        assert not await site.entries()

    virtually(story())


def test_by_a_clock_that_is_behind_nothing_is_kept_too_shortly(
    virtually: Virtually, call: Call
) -> None:
    async def story() -> None:
        site = Site()
        await asyncio.sleep(5 * MINUTE)
        behind = Worker(site, Machine(-YEAR))
        await behind.tell(call.begun(), call.record())
        (entry,) = await site.entries()
        assert entry.expires_at is not None
        assert entry.expires_at > wall() + KEPT_S
        await behind.run(MINUTE)
        (entry,) = await site.entries()
        assert entry.expires_at is not None
        assert entry.expires_at > wall() + KEPT_S - 2 * HOUR

    virtually(story())


def test_what_has_just_ended_is_kept_although_a_worker_that_knows_no_other_clock_finishes_it(
    virtually: Virtually, call: Call
) -> None:
    async def story() -> None:
        site = Site()
        await asyncio.sleep(5 * MINUTE)
        await Worker(site, Machine()).tell(call.record())
        (entry,) = await site.entries()
        await site.store.put_back(entry.contact.id, entry.version, wall() - 44 * DAY, None)
        await Worker(site, Machine(-43 * DAY)).run(MINUTE)
        (entry,) = await site.entries()
        assert entry.due_at is None
        assert entry.expires_at is not None
        assert entry.expires_at > wall() + KEPT_S - HOUR

    virtually(story())


# --- what the state remembers ---------------------------------------------------------------------


@pytest.mark.parametrize("ahead_s", [DAY, YEAR])
@pytest.mark.parametrize("after_s", [1.0, 5 * MINUTE])
def test_after_a_first_start_with_a_clock_that_is_ahead_calls_from_now_on_count(
    virtually: Virtually, calls: MakeCalls, ahead_s: float, after_s: float
) -> None:
    """Whether the time is heard before the state remembers one, or only afterwards."""

    async def story() -> None:
        site = Site()
        worker = Worker(site, Machine(ahead_s))
        with capture_logs() as lines:
            serving = asyncio.ensure_future(
                worker.serve(15 * MINUTE, Telling(worker.outside, after_s))
            )
            await asyncio.sleep(10 * MINUTE)
            began = iso(wall())
            for call in calls(5):
                await worker.tell(call.record(InitiationTimestamp=began))
            await serving
        assert site.records == ["phonecalls"] * 5
        kept = await site.store.recall("pipeline/phonecall")
        assert kept is not None
        assert iso(BEGINNING) <= kept <= began
        told = Counter(line["event"] for line in lines)
        assert told["clock.wrong"] == 1
        assert told["state.moment_set_right"] == (after_s > MINUTE)

    virtually(story())


def test_what_another_worker_remembered_by_a_clock_that_was_ahead_is_set_right(
    virtually: Virtually, call: Call
) -> None:
    async def story() -> None:
        site = Site()
        await site.store.remember("pipeline/phonecall", iso(BEGINNING + DAY))
        worker = Worker(site, Machine())
        serving = asyncio.ensure_future(worker.serve(15 * MINUTE, Telling(worker.outside, 1)))
        await asyncio.sleep(10 * MINUTE)
        await worker.tell(call.record(InitiationTimestamp=iso(wall())))
        await serving
        assert site.records == ["phonecalls"]
        assert worker.planner.terms.since["phonecall"] < iso(wall())

    virtually(story())


def test_a_true_moment_stays_whatever_our_own_clock_says(virtually: Virtually) -> None:
    async def story() -> None:
        site = Site()
        kept = await site.store.remember("pipeline/phonecall", iso(BEGINNING))
        await Worker(site, Machine(-YEAR)).serve(HOUR + MINUTE)
        behind = Worker(site, Machine(-YEAR))
        await behind.serve(HOUR + MINUTE, Telling(behind.outside, 1))
        assert await site.store.recall("pipeline/phonecall") == kept

    virtually(story())


@pytest.mark.parametrize("remembered", [False, True])
def test_a_stream_begins_now_and_not_when_a_clock_that_is_ahead_says(
    virtually: Virtually, call: Call, remembered: bool
) -> None:
    async def story() -> None:
        site, stream, machine = Site(), Stream(1), Machine(DAY)
        worker = Worker(site, machine)
        asked: list[float] = []
        if remembered:
            await site.store.remember("start/contact-events", iso(BEGINNING + DAY))

        class Dated:
            """The stream as AWS has it, which dates its answers."""

            def __getattr__(self, name: str) -> Any:
                async def answered(**request: Any) -> Any:
                    worker.outside.observe("kinesis", wall())
                    if name == "get_shard_iterator":
                        asked.append(request["Timestamp"].timestamp())
                    return await getattr(stream, name)(**request)

                return answered

        source = KinesisStream(
            lambda: nullcontext(Dated()),
            "contact-events",
            site.store,
            clock=machine.clock,
            outside=worker.outside,
        )
        stream.put(call.begun())
        await worker.serve(MINUTE, source)
        assert asked == [pytest.approx(BEGINNING, abs=15)]
        assert site.records == ["phonecalls"]
        kept = await site.store.recall("start/contact-events")
        assert kept is not None
        assert kept[:19] == iso(BEGINNING)[:19]

    virtually(story())


# --- waits far ahead ------------------------------------------------------------------------------


def test_work_that_waits_goes_on_when_the_clock_is_set_back_by_a_day(
    virtually: Virtually, calls: MakeCalls
) -> None:
    async def story() -> None:
        site, machine = Site(), Machine(DAY)
        await asyncio.sleep(5 * MINUTE)
        before = Worker(site, machine)
        for call in calls(5):
            await before.tell(call.record())
        machine.ahead_s = 0.0
        after = Worker(site, machine)
        assert not await site.store.due(wall(), 10)
        await after.run(MINUTE, after.far_ahead.run())
        assert site.records == ["phonecalls"] * 5
        assert after.far_ahead.found == {"due": 5}

    virtually(story())


def test_the_claims_of_a_worker_that_died_with_its_clock_ahead_lapse_after_their_length(
    virtually: Virtually, calls: MakeCalls
) -> None:
    async def story() -> None:
        site, machine = Site(slow_s=1e6), Machine(DAY)
        await asyncio.sleep(5 * MINUTE)
        dying = Worker(site, machine)
        for call in calls(5):
            await dying.tell(call.record())
        task = asyncio.ensure_future(dying.run(10 * MINUTE))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait((task,))
        assert all(entry.claim for entry in await site.entries())
        machine.ahead_s, site.slow_s = 0.0, 0.0
        after = Worker(site, machine)
        running = asyncio.ensure_future(after.run(10 * MINUTE, after.far_ahead.run()))
        await asyncio.sleep(CLAIM_S - 1)
        assert not site.records  # whoever holds them may be at work yet
        await asyncio.sleep(2 * LOOK_EVERY_S)
        assert site.records == ["phonecalls"] * 5
        assert after.far_ahead.found == {"claim": 5}
        await running

    virtually(story())


def test_a_claim_that_lives_is_left_alone_by_a_worker_whose_clock_is_behind(
    virtually: Virtually, call: Call
) -> None:
    """To it all claims lie far ahead; the same contact is claimed anew and anew."""

    async def story() -> None:
        site = Site()
        behind = Worker(site, Machine(-DAY))
        for round_ in range(40):
            (entry,) = await site.store.load([call.id])
            entry.due_at, entry.claim = wall(), f"round {round_}"
            entry.claimed_until = wall() + CLAIM_S
            await site.store.save([entry])
            await behind.far_ahead.look()
            await asyncio.sleep(CLAIM_S / 3)
        (entry,) = await site.entries()
        assert entry.claim == "round 39"
        assert not behind.far_ahead.found

    virtually(story())


def late(within: str) -> list[Pipeline]:
    """A call is closed so long after its end if no recording comes."""
    return [
        load(
            f"""
name = "p"
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{{"subject": "{{{{ContactId}}}}"}}'
[[step]]
name = "FILE"
on = "recording"
method = "PATCH"
entity = "phonecalls"
query = "({{{{CALL-Response.activityid}}}})"
body = '{{"description": "{{{{objectUri}}}}"}}'
[[step]]
name = "CLOSE"
on = "ended"
after = ["FILE"]
within = "{within}"
method = "PATCH"
entity = "phonecalls"
query = "({{{{CALL-Response.activityid}}}})"
body = '{{"statecode": 1, "statuscode": 2}}'
"""
        )
    ]


def test_waits_that_a_pipeline_asks_for_are_left_alone_and_hide_no_wrong_one(
    virtually: Virtually, calls: MakeCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(far_ahead_module, "AT_A_TIME", 5)
    agent = {"Username": "a", "ConnectedToAgentTimestamp": "2026-01-02T03:00:10Z"}

    async def story() -> None:
        *waiting, wrong = calls(13)
        site = Site(pipelines=late("9h"))
        await asyncio.sleep(5 * MINUTE)
        worker = Worker(site, Machine())
        await worker.tell(*[call.record(Agent=agent) for call in waiting])
        await worker.run(MINUTE)
        due = {entry.due_at for entry in await site.entries()}
        assert due == {BEGINNING + 245 + 9 * HOUR}
        await Worker(site, Machine(DAY)).tell(wrong.record(Agent=agent))
        await worker.run(10 * MINUTE, worker.far_ahead.run())
        assert worker.far_ahead.found == {"due": 1}
        assert len(site.records) == len(waiting) + 1

    virtually(story())


def test_a_call_that_says_it_ended_in_9999_is_looked_at_again_within_a_day(
    virtually: Virtually, call: Call
) -> None:
    """Where nobody says when it arrived."""

    async def story() -> None:
        site = Site(pipelines=late("15m"))
        await asyncio.sleep(5 * MINUTE)
        worker = Worker(site, Machine())
        far = "9999-01-01T00:00:00Z"
        agent = {"Username": "a", "ConnectedToAgentTimestamp": "2026-01-02T03:00:10Z"}
        record = call.record(DisconnectTimestamp=far, Agent=agent)
        await worker.ingest.handle([Message(record, "memory:1")])
        await worker.run(MINUTE)
        (entry,) = await site.entries()
        assert entry.due_at is not None
        assert wall() < entry.due_at <= wall() + DAY

    virtually(story())


# --- messages dated far ahead ---------------------------------------------------------------------


def far_ahead(call: Call) -> dict[str, bytes]:
    """What says it is of a time to come, by kind."""
    key = f"connect/acme/2026/01/02/{call.id}_20260102T03:00_UTC.wav"
    stored = {"key": key, "sequencer": "0A"}
    return {
        "contact record": dated(call, "2099-01-01T00:00:00Z", Queue={"Name": "wrong"}),
        "contact event": call.event("DISCONNECTED", disconnectTimestamp="9999-12-31T23:59:59.999Z"),
        "stored object": orjson.dumps(
            {
                "eventName": "ObjectCreated:Put",
                "eventTime": "2030-01-02T03:04:05.678Z",
                "s3": {"bucket": {"name": "acme"}, "object": stored},
            }
        ),
    }


@pytest.mark.parametrize("kind", ["contact record", "contact event", "stored object"])
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("ahead_s", [0.0, 100 * YEAR, -YEAR])
def test_what_is_dated_far_ahead_of_its_arrival_is_set_aside_and_the_true_ones_count(
    virtually: Virtually, call: Call, kind: str, rank: int, ahead_s: float
) -> None:
    """Live and replayed, whatever our own clock says."""

    async def story() -> None:
        site = Site()
        await asyncio.sleep(5 * MINUTE)
        worker = Worker(site, Machine(ahead_s))
        worker.outside.observe("kinesis", wall())
        worker.ingest.rank = rank
        wrong = far_ahead(call)[kind]
        await worker.tell(wrong)
        for second in range(5):
            true_one = dated(call, f"2026-01-02T03:05:0{second}Z", Queue={"Name": f"v{second}"})
            await worker.tell(true_one)
        await worker.run(30)
        (kept,) = await site.store.quarantined("", 10)
        assert (kept.body, kept.reason) == (wrong, AHEAD.reason)
        ((_, row),) = site.dynamics.records.items()
        assert (row["subcategory"], row["statecode"]) == ("v4", 1)
        assert not await retry_quarantined(site.store, worker.ingest, kept)
        (entry,) = await site.entries()
        assert set(entry.contact.facts) == {"record"}
        assert await site.store.quarantined("", 10) == [kept]

    virtually(story())


def test_where_nobody_says_when_a_message_arrived_our_clock_judges_nothing(
    virtually: Virtually, call: Call
) -> None:
    async def story() -> None:
        site = Site()
        worker = Worker(site, Machine(-100 * YEAR))
        await worker.ingest.handle([Message(call.record(), "archive:1")])
        assert not await site.store.quarantined("", 10)
        assert len(await site.entries()) == 1

    virtually(story())


# --- workers whose clocks differ ------------------------------------------------------------------


@pytest.mark.parametrize("ahead_s", [400.0, 4000.0, 100_000.0, -100_000.0])
def test_workers_whose_clocks_differ_by_more_than_a_claim_go_by_the_clocks_of_others(
    virtually: Virtually, calls: MakeCalls, ahead_s: float
) -> None:
    async def story() -> None:
        site = Site(slow_s=40.0)
        await asyncio.sleep(5 * MINUTE)
        right, wrong = Worker(site, Machine()), Worker(site, Machine(ahead_s))
        for worker in (right, wrong):
            worker.outside.observe("dynamics", wall())
        told = calls(6)
        with capture_logs() as lines:
            for number, call in enumerate(told):
                await (right, wrong)[number % 2].tell(call.record())
            await asyncio.gather(right.run(10 * MINUTE), wrong.run(10 * MINUTE))
            wrong.outside.observe("dynamics", wall())
        assert site.most_going == 1
        assert site.records == ["phonecalls"] * 6
        assert site.created == 6
        assert not [line for line in lines if line["event"] == "clock.wrong"]  # it was told before
        assert wrong.outside.skew_s == ahead_s

    virtually(story())


def test_claims_bear_clocks_that_differ_by_two_minutes_while_nobody_tells_the_time(
    virtually: Virtually, call: Call
) -> None:
    async def story() -> None:
        site = Site(slow_s=50.0)
        await asyncio.sleep(5 * MINUTE)
        slow, ahead = Worker(site, Machine()), Worker(site, Machine(120.0))
        await slow.tell(call.record())
        await asyncio.gather(slow.run(10 * MINUTE), ahead.run(10 * MINUTE))
        assert site.most_going == 1
        assert site.created == 1

    virtually(story())
