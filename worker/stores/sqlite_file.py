"""The file of an SQLite store: its owner, its schema version, and whether it is still in place."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat

from collections.abc import Callable
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Final

import structlog

from worker.errors import ConfigError, StoreUnavailable
from worker.stores.sqlite_writer import unavailable


_log = structlog.get_logger(__name__)

#: How long to wait for another process that is writing (s).
BUSY_TIMEOUT_S = 5.0

#: The same, if an operator is waiting rather than a worker.
SCRUB_TIMEOUT_S = 60.0

#: Only the user may read and write the file; SQLite gives its -wal and -shm the same mode.
MODE: Final = 0o600

#: A typical contact fits into one page: measured to be a third faster than SQLite's 4 KiB (bytes).
PAGE_BYTES: Final = 16 * 1024

#: Marks a file as ours (https://www.sqlite.org/pragma.html#pragma_application_id).
APPLICATION_ID: Final = 0x4344796E

#: ``user_version`` n is the file after the first n of these.
MIGRATIONS = ("sqlite_1.sql", "sqlite_2.sql", "sqlite_3.sql")

#: The error when the file or its log was removed or replaced: further writes would be lost.
GONE: Final = (
    "SQLite: the state file was deleted or replaced while it was open, and nothing more is"
    " acknowledged: move the same file back, or stop, put the state back and start again"
)


def connect(path: Path, busy_timeout_s: float | None = None) -> sqlite3.Connection:
    """A connection without implicit transactions; damaged text is decoded with replacements."""
    timeout_s = BUSY_TIMEOUT_S if busy_timeout_s is None else busy_timeout_s
    connection = sqlite3.connect(
        path, timeout=timeout_s, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = _text
    return connection


def _text(data: bytes) -> str:
    """Not ``str``, whose error about one text would quote it, and fail the whole query."""
    return data.decode(errors="replace")


def open_writer(path: Path) -> sqlite3.Connection:
    """A connection to a file that exists, is ours and has the current schema.

    Raises:
        ConfigError: It cannot be opened, is not ours, or is of a newer release.
        StoreUnavailable: It is locked, or the disk is full.
    """
    _create(path)
    _restrict(path)
    connection = connect(path)
    try:
        with unavailable():
            _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """Create the file if there is none, and check that it may be used.

    An existing file is not opened: closing it again would drop SQLite's locks on it, if this
    process has it open already (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, MODE))
    except FileExistsError:
        if path.is_file() and os.access(path, os.R_OK | os.W_OK):
            return
        reason = os.strerror(errno.EISDIR if path.is_dir() else errno.EACCES)
        raise ConfigError(f"cannot open the store {path}: {reason}") from None
    except OSError as error:
        raise ConfigError(f"cannot open the store {path}: {error.strerror}") from error


def _restrict(path: Path) -> None:
    """Make a file and its log readable by the user only, as they hold personal data."""
    wide = [file for file in _parts(path, "", "-wal", "-shm") if _mode(file) & ~MODE]
    if not wide:
        return
    mode = f"{_mode(path):04o}"
    try:
        for file in wide:
            file.chmod(MODE)
    except PermissionError:
        _log.warning("store.open_to_others", mode=mode, narrowed=False)
    else:
        _log.warning("store.open_to_others", mode=mode, narrowed=True)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _parts(path: Path, *suffixes: str) -> list[Path]:
    """The file and those beside it with these suffixes, if they exist."""
    named = (Path(f"{path}{suffix}") for suffix in suffixes)
    return [file for file in named if file.exists()]


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Bring an empty or older file to the current schema; refuse any other."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # only takes effect in an empty file
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        raise ConfigError(f"{path} is not an SQLite file") from error
    with connection:
        for name in MIGRATIONS[_version(connection, path) :]:
            for statement in (files(__package__) / name).read_text().split(";"):
                connection.execute(statement)  # executescript would commit first
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")  # what lists a contact goes with it
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # opens the log


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """How many migrations the file has had.

    Raises:
        ConfigError: It belongs to another program, or a newer release wrote it.
    """
    owner, version, tables = connection.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if owner != APPLICATION_ID and (owner, version, tables) != (0, 0, 0):
        raise ConfigError(f"{path} belongs to another program")
    if version > len(MIGRATIONS):
        raise ConfigError(f"{path} was written by a newer release: form {version}")
    return int(version)


def replacement_check(path: Path) -> Callable[[], None]:
    """A check that an open file and its log have not been removed or replaced.

    Returns:
        A function to call before a write is acknowledged: it raises ``StoreUnavailable`` if so.
    """
    watched = (path, Path(f"{path}-wal"))

    def places() -> list[tuple[int, int]]:
        return [(found.st_dev, found.st_ino) for found in map(os.stat, watched)]

    def check() -> None:
        try:
            there = places()
        except OSError as error:
            raise StoreUnavailable(GONE) from error
        if there != opened:
            raise StoreUnavailable(GONE)

    opened = places()
    return check


def scrub(path: Path) -> None:
    """Rewrite the file without what was deleted, and empty the log.

    "Running VACUUM will clean the database of all traces of deleted content"
    (https://www.sqlite.org/lang_vacuum.html); a checkpoint brings that into the file itself.
    """
    with closing(connect(path, SCRUB_TIMEOUT_S)) as connection:
        connection.execute("VACUUM")
        [busy, *_] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the file is being read all the time: scrub it again")
