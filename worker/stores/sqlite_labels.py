"""Which contacts an SQLite file lists under a label.

A contact that is removed takes its rows with it (``ON DELETE CASCADE``).
"""

from __future__ import annotations

import sqlite3

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from worker.stores.protocol import Entry, Found


#: Later than every time (s since 1970) at which a contact is listed.
LATEST: Final = 2**62

ADD: Final = """
    INSERT INTO label (label, at, contact) VALUES (:label, :at, :contact) ON CONFLICT DO NOTHING
"""
REMOVE: Final = "DELETE FROM label WHERE label = :label AND at = :at AND contact = :contact"

#: The primary key yields the order.
LABELLED: Final = """
    SELECT contact, at FROM label WHERE label = :label AND (at, contact) < (:at, :contact)
    ORDER BY at DESC, contact DESC LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Relisted:
    """What saving an entry changes in the lists: parameters of ``ADD`` and ``REMOVE``."""

    added: list[dict[str, Any]]
    removed: list[dict[str, Any]]

    @classmethod
    def of(cls, entry: Entry) -> Relisted:
        """The changes of this entry."""
        if entry.contact.labels == entry.labels:
            return UNCHANGED
        contact_id = entry.contact.id
        return cls(_rows(contact_id, entry.labels_added), _rows(contact_id, entry.labels_removed))

    def write(self, connection: sqlite3.Connection) -> None:
        """Carry them out; the contact's own row must be there."""
        if self.added:
            connection.executemany(ADD, self.added)
        if self.removed:
            connection.executemany(REMOVE, self.removed)


#: Most saves change nothing in the lists.
UNCHANGED: Final = Relisted([], [])


def _rows(contact_id: str, labels: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"label": label, "at": at, "contact": contact_id} for label, at in labels.items()]


def labelled(
    connection: sqlite3.Connection, label: str, before: tuple[float, str] | None, limit: int
) -> list[Found]:
    """See ``ContactStore.labelled``."""
    at, contact_id = before or (LATEST, "")
    asked = {"label": label, "at": at, "contact": contact_id, "limit": limit}
    return [Found(*row) for row in connection.execute(LABELLED, asked)]
