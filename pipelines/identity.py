"""Ids of the records we make: derived from the contact, so doing a write twice is doing it once."""

from __future__ import annotations

from uuid import UUID, uuid5


#: Never change it: every record ever made hangs on it.
NAMESPACE = UUID("5f0c7c5e-7a3b-5d0e-9c53-1d6f6a4e2b10")


def record_id(contact_id: str, pipeline: str, step: str) -> str:
    """The primary key of the record that a creating step makes for a contact."""
    return str(uuid5(NAMESPACE, f"{contact_id}/{pipeline}/{step}"))


def note_id(record: str, told: str) -> str:
    """The primary key of the annotation that tells something about a record."""
    return str(uuid5(NAMESPACE, f"{record}/note/{told}"))


def timeline_id(contact_id: str, table: str) -> str:
    """The primary key of a contact's activity in ``definitions/timeline.toml``.

    Worker and flow Lambda make the same one.

    Args:
        contact_id: The contact's id.
        table: The activity's logical name, such as ``phonecall``; its step is named after it.
    """
    return record_id(contact_id.lower(), "timeline", table.upper())
