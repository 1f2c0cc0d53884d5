"""A trial: ground, a crew, contacts that keep coming, and somebody who watches."""

from __future__ import annotations

import asyncio
import time

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet.account import missing_in_state, wrong_in_dynamics
from fleet.crew import Crew, crew
from fleet.ground import Ground, ground
from fleet.producer import Producer
from fleet.watch import Watch
from worker.clock import alongside
from worker.engine.claims import CLAIM_S


#: Longest time (s) for a worker to start and come to its share.
SHARE_LIMIT_S: Final = 120.0
#: Longest time (s) until what was put is read, once all shards have their readers.
READ_LIMIT_S: Final = 60.0
#: Longest time (s) to come to rest: contacts that a killed worker had in hand wait for its claim.
REST_LIMIT_S: Final = CLAIM_S + READ_LIMIT_S

REST_LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Trial:
    """What is going on."""

    ground: Ground
    crew: Crew
    producer: Producer
    watch: Watch

    async def share_evenly(self, workers: int) -> None:
        """Start workers until there are so many; wait until each has its share of each stream."""
        while len(self.crew.running) < workers:
            await self.crew.start()
        await self.watch.until(self._is_even, SHARE_LIMIT_S)

    def _is_even(self) -> bool:
        names = {worker.name for worker in self.crew.running}
        spreads = [self.watch.spread(stream) for stream in self.ground.leases]
        return all(
            set(spread) == names and max(spread.values()) - min(spread.values()) <= 1
            for spread in spreads
        )

    async def missing_so_far(self) -> list[str]:
        """What was put into the streams until now and is not in the state once it was read."""
        puts = [put for put in self.producer.puts if put.stream]
        await self.watch.until(lambda: self.watch.has_read(puts), READ_LIMIT_S)
        return [fault async for fault in missing_in_state(self.ground.store, puts)]

    async def claimed_before(self, moment: float) -> int:
        """How many contacts are claimed since before then (s since 1970): by a worker that died."""
        told = {leg.id for leg in self.producer.legs}
        entries = await self.ground.store.load(sorted(told))
        return sum(time.time() < entry.claimed_until < moment + CLAIM_S for entry in entries)

    async def wrong_in_the_end(self) -> list[str]:
        """End the traffic, wait for rest, and see what is wrong in state, Dynamics and leases."""
        await self.come_to_rest()
        lost = [f async for f in missing_in_state(self.ground.store, self.producer.puts)]
        records, requests = self.ground.dataverse.dump(), self.ground.requests
        wrong = wrong_in_dynamics(self.producer.legs, records, requests)
        return [*lost, *wrong, *self.watch.wrong]

    async def come_to_rest(self, limit_s: float = REST_LIMIT_S) -> None:
        """End the traffic and wait until all of it is done with.

        Raises:
            TimeoutError: It is not in time.
        """
        await self.producer.finish()
        async with asyncio.timeout(limit_s):
            while not await self._is_at_rest():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(REST_LOOK_S)

    async def _is_at_rest(self) -> bool:
        """Whether everything was read, and nothing is due, claimed or waited for."""
        return (
            self.watch.has_read(self.producer.puts)
            and await self._queue_is_empty()
            and await self.ground.store.next_due() is None
        )

    async def _queue_is_empty(self) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await self.ground.sqs.get_queue_attributes(
            QueueUrl=self.ground.queue_url, AttributeNames=names
        )
        return all(answer["Attributes"][name] == "0" for name in names)


@asynccontextmanager
async def trial(
    folder: Path, *, kinesis_url: str, aws_url: str, shards: int, contacts: int, seed: int
) -> AsyncIterator[Trial]:
    """A trial without workers yet; see ``ground`` and ``Producer``."""
    async with (
        ground(folder, kinesis_url=kinesis_url, aws_url=aws_url, shards=shards) as under,
        crew(under.environment, folder) as workers,
    ):
        watch = Watch(under.leases)
        producer = Producer(under, contacts=contacts, seed=seed)
        async with alongside(watch.run()), alongside(producer.run()):
            yield Trial(under, workers, producer, watch)
