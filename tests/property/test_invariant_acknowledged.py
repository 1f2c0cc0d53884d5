"""I2: a batch is acknowledged only after all of it is saved, quarantined or ignored on purpose."""

from __future__ import annotations

import asyncio

from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.decode import decode
from pipelines.fact import Fact
from worker.clock import BACKOFF_LONGEST_S, Clock
from worker.engine.ingest import Ingest
from worker.errors import StoreUnavailable
from worker.sandbox.traffic import day, malformed
from worker.sources.memory import MemorySource
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, Quarantined, Saved


thorough = settings(max_examples=15, deadline=None, derandomize=True)


class Unreliable(MemoryStore):
    """Takes or fails calls as told: before anything is written, or after all of it was."""

    def __init__(self, moods: Sequence[str], limit_bytes: int = 1_000_000) -> None:
        super().__init__(limit_bytes=limit_bytes)
        self._moods = iter(moods)

    async def load(self, contact_ids: Sequence[str]) -> list[Entry]:
        self._fail(next(self._moods, ""))
        return await super().load(contact_ids)

    async def save(self, entries: Sequence[Entry]) -> list[Saved]:
        mood = next(self._moods, "")
        if mood == "overtaken" and entries:
            await self._overtake(entries[0].contact.id)
        self._fail(mood)
        saved = await super().save(entries)
        if mood == "answer lost":
            raise StoreUnavailable("timed out")
        return saved

    async def quarantine(self, items: Sequence[Quarantined]) -> None:
        self._fail(next(self._moods, ""))
        await super().quarantine(items)

    async def _overtake(self, contact_id: str) -> None:
        """Another worker saves the contact first."""
        await super().save(await super().load([contact_id]))

    @staticmethod
    def _fail(mood: str) -> None:
        if mood == "away":
            raise StoreUnavailable("locked")


moods = st.lists(st.sampled_from(["", "away", "answer lost", "overtaken"]), max_size=30)


def messages(seed: int) -> list[Message]:
    """Some contacts' messages with broken ones among them."""
    rng = Random(seed)
    sent = [*day(seed, 5), *(malformed(rng) for _ in range(4))]
    rng.shuffle(sent)
    return [Message(message.body, f"memory:{n}") for n, message in enumerate(sent)]


async def unsafe(store: MemoryStore, batches: Sequence[Sequence[Message]]) -> list[str]:
    """Messages of these batches that are neither in a contact nor in quarantine."""
    kept = {item.origin for item in await MemoryStore.quarantined(store, "", 1000)}
    lost = []
    for message in (message for batch in batches for message in batch):
        for found in decode(message.body):
            if isinstance(found, Fact):
                (entry,) = await MemoryStore.load(store, [found.contact_id])
                held = entry.contact.facts.get(found.register)
                safe = held is not None and held.version >= found.version
            else:
                safe = message.origin in kept
            if not safe and message.origin not in kept:
                lost.append(message.origin)
    return lost


@thorough
@given(seed=st.integers(0, 50), moods=moods, size=st.integers(1, 12))
async def test_i2_when_a_batch_is_acknowledged_every_message_of_it_is_safe(
    seed: int, moods: list[str], size: int
) -> None:
    store = Unreliable(moods)
    every = messages(seed)
    batches = [every[n : n + size] for n in range(0, len(every), size)]
    source = MemorySource(batches)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        assert not await unsafe(store, source.acknowledged)
        pauses.append(seconds)

    ingest = Ingest(store, clock=Clock(lambda: 0.0, sleep=pause))
    await source.run(ingest.handle, asyncio.Event())
    assert source.acknowledged == batches
    assert not await unsafe(store, batches)
    assert ingest.tally.messages == len(every)
    assert all(seconds <= BACKOFF_LONGEST_S for seconds in pauses)


@thorough
@given(seed=st.integers(0, 50), limit=st.integers(500, 6_000))
async def test_i2_contacts_the_store_cannot_hold_go_to_quarantine_and_hold_nobody_up(
    seed: int, limit: int
) -> None:
    store = Unreliable([], limit_bytes=limit)
    batches = [messages(seed)]
    await MemorySource(batches).run(Ingest(store, clock=Clock(lambda: 0.0)).handle, asyncio.Event())
    assert not await unsafe(store, batches)


async def test_i2_while_the_store_is_away_nothing_is_acknowledged_and_no_further_batch_begun() -> (
    None
):
    away = asyncio.Event()
    store = Unreliable(["away"] * 3)
    begun: list[str] = []
    source = MemorySource([[message] for message in messages(1)[:3]])

    async def pause(_seconds: float) -> None:
        away.set()
        assert source.acknowledged == []
        assert begun == ["memory:0"]

    ingest = Ingest(store, clock=Clock(sleep=pause))

    async def handle(batch: Sequence[Message]) -> None:
        begun.append(batch[0].origin)
        await ingest.handle(batch)

    await source.run(handle, asyncio.Event())
    assert away.is_set()
    assert len(source.acknowledged) == 3
