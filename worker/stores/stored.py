"""Decoding of stored entries, shared by the stores: nothing in them is taken for granted."""

from __future__ import annotations

from typing import Any, Final

import orjson

from pipelines.contact import Contact, NewerForm, Unreadable
from worker.stores.protocol import Entry, FaultNote


#: Replaces a fault note that cannot be read, so that the contact stays set aside.
LOST: Final = FaultNote("its fault note cannot be read", 1, 0.0)


def read_entry(contact_id: str, data: bytes, **beside: Any) -> Entry:
    """The entry in stored data; with ``Entry.unreadable`` if this release cannot read it."""
    try:
        contact = Contact.from_bytes(contact_id, data)
        return Entry(contact, labels=dict(contact.labels), **beside)
    except Unreadable as error:
        return unreadable(contact_id, error, **beside)


def unreadable(contact_id: str, error: Unreadable, **beside: Any) -> Entry:
    """The entry of a contact that cannot be read."""
    newer = isinstance(error, NewerForm)
    return Entry(Contact(contact_id), unreadable=str(error), newer=newer, **beside)


def write_fault(fault: FaultNote | None) -> str | None:
    """A fault note as text."""
    return None if fault is None else orjson.dumps(fault).decode()


def read_fault(text: str | None) -> FaultNote | None:
    """The note that ``write_fault`` wrote, in any release: unknown fields are ignored.

    ``LOST`` if it cannot be read.
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
