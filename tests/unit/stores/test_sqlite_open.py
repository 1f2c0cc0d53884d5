"""How store settings are understood, and which files the SQLite store accepts."""

from __future__ import annotations

import sqlite3
import stat

from contextlib import closing
from pathlib import Path

import pytest

from pipelines.contact import Contact
from worker.errors import ConfigError, StoreUnavailable
from worker.stores import open_store, sqlite_file
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, Saved
from worker.stores.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "contacts.sqlite"


async def create(path: Path) -> None:
    """A file with one contact in it."""
    store = SqliteStore(path)
    assert await store.save([Entry(Contact("a"))]) == [Saved.SAVED]
    await store.close()


def execute(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


async def test_memory_and_sqlite_are_opened_by_name(path: Path) -> None:
    assert isinstance(open_store("memory"), MemoryStore)
    store = open_store(f"sqlite:{path}")
    assert isinstance(store, SqliteStore)
    await store.close()
    sizes = [file.stat().st_size > 0 for file in path.parent.iterdir()]
    assert sizes == [True]


@pytest.mark.parametrize("spec", ["", "sqlite", "sqlite:", "memory:", "memory:x", "redis:x"])
def test_any_other_name_is_answered_with_what_is_allowed(spec: str) -> None:
    with pytest.raises(ConfigError, match="use memory, sqlite:PATH or dynamodb:TABLE"):
        open_store(spec)


async def test_what_was_saved_is_there_after_closing_and_opening(path: Path) -> None:
    await create(path)
    store = SqliteStore(path)
    assert await store.load(["a"]) == [Entry(Contact("a"), version=1)]
    await store.close()


async def test_closing_leaves_one_file(path: Path) -> None:
    await create(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_only_the_user_may_read_what_is_written(path: Path) -> None:
    store = SqliteStore(path)
    await store.save([Entry(Contact("a"))])
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {path.name + suffix: 0o600 for suffix in ("", "-wal", "-shm")}
    await store.close()


async def test_a_file_called_memory_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await create(Path(":memory:"))
    assert (tmp_path / ":memory:").exists()


async def test_a_file_of_a_newer_release_is_left_alone(path: Path) -> None:
    await create(path)
    execute(path, "PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="newer release"):
        SqliteStore(path)


@pytest.mark.parametrize("version", [0, 1])
def test_another_programs_file_is_left_alone(path: Path, version: int) -> None:
    execute(path, f"CREATE TABLE theirs (x); PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="another program"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(ConfigError, match="not an SQLite file"):
        SqliteStore(path)
    assert path.read_bytes() == b"no database at all" * 100


def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot open the store .*missing"):
        SqliteStore(tmp_path / "missing" / "contacts.sqlite")


async def test_a_file_locked_while_it_is_opened_may_be_free_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.0)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="locked"):
            SqliteStore(path)
    await create(path)


async def test_a_form_that_fails_half_way_leaves_the_file_empty(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.sql"
    broken.write_text("CREATE TABLE extra (x); CREATE nonsense")
    monkeypatch.setattr(sqlite_file, "MIGRATIONS", (*sqlite_file.MIGRATIONS, str(broken)))
    with pytest.raises(StoreUnavailable):
        SqliteStore(path)
    monkeypatch.undo()
    await create(path)


async def test_an_older_file_is_brought_to_todays_form_and_keeps_its_contacts(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create(path)
    last = tmp_path / "last.sql"
    last.write_text("CREATE TABLE extra (x)")
    forms = (*sqlite_file.MIGRATIONS, str(last))
    monkeypatch.setattr(sqlite_file, "MIGRATIONS", forms)
    store = SqliteStore(path)
    assert await store.ids("", 10) == ["a"]
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM extra").fetchone() == (0,)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(forms),)
