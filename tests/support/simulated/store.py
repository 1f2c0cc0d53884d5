"""The contact store across the network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from simulated.indexes import ASKED, Indexes
from simulated.network import Network, Weather, at_once
from worker.engine.interests import NOTE
from worker.errors import StoreUnavailable
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, FaultNote, Saved


class RemoteStore:
    """One loop's way to the store (see ``ContactStore``).

    Args:
        store: The store.
        network: The way there.
        weather: How that is just now.
        rng: Decides when an operator's command saves a contact just before we do.
        indexes: What lists of rows show.
        saved: Told of every entry that was.
        put_back: Told of every contact that was, and of its fault.
        expired: Told of contacts that were removed.
        agreed: Told of the name of every value that workers agreed on, and of the value.
    """

    def __init__(
        self,
        store: MemoryStore,
        network: Network,
        weather: Weather,
        rng: Random,
        indexes: Indexes,
        *,
        saved: Callable[[Entry], None],
        put_back: Callable[[str, FaultNote | None], None],
        expired: Callable[[Collection[str]], None],
        agreed: Callable[[str, str], None],
    ) -> None:
        self._store = store
        self._network = network
        self._weather = weather
        self._rng = rng
        self._indexes = indexes
        self._saved = saved
        self._told_put_back = put_back
        self._expired = expired
        self._agreed = agreed

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Any other method of a store."""

        def act(*args: Any) -> Any:
            store = self._indexes.shown() if name in ASKED else self._store
            return at_once(getattr(store, name)(*args))

        async def call(*args: Any) -> Any:
            return await self._network.call(lambda: act(*args), self._weather, _away)

        return call

    async def put_back(
        self, contact_id: str, version: int, due_at: float | None, fault: FaultNote | None
    ) -> bool:
        """See ``ContactStore``."""
        return await self._network.call(
            lambda: self._put_back(contact_id, version, due_at, fault), self._weather, _away
        )

    async def expire(self, now: float, limit: int) -> int:
        """See ``ContactStore``."""
        return await self._network.call(lambda: self._expire(now, limit), self._weather, _away)

    def _expire(self, now: float, limit: int) -> int:
        before = set(self._store._rows)
        removed = at_once(self._store.expire(now, limit))
        self._expired(sorted(before - self._store._rows.keys()))
        return removed

    def _put_back(
        self, contact_id: str, version: int, due_at: float | None, fault: FaultNote | None
    ) -> bool:
        done = at_once(self._store.put_back(contact_id, version, due_at, fault))
        if done:
            self._indexes.written()
            self._told_put_back(contact_id, fault)
        return done

    async def save(self, entries: Sequence[Entry]) -> list[Saved]:
        """See ``ContactStore``; without an answer the entries' versions stay what they were."""
        sent = [replace(entry) for entry in entries]
        saved = await self._network.call(lambda: self._save(sent), self._weather, _away)
        for entry, copy in zip(entries, sent, strict=True):
            entry.version, entry.labels = copy.version, copy.labels
        return saved

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """See ``ContactStore``."""
        return await self._network.call(lambda: self._replace(name, old, new), self._weather, _away)

    def _replace(self, name: str, old: str | None, new: str) -> bool:
        done = at_once(self._store.replace(name, old, new))
        if done and name != NOTE:  # which the gates do not share
            self._agreed(name, new)
        return done

    def _save(self, entries: list[Entry]) -> list[Saved]:
        if entries and self._weather.fails and self._rng.random() < self._weather.fails:
            at_once(self._store.save(at_once(self._store.load([entries[0].contact.id]))))
        saved = at_once(self._store.save(entries))
        self._indexes.written()
        for entry, outcome in zip(entries, saved, strict=True):
            if outcome is Saved.SAVED:
                self._saved(entry)
        return saved


def _away() -> Exception:
    return StoreUnavailable("throttled")
