"""A round of taking: what goes wrong with one lease does not keep the others from being taken."""

from __future__ import annotations

import asyncio

import pytest

from worker.clock import Clock
from worker.leases.lease import Lease
from worker.leases.memory import MemoryLeases
from worker.leases.position import Position
from worker.leases.protocol import LeaseConflict, LeasesUnavailable
from worker.leases.taker import Taker


FAILOVER_S = 10.0
PERIOD_S = 5.0


def lease(key: str, owner: str | None = None) -> Lease:
    return Lease(key, Position("1"), owner)


def taker_of(table: MemoryLeases, reports: list[str], chance: float = 0.0) -> Taker:
    return Taker(
        table,
        "me",
        failover_s=FAILOVER_S,
        period_s=PERIOD_S,
        clock=Clock(monotonic=asyncio.get_running_loop().time, chance=lambda: chance),
        report=reports.append,
    )


async def keys(taker: Taker) -> list[str]:
    return sorted(tenure.lease.key for tenure in await taker.round())


async def test_what_is_taken_is_held_and_not_taken_again() -> None:
    taker = taker_of(MemoryLeases(lease("s0"), lease("s1")), [])
    assert await keys(taker) == ["s0", "s1"]
    assert sorted(taker.held) == ["s0", "s1"]
    assert await keys(taker) == []
    assert taker.wait_s == PERIOD_S


async def test_a_lease_that_cannot_be_taken_or_that_another_took_costs_only_itself() -> None:
    class Table(MemoryLeases):
        async def take(self, lease: Lease, worker: str) -> Lease | LeaseConflict:
            if lease.key == "s0":
                raise LeasesUnavailable("throttled")
            if lease.key == "s1":
                await super().take(lease, "faster")
            return await super().take(lease, worker)

    reports: list[str] = []
    taker = taker_of(Table(lease("s0"), lease("s1"), lease("s2")), reports)
    assert await keys(taker) == ["s2"]
    assert reports == ["LeasesUnavailable"]


async def test_a_taking_whose_answer_was_lost_is_made_up_for_in_the_next_round() -> None:
    class Table(MemoryLeases):
        lost = False

        async def take(self, lease: Lease, worker: str) -> Lease | LeaseConflict:
            answer = await super().take(lease, worker)
            if not self.lost:
                self.lost = True
                raise LeasesUnavailable("answer lost")
            return answer

    table = Table(lease("s0"))
    taker = taker_of(table, [])
    assert await keys(taker) == []
    assert await keys(taker) == ["s0"]
    assert table.leases["s0"].counter == 2


async def test_a_lease_is_stolen_as_it_is_now_unless_it_has_another_owner_now() -> None:
    class Renewed(MemoryLeases):
        async def get(self, key: str) -> Lease | None:
            self.leases[key] = self.leases[key].renewed()
            return await super().get(key)

    class Gone(MemoryLeases):
        async def get(self, key: str) -> Lease | None:
            self.leases[key] = self.leases[key].taken("c")
            return await super().get(key)

    assert await keys(taker_of(Renewed(lease("s0", "b"), lease("s1", "b")), [])) == ["s0"]
    assert await keys(taker_of(Gone(lease("s0", "b"), lease("s1", "b")), [])) == []


async def test_a_round_comes_up_to_a_fifth_of_its_period_early() -> None:
    taker = taker_of(MemoryLeases(), [], chance=0.5)
    await taker.round()
    assert taker.wait_s == pytest.approx(0.9 * PERIOD_S)


async def test_the_next_round_is_due_just_after_a_lease_of_another_lapses() -> None:
    table = MemoryLeases(lease("s0", "b"))
    taker = taker_of(table, [])
    await taker.round()
    assert taker.wait_s == PERIOD_S
    await asyncio.sleep(FAILOVER_S - 1)
    await taker.round()
    assert 1 < taker.wait_s < 1.1
    await asyncio.sleep(taker.wait_s)
    assert await keys(taker) == ["s0"]
