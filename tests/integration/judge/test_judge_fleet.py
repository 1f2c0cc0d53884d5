"""Three real workers share four shards a stream; one after the other is killed, stopped, paused.

The tests share one trial and go on from each other: what a killed worker had in hand is free for
the others only when its claim lapses, 300 s later, which is waited for once, by the last test.
"""

from __future__ import annotations

import asyncio
import signal
import time

from collections.abc import Callable, Container

import pytest

from fleet.account import repeated
from fleet.crew import Worker
from fleet.reshard import Reshard
from fleet.trial import SHARE_LIMIT_S, Trial
from fleet.watch import Place
from worker.leases.position import Position
from worker.leases.protocol import LeaseConflict
from worker.leases.stream import FAILOVER_S, TAKE_S
from worker.sandbox.dataverse.app import DOP_HINT
from worker.sandbox.dataverse.faults import latency
from worker.sandbox.traffic import EVENTS


pytestmark = [
    pytest.mark.judge,
    pytest.mark.alone,
    pytest.mark.services,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

Record = Callable[[str, object], None]

#: Promised beside failover and taker period (s).
ALLOWED_S = 5.0
#: How long Dynamics takes to answer (s) before the kill, so that it comes amid requests.
SLOW_S = 10.0
#: Beside the taker period on SIGTERM (s): the batch in hand is finished, the lease released, and
#: the new owner reads once and writes a checkpoint that we see; on two busy cores.
SLACK_S = 3.0
#: Longest time (s) until a shard is read that came of two splits and a merge.
RESHARDED_S = 60.0
#: How long the zombie is paused (s).
PAUSED_S = 45.0


def busiest(judged: Trial) -> Worker:
    """The worker with the most shards."""
    return max(judged.crew.running, key=lambda worker: len(judged.watch.held(worker.name)))


async def taken_over(
    judged: Trial, worker: Worker, places: list[Place], since: float, limit_s: float
) -> dict[Place, float]:
    """After how long (s) others got on with each of a worker's shards."""

    def at() -> dict[Place, float | None]:
        return {place: judged.watch.read_again(place, worker.name) for place in places}

    await judged.watch.until(lambda: None not in at().values(), 2 * limit_s)
    return {place: moment - since for place, moment in at().items() if moment is not None}


def told(after_s: dict[Place, float]) -> str:
    """The times, as they are reported."""
    return ", ".join(f"{seconds:.1f}" for seconds in sorted(after_s.values())) + " s"


async def test_four_shards_spread_two_one_one_over_three_processes(
    judged: Trial, record_property: Record
) -> None:
    begun = time.monotonic()
    await judged.share_evenly(3)
    record_property("three workers from start to 2/1/1", f"{time.monotonic() - begun:.1f} s")
    for stream in judged.ground.leases:
        assert sorted(judged.watch.spread(stream).values()) == [1, 1, 2]
    assert await judged.missing_so_far() == []


async def test_a_killed_process_s_shards_are_read_again_within_failover_and_taker_period(
    judged: Trial, record_property: Record
) -> None:
    await judged.share_evenly(3)
    victim = busiest(judged)
    faults = judged.ground.dataverse.faults
    faults.sometimes(latency(SLOW_S), 1)
    try:
        # Of what Dynamics takes at a time each worker has its part, so each has some in hand.
        await judged.watch.until(lambda: judged.ground.in_flight >= DOP_HINT, SHARE_LIMIT_S)
        places = list(judged.watch.held(victim.name))
        killed, wall = time.monotonic(), time.time()
        victim.send(signal.SIGKILL)
    finally:
        faults.clear()
    limit_s = FAILOVER_S + TAKE_S + ALLOWED_S
    after_s = await taken_over(judged, victim, places, killed, limit_s)
    record_property(f"kill -9: each shard read again within {limit_s:.0f} s", told(after_s))
    assert max(after_s.values()) < limit_s
    assert await judged.missing_so_far() == []
    left = await judged.claimed_before(wall)
    record_property("kill -9: contacts it had in hand", left)
    assert left > 0


async def test_a_stopped_process_s_shards_are_read_again_within_a_taker_period(
    judged: Trial, record_property: Record
) -> None:
    await judged.share_evenly(3)
    leaving = busiest(judged)
    places = list(judged.watch.held(leaving.name))
    asked = time.monotonic()
    leaving.send(signal.SIGTERM)
    limit_s = TAKE_S + SLACK_S
    after_s = await taken_over(judged, leaving, places, asked, limit_s)
    record_property(f"SIGTERM: each shard read again within {limit_s:.0f} s", told(after_s))
    assert max(after_s.values()) < limit_s
    assert await leaving.process.wait() == 0
    assert await judged.missing_so_far() == []


async def test_a_zombie_process_cannot_move_its_checkpoints_and_joins_again(
    judged: Trial, record_property: Record
) -> None:
    await judged.share_evenly(3)
    zombie = busiest(judged)
    paused = time.monotonic()
    zombie.send(signal.SIGSTOP)
    await judged.watch.until(lambda: True, ALLOWED_S)  # what it wrote last is seen
    known = judged.watch.held(zombie.name)
    limit_s = FAILOVER_S + TAKE_S + ALLOWED_S
    after_s = await taken_over(judged, zombie, list(known), paused, limit_s)
    record_property(f"SIGSTOP: each shard read again within {limit_s:.0f} s", told(after_s))
    await asyncio.sleep(paused + PAUSED_S - time.monotonic())
    for place, lease in known.items():  # what it would write, as it knows the lease
        table = judged.ground.leases[place.stream]
        assert isinstance(await table.renew(lease), LeaseConflict)
        assert isinstance(await table.move(lease, _after(lease.checkpoint)), LeaseConflict)
        assert isinstance(await table.release(lease), LeaseConflict)
    before = len(zombie.said("lease.changed"))
    zombie.send(signal.SIGCONT)
    await judged.watch.until(
        lambda: len(_changes(zombie, before, known)) == len(known), ALLOWED_S + TAKE_S
    )
    assert set(_changes(zombie, before, known).values()) <= {"lost", "lapsed"}
    await judged.share_evenly(3)
    assert judged.watch.wrong == []
    assert await judged.missing_so_far() == []


def _after(checkpoint: Position) -> Position:
    return Position(str((checkpoint.sequence or 0) + 1))


def _changes(worker: Worker, before: int, places: Container[Place]) -> dict[Place, str]:
    """What a worker said first of each lease since then."""
    changes: dict[Place, str] = {}
    for line in worker.said("lease.changed")[before:]:
        place = Place(line["stream"], line["shard"])
        if place in places:
            changes.setdefault(place, line["change"])
    return changes


async def test_splits_and_merges_under_load_are_read_parents_first_and_lose_nothing(
    judged: Trial, record_property: Record
) -> None:
    """One shard is split, its first half again, and the other halves of both are merged."""
    await judged.share_evenly(3)
    stream = judged.ground.streams[EVENTS]
    reshard = Reshard(judged.ground.kinesis, stream)
    begun = time.monotonic()
    whole, *_ = await reshard.open()
    await reshard.split(whole)
    left, right, *_ = await reshard.open()
    await reshard.split(left)
    _, middle, *_ = await reshard.open()
    await reshard.merge(middle, right)
    _, merged, *_ = await reshard.open()
    assert set(merged.parents) == {middle.id, right.id}

    def read() -> bool:
        lease = judged.watch.leases.get(Place(stream, merged.id))
        return lease is not None and not lease.checkpoint.untouched

    await judged.watch.until(read, RESHARDED_S)
    record_property("two splits and a merge, until read", f"{time.monotonic() - begun:.1f} s")
    for shard in (whole, left, middle, right):
        assert judged.watch.sights[Place(stream, shard.id)][-1].lease.over
    assert judged.watch.wrong == []
    assert await judged.missing_so_far() == []


async def test_in_the_end_dynamics_holds_what_happened_once(
    judged: Trial, record_property: Record
) -> None:
    await judged.share_evenly(3)
    begun = time.monotonic()
    assert await judged.wrong_in_the_end() == []
    counts = await judged.ground.store.counts(time.time())
    assert (counts.due, counts.parked) == (0, 0)
    for worker in judged.crew.workers.values():
        assert "Traceback" not in worker.log.read_text(encoding="utf-8")
    record_property("messages put", len(judged.producer.puts))
    record_property("contacts", len(judged.producer.legs))
    record_property(
        "creates that came again and found the record there", repeated(judged.ground.requests)
    )
    record_property("from the last contact to rest", f"{time.monotonic() - begun:.1f} s")
