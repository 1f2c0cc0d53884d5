"""Restoration: detects that the state is not the one with which Dynamics was last updated.

A state that was restored from a copy, or lost, no longer knows what is in Dynamics. It is detected
by a *mark* that is kept outside it:

========  ===============================================  =====================================
store     mark                                             restored, if
========  ===============================================  =====================================
SQLite    ``PATH.mark``: the state's *epoch*, a number     the state's own epoch is lower, or it
          raised at each start and each minute in which    has one and there is no mark, or there
          something was saved; first in the state          is a mark and the state has no epoch
DynamoDB  the table's ``TableId``, which no other table    the state remembers another one
          has: a backup is always restored to a new one
========  ===============================================  =====================================

or it is declared (``connect-dynamics state restored``). The state then counts one more restoration,
and contacts are doubted (``pipelines.ledger.doubt``).

Sources: ``TableId`` is the table's unique identifier
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html); a backup
or a point in time is restored to a new table, never into an existing one
(API_RestoreTableFromBackup.html and API_RestoreTableToPointInTime.html, beside that page).
"""

from __future__ import annotations

import asyncio
import os

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final, Protocol

import orjson
import structlog

from pipelines import ledger
from pipelines.contact import Contact
from worker import aws, heartbeat
from worker.clock import Clock
from worker.errors import ConfigError, StoreUnavailable
from worker.stores.protocol import ContactStore


_log = structlog.get_logger(__name__)

#: The name under which the state remembers it.
NAME: Final = "restoration"

#: Suffix of the file with an SQLite state's mark.
SUFFIX: Final = ".mark"

#: How often the mark is checked, and raised if something was saved (s): restoring a copy younger
#: than this is not noticed.
LOOK_EVERY_S: Final = 60.0

#: What happens after a restoration, and what the operator is to do.
WHAT_NEXT: Final = (
    "records are read before they are written, people's edits stay; now replay the archive from "
    "before the copy on (connect-dynamics replay SOURCES --state STATE, and --dynamics URL unless "
    "workers share the state), and run contact forget again for everyone forgotten since"
)


@dataclass(frozen=True, slots=True)
class Restoration:
    """What the state remembers of its restorations.

    Attributes:
        mark: The mark outside when it was last checked; "": never.
        number: How many restorations there have been.
        at: UTC time (``YYYY-MM-DDTHH:MM:SS.mmmZ``) of the last one; "": none.
    """

    mark: str = ""
    number: int = 0
    at: str = ""

    def another(self, now: float) -> Restoration:
        """With one more restoration, at this time (s since 1970)."""
        at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        return replace(self, number=self.number + 1, at=at.replace("+00:00", "Z"))

    def to_text(self) -> str:
        """The text in which it is remembered."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def of(cls, text: str | None) -> Restoration | None:
        """The restoration in what ``to_text`` wrote, in any release; None if ``text`` is None."""
        if text is None:
            return None
        kept = orjson.loads(text)
        return cls(kept["mark"], kept["number"], kept["at"])


class Mark(Protocol):
    """The mark outside a state, which shows whether the state is an older copy."""

    async def read(self) -> str | None:
        """Its value; None if it is missing, or cannot be read for now."""
        ...

    def mismatch(self, kept: str | None, outside: str | None) -> str:
        """Why a state that remembers ``kept`` (None: nothing) is an older copy; "" if it is not."""
        ...

    def next_mark(self, kept: str, outside: str | None) -> str:
        """The mark that the state is to remember from now on."""
        ...

    async def write(self, mark: str) -> None:
        """Write outside the mark that the state remembers, after it does."""
        ...


@dataclass(frozen=True, slots=True)
class FileMark:
    """An epoch in a file beside an SQLite state.

    Attributes:
        path: The file.
    """

    path: Path

    async def read(self) -> str | None:
        """See ``Mark``; a file without a number counts as missing.

        Raises:
            ConfigError: It exists and cannot be read.
        """
        try:
            text = await asyncio.to_thread(self.path.read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"cannot read {self.path}: {error.strerror}") from None
        return text.decode() if text.isdigit() else None

    def mismatch(self, kept: str | None, outside: str | None) -> str:
        """See ``Mark``. Only a first start may end after the state's epoch and before the mark."""
        epoch, marked = int(kept or 0), int(outside or 0)
        if kept is None:
            return "its mark is there and it has no epoch" if outside else ""
        if epoch < marked:
            return f"it is of epoch {epoch}, its mark of {marked}"
        return "its mark is missing" if epoch > 1 and outside is None else ""

    def next_mark(self, kept: str, outside: str | None) -> str:
        """See ``Mark``."""
        return str(max(int(kept or 0), int(outside or 0)) + 1)

    async def write(self, mark: str) -> None:
        """See ``Mark``. A mark that lags raises no alarm, so a failure is only logged."""
        try:
            await asyncio.to_thread(_put, self.path, mark.encode())
        except OSError as error:
            _log.warning("state.mark_not_written", reason=error.strerror)


@dataclass(frozen=True, slots=True)
class TableMark:
    """The identity of a DynamoDB table.

    Attributes:
        table: The table's name.
        connect: Makes a DynamoDB client.
    """

    table: str
    connect: Callable[[], AbstractAsyncContextManager[Any]]

    async def read(self) -> str | None:
        """See ``Mark``."""
        try:
            async with self.connect() as client:
                answer = await client.describe_table(TableName=self.table)
        except aws.FAILURES as failure:
            _log.warning("state.mark_not_read", reason=aws.code(failure))
            return None
        table = answer["Table"]
        return str(table.get("TableId") or table["CreationDateTime"])  # emulators have no id

    def mismatch(self, kept: str | None, outside: str | None) -> str:
        """See ``Mark``."""
        return "its table is another one" if kept and outside and kept != outside else ""

    def next_mark(self, kept: str, outside: str | None) -> str:
        """See ``Mark``."""
        return outside or kept

    async def write(self, mark: str) -> None:
        """See ``Mark``. A table's identity is not ours to write."""


def mark_of(spec: str) -> Mark | None:
    """The mark of a state, by its setting; None for one in memory."""
    match spec.partition(":"):
        case ("sqlite", ":", path):
            return FileMark(Path(path + SUFFIX))
        case ("dynamodb", ":", table):
            return TableMark(table, partial(aws.client, "dynamodb"))
    return None


@dataclass(slots=True)
class Keeper:
    """Detects restorations, and keeps state and mark at the same epoch.

    Attributes:
        store: The state.
        mark: Its mark; None: a state in memory, which is never restored.
        clock: Its wall clock dates a restoration.
        known: What the last check found; None before the first.
    """

    store: ContactStore
    mark: Mark | None
    clock: Clock = field(default_factory=Clock)
    known: Restoration | None = field(default=None, init=False)

    def doubt(self, contact: Contact) -> None:
        """Doubt a contact that was loaded, if the state has been restored."""
        if self.known is not None:
            ledger.doubt(contact, self.known.number, self.known.at)

    async def look(self, *, grow: bool = True) -> Restoration:
        """Compare state and mark, and log it at once if the state was restored or lost.

        Args:
            grow: Raise the epoch of a state that has one.

        Raises:
            StoreUnavailable: The state cannot be read.
            ConfigError: The mark cannot be read.
        """
        while True:
            # The mark first: others raise the state's epoch before the mark's, never below it.
            outside = await self.mark.read() if self.mark else None
            text = await self.store.recall(NAME)
            kept = Restoration.of(text)
            why = self._mismatch(kept, outside)
            found = self._next(kept or Restoration(), outside, why, grow=grow or kept is None)
            if found == kept or await self.store.replace(NAME, text, found.to_text()):
                break
        if self.mark and found != kept:
            await self.mark.write(found.mark)
        if why:
            await self._log_restoration(why, found)
        elif self.mark and kept is None:
            _log.info("state.marked")
        self.known = found
        return found

    def _mismatch(self, kept: Restoration | None, outside: str | None) -> str:
        if self.mark is None or (outside is None and self.known is not None):
            return ""  # a mark that disappears while we run is written again
        return self.mark.mismatch(kept.mark if kept else None, outside)

    def _next(self, kept: Restoration, outside: str | None, why: str, *, grow: bool) -> Restoration:
        if self.mark and (grow or why):
            kept = replace(kept, mark=self.mark.next_mark(kept.mark, outside))
        return kept.another(self.clock.wall()) if why else kept

    async def _log_restoration(self, why: str, found: Restoration) -> None:
        counts = await self.store.counts(self.clock.wall())
        event = "state.restored" if counts.contacts else "state.lost"
        _log.error(event, why=why, restorations=found.number, then=WHAT_NEXT)

    async def run(self, saved: Callable[[], object]) -> None:
        """Check periodically, until cancelled.

        Args:
            saved: Returns how much has been saved so far; the same value means nothing was.
        """
        before = saved()
        while True:
            heartbeat.beat()
            await self.clock.sleep(LOOK_EVERY_S)
            try:
                now = saved()
                await self.look(grow=now != before)
                before = now
            except (StoreUnavailable, ConfigError) as error:
                _log.warning("state.not_looked_at", reason=str(error))


async def declare(store: ContactStore, now: float) -> Restoration:
    """Count one more restoration, at this time (s since 1970), declared by a person."""
    while True:
        text = await store.recall(NAME)
        found = (Restoration.of(text) or Restoration()).another(now)
        if await store.replace(NAME, text, found.to_text()):
            return found


def _put(path: Path, data: bytes) -> None:
    """Write a small private file, so that after a crash it is the old or the new one."""
    file, new = mkstemp(prefix=f"{path.name}.", dir=path.parent)  # with mode 0600
    try:
        try:
            os.write(file, data)  # a few bytes: at once or not at all
            os.fsync(file)
        finally:
            os.close(file)
        Path(new).replace(path)
    except OSError:
        with suppress(OSError):
            Path(new).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
