"""Restoration: whether the state is still the one that Dynamics was kept true by.

A state that was restored from a copy, or lost, believes what is no longer so. It is recognised by a
*mark* that is kept outside it:

========  ===============================================  =====================================
store     mark                                             restored, if
========  ===============================================  =====================================
SQLite    ``PATH.mark``: the state's *epoch*, a number     the state's own epoch is lower, or it
          raised at each start and each minute in which    has one and there is no mark, or there
          something was saved; first in the state          is a mark and the state has no epoch
DynamoDB  the table's ``TableId``, which no other table    the state remembers another one
          has: a backup is always restored to a new one
========  ===============================================  =====================================

or it is declared (``connect-dynamics state restored``). The state then counts one restoration more,
and contacts are doubted (``pipelines.ledger.doubt``).

Sources: ``TableId`` is the table's unique identifier
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html); a backup
or a point in time is restored to a new table, never into one that is there
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

#: What it is remembered under.
NAME: Final = "restoration"

#: What a SQLite state's mark is called, after its name.
SUFFIX: Final = ".mark"

#: How often the mark is looked at, and raised if something was saved (s): a copy that is younger
#: than that when it is restored is not told from the state itself.
LOOK_EVERY_S: Final = 60.0

#: What is to be done then, by whom.
WHAT_NEXT: Final = (
    "records are read before they are written, people's edits stay; now replay the archive from "
    "before the copy on (connect-dynamics replay SOURCES --state STATE), and run contact forget "
    "again for everyone forgotten since"
)


@dataclass(frozen=True, slots=True)
class Restoration:
    """What the state remembers of its restorations.

    Attributes:
        mark: What was outside when it was last looked at; "": never.
        number: How many restorations there were.
        at: UTC time (``YYYY-MM-DDTHH:MM:SS.mmmZ``) of the last one; "": none.
    """

    mark: str = ""
    number: int = 0
    at: str = ""

    def another(self, now: float) -> Restoration:
        """One more, at this time (s since 1970)."""
        at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        return replace(self, number=self.number + 1, at=at.replace("+00:00", "Z"))

    def to_text(self) -> str:
        """As it is remembered."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def of(cls, text: str | None) -> Restoration | None:
        """What ``to_text`` wrote, here or in a newer release; None if nothing is remembered."""
        if text is None:
            return None
        kept = orjson.loads(text)
        return cls(kept["mark"], kept["number"], kept["at"])


class Mark(Protocol):
    """What is outside the state and tells whether it is an older one."""

    async def read(self) -> str | None:
        """What it says; None if it is not there, or cannot be asked just now."""
        ...

    def against(self, kept: str | None, outside: str | None) -> str:
        """What speaks against a state that remembers ``kept`` (None: nothing); "" if nothing."""
        ...

    def following(self, kept: str, outside: str | None) -> str:
        """What the state is to remember from now on."""
        ...

    async def write(self, mark: str) -> None:
        """Put down outside what the state remembers, after it does."""
        ...


@dataclass(frozen=True, slots=True)
class FileMark:
    """An epoch in a file beside a SQLite state.

    Attributes:
        path: The file.
    """

    path: Path

    async def read(self) -> str | None:
        """See ``Mark``; what is no number counts as not there.

        Raises:
            ConfigError: It is there and cannot be read.
        """
        try:
            text = await asyncio.to_thread(self.path.read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"cannot read {self.path}: {error.strerror}") from None
        return text.decode() if text.isdigit() else None

    def against(self, kept: str | None, outside: str | None) -> str:
        """See ``Mark``. The first start alone may end between the state's epoch and the mark."""
        epoch, marked = int(kept or 0), int(outside or 0)
        if kept is None:
            return "its mark is there and it has no epoch" if outside else ""
        if epoch < marked:
            return f"it is of epoch {epoch}, its mark of {marked}"
        return "its mark is missing" if epoch > 1 and outside is None else ""

    def following(self, kept: str, outside: str | None) -> str:
        """See ``Mark``."""
        return str(max(int(kept or 0), int(outside or 0)) + 1)

    async def write(self, mark: str) -> None:
        """See ``Mark``. A mark that lags behind raises no alarm, so a failure is told only."""
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
        return str(table.get("TableId") or table["CreationDateTime"])  # stand-ins have no id

    def against(self, kept: str | None, outside: str | None) -> str:
        """See ``Mark``."""
        return "its table is another one" if kept and outside and kept != outside else ""

    def following(self, kept: str, outside: str | None) -> str:
        """See ``Mark``."""
        return outside or kept

    async def write(self, mark: str) -> None:
        """See ``Mark``. A table's identity is not ours to write."""


def mark_of(spec: str) -> Mark | None:
    """The mark of a state, as the setting names it; None for one in memory."""
    match spec.partition(":"):
        case ("sqlite", ":", path):
            return FileMark(Path(path + SUFFIX))
        case ("dynamodb", ":", table):
            return TableMark(table, partial(aws.client, "dynamodb"))
    return None


@dataclass(slots=True)
class Keeper:
    """Knows what there is to doubt, and keeps state and mark at one epoch.

    Attributes:
        store: The state.
        mark: What is outside it; None: a state in memory, which nobody restores.
        clock: Its wall clock says when the state was found restored.
        known: What was found last; None before the first look.
    """

    store: ContactStore
    mark: Mark | None
    clock: Clock = field(default_factory=Clock)
    known: Restoration | None = field(default=None, init=False)

    def doubt(self, contact: Contact) -> None:
        """Doubt a contact that was loaded, if the state was restored."""
        if self.known is not None:
            ledger.doubt(contact, self.known.number, self.known.at)

    async def look(self, *, grow: bool = True) -> Restoration:
        """Compare state and mark, and say so at once if the state was restored or lost.

        Args:
            grow: Raise the epoch, of a state that has one.

        Raises:
            StoreUnavailable: The state cannot be asked.
            ConfigError: The mark cannot be read.
        """
        while True:
            # The mark first: others raise the state's epoch before the mark's, never below it.
            outside = await self.mark.read() if self.mark else None
            text = await self.store.recall(NAME)
            kept = Restoration.of(text)
            why = self._against(kept, outside)
            found = self._following(kept or Restoration(), outside, why, grow=grow or kept is None)
            if found == kept or await self.store.replace(NAME, text, found.to_text()):
                break
        if self.mark and found != kept:
            await self.mark.write(found.mark)
        if why:
            await self._tell(why, found)
        elif self.mark and kept is None:
            _log.info("state.marked")
        self.known = found
        return found

    def _against(self, kept: Restoration | None, outside: str | None) -> str:
        if self.mark is None or (outside is None and self.known is not None):
            return ""  # a mark that goes missing while we look on is put back
        return self.mark.against(kept.mark if kept else None, outside)

    def _following(
        self, kept: Restoration, outside: str | None, why: str, *, grow: bool
    ) -> Restoration:
        if self.mark and (grow or why):
            kept = replace(kept, mark=self.mark.following(kept.mark, outside))
        return kept.another(self.clock.wall()) if why else kept

    async def _tell(self, why: str, found: Restoration) -> None:
        counts = await self.store.counts(self.clock.wall())
        event = "state.restored" if counts.contacts else "state.lost"
        _log.error(event, why=why, restorations=found.number, then=WHAT_NEXT)

    async def run(self, saved: Callable[[], object]) -> None:
        """Look again and again, until cancelled.

        Args:
            saved: What has been saved so far: if that is the same, nothing was.
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
    """Count one restoration more, at this time (s since 1970), because a person says so."""
    while True:
        text = await store.recall(NAME)
        found = (Restoration.of(text) or Restoration()).another(now)
        if await store.replace(NAME, text, found.to_text()):
            return found


def _put(path: Path, data: bytes) -> None:
    """Write a small file, its user's alone, so that after a crash it is the old or the new one."""
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
