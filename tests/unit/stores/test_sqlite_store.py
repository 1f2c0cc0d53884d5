"""What the SQLite store does beyond the contract: group commit, faults, sharing, indexes."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading

from collections.abc import AsyncIterator, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipelines.contact import Contact
from worker.errors import StoreUnavailable
from worker.stores import sqlite
from worker.stores.protocol import Entry, Quarantined, Saved
from worker.stores.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "contacts.sqlite"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(path)
    yield opened
    await opened.close()


class Gate:
    """Keeps the writing thread busy, so that calls pile up behind it; counts commits."""

    def __init__(self, store: SqliteStore) -> None:
        self.commits = 0
        self.connection = store._writer.connection
        self.connection.set_trace_callback(self._count)
        self._entered, self._opened = threading.Event(), threading.Event()
        self._holding = asyncio.create_task(store._writer.do(self._wait))

    def _count(self, statement: str) -> None:
        self.commits += statement == "COMMIT"

    def _wait(self, _connection: sqlite3.Connection) -> None:
        self._entered.set()
        self._opened.wait()

    async def behind(self, *calls: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
        """The calls, each waiting for its turn."""
        await asyncio.to_thread(self._entered.wait)
        tasks = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(0)
        return tasks

    async def open(self) -> None:
        self._opened.set()
        await self._holding


def large(key: str) -> Entry:
    return Entry(Contact(key, effects={"p/s": "x" * 1_000_000}))


def fill_disk(store: SqliteStore) -> None:
    """From now on the file must not grow by more than a few pages."""
    [pages] = store._writer.connection.execute("PRAGMA page_count").fetchone()
    store._writer.connection.execute(f"PRAGMA max_page_count = {pages + 4}")


def free_disk(store: SqliteStore) -> None:
    store._writer.connection.execute("PRAGMA max_page_count = 1000000")


async def test_calls_that_wait_together_share_one_transaction(store: SqliteStore) -> None:
    gate = Gate(store)
    tasks = await gate.behind(
        *(store.save([Entry(Contact(f"{n}"))]) for n in range(50)),
        store.quarantine([Quarantined("q", 1.0, "o", "r", b"")]),
        store.set_position("events", "shard-0", "1"),
        store.remember("start", "now"),
    )
    await gate.open()
    outcomes = await asyncio.gather(*tasks)
    assert outcomes == [[Saved.SAVED]] * 50 + [None, None, "now"]
    assert gate.commits == 2  # the gate's own, and theirs


async def test_many_lanes_of_saves_need_fewer_transactions_than_saves(store: SqliteStore) -> None:
    gate = Gate(store)
    await gate.open()

    async def lane(key: str) -> None:
        entry = Entry(Contact(key))
        for _ in range(10):
            assert await store.save([entry]) == [Saved.SAVED]

    await asyncio.gather(*(lane(f"{n}") for n in range(20)))
    assert gate.commits <= 100


async def test_one_callers_failure_does_not_undo_the_others(store: SqliteStore) -> None:
    gate = Gate(store)
    tasks = await gate.behind(
        store.save([Entry(Contact("a"))]),
        store.save([Entry(Contact("b")), Entry(Contact("c"), rank=7)]),
        store.save([Entry(Contact("d"))]),
    )
    await gate.open()
    first, bad, last = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, last) == ([Saved.SAVED], [Saved.SAVED])
    assert isinstance(bad, sqlite3.IntegrityError)
    assert await store.ids("", 10) == ["a", "d"]


async def test_a_call_cancelled_before_its_turn_writes_nothing(store: SqliteStore) -> None:
    gate = Gate(store)
    tasks = await gate.behind(*(store.save([Entry(Contact(key))]) for key in "ab"))
    tasks[0].cancel()
    await asyncio.wait(tasks[:1])
    await gate.open()
    assert await tasks[1] == [Saved.SAVED]
    assert await store.ids("", 10) == ["b"]


async def test_a_call_cancelled_in_its_turn_is_written_whole(store: SqliteStore) -> None:
    entered, opened = threading.Event(), threading.Event()

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(sqlite.REMEMBER, {"name": "a", "value": "1"})
        entered.set()
        opened.wait()
        connection.execute(sqlite.REMEMBER, {"name": "b", "value": "1"})

    task = asyncio.create_task(store._writer.do(work))
    await asyncio.to_thread(entered.wait)
    task.cancel()
    await asyncio.wait([task])
    opened.set()
    assert [await store.remember(name, "2") for name in "ab"] == ["1", "1"]


async def test_closing_finishes_what_was_begun(store: SqliteStore, path: Path) -> None:
    gate = Gate(store)
    [task] = await gate.behind(store.save([Entry(Contact("a"))]))
    closing_ = asyncio.create_task(store.close())
    await gate.open()
    await closing_
    assert await task == [Saved.SAVED]
    again = SqliteStore(path)
    assert await again.ids("", 10) == ["a"]
    await again.close()


async def test_reads_do_not_wait_for_the_writer(store: SqliteStore) -> None:
    await store.save([Entry(Contact("a"))])
    gate = Gate(store)
    [waiting] = await gate.behind(store.save([Entry(Contact("b"))]))
    assert await store.ids("", 10) == ["a"]
    await gate.open()
    await waiting


async def test_two_stores_on_one_file_conflict_as_one_does(store: SqliteStore, path: Path) -> None:
    other = SqliteStore(path)
    await store.save([Entry(Contact("a"))])
    [mine], [theirs] = await store.load(["a"]), await other.load(["a"])
    assert await other.save([theirs]) == [Saved.SAVED]
    assert await store.save([mine]) == [Saved.CONFLICT]
    await other.close()


async def test_of_two_stores_racing_for_a_contact_one_wins(store: SqliteStore, path: Path) -> None:
    other = SqliteStore(path)
    keys = [f"{n}" for n in range(50)]
    calls = [each.save([Entry(Contact(key))]) for key in keys for each in (store, other)]
    outcomes = [outcome for [outcome] in await asyncio.gather(*calls)]
    assert outcomes.count(Saved.SAVED) == 50
    assert outcomes.count(Saved.CONFLICT) == 50
    await other.close()


async def test_a_locked_file_is_unavailable_for_writing_until_it_is_free(
    store: SqliteStore, path: Path
) -> None:
    store._writer.connection.execute("PRAGMA busy_timeout = 0")
    entry = Entry(Contact("a"))
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        calls = [store.save([entry]), store.set_position("events", "shard-0", "1")]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable, StoreUnavailable]
        assert await store.ids("", 10) == []
    assert await store.save([entry]) == [Saved.SAVED]


async def test_a_full_disk_is_unavailable_until_there_is_room(store: SqliteStore) -> None:
    fill_disk(store)
    entry = large("a")
    with pytest.raises(StoreUnavailable, match="full"):
        await store.save([Entry(Contact("b")), entry])
    assert entry.version == 0
    assert await store.ids("", 10) == []
    free_disk(store)
    assert await store.save([entry]) == [Saved.SAVED]


async def test_on_a_full_disk_what_still_fits_is_written(store: SqliteStore) -> None:
    fill_disk(store)
    gate = Gate(store)
    tasks = await gate.behind(
        store.set_position("events", "shard-0", "1"),
        store.save([large("a")]),
        store.set_position("events", "shard-1", "2"),
    )
    await gate.open()
    _, failed, _ = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(failed, StoreUnavailable)
    assert await store.positions("events") == {"shard-0": "1", "shard-1": "2"}


@pytest.mark.parametrize(
    "statement",
    [
        sqlite.LOAD,
        sqlite.UPDATE,
        sqlite.DUE,
        sqlite.NEXT_DUE,
        sqlite.IDS,
        sqlite.PARKED,
        sqlite.EXPIRE,
        sqlite.QUARANTINED,
        sqlite.RELEASE,
        sqlite.POSITIONS,
    ],
)
async def test_no_statement_scans_a_table_or_sorts(store: SqliteStore, statement: str) -> None:
    parameters = dict.fromkeys(re.findall(r":(\w+)", statement))
    rows = store._reader.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
    plan = [detail for *_, detail in rows if "json_each" not in detail]
    assert any("SEARCH" in detail for detail in plan)
    assert not any("SCAN" in detail or "TEMP B-TREE" in detail for detail in plan), plan
