"""What the stores share of reading what they keep: nothing in it is taken for granted."""

from __future__ import annotations

from typing import Any, Final

import orjson

from pipelines.contact import Contact, NewerForm, Unreadable
from worker.stores.protocol import Entry, FaultNote


#: What stands for a fault note that cannot be read: the contact stays set aside.
LOST: Final = FaultNote("its fault note cannot be read", 1, 0.0)


def read_entry(contact_id: str, data: bytes, **beside: Any) -> Entry:
    """An entry of what is stored; ``Entry.unreadable`` if this release cannot read it."""
    try:
        return Entry(Contact.from_bytes(contact_id, data), **beside)
    except Unreadable as error:
        return unreadable(contact_id, error, **beside)


def unreadable(contact_id: str, error: Unreadable, **beside: Any) -> Entry:
    """What stands for a contact that cannot be read."""
    newer = isinstance(error, NewerForm)
    return Entry(Contact(contact_id), unreadable=str(error), newer=newer, **beside)


def write_fault(fault: FaultNote | None) -> str | None:
    """A fault note as one text."""
    return None if fault is None else orjson.dumps(fault).decode()


def read_fault(text: str | None) -> FaultNote | None:
    """The note that ``write_fault`` wrote, in this release or another: unknown fields are left out.

    One that cannot be read is ``LOST``.
    """
    if text is None:
        return None
    try:
        note = orjson.loads(text)
        return FaultNote(
            str(note["what"]),
            int(note["tries"]),
            float(note["since"]),
            tuple(map(str, note["tried"])),
            bool(note["parked"]),
        )
    except (ValueError, TypeError, KeyError, OverflowError):
        return LOST
