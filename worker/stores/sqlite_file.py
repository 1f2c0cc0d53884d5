"""The file of an SQLite store: whether it is ours, of which form, and still where it was."""

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

#: The same where an operator waits, not a worker.
SCRUB_TIMEOUT_S = 60.0

#: The user alone may read and write the file; SQLite gives its -wal and -shm the same mode.
MODE: Final = 0o600

#: A usual contact fits into one page: measured, a third faster than SQLite's 4 KiB (bytes).
PAGE_BYTES: Final = 16 * 1024

#: Marks a file as ours (https://www.sqlite.org/pragma.html#pragma_application_id).
APPLICATION_ID: Final = 0x4344796E

#: ``user_version`` n is the file after the first n of these.
MIGRATIONS = ("sqlite_1.sql", "sqlite_2.sql")

#: What is lost with the file or its log is lost for good.
GONE: Final = (
    "SQLite: the state file was deleted or replaced while it was open, and nothing more is"
    " acknowledged: move the same file back, or stop, put the state back and start again"
)


def connect(path: Path, busy_timeout_s: float | None = None) -> sqlite3.Connection:
    """A connection that leaves transactions to us; text that is damaged is shown as it may be."""
    timeout_s = BUSY_TIMEOUT_S if busy_timeout_s is None else busy_timeout_s
    connection = sqlite3.connect(
        path, timeout=timeout_s, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = _text
    return connection


def _text(data: bytes) -> str:
    """Not ``str``, whose complaint about one text would quote it, and fail a whole query."""
    return data.decode(errors="replace")


def open_writer(path: Path) -> sqlite3.Connection:
    """A connection to a file that exists, is ours and is of today's form.

    Raises:
        ConfigError: It cannot be opened, is not ours, or is of a newer release.
        StoreUnavailable: It is locked, or the disk full.
    """
    _make(path)
    _narrow(path)
    connection = connect(path)
    try:
        with unavailable():
            _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """See that there is a file that may be used.

    One that is there is not opened: to close it again would take SQLite's locks from it, if this
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


def _narrow(path: Path) -> None:
    """Let the user alone read a file, and its log, that others could: people's data is in it."""
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
    """The file and what lies beside it, as far as it is there."""
    named = (Path(f"{path}{suffix}") for suffix in suffixes)
    return [file for file in named if file.exists()]


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Bring an empty or older file to today's form; leave anything else alone."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a file that is still empty
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
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # opens the log


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """How many migrations the file has seen.

    Raises:
        ConfigError: It is another program's, or a newer release wrote it.
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


def watch(path: Path) -> Callable[[], None]:
    """A check that a file that is open, and its log, are still what their names name.

    Returns:
        To be called before anything is told to be safe: it raises ``StoreUnavailable`` if not.
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
    """Write the file anew without what was deleted, and empty the log.

    "Running VACUUM will clean the database of all traces of deleted content"
    (https://www.sqlite.org/lang_vacuum.html); into the file itself it comes with a checkpoint.
    """
    with closing(connect(path, SCRUB_TIMEOUT_S)) as connection:
        connection.execute("VACUUM")
        [busy, *_] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("somebody reads the file all the time: scrub it again")
