"""The protocol of a contact store. SQLite, DynamoDB and memory pass the same contract suite."""

from __future__ import annotations

import enum

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipelines.contact import Contact
from worker.stores.buckets import ALL


@dataclass(frozen=True, slots=True)
class FaultNote:
    """A bug in which the last rounds of a contact ended; stored beside the contact, not in it.

    Attributes:
        what: ``our bug: TypeError at module:line``, or what is wrong with the stored form; never a
            value.
        tries: How many rounds in a row ended so.
        since: Wall-clock time (s) of the first of them.
        tried: The builds (release and pipelines) that hit it, oldest first.
        parked: Whether no build in ``tried`` retries it by itself.
    """

    what: str
    tries: int
    since: float
    tried: tuple[str, ...] = ()
    parked: bool = False


@dataclass(slots=True)
class Entry:
    """A contact with what the store keeps beside it.

    Attributes:
        contact: The contact (facts, ledger, parked steps). Its ``parked`` is indexed on saving.
        version: The stored version this entry was loaded at; 0 if it was not stored yet.
        due_at: Wall-clock time (s since 1970) from which it is to be pushed; None: nothing to push.
        rank: 0 for live contacts, 1 for replayed ones; lower goes first.
        claim: Token of the worker pushing it, or "".
        claimed_until: Wall-clock time (s) at which the claim lapses; 0.0 without a claim.
        expires_at: Wall-clock time (s) after which it may be removed, unless due or parked.
        fault: The bug in which its last rounds ended; None: they did not. With one it is listed by
            ``parked``, waits out its pauses whatever arrives, and never expires.
        unreadable: Why its stored form cannot be read by this release, "" if it can. If not,
            ``contact`` is an empty placeholder, and ``save`` does not touch the stored one.
        newer: Whether it is unreadable because a newer release wrote it, i.e. not damaged.
        labels: Under which labels it is listed as it is stored (``Contact.labels``). Saving lists
            it under those that the contact has now instead.
        listed_until: Time (s) until which a table of rows that expire by themselves lists it, as it
            is stored; None: for good.
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
    labels: Mapping[str, int] = field(default_factory=dict)
    listed_until: float | None = None

    @property
    def labels_added(self) -> dict[str, int]:
        """The labels, each with its time, under which it is not listed yet."""
        return _without(self.contact.labels, self.labels)

    @property
    def labels_removed(self) -> dict[str, int]:
        """Those under which it is listed no longer once it is saved."""
        return _without(self.labels, self.contact.labels)


def _without(some: Mapping[str, int], others: Mapping[str, int]) -> dict[str, int]:
    return {label: at for label, at in some.items() if others.get(label) != at}


@dataclass(frozen=True, slots=True)
class Found:
    """A contact that is listed under a label.

    Attributes:
        contact_id: Its id.
        at: Time (s since 1970) at which it is listed: when it began, as far as was known when it
            got the label.
    """

    contact_id: str
    at: float


class Saved(enum.Enum):
    """The outcome of saving one entry."""

    SAVED = "saved"
    CONFLICT = "conflict"  # someone saved another version since it was loaded: load and fold again
    REFUSED = "refused"  # this store can never hold it (too large): quarantine its facts
    FORGOTTEN = "forgotten"  # it was erased for good: do not save it again
    UNREADABLE = "unreadable"  # what is stored cannot be read by this release: nothing was changed


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message that could not be used, kept as received.

    Attributes:
        id: Hash of origin, body and reason, so that the same message is kept once.
        at: Wall-clock time (s) at which it was first quarantined.
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
    """How much a store holds, for reports and gauges."""

    contacts: int
    due: int
    parked: int
    quarantined: int
    oldest_due_at: float | None


class ContactStore(Protocol):
    """Keeps contacts, quarantine, checkpoints and a few remembered values.

    Every method that writes has made its writes durable when it returns. A temporary failure (disk
    full, locked, throttled) raises ``StoreUnavailable``; the call may or may not have been carried
    out: callers retry, and conditions make that safe.
    """

    async def load(self, contact_ids: Sequence[str]) -> list[Entry]:
        """The entries of these contacts, one per distinct id, new ones empty with version 0.

        One that cannot be read does not block the others: see ``Entry.unreadable``.
        """
        ...

    async def save(self, entries: Sequence[Entry]) -> list[Saved]:
        """Save each entry whose version is still the stored one; others do not block it.

        A saved entry's ``version`` is incremented in place, and its ``labels`` are the contact's.
        """
        ...

    async def put_back(
        self, contact_id: str, version: int, due_at: float | None, fault: FaultNote | None
    ) -> bool:
        """End a contact's claim and set its due time and fault, without touching its contents.

        One small write that neither reads nor encodes the contact, so that it works for one that
        cannot be read or encoded. It increments the version.

        Returns:
            False, and nothing is changed, if the stored version is not this one.
        """
        ...

    async def due(self, now: float, limit: int, buckets: Collection[int] = ALL) -> list[str]:
        """Ids with ``due_at <= now`` and without an active claim, by (rank, due_at).

        Args:
            now: Wall-clock time (s).
            limit: How many at most.
            buckets: Only contacts of these (``worker.stores.buckets``). However many are due in
                others, it takes no longer. A contact that an earlier release wrote may be listed in
                another bucket than its own, but always in one.
        """
        ...

    async def next_due(self, buckets: Collection[int] = ALL) -> float | None:
        """The earliest time (s) at which a contact will be due and unclaimed; None if none will.

        Args:
            buckets: Only contacts of these, see ``due``.
        """
        ...

    async def ahead(self, beyond: float, limit: int) -> list[str]:
        """Ids of contacts to push, but not before ``beyond``: earliest first.

        Either their due time or the end of their claim lies there. Slow, and called rarely.
        """
        ...

    async def ids(self, after: str, limit: int) -> list[str]:
        """Contact ids greater than ``after``, ascending, to page through the whole store."""
        ...

    async def parked(self, after: str, limit: int) -> list[str]:
        """Ids, greater than ``after`` and ascending, of contacts with parked steps or a fault."""
        ...

    async def labelled(
        self, label: str, before: tuple[float, str] | None, limit: int
    ) -> list[Found]:
        """Contacts listed under a label (``pipelines.labels``), newest first, then by id downwards.

        After a crash one may be listed that has not got the label, or not any more: whoever acts on
        it loads the contact and looks at ``Contact.labels``.

        Args:
            label: The label.
            before: Time and id of the last one of the page before; None: from the newest on.
            limit: How many at most.
        """
        ...

    async def counts(self, now: float) -> Counts:
        """How many contacts, due (claimed ones too), parked and quarantined there are."""
        ...

    async def expire(self, now: float, limit: int) -> int:
        """Remove up to ``limit`` expired contacts that are neither due nor parked; how many.

        They are then listed under no label (in DynamoDB some weeks later); nor is a forgotten one.
        """
        ...

    async def forget(self, contact_ids: Sequence[str]) -> None:
        """Remove these contacts, known or not, and remember their ``tombstone`` for good.

        From then on ``save`` answers FORGOTTEN to whoever would create one of them again. Whoever
        had loaded one before gets a CONFLICT first: no save brings it back.
        """
        ...

    async def scrub(self) -> None:
        """Make sure that no byte of what was removed remains in the store's data."""
        ...

    async def quarantine(self, items: Sequence[Quarantined]) -> None:
        """Keep these; one whose id is there already changes nothing."""
        ...

    async def quarantined(self, after: str, limit: int) -> list[Quarantined]:
        """Quarantined messages with ids greater than ``after``, ascending."""
        ...

    async def release(self, quarantine_ids: Sequence[str]) -> int:
        """Remove these from quarantine; how many of them there were."""
        ...

    async def positions(self, stream: str) -> dict[str, str]:
        """The checkpoint of every shard of a stream that has one."""
        ...

    async def set_position(self, stream: str, shard: str, position: str) -> None:
        """Write a shard's checkpoint."""
        ...

    async def remember(self, name: str, value: str) -> str:
        """Store ``value`` under ``name`` if there is none; the value stored now."""
        ...

    async def recall(self, name: str) -> str | None:
        """The value stored under ``name``, as last written; None if there is none."""
        ...

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """Store ``new`` under ``name`` if ``old`` is stored there; whether it was.

        Of several calls with the same ``old`` one succeeds: so workers can agree on something.
        """
        ...

    async def close(self) -> None:
        """Finish pending writes and close files and connections."""
        ...
