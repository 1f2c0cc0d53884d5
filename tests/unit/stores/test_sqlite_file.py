"""What a person or a disk may do to the file of the SQLite store while it is open, or before."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from structlog.testing import capture_logs

from pipelines.contact import Contact
from worker.errors import ConfigError, StoreUnavailable
from worker.stores.protocol import Entry, Quarantined, Saved
from worker.stores.sqlite import SqliteStore


CALLS: dict[str, Callable[[SqliteStore], Awaitable[Any]]] = {
    "load": lambda store: store.load(["a"]),
    "save": lambda store: store.save([Entry(Contact("a"))]),
    "put back": lambda store: store.put_back("a", 1, None, None),
    "due": lambda store: store.due(9.0, 1),
    "next due": lambda store: store.next_due(),
    "parked": lambda store: store.parked("", 1),
    "counts": lambda store: store.counts(1.0),
    "expire": lambda store: store.expire(1.0, 1),
    "forget": lambda store: store.forget(["a"]),
    "scrub": lambda store: store.scrub(),
    "quarantine": lambda store: store.quarantine([Quarantined("q", 1.0, "o", "r", b"")]),
    "quarantined": lambda store: store.quarantined("", 1),
    "position": lambda store: store.set_position("events", "shard-0", "1"),
    "remember": lambda store: store.remember("start", "now"),
    "recall": lambda store: store.recall("start"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder / "contacts.sqlite"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(path)
    assert await opened.save([Entry(Contact("a"), due_at=1.0)]) == [Saved.SAVED]
    yield opened
    await opened.close()


def deleted(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


def without_its_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def without_its_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_suffix(".elsewhere"))


def moved_away(path: Path) -> None:
    """Moved away; ``moved_back`` undoes it."""
    path.rename(path.with_suffix(".moved"))


def moved_back(path: Path) -> None:
    path.with_suffix(".moved").rename(path)


def copied_in_place(path: Path) -> None:
    copy = path.read_bytes()
    path.unlink()
    path.write_bytes(copy)


def log_is_there(path: Path) -> bool:
    return Path(f"{path}-wal").exists()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("harm", [deleted, replaced, without_its_log, without_its_folder])
async def test_with_the_state_file_gone_nothing_is_acknowledged_or_read(
    store: SqliteStore, path: Path, call: str, harm: Callable[[Path], None]
) -> None:
    harm(path)
    with pytest.raises(StoreUnavailable, match="state file was deleted or replaced"):
        await CALLS[call](store)


async def test_a_write_is_not_acknowledged_whose_file_was_deleted_while_it_was_committed(
    store: SqliteStore, path: Path
) -> None:
    def work(connection: sqlite3.Connection) -> int:
        deleted(path)
        return connection.execute("DELETE FROM contact").rowcount

    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        await store._writer.do(work)


async def test_a_state_file_that_is_moved_back_serves_again(store: SqliteStore, path: Path) -> None:
    moved_away(path)
    entry = Entry(Contact("b"))
    with pytest.raises(StoreUnavailable, match="move the same file back"):
        await store.save([entry])
    moved_back(path)
    assert await store.save([entry]) == [Saved.SAVED]
    assert await store.ids("", 9) == ["a", "b"]


async def test_a_copy_in_place_of_the_state_file_does_not_serve(
    store: SqliteStore, path: Path
) -> None:
    copied_in_place(path)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="stop, put the state back and start again"):
            await store.save([Entry(Contact("b"))])


async def test_another_store_that_opens_and_closes_the_file_leaves_its_locks(
    store: SqliteStore, path: Path
) -> None:
    """POSIX locks of a process go when it closes the file anywhere; then others drop its log."""
    other = SqliteStore(path)
    await other.close()
    read = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT id FROM contact')"
    subprocess.run([sys.executable, "-c", read, str(path)], check=True)  # noqa: ASYNC221 - short
    assert log_is_there(path)
    assert await store.save([Entry(Contact("b"))]) == [Saved.SAVED]


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o777])
async def test_a_state_file_that_others_could_read_is_narrowed_and_told_once(
    path: Path, mode: int
) -> None:
    store = SqliteStore(path)
    await store.save([Entry(Contact("a"))])
    files = [path, Path(f"{path}-wal"), Path(f"{path}-shm")]
    for file in files:
        file.chmod(mode)
    with capture_logs() as logs:
        again = SqliteStore(path)
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3
    assert logs == [
        {
            "event": "store.open_to_others",
            "log_level": "warning",
            "mode": f"{mode:04o}",
            "narrowed": True,
        }
    ]
    await again.close()
    with capture_logs() as logs:
        await SqliteStore(path).close()
    assert logs == []
    await store.close()


async def test_a_state_file_whose_mode_is_anothers_to_change_is_used_and_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await SqliteStore(path).close()
    os.chmod(path, 0o664)  # noqa: PTH101 - the other one is replaced below

    def chmod(_path: Path, _mode: int) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", chmod)
    with capture_logs() as logs:
        await SqliteStore(path).close()
    assert [(log["mode"], log["narrowed"]) for log in logs] == [("0664", False)]


def scribble(path: Path, at: int) -> None:
    """Damage all from some page on, as a broken disk may."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * (path.stat().st_size - at))


async def test_a_damaged_state_file_is_unavailable_and_says_what_to_do(path: Path) -> None:
    store = SqliteStore(path)
    entries = [Entry(Contact(f"{n}", effects={"p/s": "x" * 9000})) for n in range(50)]
    assert set(await store.save(entries)) == {Saved.SAVED}
    await store.close()
    scribble(path, 16 * 1024)
    store = SqliteStore(path)
    for call in (store.load(["1"]), store.save([Entry(Contact("b"))]), store.counts(1.0)):
        with pytest.raises(StoreUnavailable, match=r"malformed: .* restore it and start again"):
            await call
    await store.close()


async def test_a_state_file_with_a_damaged_schema_is_not_taken_for_no_database(path: Path) -> None:
    await SqliteStore(path).close()
    scribble(path, 200)
    with pytest.raises(StoreUnavailable, match="restore it"):
        SqliteStore(path)


async def test_a_text_that_is_no_text_any_more_holds_nobody_up_and_is_not_quoted(
    path: Path,
) -> None:
    store = SqliteStore(path)
    entries = [Entry(Contact(key), claim="+4930901820", claimed_until=9.0) for key in "ab"]
    await store.save(entries)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE contact SET claim = CAST(x'2b3439ff' AS TEXT) WHERE id = 'a'")
    a, b = await store.load("ab")
    assert (a.claim, b.claim) == ("+49\ufffd", "+4930901820")
    await store.close()


@pytest.mark.parametrize("kind", ["unreadable", "fifo"])
def test_a_store_that_is_no_usual_file_is_told_apart(
    path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.touch()
        monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(ConfigError, match=r"cannot open the store .*: Permission denied"):
        SqliteStore(path)
