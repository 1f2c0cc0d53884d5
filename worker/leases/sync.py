"""Keeps the lease table in step with the stream's shards, and ends shards in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from worker.errors import StoreUnavailable
from worker.leases.lease import Lease, lease_of
from worker.leases.lineage import complete, first_leases, missing_leases, obsolete_leases
from worker.leases.position import END, TRIM_HORIZON, Position
from worker.leases.protocol import LeaseTable
from worker.leases.tenure import Tenure
from worker.sources.shards import Shard


log = structlog.get_logger(__name__)


#: How long (s) a finished lease is seen to be obsolete before it is removed. A worker may be
#: stopped just before it adds a lease, and go on minutes later: by then others may have read that
#: shard to its end, and if its lease were gone, it would be added, and the shard read, once more.
KEPT_S: Final = 600.0


class ListingIncomplete(StoreUnavailable):
    """The listed shards do not cover all hash keys; a later listing will."""


class ParentMissing(StoreUnavailable):
    """The other parent of a merged shard has no lease yet, but will get one."""


async def sync_leases(
    table: LeaseTable,
    list_shards: Callable[[], Awaitable[list[Shard]]],
    begin: Position,
    obsolete: dict[str, float],
    now: float,
) -> bool:
    """Add the missing leases, remove the obsolete ones.

    Args:
        table: Where the leases are.
        list_shards: Lists all of the stream's shards.
        begin: Where to begin a shard that no worker has begun yet.
        obsolete: Since when (monotonic s) leases are seen to be so; kept from call to call.
        now: Monotonic time (s).

    Returns:
        Whether a lease was added.

    Raises:
        ListingIncomplete: There are no leases yet, and not all shards are listed.
        LeasesUnavailable: The table cannot be used for now.
    """
    leases = await table.scan()  # before the shards, so that every leased shard is listed
    shards = await list_shards()
    if not leases and not complete(shards):
        raise ListingIncomplete("not all shards are listed yet")
    before = dict(obsolete)
    obsolete.clear()
    for lease in obsolete_leases(shards, leases):
        obsolete[lease.key] = before.get(lease.key, now)
        kept_s = KEPT_S if lease.over else 0.0
        if now >= obsolete[lease.key] + kept_s and await table.delete(lease):
            log.info("lease.deleted", shard=lease.key, over=lease.over)
    missing = missing_leases(shards, leases, begin) if leases else first_leases(shards, begin)
    return await _create(table, missing)


async def end_shard(table: LeaseTable, tenure: Tenure, children: Sequence[Shard]) -> None:
    """Finish a shard that was read to its end: first its children get leases, then it ends.

    In this order nothing is lost if the worker dies in between.

    Raises:
        LeaseLost: The lease is no longer held.
        ParentMissing: Children of two parents have to wait until both have a lease.
        LeasesUnavailable: The table cannot be used for now.
    """
    await tenure.renew()  # a worker that was paused for long must not create leases again
    for child in children:
        await _expect_parents(table, child)
    if await _create(table, [lease_of(child, Position(TRIM_HORIZON)) for child in children]):
        log.info("lease.children_created", shard=tenure.lease.key, children=len(children))
    if children:
        await table.set_children(tenure.lease.key, [child.id for child in children])
    await tenure.move(END)


async def _expect_parents(table: LeaseTable, child: Shard) -> None:
    """Check that no child can overtake a parent: one without a lease would not hold it back."""
    parents = [await table.get(parent) for parent in child.parents]
    if None in parents and await table.get(child.id) is None:
        raise ParentMissing(f"a parent of {child.id} has no lease")


async def _create(table: LeaseTable, leases: Sequence[Lease]) -> bool:
    """Add leases in order, parents first; whether any was new."""
    created = [await table.create(lease) for lease in leases]
    return any(created)
