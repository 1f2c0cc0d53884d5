"""I11: workers of two organizations on one state, which is rebound while they run."""

from __future__ import annotations

import asyncio

from dataclasses import dataclass, field
from random import Random
from typing import Final

import pytest

from pipelines.ledger import ATTRIBUTES
from twins.calls import Call, calls
from twins.dynamics import Failure, Script
from twins.loop import VirtualLoop, now
from twins.organizations import Organization
from twins.rig import Rig
from worker.dynamics.binding import NAME, Bound, read
from worker.dynamics.errors import Unavailable
from worker.dynamics.protocol import Request
from worker.engine.claims import CLAIM_S
from worker.operations.rebinding import rebind


SEEDS: Final = range(12)

#: How long the trouble lasts, and how long there is peace then (s).
TROUBLE_S: Final = 600.0
PEACE_S: Final = 1_500.0


@dataclass
class World:
    """Two organizations, two workers of each, one state; a seed decides what happens when.

    Attributes:
        wrote: Every write that was carried out: when (s), and by workers of the first organization.
        rebound_at: When (s) the state was rebound, completely.
    """

    seed: int
    wrote: list[tuple[float, bool]] = field(default_factory=list)
    rebound_at: float = 0.0

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.rig = Rig()
        self.first, self.second = Organization(), Organization()
        self.calls = calls(12)
        self.stops = {True: asyncio.Event(), False: asyncio.Event()}  # of the first, of the second
        for organization in (self.first, self.second):
            organization.dynamics.script = self.script(organization)

    def script(self, organization: Organization) -> Script:
        """Some requests get no answer while there is trouble, done or not."""

        def script(request: Request) -> Failure | None:
            fails = now() < TROUBLE_S and self.chance.random() < 0.2
            failure = Failure(Unavailable("no answer"), committed=self.chance.random() < 0.5)
            if request.method != "GET" and (not fails or failure.committed):
                self.wrote.append((now(), organization is self.first))
            return failure if fails else None

        return script

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for organization in (self.first, self.second, self.second, self.first):
                stop = self.stops[organization is self.first]
                group.create_task(organization.worker(self.rig).run(stop))
            await asyncio.gather(*map(self.happens, self.calls), self.is_rebound())
            await asyncio.sleep(PEACE_S)
            for stop in self.stops.values():
                stop.set()

    async def happens(self, call: Call) -> None:
        """A call's messages come one after the other."""
        for body in (call.begun(), call.answered(), call.ended(), call.record()):
            await asyncio.sleep(self.chance.random() * TROUBLE_S / 3)
            await self.rig.tell(body)

    async def is_rebound(self) -> None:
        """It is, while all go on, or because the one that it was bound to is left."""
        await asyncio.sleep(self.chance.random() * TROUBLE_S)
        bound = (await self.whose()).organization
        if bound and self.seed % 2:
            self.stops[bound == await self.first.id()].set()
        await rebind(self.rig.store, self.rig.clock)
        self.rebound_at = now()

    async def whose(self) -> Bound:
        return read(await self.rig.store.recall(NAME))


@pytest.mark.parametrize("seed", SEEDS)
def test_i11_of_two_organizations_on_one_state_only_the_one_it_is_bound_to_is_written(
    seed: int,
) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(_holds(seed))


async def _holds(seed: int) -> None:
    world = World(seed)
    await world.run()
    last = (await world.whose()).organization
    is_first = last == await world.first.id()
    assert last in (await world.first.id(), await world.second.id())
    before = {by for at, by in world.wrote if at < world.rebound_at}
    assert len(before) <= 1, "both were written before it was rebound"
    after = {by for at, by in world.wrote if at > world.rebound_at + CLAIM_S}
    assert after <= {is_first}, "another one than the state is bound to was written"
    holder = world.first if is_first else world.second
    there = {f"{name}({key})" for name, key in holder.dynamics.records}
    for entry in await world.rig.store.load([call.id for call in world.calls]):
        believed = [r for r in entry.contact.ledger.values() if r.entity != ATTRIBUTES]
        for record in believed:
            assert record.state != "there" or record.name in there, "the other one's is believed"
        assert entry.due_at is None, "it came to rest"
