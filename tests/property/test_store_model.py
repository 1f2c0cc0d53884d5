"""Whatever is done to a store, it answers as a plain dict of entries would."""

from __future__ import annotations

import asyncio
import tempfile

from collections.abc import Coroutine
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipelines.contact import Contact, Parked
from worker.stores.memory import MemoryStore
from worker.stores.protocol import ContactStore, Counts, Entry, FaultNote, Quarantined, Saved
from worker.stores.sqlite import SqliteStore


T = TypeVar("T")

LIMIT_BYTES = 2_000

KEYS = st.sampled_from("abcdef")
TIMES = st.integers(0, 4).map(float)
LIMITS = st.integers(1, 4)
BATCHES = st.lists(KEYS, min_size=1, max_size=4, unique=True)
FAULTS = st.none() | st.just(
    FaultNote("our bug: KeyError at worker.engine.push:1", 2, 1.5, ("1.0/a",))
)
PARKED = Parked(steps=["p/s"], at=1.0, status=400, code="", request={}, answer="")


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    """What a worker may do to an entry between loading and saving it."""
    return {
        "due_at": draw(st.none() | TIMES),
        "rank": draw(st.integers(0, 1)),
        "claim": draw(st.sampled_from(["", "w"])),
        "claimed_until": draw(TIMES),
        "expires_at": draw(st.none() | TIMES),
        "fault": draw(FAULTS),
        "contact": {
            "tries": draw(st.integers(0, 9)),
            "effects": {"p/s": "x" * draw(st.sampled_from([1, LIMIT_BYTES]))},
            "parked": draw(st.sampled_from([{}, {"tasks(1)": PARKED}])),
        },
    }


def apply(entry: Entry, change: dict[str, Any]) -> Entry:
    """The entry with the changes made to a copy."""
    contact = replace(entry.contact, **deepcopy(change["contact"]))
    return replace(entry, **{**change, "contact": contact})


class StoreMachine(RuleBasedStateMachine):
    """The model: the same entries, in a dict, with the protocol's sentences as comprehensions."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.store = self.open(Path(self.folder.name))
        self.entries: dict[str, Entry] = {}
        self.in_quarantine: dict[str, Quarantined] = {}
        self.in_hand: list[Entry] = []
        self.forgotten: set[str] = set()

    def open(self, folder: Path) -> ContactStore:
        raise NotImplementedError

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    def owed(self) -> dict[str, float]:
        return {k: e.due_at for k, e in self.entries.items() if e.due_at is not None}

    @rule(keys=BATCHES)
    def load(self, keys: list[str]) -> None:
        self.in_hand = self.run(self.store.load(keys))
        assert self.in_hand == [self.entries.get(k, Entry(Contact(k))) for k in keys]

    @rule(keys=BATCHES, change=changes())
    def load_and_save(self, keys: list[str], change: dict[str, Any]) -> None:
        self.load(keys)
        self.save(change)

    @precondition(lambda self: self.in_hand)
    @rule(change=changes())
    def save(self, change: dict[str, Any]) -> None:
        """Entries stay in hand, so that later saves of them may conflict."""
        wanted = [apply(entry, change) for entry in self.in_hand]
        expected = [self.expected(entry) for entry in wanted]
        versions = [entry.version for entry in wanted]
        assert self.run(self.store.save(wanted)) == expected
        for entry, outcome, version in zip(wanted, expected, versions, strict=True):
            assert entry.version == version + (outcome is Saved.SAVED)
            if outcome is Saved.SAVED:
                self.entries[entry.contact.id] = deepcopy(entry)

    def expected(self, entry: Entry) -> Saved:
        if not entry.version and entry.contact.id in self.forgotten:
            return Saved.FORGOTTEN
        if len(entry.contact.to_bytes()) > LIMIT_BYTES:
            return Saved.REFUSED
        known = self.entries.get(entry.contact.id)
        return Saved.SAVED if entry.version == (known.version if known else 0) else Saved.CONFLICT

    @rule(now=TIMES, limit=LIMITS, until=TIMES)
    def claim_what_is_due(self, now: float, limit: int, until: float) -> None:
        due = self.run(self.store.due(now, limit))
        ready = [k for k, at in self.owed().items() if max(at, self.claimed_until(k)) <= now]
        assert len(set(due)) == len(due)
        assert set(due) <= set(ready)
        order = [(self.entries[k].rank, self.entries[k].due_at) for k in due]
        assert order == sorted((self.entries[k].rank, self.owed()[k]) for k in ready)[:limit]
        for entry in self.run(self.store.load(due)):
            entry.claim, entry.claimed_until = "w", until
            assert self.run(self.store.save([entry])) == [Saved.SAVED]
            self.entries[entry.contact.id] = entry

    @rule(key=KEYS, stale=st.booleans(), due_at=st.none() | TIMES, fault=FAULTS)
    def put_back(
        self, key: str, due_at: float | None, fault: FaultNote | None, *, stale: bool
    ) -> None:
        known = self.entries.get(key)
        version = known.version if known and not stale else 77
        done = self.run(self.store.put_back(key, version, due_at, fault))
        assert done == (known is not None and not stale)
        if known and done:
            after = replace(known, version=version + 1, due_at=due_at, fault=fault)
            self.entries[key] = replace(after, claim="", claimed_until=0.0)

    @rule(beyond=TIMES, limit=LIMITS)
    def ahead(self, beyond: float, limit: int) -> None:
        def ready(key: str) -> float:
            return max(self.owed()[key], self.claimed_until(key))

        found = self.run(self.store.ahead(beyond, limit))
        late = sorted(at for at in map(ready, self.owed()) if at >= beyond)
        assert list(map(ready, found)) == late[:limit]
        assert len(set(found)) == len(found)

    def stuck(self) -> set[str]:
        return {k for k, e in self.entries.items() if e.contact.parked or e.fault}

    def claimed_until(self, key: str) -> float:
        return self.entries[key].claimed_until

    @rule(now=TIMES, limit=LIMITS)
    def expire(self, now: float, limit: int) -> None:
        may_go = {
            key
            for key, e in self.entries.items()
            if e.expires_at is not None and e.expires_at < now
            if e.due_at is None and key not in self.stuck()
        }
        assert self.run(self.store.expire(now, limit)) == min(limit, len(may_go))
        left = set(self.run(self.store.ids("", 100)))
        gone = self.entries.keys() - left
        assert gone <= may_go
        self.entries = {k: e for k, e in self.entries.items() if k in left}

    @rule(keys=st.lists(st.sampled_from("ef"), max_size=2))
    def forget(self, keys: list[str]) -> None:
        """Two of them only, or there would soon be none left."""
        self.run(self.store.forget(keys))
        self.forgotten.update(keys)
        self.entries = {k: e for k, e in self.entries.items() if k not in keys}

    @rule()
    def scrub(self) -> None:
        self.run(self.store.scrub())

    @rule(keys=st.lists(KEYS, max_size=4), at=TIMES)
    def quarantine(self, keys: list[str], at: float) -> None:
        items = [Quarantined(k, at, "origin", "reason", k.encode()) for k in keys]
        self.run(self.store.quarantine(items))
        for item in items:
            self.in_quarantine.setdefault(item.id, item)

    @rule(keys=st.lists(KEYS, max_size=4))
    def release(self, keys: list[str]) -> None:
        gone = set(keys) & self.in_quarantine.keys()
        assert self.run(self.store.release(keys)) == len(gone)
        for key in gone:
            del self.in_quarantine[key]

    @rule(after=KEYS, limit=LIMITS)
    def page(self, after: str, limit: int) -> None:
        def expected(keys: set[str]) -> list[str]:
            return sorted(k for k in keys if k > after)[:limit]

        assert self.run(self.store.ids(after, limit)) == expected(set(self.entries))
        assert self.run(self.store.parked(after, limit)) == expected(self.stuck())
        shown = self.run(self.store.quarantined(after, limit))
        assert shown == [self.in_quarantine[k] for k in expected(set(self.in_quarantine))]

    @invariant()
    def next_due_is_the_first_that_will_be_ready(self) -> None:
        ready = [max(at, self.claimed_until(k)) for k, at in self.owed().items()]
        assert self.run(self.store.next_due()) == min(ready, default=None)

    @rule(now=TIMES)
    def count(self, now: float) -> None:
        due = [at for at in self.owed().values() if at <= now]
        assert self.run(self.store.counts(now)) == Counts(
            len(self.entries),
            len(due),
            len(self.stuck()),
            len(self.in_quarantine),
            min(due, default=None),
        )


class MemoryMachine(StoreMachine):
    def open(self, folder: Path) -> ContactStore:  # noqa: ARG002 - it needs none
        return MemoryStore(limit_bytes=LIMIT_BYTES)


class SqliteMachine(StoreMachine):
    def open(self, folder: Path) -> ContactStore:
        return SqliteStore(folder / "contacts.sqlite", limit_bytes=LIMIT_BYTES)

    @rule()
    def close_and_open_again(self) -> None:
        self.run(self.store.close())
        self.store = self.open(Path(self.folder.name))


TestMemory = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

TestSqlite = SqliteMachine.TestCase
TestSqlite.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
