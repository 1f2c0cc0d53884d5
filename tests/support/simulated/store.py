"""The contact store across the network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from simulated.network import Network, Weather, at_once
from worker.errors import StoreUnavailable
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, Saved


class RemoteStore:
    """One loop's way to the store (see ``ContactStore``).

    Args:
        store: The store.
        network: The way there.
        weather: How that is just now.
        rng: Decides when an operator's command saves a contact just before we do.
        saved: Told of every entry that was.
    """

    def __init__(
        self,
        store: MemoryStore,
        network: Network,
        weather: Weather,
        rng: Random,
        saved: Callable[[Entry], None],
    ) -> None:
        self._store = store
        self._network = network
        self._weather = weather
        self._rng = rng
        self._saved = saved

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Any other method of a store."""
        method = getattr(self._store, name)

        async def call(*args: Any) -> Any:
            return await self._network.call(lambda: at_once(method(*args)), self._weather, _away)

        return call

    async def save(self, entries: Sequence[Entry]) -> list[Saved]:
        """See ``ContactStore``; without an answer the entries' versions stay what they were."""
        sent = [replace(entry) for entry in entries]
        saved = await self._network.call(lambda: self._save(sent), self._weather, _away)
        for entry, copy in zip(entries, sent, strict=True):
            entry.version = copy.version
        return saved

    def _save(self, entries: list[Entry]) -> list[Saved]:
        if entries and self._weather.fails and self._rng.random() < self._weather.fails:
            at_once(self._store.save(at_once(self._store.load([entries[0].contact.id]))))
        saved = at_once(self._store.save(entries))
        for entry, outcome in zip(entries, saved, strict=True):
            if outcome is Saved.SAVED:
                self._saved(entry)
        return saved


def _away() -> Exception:
    return StoreUnavailable("throttled")
