"""Rows that cannot be read: damaged, or written by a newer release. Whoever writes over them loses.

The checker knows what was there, and an operator puts it back in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from simulated.story import Story
from worker.stores.memory import MemoryStore


#: What a release of the future may have at the beginning of a row's data.
FORM: Final = b'"form":%d,'
NEWER: Final = 1_000_000

#: A field of a newer release that this one may leave alone, and must not lose.
EXTRA: Final = b'{"hue":"blue",'


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A row's data: as they were, and as they are."""

    good: bytes
    bad: bytes


@dataclass(slots=True)
class Rows:
    """Spoils rows of the store, and watches them.

    Attributes:
        story: Told of it, and of breaches.
        store: Where they are.
        spoilt: Contact -> its row's data.
        extended: Contacts with a field that this release does not know.
    """

    story: Story
    store: MemoryStore
    spoilt: dict[str, Spoilt] = field(default_factory=dict)
    extended: set[str] = field(default_factory=set)

    def spoil(self, rng: Random, *, newer: bool) -> str:
        """Spoil a row; the contact, "" if there is none to spoil."""
        sound = sorted(self.store._rows.keys() - self.spoilt.keys())
        if not sound:
            return ""
        contact_id = rng.choice(sound)
        good = self.store._rows[contact_id].data
        bad = good.replace(FORM % 1, FORM % NEWER, 1) if newer else _damaged(good, rng)
        self.story.tell("store", f"{contact_id[:8]} is {'of a newer form' if newer else 'damaged'}")
        self.spoilt[contact_id] = Spoilt(good, bad)
        self._put(contact_id, bad)
        return contact_id

    def extend(self, rng: Random) -> None:
        """Have a newer release, which was rolled back, add something to a row."""
        sound = sorted(self.store._rows.keys() - self.spoilt.keys() - self.extended)
        if sound:
            contact_id = rng.choice(sound)
            self.story.tell("store", f"{contact_id[:8]} gets a field of a newer release")
            self.extended.add(contact_id)
            self._put(contact_id, self.store._rows[contact_id].data.replace(b"{", EXTRA, 1))

    def check(self, contact_id: str) -> None:
        """The store was made to write: what cannot be read is as it was."""
        row, spoilt = self.store._rows.get(contact_id), self.spoilt.get(contact_id)
        if spoilt and (row is None or row.data != spoilt.bad):
            self.story.breach("rows", f"{contact_id} was written over, which nobody could read")
        if contact_id in self.extended and row and EXTRA[1:-1] not in row.data:
            self.story.breach("rows", f"{contact_id} lost what a newer release had written")

    def restore(self) -> None:
        """Put back what was there."""
        for contact_id, spoilt in self.spoilt.items():
            self._put(contact_id, spoilt.good)
        self.spoilt.clear()

    def _put(self, contact_id: str, data: bytes) -> None:
        """Write as somebody else does: who has loaded the contact before meets a conflict."""
        before = self.store._rows[contact_id]
        row = self.store._rows[contact_id] = replace(before, version=before.version + 1, data=data)
        if contact_id in self.store._owed:
            self.store._owed[contact_id] = self.store._owed[contact_id][0], row


def _damaged(data: bytes, rng: Random) -> bytes:
    """Data cut short, or with bytes that no text has."""
    if rng.random() < 0.5:
        return data[: rng.randrange(len(data) // 2)].rstrip(b"}")  # else it may look whole
    at = rng.randrange(len(data.partition(b"\n")[0]))
    return data[:at] + bytes((data[at] ^ 0x80,)) + data[at + 1 :]
