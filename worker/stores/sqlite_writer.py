"""The thread that writes an SQLite file, and how it groups waiting writes."""

from __future__ import annotations

import asyncio
import sqlite3

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from worker.errors import StoreUnavailable


T = TypeVar("T")


@contextmanager
def unavailable() -> Iterator[None]:
    """Raise ``StoreUnavailable`` for SQLite's errors: what is temporary, and a damaged file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"SQLite: {error}") from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # the statement was wrong
            raise
        raise StoreUnavailable(
            f"SQLite: {error}: the state file is damaged: stop, restore it and start again"
        ) from error


@dataclass(slots=True)
class _Call:
    """A write that waits for the thread."""

    work: Callable[[sqlite3.Connection], Any]
    outcome: Future[Any] = field(default_factory=Future)


class SqliteWriter:
    """The thread that writes. Calls waiting together are committed together.

    A group in which one call fails is rolled back, and each call is then carried out alone. So each
    gets its own outcome, even if SQLite itself rolled the transaction back, as it does on a full
    disk (https://www.sqlite.org/lang_transaction.html, "Response To Errors Within A Transaction").

    Args:
        connection: To the file.
        check: Raises ``StoreUnavailable`` if what is written would be lost; called before each
            write, and again before it is acknowledged.
    """

    def __init__(self, connection: sqlite3.Connection, check: Callable[[], None]) -> None:
        self.connection = connection
        self._check = check
        self._waiting: deque[_Call] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in a transaction, which is committed when this returns.

        ``work`` may run twice, the first time rolled back. If the caller is cancelled, it runs
        either completely or not at all.
        """
        call = _Call(work)
        self._waiting.append(call)
        self._thread.submit(self._commit_waiting)
        with unavailable():
            result: T = await asyncio.wrap_future(call.outcome)
        return result

    def close(self) -> None:
        """Carry out the waiting writes, then close the file."""
        self._thread.shutdown()
        self.connection.close()

    def _commit_waiting(self) -> None:
        """Commit as one group everything that arrived while the last one was committed."""
        calls = [self._waiting.popleft() for _ in range(len(self._waiting))]
        group = [call for call in calls if call.outcome.set_running_or_notify_cancel()]
        if group:
            self._commit(group)

    def _commit(self, group: list[_Call]) -> None:
        try:
            self._check()
            self.connection.execute("BEGIN IMMEDIATE")
        except (StoreUnavailable, sqlite3.Error) as error:  # not caused by a call: fail all
            for call in group:
                call.outcome.set_exception(error)
            return
        try:
            with self.connection:
                results = [call.work(self.connection) for call in group]
            self._check()
        except Exception as error:  # noqa: BLE001 - passed to the caller concerned
            if len(group) == 1:
                group[0].outcome.set_exception(error)
                return
            for call in group:
                self._commit([call])
        else:
            for call, result in zip(group, results, strict=True):
                call.outcome.set_result(result)
