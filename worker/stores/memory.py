"""A contact store in memory: for tests, simulation and ``replay --dry-run``.

It keeps contacts as bytes, as the others do: later changes to a contact do not reach the store, and
what cannot be encoded fails here too.
"""

from __future__ import annotations

import heapq

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipelines.contact import Contact
from pipelines.identity import tombstone
from worker.stores.buckets import ALL, bucket_of
from worker.stores.protocol import Counts, Entry, FaultNote, Found, Quarantined, Saved
from worker.stores.sqlite import MAX_ENTRY_BYTES
from worker.stores.stored import read_entry


def _page(ids: Iterable[str], after: str, limit: int) -> list[str]:
    """The first ``limit`` ids after ``after``."""
    return heapq.nsmallest(limit, (key for key in ids if key > after))


def _is_in(buckets: Collection[int], contact_id: str) -> bool:
    return len(buckets) == len(ALL) or bucket_of(contact_id) in buckets


@dataclass(frozen=True, slots=True)
class _Row:
    """An entry as stored."""

    version: int
    due_at: float | None
    rank: int
    claim: str
    claimed_until: float
    expires_at: float | None
    fault: FaultNote | None
    steps_parked: bool
    labels: Mapping[str, int]
    data: bytes

    @classmethod
    def of(cls, entry: Entry) -> _Row:
        """The row that saving this entry stores."""
        return cls(
            entry.version + 1,
            entry.due_at,
            entry.rank,
            entry.claim,
            entry.claimed_until,
            entry.expires_at,
            entry.fault,
            bool(entry.contact.parked),
            dict(entry.contact.labels),
            entry.contact.to_bytes(),
        )

    def entry(self, contact_id: str) -> Entry:
        """A new entry, which shares nothing with the one that was saved."""
        return read_entry(
            contact_id,
            self.data,
            version=self.version,
            due_at=self.due_at,
            rank=self.rank,
            claim=self.claim,
            claimed_until=self.claimed_until,
            expires_at=self.expires_at,
            fault=self.fault,
        )

    @property
    def parked(self) -> bool:
        """Whether it is in the operator's list."""
        return self.steps_parked or self.fault is not None


class MemoryStore:
    """A ``ContactStore`` that ends with the process.

    Args:
        limit_bytes: Encoded contacts larger than this are refused.
    """

    def __init__(self, *, limit_bytes: int = MAX_ENTRY_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._rows: dict[str, _Row] = {}
        self._owed: dict[str, tuple[float, _Row]] = {}  # those with a due_at, with it
        self._quarantine: dict[str, Quarantined] = {}
        self._positions: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._remembered: dict[str, str] = {}

    async def load(self, contact_ids: Sequence[str]) -> list[Entry]:
        """See ``ContactStore``."""
        return [self._load(contact_id) for contact_id in dict.fromkeys(contact_ids)]

    def _load(self, contact_id: str) -> Entry:
        row = self._rows.get(contact_id)
        return row.entry(contact_id) if row else Entry(Contact(contact_id))

    async def save(self, entries: Sequence[Entry]) -> list[Saved]:
        """See ``ContactStore``."""
        rows = [None if entry.unreadable else _Row.of(entry) for entry in entries]
        return [self._save(entry, row) for entry, row in zip(entries, rows, strict=True)]

    def _save(self, entry: Entry, row: _Row | None) -> Saved:
        key = entry.contact.id
        if row is None:
            return Saved.UNREADABLE
        stored = self._rows.get(key)
        if not entry.version and tombstone(key) in self._remembered:
            return Saved.FORGOTTEN
        if len(row.data) > self._limit_bytes:
            return Saved.REFUSED
        if row.version != (stored.version if stored else 0) + 1:
            return Saved.CONFLICT
        self._put(key, row)
        entry.version, entry.labels = row.version, row.labels
        return Saved.SAVED

    def _put(self, key: str, row: _Row | None) -> None:
        """Store or remove a row, and keep ``_owed`` in step."""
        self._rows.pop(key, None)
        self._owed.pop(key, None)
        if row is not None:
            self._rows[key] = row
            if row.due_at is not None:
                self._owed[key] = (row.due_at, row)

    async def put_back(
        self, contact_id: str, version: int, due_at: float | None, fault: FaultNote | None
    ) -> bool:
        """See ``ContactStore``."""
        row = self._rows.get(contact_id)
        if row is None or row.version != version:
            return False
        freed = replace(row, version=version + 1, claim="", claimed_until=0.0)
        self._put(contact_id, replace(freed, due_at=due_at, fault=fault))
        return True

    async def due(self, now: float, limit: int, buckets: Collection[int] = ALL) -> list[str]:
        """See ``ContactStore``."""
        due = (
            (row.rank, due_at, key)
            for key, (due_at, row) in self._owed.items()
            if due_at <= now and row.claimed_until <= now and _is_in(buckets, key)
        )
        return [key for _, _, key in heapq.nsmallest(limit, due)]

    async def next_due(self, buckets: Collection[int] = ALL) -> float | None:
        """See ``ContactStore``."""
        return min((at for at, key in self._ready() if _is_in(buckets, key)), default=None)

    async def ahead(self, beyond: float, limit: int) -> list[str]:
        """See ``ContactStore``."""
        late = (place for place in self._ready() if place[0] >= beyond)
        return [key for _, key in heapq.nsmallest(limit, late)]

    def _ready(self) -> Iterable[tuple[float, str]]:
        """When each contact with a due time will be due and unclaimed."""
        return ((max(due_at, row.claimed_until), key) for key, (due_at, row) in self._owed.items())

    async def ids(self, after: str, limit: int) -> list[str]:
        """See ``ContactStore``."""
        return _page(self._rows, after, limit)

    async def parked(self, after: str, limit: int) -> list[str]:
        """See ``ContactStore``."""
        return _page((key for key, row in self._rows.items() if row.parked), after, limit)

    async def labelled(
        self, label: str, before: tuple[float, str] | None, limit: int
    ) -> list[Found]:
        """See ``ContactStore``."""
        places = ((row.labels[label], k) for k, row in self._rows.items() if label in row.labels)
        page = (place for place in places if before is None or place < before)
        return [Found(key, at) for at, key in heapq.nlargest(limit, page)]

    async def counts(self, now: float) -> Counts:
        """See ``ContactStore``."""
        due = [due_at for due_at, _ in self._owed.values() if due_at <= now]
        return Counts(
            contacts=len(self._rows),
            due=len(due),
            parked=sum(row.parked for row in self._rows.values()),
            quarantined=len(self._quarantine),
            oldest_due_at=min(due, default=None),
        )

    async def expire(self, now: float, limit: int) -> int:
        """See ``ContactStore``."""
        expired = (
            (row.expires_at, key)
            for key, row in self._rows.items()
            if row.expires_at is not None and row.expires_at < now
            if row.due_at is None and not row.parked
        )
        gone = heapq.nsmallest(limit, expired)
        for _, key in gone:
            self._put(key, None)
        return len(gone)

    async def forget(self, contact_ids: Sequence[str]) -> None:
        """See ``ContactStore``."""
        for key in contact_ids:
            self._remembered[tombstone(key)] = ""
            self._put(key, None)

    async def scrub(self) -> None:
        """See ``ContactStore``. What was removed is gone."""

    async def quarantine(self, items: Sequence[Quarantined]) -> None:
        """See ``ContactStore``."""
        for item in items:
            self._quarantine.setdefault(item.id, item)

    async def quarantined(self, after: str, limit: int) -> list[Quarantined]:
        """See ``ContactStore``."""
        return [self._quarantine[key] for key in _page(self._quarantine, after, limit)]

    async def release(self, quarantine_ids: Sequence[str]) -> int:
        """See ``ContactStore``."""
        known = self._quarantine.keys() & set(quarantine_ids)
        for key in known:
            del self._quarantine[key]
        return len(known)

    async def positions(self, stream: str) -> dict[str, str]:
        """See ``ContactStore``."""
        return dict(self._positions[stream])

    async def set_position(self, stream: str, shard: str, position: str) -> None:
        """See ``ContactStore``."""
        self._positions[stream][shard] = position

    async def remember(self, name: str, value: str) -> str:
        """See ``ContactStore``."""
        return self._remembered.setdefault(name, value)

    async def recall(self, name: str) -> str | None:
        """See ``ContactStore``."""
        return self._remembered.get(name)

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """See ``ContactStore``."""
        if self._remembered.get(name) != old:
            return False
        self._remembered[name] = new
        return True

    async def close(self) -> None:
        """See ``ContactStore``."""
