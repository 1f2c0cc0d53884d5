"""Ids derived from the contact's: of the records we make, and of the contact once forgotten.

As they are derived, doing a write twice is doing it once.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from uuid import UUID, uuid5


#: Never change it: the id of every record ever made depends on it.
NAMESPACE = UUID("5f0c7c5e-7a3b-5d0e-9c53-1d6f6a4e2b10")


@lru_cache(maxsize=1024)  # a contact is planned several times in a round
def record_id(contact_id: str, pipeline: str, step: str) -> str:
    """The primary key of the record that a creating step makes for a contact."""
    return str(uuid5(NAMESPACE, f"{contact_id}/{pipeline}/{step}"))


def note_id(record: str, content: str) -> str:
    """The primary key of the annotation that holds what a closed record would not take."""
    return str(uuid5(NAMESPACE, f"{record}/note/{content}"))


def tombstone(contact_id: str) -> str:
    """What stays of a forgotten contact: enough to know it again, too little to name it.

    Without salt: contact ids are random (UUID version 4), so there is no list of candidates to
    try, and every worker has to come to the same result.
    """
    seal = blake2b(contact_id.encode(), digest_size=16, person=b"forgotten")
    return f"forgotten/{seal.hexdigest()}"


def timeline_id(contact_id: str, table: str) -> str:
    """The primary key of a contact's activity in ``definitions/timeline.toml``.

    Worker and flow Lambda make the same one.

    Args:
        contact_id: The contact's id.
        table: The activity's logical name, such as ``phonecall``; its step is named after it.
    """
    return record_id(contact_id.lower(), "timeline", table.upper())
