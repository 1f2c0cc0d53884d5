"""What a contact store is. SQLite, DynamoDB and memory pass the same contract suite."""

from __future__ import annotations

import enum

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipelines.contact import Contact


@dataclass(frozen=True, slots=True)
class FaultNote:
    """A bug of ours that the last rounds of a contact ended in; kept beside it, not in it.

    Attributes:
        what: ``our bug: TypeError at module:line`` or what is the matter with the stored form;
            never a value.
        tries: How many rounds in a row.
        since: Wall-clock time (s) of the first of them.
        tried: The builds (release and pipelines) that met it, oldest first.
        parked: No build of ``tried`` tries it again by itself.
    """

    what: str
    tries: int
    since: float
    tried: tuple[str, ...] = ()
    parked: bool = False


@dataclass(slots=True)
class Entry:
    """A contact with what the store knows beside it.

    Attributes:
        contact: The contact (facts, ledger, parked steps). Its ``parked`` is indexed on saving.
        version: The stored version this entry was loaded at; 0 if it was not stored yet.
        due_at: Wall-clock time (s since 1970) from which it wants pushing; None: nothing is owed.
        rank: 0 for live contacts, 1 for replayed ones; lower goes first.
        claim: Token of the worker pushing it, or "".
        claimed_until: Wall-clock time (s) at which the claim lapses; 0.0 without a claim.
        expires_at: Wall-clock time (s) after which it may be removed, unless due or parked.
        fault: The bug that its last rounds ended in; None: they did not. With one it is listed
            by ``parked``, waits out its pauses whatever comes in, and never expires.
        unreadable: Why its stored form cannot be read by this release, "" if it can. Then
            ``contact`` is an empty one that stands for it, and ``save`` leaves it alone.
        newer: It cannot be read because a newer release wrote it: it is not damaged.
    """

    contact: Contact
    version: int = 0
    due_at: float | None = None
    rank: int = 0
    claim: str = ""
    claimed_until: float = 0.0
    expires_at: float | None = None
    fault: FaultNote | None = None
    unreadable: str = ""
    newer: bool = False


class Saved(enum.Enum):
    """What became of one entry handed to ``save``."""

    SAVED = "saved"
    CONFLICT = "conflict"  # someone saved another version since it was loaded: load and fold again
    REFUSED = "refused"  # this store can never hold it (too large): quarantine its facts
    FORGOTTEN = "forgotten"  # it was forgotten for good: leave it at that
    UNREADABLE = "unreadable"  # what is stored cannot be read by this release: nothing was changed


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message that could not be used, kept as it came.

    Attributes:
        id: Hash of origin, body and reason: putting the same one twice keeps one.
        at: Wall-clock time (s) of the first time.
        origin: The message's origin (see ``worker.sources.protocol.Message``).
        reason: Why, without personal data.
        body: The bytes.
    """

    id: str
    at: float
    origin: str
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of what a store holds, for reports and gauges."""

    contacts: int
    due: int
    parked: int
    quarantined: int
    oldest_due_at: float | None


class ContactStore(Protocol):
    """Keeps contacts, quarantine, checkpoints and a few remembered values.

    Every method that writes has made its writes durable when it returns. A fault that may pass
    (disk full, locked, throttled) raises ``StoreUnavailable``; nothing of that call was written
    or all of it may have been: callers repeat, conditions make that safe.
    """

    async def load(self, contact_ids: Sequence[str]) -> list[Entry]:
        """The entries of these contacts, one per distinct id, new ones empty with version 0.

        One that cannot be read does not hold up the others: see ``Entry.unreadable``.
        """
        ...

    async def save(self, entries: Sequence[Entry]) -> list[Saved]:
        """Save each entry if its version is still the stored one; the others are not held up.

        A saved entry's ``version`` is raised in place.
        """
        ...

    async def put_back(
        self, contact_id: str, version: int, due_at: float | None, fault: FaultNote | None
    ) -> bool:
        """End a contact's claim and set when it is due and its fault, its contents untouched.

        One small write that neither reads nor encodes the contact, so that it works for one that
        cannot be read or encoded.

        Returns:
            False, and nothing is changed, unless the stored version is this one; it is raised.
        """
        ...

    async def due(self, now: float, limit: int) -> list[str]:
        """Ids with ``due_at <= now`` and no claim still running, by (rank, due_at)."""
        ...

    async def next_due(self) -> float | None:
        """The earliest time (s) at which something will be due and unclaimed; None if nothing."""
        ...

    async def ahead(self, beyond: float, limit: int) -> list[str]:
        """Ids of contacts that something is owed to, but not before ``beyond``: earliest first.

        Either their due time or their claim lies there. Slow, and asked seldom.
        """
        ...

    async def ids(self, after: str, limit: int) -> list[str]:
        """Contact ids greater than ``after``, ascending: pages through the whole store."""
        ...

    async def parked(self, after: str, limit: int) -> list[str]:
        """Ids, greater than ``after`` and ascending, of contacts with parked steps or a fault."""
        ...

    async def counts(self, now: float) -> Counts:
        """How many contacts, due (claimed ones too), parked and quarantined there are."""
        ...

    async def expire(self, now: float, limit: int) -> int:
        """Remove up to ``limit`` expired contacts that are neither due nor parked; how many."""
        ...

    async def forget(self, contact_ids: Sequence[str]) -> None:
        """Remove these contacts, known or not, and remember their ``tombstone`` for good.

        From then on ``save`` answers FORGOTTEN to whoever would begin one of them anew. Whoever
        had loaded one before finds a CONFLICT first: no save brings it back.
        """
        ...

    async def scrub(self) -> None:
        """Leave no byte of what was removed so far where the store keeps its data."""
        ...

    async def quarantine(self, items: Sequence[Quarantined]) -> None:
        """Keep these; one with a known id changes nothing."""
        ...

    async def quarantined(self, after: str, limit: int) -> list[Quarantined]:
        """Quarantined messages with ids greater than ``after``, ascending."""
        ...

    async def release(self, quarantine_ids: Sequence[str]) -> int:
        """Remove these from quarantine; how many there were."""
        ...

    async def positions(self, stream: str) -> dict[str, str]:
        """The checkpoint of every shard of a stream that has one."""
        ...

    async def set_position(self, stream: str, shard: str, position: str) -> None:
        """Write a shard's checkpoint."""
        ...

    async def remember(self, name: str, value: str) -> str:
        """Keep ``value`` under ``name`` unless there is one; what is kept now."""
        ...

    async def recall(self, name: str) -> str | None:
        """What is kept under ``name``, as last written; None if nothing is."""
        ...

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """Keep ``new`` under ``name`` if ``old`` is what is kept there; whether it was.

        Of several that know the same ``old``, one succeeds: how workers agree on something.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of files."""
        ...
