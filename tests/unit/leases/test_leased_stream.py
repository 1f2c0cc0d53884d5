"""Several workers share a stream: everything is read, in order, by one at a time.

In virtual time, on the twins. Many of these stories are bugs of other consumers: see "What broke
elsewhere" in tests/README.md.
"""

from __future__ import annotations

import asyncio

from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Self

import pytest
import structlog

from twins import kinesis
from twins.kinesis import refusal
from twins.loop import clock, now, wall
from worker.leases.lease import Lease
from worker.leases.memory import MemoryLeases
from worker.leases.position import AT_TIMESTAMP, END, LATEST, TRIM_HORIZON, Position
from worker.leases.protocol import LeaseConflict, LeasesUnavailable
from worker.leases.stream import FAILOVER_S, TAKE_S, LeasedStream
from worker.leases.sync import KEPT_S
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore


STREAM = "contact-events"


class Stream(kinesis.Stream):
    """A stream whose listing can be short, and some of whose shards cannot be read."""

    def __init__(self, shards: int = 0) -> None:
        super().__init__(shards, wall)
        self.names: list[str] | None = None  # of the shards that are listed, if not all are
        self.failing: dict[str, Exception] = {}
        self.reads: list[str] = []

    def put(self, shard: str, *bodies: str) -> None:
        self.append(shard, *(body.encode() for body in bodies))

    async def list_shards(self, **request: Any) -> dict[str, Any]:
        assert request == {"StreamName": STREAM}
        return {"Shards": self.listed(self.names or self.shards)}

    async def get_records(self, **request: Any) -> dict[str, Any]:
        name = request["ShardIterator"].partition("|")[0]
        self.reads.append(name)
        if name in self.failing:
            await asyncio.sleep(self.latency_s)
            raise self.failing[name]
        return await super().get_records(**request)


class Leases(MemoryLeases):
    """The twin, with a history of checkpoints and faults to order."""

    def __init__(self, *leases: Lease) -> None:
        super().__init__(*leases)
        self.moves: list[tuple[str, str, str]] = []  # shard, holder, position
        self.throttled = False
        self.faults = 0

    def _fail(self) -> None:
        if self.throttled or self.faults > 0:
            self.faults -= 1
            raise LeasesUnavailable("throttled")

    async def scan(self) -> list[Lease]:
        self._fail()
        return await super().scan()

    async def renew(self, lease: Lease) -> Lease | LeaseConflict:
        self._fail()
        return await super().renew(lease)

    async def take(self, lease: Lease, worker: str) -> Lease | LeaseConflict:
        self._fail()
        return await super().take(lease, worker)

    async def release(self, lease: Lease) -> Lease | LeaseConflict:
        self._fail()
        return await super().release(lease)

    async def move(self, lease: Lease, checkpoint: Position) -> Lease | LeaseConflict:
        self._fail()
        answer = await super().move(lease, checkpoint)
        if isinstance(answer, Lease):
            self.moves.append((lease.key, str(lease.holder), checkpoint.at))
        return answer

    def owners(self) -> Counter[str | None]:
        return Counter(lease.owner for lease in self.leases.values() if not lease.over)


@dataclass
class Bug:
    """A TypeError in calls that name a shard, so many times."""

    shard: str
    times: int
    happened: int = 0

    def before(self, call: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        async def called(*arguments: Any, **request: Any) -> Any:
            if self.shard in str(arguments) and self.happened < self.times:
                self.happened += 1
                raise TypeError(arguments)
            return await call(*arguments, **request)

        return called


class Worker:
    """A worker that can be killed, and paused as a whole."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.name = name
        self.fleet = fleet
        self.stop = asyncio.Event()
        self.awake = asyncio.Event()
        self.awake.set()
        self.changes: list[tuple[str, str]] = []
        self.lags: list[tuple[str, int | None]] = []
        self.troubles: list[str] = []
        self.source = LeasedStream(
            lambda: nullcontext(fleet.stream),
            STREAM,
            lambda: nullcontext(fleet.leases),
            name,
            fleet.memory,
            start=fleet.start,
            on_lease=lambda _, shard, change: self.changes.append((shard, change)),
            on_lag=lambda _, shard, millis: self.lags.append((shard, millis)),
            on_trouble=lambda _, shard, code: self.troubles.append(f"{shard}:{code}"),
            limit=fleet.limit,
            clock=replace(clock(), sleep=self.sleep, chance=fleet.random.random),
        )
        self.task = asyncio.create_task(self.source.run(self.handle, self.stop))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.awake.wait()  # a paused process does not notice that time has come

    async def handle(self, batch: Sequence[Message]) -> None:
        for message in batch:
            body = message.body.decode()
            self.fleet.begun.append((self.name, body))
            await asyncio.sleep(self.fleet.slow.get(body, 0))
            await self.awake.wait()
            if body in self.fleet.poison:
                raise TypeError(body)
            self.fleet.applied.append(body)
            self.fleet.times[body] = now()

    async def kill(self) -> None:
        self.task.cancel()
        await asyncio.wait((self.task,))

    async def end(self) -> None:
        self.stop.set()
        await self.task


class Fleet:
    """Workers on one stream and one lease table."""

    def __init__(
        self, stream: Stream, *, start: str = "earliest", limit: int = 100, seed: int = 1
    ) -> None:
        self.stream = stream
        self.leases = Leases()
        self.memory = MemoryStore()
        self.start = start
        self.limit = limit
        self.random = Random(seed)
        self.begun: list[tuple[str, str]] = []
        self.applied: list[str] = []
        self.times: dict[str, float] = {}
        self.slow: dict[str, float] = {}
        self.poison: set[str] = set()
        self.workers: list[Worker] = []

    def worker(self, name: str) -> Worker:
        self.workers.append(Worker(self, name))
        return self.workers[-1]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.awake.set()
            await worker.kill()


async def test_four_shards_spread_two_one_one_over_three_workers() -> None:
    for seed in range(10):
        async with Fleet(Stream(4), seed=seed) as fleet:
            for name in "abc":
                fleet.worker(name)
                await asyncio.sleep(fleet.random.random())
            await asyncio.sleep(4 * TAKE_S)
            assert sorted(fleet.leases.owners().values()) == [1, 1, 2]
            before = fleet.leases.owners()
            await asyncio.sleep(60)
            assert fleet.leases.owners() == before


async def test_a_single_worker_takes_all_free_leases_at_once() -> None:
    stream = Stream(16)
    for shard in stream.shards:
        stream.put(shard, shard)
    async with Fleet(stream) as fleet:
        fleet.worker("a")
        await asyncio.sleep(1)
        assert sorted(fleet.applied) == sorted(stream.shards)


async def test_a_killed_workers_shards_are_read_again_within_failover_and_a_taker_period() -> None:
    for seed in range(10):
        async with Fleet(Stream(4), seed=seed) as fleet:
            for name in "abc":
                fleet.worker(name)
            await asyncio.sleep(30 + 5 * fleet.random.random())
            await fleet.workers[0].kill()
            killed = now()
            for shard in fleet.stream.shards:
                fleet.stream.put(shard, shard)
            await asyncio.sleep(FAILOVER_S + TAKE_S + 1)
            assert sorted(fleet.applied) == sorted(fleet.stream.shards)
            assert max(fleet.times.values()) < killed + FAILOVER_S + TAKE_S + 1
            assert fleet.leases.owners() == {"b": 2, "c": 2}


async def test_a_stopped_workers_shards_are_read_within_a_taker_period() -> None:
    for seed in range(10):
        async with Fleet(Stream(4), seed=seed) as fleet:
            for name in "abc":
                fleet.worker(name)
            await asyncio.sleep(30)
            await fleet.workers[0].end()
            assert "a" not in fleet.leases.owners()
            for shard in fleet.stream.shards:
                fleet.stream.put(shard, shard)
            await asyncio.sleep(TAKE_S + 1.5)
            assert sorted(fleet.applied) == sorted(fleet.stream.shards)


async def test_a_stopping_worker_finishes_and_acknowledges_what_it_has_in_hand() -> None:
    async with Fleet(Stream(1), limit=1) as fleet:
        fleet.slow = {"1": 20.0}
        fleet.stream.put("shardId-000", "1", "2")
        worker = fleet.worker("a")
        await asyncio.sleep(5)
        fleet.worker("b")
        await worker.end()  # for longer than a lease lasts: it is renewed meanwhile
        await asyncio.sleep(TAKE_S + 1)
        assert fleet.begun == [("a", "1"), ("b", "2")]
        assert worker.changes == [("shardId-000", "taken"), ("shardId-000", "released")]


async def test_a_zombies_checkpoint_is_refused_and_the_zombie_stops_at_once() -> None:
    async with Fleet(Stream(1), limit=1) as fleet:
        fleet.slow = {"1": 0.5}
        fleet.stream.put("shardId-000", "1", "2", "3")
        zombie = fleet.worker("a")
        await asyncio.sleep(0.3)
        zombie.awake.clear()
        fleet.worker("b")
        await asyncio.sleep(45)
        moved = list(fleet.leases.moves)
        assert [holder for _, holder, _ in moved] == ["b"] * 3
        zombie.awake.set()
        await asyncio.sleep(1)
        assert zombie.changes[-1] == ("shardId-000", "lapsed")
        await zombie.end()
        assert fleet.leases.moves == moved
        assert fleet.leases.leases["shardId-000"].owner == "b"
        assert [body for name, body in fleet.begun if name == "a"] == ["1"]


async def test_while_writes_are_throttled_a_worker_lets_go_before_another_takes_over() -> None:
    """Nobody else owns the shard while the first owner still delivers."""
    async with Fleet(Stream(1), limit=1) as fleet:
        first = fleet.worker("a")
        await asyncio.sleep(20)
        second = fleet.worker("b")
        await asyncio.sleep(20)
        fleet.leases.throttled = True
        fleet.stream.put("shardId-000", "1", "2")
        await asyncio.sleep(2 * FAILOVER_S)
        assert first.changes[-1] == ("shardId-000", "lapsed")
        assert second.changes == []
        assert [body for _, body in fleet.begun] == ["1"]
        fleet.leases.throttled = False
        await asyncio.sleep(40)
        assert [body for _, body in fleet.begun] == ["1", "1", "2"]


async def test_one_failed_renewal_or_scan_costs_nothing() -> None:
    async with Fleet(Stream(2)) as fleet:
        worker = fleet.worker("a")
        for _ in range(60):
            await asyncio.sleep(1)
            fleet.leases.faults = 1
        assert [change for _, change in worker.changes] == ["taken"] * 2
        fleet.stream.put("shardId-001", "still here")
        await asyncio.sleep(3)
        assert fleet.applied == ["still here"]


async def test_every_shard_is_read_in_order_after_a_reshard_while_all_were_away() -> None:
    stream = Stream(1)
    async with Fleet(stream, start="now") as fleet:
        fleet.worker("a")
        await asyncio.sleep(5)
        await fleet.workers[0].end()
        stream.put("shardId-000", "1")
        left, right = stream.split("shardId-000")
        stream.put(left, "2")
        stream.put(right, "3")
        merged = stream.merge(left, right)
        stream.put(merged, "4")
        fleet.worker("b")
        fleet.worker("c")
        await asyncio.sleep(60)
        assert fleet.applied[0] == "1"
        assert sorted(fleet.applied[1:3]) == ["2", "3"]
        assert fleet.applied[3:] == ["4"]


async def test_children_and_grandchildren_wait_for_all_their_parents() -> None:
    stream = Stream(2)
    stream.put("shardId-000", "first")
    stream.put("shardId-001", "other")
    left, right = stream.split("shardId-000")
    stream.put(left, "left")
    stream.put(right, "right")
    merged = stream.merge(right, "shardId-001")
    stream.put(merged, "last")
    async with Fleet(stream) as fleet:
        fleet.slow = {"first": 20.0, "other": 70.0}
        for name in "abc":
            fleet.worker(name)
        await asyncio.sleep(100)
        assert fleet.times["first"] < min(fleet.times["left"], fleet.times["right"])
        assert fleet.applied[-2:] == ["other", "last"]
        assert len(fleet.applied) == 5


async def test_after_the_end_of_a_shard_its_children_have_leases_from_the_horizon() -> None:
    stream = Stream(1)
    async with Fleet(stream, start="now") as fleet:
        fleet.worker("a")
        await asyncio.sleep(5)
        children = stream.split("shardId-000")
        await asyncio.sleep(1.5)
        leases = fleet.leases.leases
        assert leases["shardId-000"].checkpoint == END
        assert leases["shardId-000"].children == set(children)
        for child in children:
            assert leases[child].checkpoint == Position(TRIM_HORIZON)
            assert leases[child].parents == {"shardId-000"}
            assert leases[child].hashes == stream.shards[child].hashes


async def test_a_worker_that_dies_at_a_shards_end_loses_no_child() -> None:
    class Dying(Leases):
        async def move(self, lease: Lease, checkpoint: Position) -> Lease | LeaseConflict:
            if checkpoint == END and lease.owner == "a":
                raise SystemError("died")
            return await super().move(lease, checkpoint)

    stream = Stream(1)
    stream.put("shardId-000", "1")
    left, right = stream.split("shardId-000")
    stream.put(left, "2")
    stream.put(right, "3")
    async with Fleet(stream) as fleet:
        fleet.leases = Dying()
        first = fleet.worker("a")
        await asyncio.sleep(1)
        await first.kill()
        fleet.worker("b")
        await asyncio.sleep(40)
        assert sorted(fleet.applied) == ["1", "2", "3"]


async def test_finished_families_are_cleaned_up_and_never_read_again() -> None:
    stream = Stream(1)
    left, right = stream.split("shardId-000")
    merged = stream.merge(left, right)
    async with Fleet(stream) as fleet:
        fleet.worker("a")
        await asyncio.sleep(20)
        assert set(fleet.leases.leases) >= {left, right, merged}
        stream.put(merged, "1")
        await asyncio.sleep(2 * KEPT_S + 100)
        assert set(fleet.leases.leases) == {merged}
        await fleet.workers[0].end()
        stream.reads.clear()
        fleet.worker("b")
        await asyncio.sleep(60)
        assert set(stream.reads) == {merged}
        assert fleet.applied == ["1"]


async def test_the_lease_of_an_open_shard_that_was_deleted_comes_back() -> None:
    async with Fleet(Stream(2)) as fleet:
        fleet.stream.put("shardId-000", "1")
        worker = fleet.worker("a")
        await asyncio.sleep(20)
        del fleet.leases.leases["shardId-000"]
        await asyncio.sleep(45)
        assert ("shardId-000", "lost") in worker.changes
        assert fleet.leases.leases["shardId-000"].owner == "a"
        assert fleet.applied == ["1", "1"], "it begins where the stream began"


async def test_the_lease_of_a_shard_past_its_retention_is_deleted_and_let_go() -> None:
    stream = Stream(2)
    async with Fleet(stream) as fleet:
        worker = fleet.worker("a")
        await asyncio.sleep(20)
        stream.failing["shardId-000"] = refusal("ResourceNotFoundException")
        stream.names = ["shardId-001"]
        await asyncio.sleep(60)
        assert set(fleet.leases.leases) == {"shardId-001"}
        assert worker.changes[-1] == ("shardId-000", "lost")


async def test_an_incomplete_first_listing_creates_nothing() -> None:
    stream = Stream(2)
    stream.names = ["shardId-001"]
    async with Fleet(stream) as fleet:
        fleet.worker("a")
        await asyncio.sleep(3)
        assert fleet.leases.leases == {}
        stream.names = None
        await asyncio.sleep(10)
        assert set(fleet.leases.leases) == {"shardId-000", "shardId-001"}


async def test_a_handed_off_lease_is_drained_given_over_and_taken() -> None:
    async with Fleet(Stream(1), limit=1) as fleet:
        fleet.slow = {"1": 15.0}
        fleet.worker("a")
        await asyncio.sleep(5)
        fleet.worker("b")
        fleet.stream.put("shardId-000", "1", "2")
        await asyncio.sleep(2)
        leases = fleet.leases.leases
        leases["shardId-000"] = replace(leases["shardId-000"], owner="b", checkpoint_owner="a")
        await asyncio.sleep(10)
        assert leases["shardId-000"].checkpoint_owner == "a", "the batch in hand is finished"
        await asyncio.sleep(12)
        assert fleet.begun == [("a", "1"), ("b", "2")]
        assert leases["shardId-000"].holder == "b"


async def test_the_old_owner_of_a_hand_off_dies_and_the_lease_is_read_again() -> None:
    async with Fleet(Stream(1)) as fleet:
        fleet.worker("a")
        await asyncio.sleep(5)
        fleet.worker("b")
        await asyncio.sleep(5)
        leases = fleet.leases.leases
        leases["shardId-000"] = replace(leases["shardId-000"], owner="b", checkpoint_owner="a")
        await fleet.workers[0].kill()
        await asyncio.sleep(FAILOVER_S + 2 * TAKE_S)
        assert leases["shardId-000"].holder == "b"
        assert leases["shardId-000"].checkpoint_owner is None


async def test_a_restart_under_the_same_name_goes_on_at_once() -> None:
    async with Fleet(Stream(2)) as fleet:
        await asyncio.sleep(1)
        worker = fleet.worker("a")
        await asyncio.sleep(20)
        await worker.kill()
        fleet.stream.put("shardId-000", "1")
        fleet.worker("a")
        await asyncio.sleep(1)
        assert fleet.applied == ["1"]
        assert {lease.switches for lease in fleet.leases.leases.values()} == {0}


async def test_a_batch_whose_handler_fails_is_never_acknowledged_and_not_skipped() -> None:
    async with Fleet(Stream(2), limit=1) as fleet:
        fleet.stream.put("shardId-000", "1", "2")
        fleet.stream.put("shardId-001", "3", "4")
        fleet.poison = {"1"}
        worker = fleet.worker("a")
        await asyncio.sleep(120)
        assert fleet.applied == ["3", "4"]
        assert {shard for shard, _, _ in fleet.leases.moves} == {"shardId-001"}
        fleet.poison = set()
        await asyncio.sleep(31)
        assert fleet.applied == ["3", "4", "1", "2"]
        assert not worker.task.done()


async def test_a_stream_started_now_skips_the_past_and_stays_at_that_time() -> None:
    async with Fleet(Stream(1), start="now") as fleet:
        fleet.stream.put("shardId-000", "old")
        await asyncio.sleep(100)
        worker = fleet.worker("a")
        await asyncio.sleep(5)
        assert fleet.leases.leases["shardId-000"].checkpoint == Position(AT_TIMESTAMP)
        await worker.kill()
        fleet.stream.put("shardId-000", "meanwhile")
        await asyncio.sleep(100)
        fleet.worker("b")
        await asyncio.sleep(FAILOVER_S + 2)
        assert fleet.applied == ["meanwhile"]


async def test_a_lease_that_kcl_left_at_latest_begins_when_it_is_taken() -> None:
    async with Fleet(Stream(1)) as fleet:
        fleet.leases.leases["shardId-000"] = Lease("shardId-000", Position(LATEST))
        fleet.stream.put("shardId-000", "old")
        await asyncio.sleep(100)
        fleet.worker("a")
        await asyncio.sleep(2)
        fleet.stream.put("shardId-000", "new")
        await asyncio.sleep(2)
        assert fleet.applied == ["new"]


async def test_a_checkpoint_inside_an_aggregate_hands_that_record_on_again() -> None:
    async with Fleet(Stream(1)) as fleet:
        fleet.stream.put("shardId-000", "1", "aggregate", "3")
        partly = Position(str(fleet.stream.sequence - 1), 5)
        fleet.leases.leases["shardId-000"] = Lease("shardId-000", partly)
        fleet.worker("a")
        await asyncio.sleep(5)
        assert fleet.applied == ["aggregate", "3"]
        assert [Position(at) > partly for _, _, at in fleet.leases.moves] == [True]


async def test_a_stuck_shard_shows_and_keeps_its_lease() -> None:
    async with Fleet(Stream(1)) as fleet:
        fleet.slow = {"1": 300.0}
        fleet.stream.put("shardId-000", "1")
        worker = fleet.worker("a")
        await asyncio.sleep(5)
        fleet.worker("b")
        await asyncio.sleep(250)
        assert fleet.begun == [("a", "1")]
        assert worker.changes == [("shardId-000", "taken")]
        assert (worker.lags[-1][1] or 0) > 240_000


async def test_the_next_owner_of_a_hand_off_dies_and_the_lease_is_read_again() -> None:
    async with Fleet(Stream(1)) as fleet:
        fleet.worker("a")
        await asyncio.sleep(5)
        leases = fleet.leases.leases
        handed_off = replace(leases["shardId-000"], owner="gone", checkpoint_owner="a")
        leases["shardId-000"] = handed_off
        await asyncio.sleep(FAILOVER_S / 3 + 0.1)
        assert leases["shardId-000"].holder == "gone"
        await asyncio.sleep(FAILOVER_S + 2 * TAKE_S)
        assert leases["shardId-000"].holder == "a"


@pytest.mark.parametrize("times", [1, 1000])
@pytest.mark.parametrize("call", ["renew", "take", "move", "release", "set_children"])
async def test_a_bug_with_one_shards_lease_costs_no_other_shard_anything(
    call: str, times: int
) -> None:
    async with Fleet(Stream(2), limit=1) as fleet:
        fleet.stream.put("shardId-000", "1", "2")
        fleet.stream.put("shardId-001", "3", "4")
        fleet.stream.split("shardId-000")
        bug = Bug("shardId-000", times)
        setattr(fleet.leases, call, bug.before(getattr(fleet.leases, call)))
        worker = fleet.worker("a")
        await asyncio.sleep(200)
        fleet.stream.put("shardId-001", "5")
        await asyncio.sleep(2)
        others = [body for body in fleet.applied if body in "345"]
        assert others == ["3", "4", "5"]
        ours = list(dict.fromkeys(body for body in fleet.applied if body in "12"))
        assert ours == ["1", "2"][: len(ours)]
        assert bug.happened > 0 or call == "release"
        assert bug.happened < 200, "after pauses"
        if times == 1:
            assert ours == ["1", "2"]
        await worker.end()


@pytest.mark.parametrize("times", [1, 1000])
@pytest.mark.parametrize("call", ["scan", "list_shards"])
async def test_a_bug_in_a_background_loop_is_told_and_lets_no_reader_idle(
    call: str, times: int
) -> None:
    async with Fleet(Stream(1)) as fleet:
        fleet.stream.put("shardId-000", "1")
        worker = fleet.worker("a")
        await asyncio.sleep(1)
        bug = Bug("", times)
        owner: Any = fleet.leases if call == "scan" else fleet.stream
        setattr(owner, call, bug.before(getattr(owner, call)))
        await asyncio.sleep(100)
        fleet.stream.put("shardId-000", "2")
        await asyncio.sleep(2)
        assert fleet.applied == ["1", "2"]
        assert 0 < bug.happened < 60
        await worker.end()


async def test_a_merged_shard_waits_for_the_lease_of_its_other_parent() -> None:
    stream = Stream(2)
    merged = stream.merge("shardId-000", "shardId-001")
    stream.put("shardId-001", "other")
    stream.put(merged, "merged")
    async with Fleet(stream) as fleet:
        fleet.leases.leases["shardId-000"] = Lease("shardId-000", Position(TRIM_HORIZON))
        stream.names = ["shardId-000"]
        worker = fleet.worker("a")
        await asyncio.sleep(5)
        assert set(worker.troubles) == {"shardId-000:ParentMissing"}
        assert set(fleet.leases.leases) == {"shardId-000"}
        stream.names = None
        await asyncio.sleep(60)
        assert fleet.applied == ["other", "merged"]


async def test_checkpoints_only_grow_and_each_was_its_holders() -> None:
    """A long day: workers come, go, hang and die, shards split, the table fails."""
    with structlog.testing.capture_logs():
        for seed in range(3):
            stream = Stream(3)
            async with Fleet(stream, limit=2, seed=seed) as fleet:
                written = 0
                for step in range(60):
                    for shard in [s for s, it in stream.shards.items() if it.ends is None]:
                        stream.put(shard, f"{shard}:{written}")
                        written += 1
                    fleet.random.choice(NEMESES)(fleet, step)
                    await asyncio.sleep(10 * fleet.random.random())
                for worker in fleet.workers:
                    worker.awake.set()
                fleet.worker("last")
                await asyncio.sleep(200)
                assert len(set(fleet.applied)) == written
                for shard in stream.shards:
                    moves = [Position(at) for key, _, at in fleet.leases.moves if key == shard]
                    assert moves == sorted(moves)
                    mine = [b for b in dict.fromkeys(fleet.applied) if b.startswith(shard)]
                    assert mine == sorted(mine, key=lambda body: int(body.partition(":")[2]))


def _join(fleet: Fleet, step: int) -> None:
    if len(fleet.workers) < 12:
        fleet.worker(f"w{step}")


def _kill(fleet: Fleet, _: int) -> None:
    if fleet.workers:
        fleet.random.choice(fleet.workers).task.cancel()


def _stop(fleet: Fleet, _: int) -> None:
    if fleet.workers:
        fleet.random.choice(fleet.workers).stop.set()


def _pause(fleet: Fleet, _: int) -> None:
    if fleet.workers:
        fleet.random.choice(fleet.workers).awake.clear()


def _resume(fleet: Fleet, _: int) -> None:
    for worker in fleet.workers:
        worker.awake.set()


def _split(fleet: Fleet, _: int) -> None:
    open_shards = [name for name, shard in fleet.stream.shards.items() if shard.ends is None]
    if len(open_shards) < 6:
        fleet.stream.split(fleet.random.choice(open_shards))


def _fault(fleet: Fleet, _: int) -> None:
    fleet.leases.faults = 3


NEMESES = (_join, _join, _kill, _stop, _pause, _resume, _resume, _split, _fault)
