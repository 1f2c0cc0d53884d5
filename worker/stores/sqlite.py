"""A contact store in one SQLite file, for a single machine.

One thread writes; calls that wait for it at the same time share one transaction, and so one flush
of the disk (group commit). Another thread reads what is committed, independently of the writer
(write-ahead log: https://www.sqlite.org/wal.html). A write returns once it is on disk
(``synchronous=FULL``). Several processes may open the same file.
"""

from __future__ import annotations

import asyncio
import sqlite3

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson

from pipelines.contact import Contact
from pipelines.identity import tombstone
from worker.stores.buckets import ALL
from worker.stores.protocol import Counts, Entry, FaultNote, Found, Quarantined, Saved
from worker.stores.sqlite_buckets import INDEX, due_in, next_due_in
from worker.stores.sqlite_file import connect, open_writer, replacement_check, scrub
from worker.stores.sqlite_labels import Relisted, labelled
from worker.stores.sqlite_writer import SqliteWriter, unavailable
from worker.stores.stored import read_entry, read_fault, write_fault


T = TypeVar("T")

#: The largest encoded contact that is saved (bytes). Real ones are about 10 kB.
MAX_ENTRY_BYTES = 16 * 1024 * 1024

#: Bits of the column ``parked``: the contact has parked steps, or a fault.
STEPS = 1
FAULT = 2

LOAD = """
    SELECT id, version, due_at, rank, claim, claimed_until, expires_at, fault, data
    FROM contact WHERE id IN (SELECT value FROM json_each(:ids))
"""
INSERT = """
    INSERT INTO contact
        (id, version, due_at, rank, claim, claimed_until, expires_at, parked, data, fault)
    VALUES
        (:id, 1, :due_at, :rank, :claim, :claimed_until, :expires_at, :parked, :data, :fault)
    ON CONFLICT DO NOTHING
"""
#: Not an upsert: a contact that was removed since it was loaded is a conflict too.
UPDATE = """
    UPDATE contact SET
        version = :version + 1, due_at = :due_at, rank = :rank, claim = :claim,
        claimed_until = :claimed_until, expires_at = :expires_at, parked = :parked, data = :data,
        fault = :fault
    WHERE id = :id AND version = :version
"""
PUT_BACK = """
    UPDATE contact SET
        version = version + 1, due_at = :due_at, claim = '', claimed_until = 0.0, fault = :fault,
        parked = parked & :steps | :bit
    WHERE id = :id AND version = :version
"""
#: Both ranks are listed so that the index yields the order without sorting.
DUE = """
    SELECT id FROM contact WHERE rank IN (0, 1) AND due_at <= :now AND claimed_until <= :now
    ORDER BY rank, due_at LIMIT :limit
"""
#: The index on ``ready_at`` yields the order.
AHEAD = "SELECT id FROM contact WHERE ready_at >= :beyond ORDER BY ready_at LIMIT :limit"
NEXT_DUE = "SELECT min(ready_at) FROM contact WHERE ready_at IS NOT NULL"
IDS = "SELECT id FROM contact WHERE id > :after ORDER BY id LIMIT :limit"
PARKED = "SELECT id FROM contact WHERE parked AND id > :after ORDER BY id LIMIT :limit"
COUNTS = """
    SELECT (SELECT count(*) FROM contact), due.n, (SELECT count(*) FROM contact WHERE parked),
           (SELECT count(*) FROM quarantine), due.oldest
    FROM (SELECT count(*) AS n, min(due_at) AS oldest
          FROM contact WHERE rank IN (0, 1) AND due_at <= :now) AS due
"""
EXPIRE = """
    DELETE FROM contact WHERE id IN (
        SELECT id FROM contact WHERE expires_at < :now AND due_at IS NULL AND NOT parked
        ORDER BY expires_at LIMIT :limit)
"""
FORGET = "DELETE FROM contact WHERE id IN (SELECT value FROM json_each(:ids))"
QUARANTINE = """
    INSERT INTO quarantine (id, at, origin, reason, body) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
QUARANTINED = """
    SELECT id, at, origin, reason, body FROM quarantine
    WHERE id > :after ORDER BY id LIMIT :limit
"""
RELEASE = "DELETE FROM quarantine WHERE id IN (SELECT value FROM json_each(:ids))"
POSITIONS = "SELECT shard, position FROM position WHERE stream = :stream"
SET_POSITION = """
    INSERT INTO position (stream, shard, position) VALUES (:stream, :shard, :position)
    ON CONFLICT DO UPDATE SET position = excluded.position
"""
REMEMBER = "INSERT INTO remembered (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING"
REMEMBERED = "SELECT value FROM remembered WHERE name = :name"
REPLACE = "UPDATE remembered SET value = :value WHERE name = :name AND value = :old"


def _json(ids: Sequence[str]) -> str:
    """Any number of ids as one parameter, for ``json_each``."""
    return orjson.dumps(list(ids)).decode()


def _row(entry: Entry) -> dict[str, Any]:
    """The parameters of ``INSERT`` and ``UPDATE``."""
    return {
        "id": entry.contact.id,
        "version": entry.version,
        "due_at": entry.due_at,
        "rank": entry.rank,
        "claim": entry.claim,
        "claimed_until": entry.claimed_until,
        "expires_at": entry.expires_at,
        "parked": STEPS * bool(entry.contact.parked) | FAULT * (entry.fault is not None),
        "fault": write_fault(entry.fault),
        "data": entry.contact.to_bytes(),
    }


@dataclass(frozen=True, slots=True)
class _Save:
    """An entry as it was when ``save`` was called: its row, and what changes in the lists."""

    row: dict[str, Any]
    labels: dict[str, int]
    relisted: Relisted

    @classmethod
    def of(cls, entry: Entry) -> _Save:
        return cls(_row(entry), dict(entry.contact.labels), Relisted.of(entry))


def _entry(row: tuple[Any, ...]) -> Entry:
    """The entry in a row of ``LOAD``."""
    contact_id, version, due_at, rank, claim, claimed_until, expires_at, fault, data = row
    return read_entry(
        contact_id,
        data,
        version=version,
        due_at=due_at,
        rank=rank,
        claim=claim,
        claimed_until=claimed_until,
        expires_at=expires_at,
        fault=read_fault(fault),
    )


class SqliteStore:
    """``ContactStore`` in one file; see the module's docstring.

    Args:
        path: The file, created with mode 0600 if it does not exist.
        limit_bytes: Encoded contacts larger than this are refused.

    Raises:
        ConfigError: The file cannot be opened, is not ours, or is of a newer release.
        StoreUnavailable: The file is locked, or the disk is full; later also if it is damaged, or
            was deleted or replaced.
    """

    def __init__(self, path: Path, *, limit_bytes: int = MAX_ENTRY_BYTES) -> None:
        path = path.absolute()  # or SQLite would take ":memory:" for no file
        self._path = path
        self._limit_bytes = limit_bytes
        connection = open_writer(path)
        self._check = replacement_check(path)
        self._writer = SqliteWriter(connection, self._check)
        self._reader = connect(path)
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="sqlite-reader")
        self._buckets_indexed = False

    async def load(self, contact_ids: Sequence[str]) -> list[Entry]:
        """See ``ContactStore``."""

        def work() -> dict[str, Entry]:
            rows = self._reader.execute(LOAD, {"ids": _json(contact_ids)}).fetchall()
            return {row[0]: _entry(row) for row in rows}

        known = await self._in_reader(work)
        return [known.get(key) or Entry(Contact(key)) for key in dict.fromkeys(contact_ids)]

    async def save(self, entries: Sequence[Entry]) -> list[Saved]:
        """See ``ContactStore``."""
        saves = [None if entry.unreadable else _Save.of(entry) for entry in entries]

        def save_one(connection: sqlite3.Connection, save: _Save | None) -> Saved:
            if save is None:
                return Saved.UNREADABLE
            row = save.row
            stone = None if row["version"] else {"name": tombstone(row["id"])}
            if stone and connection.execute(REMEMBERED, stone).fetchone():
                return Saved.FORGOTTEN
            if len(row["data"]) > self._limit_bytes:
                return Saved.REFUSED
            if not connection.execute(UPDATE if row["version"] else INSERT, row).rowcount:
                return Saved.CONFLICT
            save.relisted.write(connection)
            return Saved.SAVED

        outcomes = await self._writer.do(
            lambda connection: [save_one(connection, s) for s in saves]
        )
        for entry, save, outcome in zip(entries, saves, outcomes, strict=True):
            if save and outcome is Saved.SAVED:
                entry.version, entry.labels = save.row["version"] + 1, save.labels
        return outcomes

    async def put_back(
        self, contact_id: str, version: int, due_at: float | None, fault: FaultNote | None
    ) -> bool:
        """See ``ContactStore``."""
        row = {"id": contact_id, "version": version, "due_at": due_at, "fault": write_fault(fault)}
        bit = 0 if fault is None else FAULT
        return bool(await self._change(PUT_BACK, **row, steps=STEPS, bit=bit))

    async def due(self, now: float, limit: int, buckets: Collection[int] = ALL) -> list[str]:
        """See ``ContactStore``."""
        if len(buckets) == len(ALL):
            return await self._column(DUE, now=now, limit=limit)
        await self._index_buckets()
        return await self._in_reader(lambda: due_in(self._reader, buckets, now, limit))

    async def next_due(self, buckets: Collection[int] = ALL) -> float | None:
        """See ``ContactStore``."""
        if len(buckets) < len(ALL):
            await self._index_buckets()
            return await self._in_reader(lambda: next_due_in(self._reader, buckets))
        at: float | None
        [at] = await self._column(NEXT_DUE)
        return at

    async def _index_buckets(self) -> None:
        """Make sure of the index; the first time it takes as long as reading the whole file."""
        if not self._buckets_indexed:
            await self._change(INDEX)
            self._buckets_indexed = True

    async def ahead(self, beyond: float, limit: int) -> list[str]:
        """See ``ContactStore``."""
        return await self._column(AHEAD, beyond=beyond, limit=limit)

    async def ids(self, after: str, limit: int) -> list[str]:
        """See ``ContactStore``."""
        return await self._column(IDS, after=after, limit=limit)

    async def parked(self, after: str, limit: int) -> list[str]:
        """See ``ContactStore``."""
        return await self._column(PARKED, after=after, limit=limit)

    async def labelled(
        self, label: str, before: tuple[float, str] | None, limit: int
    ) -> list[Found]:
        """See ``ContactStore``."""
        return await self._in_reader(lambda: labelled(self._reader, label, before, limit))

    async def counts(self, now: float) -> Counts:
        """See ``ContactStore``."""
        [row] = await self._rows(COUNTS, now=now)
        return Counts(*row)

    async def expire(self, now: float, limit: int) -> int:
        """See ``ContactStore``."""
        return await self._change(EXPIRE, now=now, limit=limit)

    async def forget(self, contact_ids: Sequence[str]) -> None:
        """See ``ContactStore``."""
        stones = [{"name": tombstone(contact_id), "value": ""} for contact_id in contact_ids]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(REMEMBER, stones)
            connection.execute(FORGET, {"ids": _json(contact_ids)})

        await self._writer.do(work)

    async def scrub(self) -> None:
        """See ``ContactStore``. Takes as long as copying the file; workers wait meanwhile."""
        self._check()
        with unavailable():
            await asyncio.to_thread(scrub, self._path)

    async def quarantine(self, items: Sequence[Quarantined]) -> None:
        """See ``ContactStore``."""
        rows = [(item.id, item.at, item.origin, item.reason, item.body) for item in items]
        await self._writer.do(lambda connection: connection.executemany(QUARANTINE, rows))

    async def quarantined(self, after: str, limit: int) -> list[Quarantined]:
        """See ``ContactStore``."""
        return [
            Quarantined(*row) for row in await self._rows(QUARANTINED, after=after, limit=limit)
        ]

    async def release(self, quarantine_ids: Sequence[str]) -> int:
        """See ``ContactStore``."""
        return await self._change(RELEASE, ids=_json(quarantine_ids))

    async def positions(self, stream: str) -> dict[str, str]:
        """See ``ContactStore``."""
        return dict(await self._rows(POSITIONS, stream=stream))

    async def set_position(self, stream: str, shard: str, position: str) -> None:
        """See ``ContactStore``."""
        await self._change(SET_POSITION, stream=stream, shard=shard, position=position)

    async def remember(self, name: str, value: str) -> str:
        """See ``ContactStore``."""

        def work(connection: sqlite3.Connection) -> str:
            connection.execute(REMEMBER, {"name": name, "value": value})
            [kept] = connection.execute(REMEMBERED, {"name": name}).fetchone()
            return str(kept)

        return await self._writer.do(work)

    async def recall(self, name: str) -> str | None:
        """See ``ContactStore``."""
        return next(iter(await self._column(REMEMBERED, name=name)), None)

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """See ``ContactStore``."""
        if old is None:
            return bool(await self._change(REMEMBER, name=name, value=new))
        return bool(await self._change(REPLACE, name=name, value=new, old=old))

    async def close(self) -> None:
        """See ``ContactStore``."""
        # The reader first: the last connection to close moves the log into the file.
        await asyncio.to_thread(self._reading.shutdown)
        self._reader.close()
        await asyncio.to_thread(self._writer.close)

    async def _in_reader(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the thread that owns the reading connection."""

        def checked() -> T:
            try:
                return work()
            finally:
                self._check()

        with unavailable():
            return await asyncio.get_running_loop().run_in_executor(self._reading, checked)

    async def _rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return await self._in_reader(lambda: self._reader.execute(query, parameters).fetchall())

    async def _column(self, query: str, **parameters: Any) -> list[Any]:
        """The first column of a query."""
        return [row[0] for row in await self._rows(query, **parameters)]

    async def _change(self, statement: str, **parameters: Any) -> int:
        """How many rows a writing statement changed."""
        return await self._writer.do(lambda c: c.execute(statement, parameters).rowcount)
