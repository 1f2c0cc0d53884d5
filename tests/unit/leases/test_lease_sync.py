"""The lease table is kept true to the shards, and a shard is ended in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from structlog.testing import capture_logs

from worker.clock import Clock
from worker.leases.lease import Lease
from worker.leases.lineage import LAST_HASH_KEY
from worker.leases.memory import MemoryLeases
from worker.leases.position import END, TRIM_HORIZON, Position
from worker.leases.sync import KEPT_S, ParentMissing, end_shard, sync_leases
from worker.leases.tenure import Tenure
from worker.sources.shards import Shard


BEGUN = Position("7")
HORIZON = Position(TRIM_HORIZON)
MERGED = Shard("merged", ("mine", "other"))
MINE = Lease("mine", BEGUN, "me")
GONE = Lease("gone", END, children=frozenset({"merged"}))


async def end(table: MemoryLeases, *children: Shard) -> None:
    tenure = Tenure(
        table,
        table.leases["mine"],
        "me",
        since=0.0,
        failover_s=10.0,
        clock=Clock(monotonic=lambda: 0.0),
        report=lambda _: None,
    )
    await end_shard(table, tenure, children)


def listing(*shards: Shard) -> Callable[[], Awaitable[list[Shard]]]:
    async def listed() -> list[Shard]:
        return list(shards)

    return listed


async def test_a_new_stream_gets_a_lease_for_every_shard_open_or_closed() -> None:
    whole = (0, LAST_HASH_KEY)
    table = MemoryLeases()
    shards = [Shard("new", ("old",), whole, begins=2), Shard("old", (), whole, 1, open=False)]
    assert await sync_leases(table, listing(*shards), HORIZON, {}, 0.0)
    assert list(table.leases) == ["old", "new"]
    assert not await sync_leases(table, listing(*shards), HORIZON, {}, 0.0)


async def test_a_finished_lease_is_still_there_when_who_was_about_to_add_it_wakes_up() -> None:
    table = MemoryLeases(GONE, Lease("merged", BEGUN))
    obsolete: dict[str, float] = {}
    for now in (0.0, KEPT_S / 2):
        assert not await sync_leases(table, listing(MERGED), HORIZON, obsolete, now)
        assert not await table.create(Lease("gone", HORIZON))
    await sync_leases(table, listing(MERGED), HORIZON, obsolete, KEPT_S)
    assert list(table.leases) == ["merged"]


@pytest.mark.parametrize(
    "there", [[Lease("other", BEGUN)], [Lease("merged", HORIZON, "me")]], ids=["parent", "child"]
)
async def test_a_shard_ends_where_its_child_cannot_overtake_the_other_parent_or_is_read_already(
    there: Sequence[Lease],
) -> None:
    table = MemoryLeases(MINE, *there)
    await end(table, MERGED)
    assert table.leases["mine"].checkpoint == END
    assert "merged" in table.leases


async def test_a_shard_does_not_end_while_its_child_could_overtake_the_other_parent() -> None:
    table = MemoryLeases(MINE)
    with pytest.raises(ParentMissing, match="merged"):
        await end(table, MERGED)
    assert table.leases["mine"].checkpoint == BEGUN
    assert "merged" not in table.leases


async def test_a_shard_at_the_end_of_its_stream_ends_without_children() -> None:
    table = MemoryLeases(MINE)
    await end(table)
    assert table.leases["mine"].checkpoint == END


async def test_leases_that_come_and_go_with_their_shards_are_logged() -> None:
    table, obsolete = MemoryLeases(MINE, GONE, Lease("other", BEGUN)), dict[str, float]()
    with capture_logs() as lines:
        await end(table, MERGED)
        table.leases["merged"] = table.leases["merged"].moved(BEGUN)
        for now in (0.0, KEPT_S):
            await sync_leases(table, listing(MERGED), HORIZON, obsolete, now)
    assert lines == [
        {"log_level": "info", "event": "lease.children_created", "shard": "mine", "children": 1},
        {"log_level": "info", "event": "lease.deleted", "shard": "other", "over": False},
        {"log_level": "info", "event": "lease.deleted", "shard": "mine", "over": True},
        {"log_level": "info", "event": "lease.deleted", "shard": "gone", "over": True},
    ]
    assert list(table.leases) == ["merged"]
