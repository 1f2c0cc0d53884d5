"""The memory store with the bad ways of other stores, each to be switched on by a test.

================  ==============================================================================
``late``          lists and counts of contacts show a change only so much later, as the indexes
                  of DynamoDB do; loads are never late
``lost``          a write is carried out and then raises ``StoreUnavailable``, as if its answer
                  was lost on the way
``damaged``       these contacts cannot be read; they can be as soon as they are taken out again
``newer``         these were written by a newer release
``unsavable``     a ``save`` with one of these raises ``TypeError``, as if it could not be encoded;
                  ``put_back`` works
``unwritable``    nothing that writes these works: ``TypeError``, which no store declares
================  ==============================================================================

Until then it is a store as every other: it passes the same contract suite.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from pipelines.contact import Contact
from worker.errors import StoreUnavailable
from worker.stores.buckets import ALL
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Counts, Entry, FaultNote, Found, Quarantined, Saved


class HostileStore(MemoryStore):
    """``ContactStore`` with the ways above; all but ``late`` may be changed at any time.

    Args:
        limit_bytes: Encoded contacts larger than this are refused.
        late: How much later lists show a change, by ``clock``.
        clock: Any clock, such as a wall clock; None: each list that is asked for is one tick.

    Attributes:
        lost: Told the name of the method: whether the answer to this call is lost.
        damaged: Ids of contacts.
        newer: The same.
        unsavable: The same.
        unwritable: The same.
    """

    def __init__(
        self, *, late: float = 0.0, clock: Callable[[], float] | None = None, **more: int
    ) -> None:
        super().__init__(**more)
        self.lost: Callable[[str], bool] = lambda _method: False
        self.damaged: set[str] = set()
        self.newer: set[str] = set()
        self.unsavable: set[str] = set()
        self.unwritable: set[str] = set()
        self._late = late
        self._clock = clock
        self._looks = 0
        self._listed = MemoryStore()  # what the lists show
        self._unlisted: deque[tuple[float, str, Any]] = deque()  # since when, which, and its row

    # --- loads and writes of contacts ---

    async def load(self, contact_ids: Sequence[str]) -> list[Entry]:
        """See ``ContactStore``."""
        return [self._seen(entry) for entry in await super().load(contact_ids)]

    def _seen(self, entry: Entry) -> Entry:
        key = entry.contact.id
        if not entry.version or key not in self.damaged | self.newer:
            return entry
        newer = key in self.newer
        why = "a newer release wrote it" if newer else "it was damaged"
        return replace(entry, contact=Contact(key), unreadable=why, newer=newer)

    async def save(self, entries: Sequence[Entry]) -> list[Saved]:
        """See ``ContactStore``; without an answer the entries' versions stay what they were."""
        self._refuse((entry.contact.id for entry in entries), self.unsavable | self.unwritable)
        sent = [replace(entry) for entry in entries]
        saved = await super().save(sent)
        self._lose("save")
        for entry, outcome in zip(entries, saved, strict=True):
            if outcome is Saved.SAVED:
                entry.version, entry.labels = entry.version + 1, dict(entry.contact.labels)
        return saved

    async def put_back(
        self, contact_id: str, version: int, due_at: float | None, fault: FaultNote | None
    ) -> bool:
        """See ``ContactStore``."""
        self._refuse([contact_id], self.unwritable)
        answer = await super().put_back(contact_id, version, due_at, fault)
        self._lose("put_back")
        return answer

    async def forget(self, contact_ids: Sequence[str]) -> None:
        """See ``ContactStore``."""
        self._refuse(contact_ids, self.unwritable)
        await super().forget(contact_ids)
        self._lose("forget")

    async def expire(self, now: float, limit: int) -> int:
        """See ``ContactStore``."""
        answer = await super().expire(now, limit)
        self._lose("expire")
        return answer

    def _refuse(self, contact_ids: Iterable[str], which: set[str]) -> None:
        if refused := which.intersection(contact_ids):
            raise TypeError(f"{len(refused)} contacts cannot be written")

    def _lose(self, method: str) -> None:
        if self.lost(method):
            raise StoreUnavailable("the answer was lost")

    # --- other writes ---

    async def quarantine(self, items: Sequence[Quarantined]) -> None:
        """See ``ContactStore``."""
        await super().quarantine(items)
        self._lose("quarantine")

    async def release(self, quarantine_ids: Sequence[str]) -> int:
        """See ``ContactStore``."""
        answer = await super().release(quarantine_ids)
        self._lose("release")
        return answer

    async def set_position(self, stream: str, shard: str, position: str) -> None:
        """See ``ContactStore``."""
        await super().set_position(stream, shard, position)
        self._lose("set_position")

    async def remember(self, name: str, value: str) -> str:
        """See ``ContactStore``."""
        answer = await super().remember(name, value)
        self._lose("remember")
        return answer

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """See ``ContactStore``."""
        answer = await super().replace(name, old, new)
        self._lose("replace")
        return answer

    # --- lists ---

    def _put(self, key: str, row: Any) -> None:
        super()._put(key, row)
        self._unlisted.append((self._now() + self._late, key, row))

    def _now(self) -> float:
        return self._looks if self._clock is None else self._clock()

    def _look(self) -> MemoryStore:
        """The contacts as the lists show them now."""
        self._looks += 1
        while self._unlisted and self._unlisted[0][0] <= self._now():
            _, key, row = self._unlisted.popleft()
            self._listed._put(key, row)
        return self._listed

    async def due(self, now: float, limit: int, buckets: Collection[int] = ALL) -> list[str]:
        """See ``ContactStore``."""
        return await self._look().due(now, limit, buckets)

    async def next_due(self, buckets: Collection[int] = ALL) -> float | None:
        """See ``ContactStore``."""
        return await self._look().next_due(buckets)

    async def ahead(self, beyond: float, limit: int) -> list[str]:
        """See ``ContactStore``."""
        return await self._look().ahead(beyond, limit)

    async def ids(self, after: str, limit: int) -> list[str]:
        """See ``ContactStore``."""
        return await self._look().ids(after, limit)

    async def parked(self, after: str, limit: int) -> list[str]:
        """See ``ContactStore``."""
        return await self._look().parked(after, limit)

    async def labelled(
        self, label: str, before: tuple[float, str] | None, limit: int
    ) -> list[Found]:
        """See ``ContactStore``."""
        return await self._look().labelled(label, before, limit)

    async def counts(self, now: float) -> Counts:
        """See ``ContactStore``."""
        counted = await self._look().counts(now)
        return replace(counted, quarantined=len(self._quarantine))
