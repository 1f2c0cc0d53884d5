"""The bad ways of the hostile store, each alone; without them it passes the stores' contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from hostile_store import HostileStore
from pipelines.contact import Contact
from worker.errors import StoreUnavailable
from worker.stores.protocol import Entry, FaultNote, Quarantined, Saved


FAULT = FaultNote("our bug: KeyError at worker.engine.push:1", 1, 2.5)


async def save(store: HostileStore, *entries: Entry) -> None:
    assert await store.save(entries) == [Saved.SAVED] * len(entries)


async def test_late_lists_show_a_change_once_the_clock_has_gone_on() -> None:
    now = [100.0]
    store = HostileStore(late=5.0, clock=lambda: now[0])
    await save(store, Entry(Contact("a"), due_at=1.0, fault=FAULT))
    for at, shown in ((104.9, []), (105.0, ["a"])):
        now[0] = at
        assert await store.due(9.0, 9) == shown
        assert await store.ahead(0.0, 9) == shown
        assert await store.parked("", 9) == shown
        assert await store.ids("", 9) == shown
        assert await store.next_due() == (1.0 if shown else None)
        assert (await store.counts(9.0)).due == len(shown)
        assert (await store.load(["a"]))[0].version == 1
    await store.forget(["a"])
    assert await store.due(9.0, 9) == ["a"], "which is gone"
    now[0] = 110.0
    assert await store.due(9.0, 9) == []


async def test_late_lists_without_a_clock_show_a_change_after_so_many_looks() -> None:
    store = HostileStore(late=3)
    await save(store, Entry(Contact("a"), due_at=1.0))
    assert [await store.due(9.0, 9) for _ in range(4)] == [[], [], ["a"], ["a"]]


async def test_a_write_whose_answer_is_lost_was_carried_out() -> None:
    store = HostileStore()
    saved = Entry(Contact("a"), due_at=1.0, expires_at=2.0)
    await save(store, saved)
    store.lost = lambda _method: True
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: store.save([saved, Entry(Contact("b"))]),
        lambda: store.put_back("a", 2, None, None),
        lambda: store.expire(3.0, 1),
        lambda: store.forget(["b"]),
        lambda: store.quarantine([Quarantined("q", 1.0, "o", "r", b"")]),
        lambda: store.release(["q"]),
        lambda: store.set_position("events", "shard-0", "1"),
        lambda: store.remember("start", "now"),
        lambda: store.replace("start", "now", "later"),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match="answer was lost"):
            await call()
    assert saved.version == 1
    assert await store.ids("", 9) == []
    assert await store.quarantined("", 9) == []
    assert await store.positions("events") == {"shard-0": "1"}
    assert await store.recall("start") == "later"
    store.lost = lambda method: method == "release"
    assert await store.save([saved]) == [Saved.CONFLICT], "which is what a repeated save finds"


async def test_contacts_that_cannot_be_read_are_left_alone_until_they_can() -> None:
    store = HostileStore()
    await save(store, *(Entry(Contact(key, tries=1), due_at=1.0) for key in "abc"))
    store.damaged, store.newer = {"a", "d"}, {"b"}
    a, b, c, d = await store.load("abcd")
    assert [(e.contact, bool(e.unreadable), e.newer) for e in (a, b, c, d)] == [
        (Contact("a"), True, False),
        (Contact("b"), True, True),
        (Contact("c", tries=1), False, False),
        (Contact("d"), False, False),
    ]
    assert await store.save([a, b, c]) == [Saved.UNREADABLE, Saved.UNREADABLE, Saved.SAVED]
    assert await store.put_back("a", 1, None, FAULT)
    store.damaged.clear()
    assert await store.load(["a"]) == [Entry(Contact("a", tries=1), 2, fault=FAULT)]


async def test_writes_that_fail_for_some_contacts_write_nothing() -> None:
    store = HostileStore()
    await save(store, *(Entry(Contact(key), due_at=1.0) for key in "abc"))
    store.unsavable, store.unwritable = {"a"}, {"b"}
    for key in "ab":
        with pytest.raises(TypeError):
            await store.save(await store.load(["c", key]))
    with pytest.raises(TypeError):
        await store.put_back("b", 1, None, FAULT)
    with pytest.raises(TypeError):
        await store.forget(["b"])
    assert [entry.version for entry in await store.load("abc")] == [1, 1, 1]
    assert await store.put_back("a", 1, None, FAULT)
