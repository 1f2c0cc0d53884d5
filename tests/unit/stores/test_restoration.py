"""Restored states: recognised, and declared."""

from __future__ import annotations

import asyncio
import copy

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from botocore.exceptions import ClientError
from structlog.testing import capture_logs

from worker.clock import Clock
from worker.errors import ConfigError, StoreUnavailable
from worker.stores.memory import MemoryStore
from worker.stores.restoration import (
    LOOK_EVERY_S,
    NAME,
    SUFFIX,
    FileMark,
    Keeper,
    Mark,
    Restoration,
    TableMark,
    declare,
    mark_of,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / f"state.db{SUFFIX}"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def marked(path: Path) -> str:
    return path.read_text()


def files(folder: Path) -> dict[str, int]:
    """The files in a folder, and who may do what with each."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def mark_as(path: Path, text: str | None) -> None:
    """Put down another mark, or none."""
    if text is None:
        path.unlink()
    else:
        path.write_text(text)


def keeper(store: MemoryStore, mark: Mark | Path | None) -> Keeper:
    """One of a process that has just started, two days after 1970 began."""
    mark = FileMark(mark) if isinstance(mark, Path) else mark
    return Keeper(store, mark, Clock(lambda: 86_400.0))


async def epoch(store: MemoryStore) -> int:
    kept = Restoration.of(await store.recall(NAME))
    assert kept is not None
    return int(kept.mark)


def said(lines: list[Any]) -> list[tuple[str, str]]:
    return [(line["log_level"], line["event"]) for line in lines]


# --- a file beside the state ----------------------------------------------------------------------


async def test_a_new_state_gets_a_mark_which_every_start_raises(
    store: MemoryStore, path: Path
) -> None:
    with capture_logs() as lines:
        for n in (1, 2, 3):
            found = await keeper(store, path).look()
            assert (found.mark, found.number) == (str(n), 0)
            assert marked(path) == str(n)
    assert said(lines) == [("info", "state.marked")]
    assert files(path.parent) == {path.name: 0o600}


async def test_a_state_older_than_its_mark_was_restored_and_is_recognised_once(
    store: MemoryStore, path: Path
) -> None:
    await keeper(store, path).look()
    copied = copy.deepcopy(store)
    await keeper(store, path).look()
    with capture_logs() as lines:
        found = await keeper(copied, path).look()
        again = await keeper(copied, path).look()
    assert (found.number, found.at) == (1, "1970-01-02T00:00:00.000Z")
    assert (again.number, again.at) == (found.number, found.at)
    assert await epoch(copied) == int(marked(path)) > 2
    assert [line["event"] for line in lines] == ["state.lost"]  # it has no contact


async def test_a_state_that_came_without_its_mark_may_be_older(
    store: MemoryStore, path: Path
) -> None:
    """A copy brought to another machine, say."""
    for _ in range(2):
        await keeper(store, path).look()
    mark_as(path, None)
    assert (await keeper(store, path).look()).number == 1


async def test_an_empty_state_beside_a_mark_was_lost_and_the_log_says_what_to_do(
    store: MemoryStore, path: Path
) -> None:
    await keeper(store, path).look()
    with capture_logs() as lines:
        assert (await keeper(MemoryStore(), path).look()).number == 1
    assert said(lines) == [("error", "state.lost")]
    assert "connect-dynamics replay" in lines[0]["then"]


async def test_a_mark_that_lags_behind_the_state_raises_no_alarm(
    store: MemoryStore, path: Path
) -> None:
    """The process ended between the two."""
    for _ in range(3):
        await keeper(store, path).look()
    mark_as(path, "1")
    assert (await keeper(store, path).look()).number == 0
    assert await epoch(store) == int(marked(path))


async def test_a_mark_that_is_no_number_counts_as_missing(store: MemoryStore, path: Path) -> None:
    mark_as(path, "\u00b2")
    assert (await keeper(store, path).look()).number == 0
    assert marked(path) == "1"


async def test_a_mark_that_cannot_be_read_is_said_before_anything_is_written(
    store: MemoryStore, path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*: Is a directory"):
        await keeper(store, path.parent).look()
    assert await store.recall(NAME) is None


async def test_a_mark_that_cannot_be_written_is_told_and_holds_nothing_up(
    store: MemoryStore, tmp_path: Path
) -> None:
    with capture_logs() as lines:
        await keeper(store, tmp_path / "away" / "mark").look()
    assert said(lines) == [("warning", "state.mark_not_written"), ("info", "state.marked")]
    assert await epoch(store) == 1


async def test_a_mark_that_is_removed_while_the_worker_runs_is_put_back(
    store: MemoryStore, path: Path
) -> None:
    running = keeper(store, path)
    for _ in range(3):
        assert (await running.look()).number == 0
        mark_as(path, None)


async def test_processes_that_look_at_once_raise_no_alarm(store: MemoryStore, path: Path) -> None:
    await keeper(store, path).look()
    found = await asyncio.gather(*(keeper(store, path).look() for _ in range(20)))
    assert {one.number for one in found} == {0}
    assert (await keeper(store, path).look()).number == 0


# --- the identity of a table ----------------------------------------------------------------------


class Table:
    """A DynamoDB that has one table."""

    def __init__(self, identity: str) -> None:
        self.identity = identity

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Table]:
        yield self

    async def describe_table(self, *, TableName: str) -> dict[str, Any]:  # noqa: N803 - AWS's
        if not self.identity:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeTable")
        return {"Table": {"TableName": TableName, "TableId": self.identity}}


async def test_a_table_restored_from_a_backup_is_another_one(store: MemoryStore) -> None:
    table = Table("one")
    mark = TableMark("state", table.connect)
    assert (await keeper(store, mark).look()).number == 0
    assert (await keeper(store, mark).look()).number == 0
    table.identity = "two"
    with capture_logs() as lines:
        found = await asyncio.gather(*(keeper(store, mark).look() for _ in range(3)))
        assert (await keeper(store, mark).look()).mark == "two"
    assert {one.number for one in found} == {1}
    assert len(lines) == 1


async def test_a_table_that_may_not_be_described_is_used_unguarded(store: MemoryStore) -> None:
    await keeper(store, TableMark("state", Table("one").connect)).look()
    with capture_logs() as lines:
        assert (await keeper(store, TableMark("state", Table("").connect)).look()).mark == "one"
    assert said(lines) == [("warning", "state.mark_not_read")]


def test_every_kind_of_state_has_its_mark() -> None:
    assert mark_of("sqlite:/x/state.db") == FileMark(Path("/x/state.db.mark"))
    assert isinstance(mark_of("dynamodb:state"), TableMark)
    assert mark_of("memory") is None


# --- declared, and while the worker runs ----------------------------------------------------------


class Enough(Exception):  # noqa: N818 - says what is the matter
    """The test is over."""


async def looking(running: Keeper, saved: list[int]) -> None:
    """Let it look once for each minute of which this is what had been saved by its end."""
    now, later = saved[0], iter(saved[1:])

    async def sleep(seconds: float) -> None:
        nonlocal now
        assert seconds == LOOK_EVERY_S
        if (now := next(later, -1)) < 0:
            raise Enough

    running.clock = Clock(sleep=sleep)
    with pytest.raises(Enough):
        await running.run(lambda: now)


async def test_a_restoration_that_a_person_declares_reaches_a_running_worker_within_a_minute(
    store: MemoryStore, path: Path
) -> None:
    running = keeper(store, path)
    await running.look()
    assert (await declare(store, 172_800.0)).number == 1
    await looking(running, [0, 0])
    assert running.known == Restoration("1", 1, "1970-01-03T00:00:00.000Z")


async def test_the_epoch_is_raised_each_minute_in_which_something_was_saved_and_no_other(
    store: MemoryStore, path: Path
) -> None:
    running = keeper(store, path)
    await running.look()
    await looking(running, [0, 0, 1, 1, 1, 5, 5])
    assert await epoch(store) == int(marked(path)) == 3


async def test_a_store_that_is_away_is_looked_at_again(
    store: MemoryStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = keeper(store, path)
    await running.look()

    async def away(_name: str) -> str:
        raise StoreUnavailable("SQLite: locked")

    with monkeypatch.context() as patched, capture_logs() as lines:
        patched.setattr(store, "recall", away)
        await looking(running, [0, 1])
    assert said(lines) == [("warning", "state.not_looked_at")]
    await declare(store, 0.0)
    await looking(running, [1, 1])
    assert running.known is not None
    assert running.known.number == 1


async def test_what_a_newer_release_remembers_beside_is_no_hindrance(store: MemoryStore) -> None:
    await store.remember(NAME, '{"mark": "7", "number": 2, "at": "", "news": 1}')
    assert (await keeper(store, None).look()).number == 2
