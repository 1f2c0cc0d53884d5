"""A tenure holds its lease exactly as long as it can be sure of it."""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from worker.clock import Clock
from worker.leases.lease import Lease
from worker.leases.memory import MemoryLeases
from worker.leases.position import END, TRIM_HORIZON, Position
from worker.leases.protocol import LeaseConflict, LeaseLost, LeasesUnavailable
from worker.leases.tenure import Tenure


FAILOVER_S = 9.0
KEY = "shardId-0"
TAKEN = Lease(KEY, Position(TRIM_HORIZON), owner="a", counter=1)


class Table(MemoryLeases):
    """The twin, which can lose requests, answers, or itself."""

    def __init__(self, lease: Lease = TAKEN) -> None:
        super().__init__(lease)
        self.answers_lost = 0
        self.repeated = False
        self.hangs = False
        self.renewals: list[float] = []

    @property
    def lease(self) -> Lease:
        return self.leases[KEY]

    def taken_by(self, worker: str) -> None:
        self.leases[KEY] = self.lease.taken(worker)

    async def renew(self, lease: Lease) -> Lease | LeaseConflict:
        self.renewals.append(asyncio.get_running_loop().time())
        return await self._answer(await super().renew(lease))

    async def move(self, lease: Lease, checkpoint: Position) -> Lease | LeaseConflict:
        return await self._answer(await super().move(lease, checkpoint))

    async def release(self, lease: Lease) -> Lease | LeaseConflict:
        return await self._answer(await super().release(lease))

    async def _answer(self, answer: Lease | LeaseConflict) -> Lease | LeaseConflict:
        if self.hangs:
            await asyncio.sleep(1000)
        if self.answers_lost:
            self.answers_lost -= 1
            raise LeasesUnavailable("answer lost")
        return (
            replace(answer, repeated=self.repeated) if isinstance(answer, LeaseConflict) else answer
        )


def tenure_of(table: Table, reports: list[str] | None = None) -> Tenure:
    loop = asyncio.get_running_loop()
    return Tenure(
        table,
        TAKEN,
        "a",
        since=loop.time(),
        failover_s=FAILOVER_S,
        clock=Clock(monotonic=loop.time, chance=lambda: 0.5),
        report=(reports if reports is not None else []).append,
    )


async def kept(tenure: Tenure, seconds: float) -> None:
    """Keep it for so long at most."""
    keeping = asyncio.create_task(tenure.keep())
    await asyncio.wait((keeping,), timeout=seconds)
    keeping.cancel()
    await asyncio.wait((keeping,))


async def test_a_lease_is_renewed_three_times_per_failover_time_and_a_little_early() -> None:
    table = Table()
    tenure = tenure_of(table)
    await kept(tenure, 90)
    assert len(table.renewals) == 33
    assert table.lease.counter == 34
    tenure.check()


async def test_a_lease_that_cannot_be_renewed_is_lost_exactly_after_the_failover_time() -> None:
    table = Table()
    table.answers_lost = 1000
    reports: list[str] = []
    tenure = tenure_of(table, reports)
    await tenure.keep()
    assert asyncio.get_running_loop().time() == pytest.approx(FAILOVER_S)
    assert (tenure.lost.is_set(), tenure.ending) == (True, "lapsed")
    assert set(reports) == {"LeasesUnavailable"}
    assert len(reports) >= 3


async def test_a_table_that_does_not_answer_costs_no_more_time_than_the_lease_has() -> None:
    table = Table()
    table.hangs = True
    tenure = tenure_of(table)
    await tenure.keep()
    assert asyncio.get_running_loop().time() == pytest.approx(FAILOVER_S)
    assert tenure.ending == "lapsed"


async def test_one_request_without_an_answer_does_not_cost_the_lease() -> None:
    table = Table()
    table.hangs = True
    tenure = tenure_of(table)
    asyncio.get_running_loop().call_later(FAILOVER_S / 2, setattr, table, "hangs", False)
    await kept(tenure, 3 * FAILOVER_S)
    tenure.check()


async def test_after_a_pause_longer_than_the_failover_time_nothing_is_done_any_more() -> None:
    table = Table()
    tenure = tenure_of(table)
    await asyncio.sleep(FAILOVER_S)
    for act in (tenure.renew, tenure.release, lambda: tenure.move(Position("1"))):
        with pytest.raises(LeaseLost):
            await act()
    with pytest.raises(LeaseLost):
        tenure.check()
    assert table.lease == TAKEN


ACTS: dict[str, Callable[[Tenure], Awaitable[None]]] = {
    "renew": lambda tenure: tenure.renew(),
    "move": lambda tenure: tenure.move(Position("1")),
    "release": lambda tenure: tenure.release(),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_a_lease_that_another_took_is_lost_and_left_as_it_is(
    act: Callable[[Tenure], Awaitable[None]],
) -> None:
    table = Table()
    tenure = tenure_of(table)
    table.taken_by("b")
    theirs = table.lease
    with pytest.raises(LeaseLost):
        await act(tenure)
    assert (tenure.lost.is_set(), tenure.ending) == (True, "lost")
    assert table.lease == theirs


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_a_lease_whose_row_is_gone_is_lost_and_not_written_again(
    act: Callable[[Tenure], Awaitable[None]],
) -> None:
    table = Table()
    tenure = tenure_of(table)
    table.leases.clear()
    with pytest.raises(LeaseLost):
        await act(tenure)
    assert table.leases == {}


@pytest.mark.parametrize("act", [ACTS["renew"], ACTS["move"]], ids=["renew", "move"])
async def test_a_write_whose_answer_was_lost_costs_nothing(
    act: Callable[[Tenure], Awaitable[None]],
) -> None:
    table = Table()
    table.answers_lost = 1
    tenure = tenure_of(table)
    with pytest.raises(LeasesUnavailable):
        await act(tenure)
    await tenure.move(Position("2"))
    assert table.lease.checkpoint == Position("2")
    assert tenure.lease == table.lease


async def test_a_request_that_was_repeated_below_us_and_then_refused_costs_nothing() -> None:
    table = Table()
    table.repeated = True
    tenure = tenure_of(table)
    table.leases[KEY] = TAKEN.renewed()
    await tenure.renew()
    assert tenure.lease == table.lease
    assert table.lease.counter == TAKEN.counter + 2


async def test_another_process_with_the_same_name_is_not_taken_for_ourselves() -> None:
    table = Table()
    tenure = tenure_of(table)
    await tenure.renew()
    table.taken_by("a")
    with pytest.raises(LeaseLost):
        await tenure.renew()


async def test_a_checkpoint_never_moves_back() -> None:
    table = Table()
    tenure = tenure_of(table)
    for at in ("9", "10", "10", "9"):
        await tenure.move(Position(at))
        assert table.lease.checkpoint >= Position(at)
    assert table.lease.checkpoint == Position("10")
    await tenure.move(END)
    await tenure.move(Position("11"))
    assert table.lease.checkpoint == END


async def test_a_worker_that_gets_no_further_does_not_hide_that_the_owners_changed() -> None:
    table = Table(replace(TAKEN, checkpoint=Position("10"), switches=3))
    tenure = tenure_of(table)
    await tenure.renew()
    await tenure.move(Position("10"))
    assert table.lease.switches == 3
    await tenure.move(Position("11"))
    assert table.lease.switches == 0


async def test_a_checkpoint_that_is_there_already_leaves_a_lost_answer_in_mind() -> None:
    table = Table(replace(TAKEN, checkpoint=Position("10")))
    tenure = tenure_of(table)
    await tenure.renew()
    table.answers_lost = 1
    with pytest.raises(LeasesUnavailable):
        await tenure.renew()
    await tenure.move(Position("9"))
    await tenure.renew()
    assert tenure.lease == table.lease


async def test_a_checkpoint_counts_as_a_renewal() -> None:
    tenure = tenure_of(Table())
    await asyncio.sleep(FAILOVER_S - 1)
    await tenure.move(Position("1"))
    await asyncio.sleep(FAILOVER_S - 1)
    tenure.check()


async def test_renewals_and_checkpoints_at_once_do_not_get_in_each_others_way() -> None:
    table = Table()
    tenure = tenure_of(table)
    acts = [tenure.renew() for _ in range(5)] + [tenure.move(Position(str(n))) for n in range(5)]
    await asyncio.gather(*acts)
    assert table.lease.counter == TAKEN.counter + 10


async def test_a_hand_off_is_learnt_at_any_write_and_does_not_stop_the_draining() -> None:
    for act in (ACTS["renew"], ACTS["move"]):
        table = Table()
        tenure = tenure_of(table)
        table.leases[KEY] = replace(TAKEN, owner="b", checkpoint_owner="a")
        await act(tenure)
        assert tenure.leave.is_set()
        await tenure.renew()
        await tenure.move(Position("7"))
        await tenure.release()
        assert tenure.ending == "released"
        assert (table.lease.holder, table.lease.checkpoint_owner) == ("b", None)
        assert (table.lease.checkpoint, table.lease.switches) == (Position("7"), 0)


async def test_a_released_lease_is_nobodys_and_counts_as_lost() -> None:
    table = Table()
    tenure = tenure_of(table)
    await tenure.release()
    assert table.lease.owner is None
    with pytest.raises(LeaseLost):
        await tenure.renew()
