"""Which contacts the DynamoDB table lists under a label: a small item for each, found by its keys.

==================  =========================
``pk``              ``sk``
==================  =========================
``label#LABEL``     ``SECONDS#CONTACT ID``
``label#LABEL#N``   the same, a part of a label that many contacts get in one second
==================  =========================

They are written before the contact that remembers them, and removed after it: after a crash one may
list a contact that has not got the label, which its readers see, but none is missing. They expire
like contacts, after them; those of a contact that does not expire do not either.
"""

from __future__ import annotations

import math

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from pipelines.labels import KEYED
from worker.errors import StoreUnavailable
from worker.stores.buckets import bucket_of
from worker.stores.connection import TableConnection, together, where
from worker.stores.layout import Item, number, text
from worker.stores.protocol import Entry, Found


_log = structlog.get_logger(__name__)

LABEL: Final = "label#"

#: Into how many partitions a label is spread; one takes 1000 writes a second. Never fewer: the
#: contacts in the others would not be found. Labels of people are spread by themselves.
PARTS: Final = 4

#: How much longer than their contact, as it is now, listings stay (s): they are not written again
#: each time it is to be kept a little longer.
OUTLIVE_S: Final = 30 * 86_400


def until(entry: Entry) -> float | None:
    """How long the listings of an entry that is saved now stay (s since 1970); None: for good."""
    contact = entry.contact
    if entry.expires_at is None or contact.parked or entry.fault or not contact.labels:
        return None
    known = entry.listed_until
    if known is not None and known >= entry.expires_at:
        return known
    return math.ceil(entry.expires_at) + OUTLIVE_S


def to_write(entry: Entry) -> dict[str, int]:
    """The labels, each with its time, whose listings must be written before an entry is saved."""
    if until(entry) == entry.listed_until:
        return entry.labels_added
    return dict(entry.contact.labels)


class Listings:
    """Writes, removes and reads listings.

    Args:
        connection: The table.
    """

    def __init__(self, connection: TableConnection) -> None:
        self._connection = connection

    async def add(self, contact_id: str, labels: Mapping[str, int], kept: float | None) -> None:
        """List a contact under these labels, until a time (s since 1970) or for good."""
        ttl = {} if kept is None else {"ttl": number(math.ceil(kept))}
        await together(
            self._connection.put({**key, **ttl}) for key in map(_key(contact_id), labels.items())
        )

    async def remove(self, contact_id: str, labels: Mapping[str, int]) -> None:
        """List it under these labels no longer."""
        await together(map(self._connection.delete, map(_key(contact_id), labels.items())))

    async def drop(self, contact_id: str, labels: Mapping[str, int]) -> None:
        """The same, where it does no harm if some are left."""
        try:
            await self.remove(contact_id, labels)
        except StoreUnavailable as error:
            _log.warning("store.labels_left", contact_id=contact_id, reason=str(error))

    async def found(self, label: str, before: tuple[float, str] | None, limit: int) -> list[Found]:
        """See ``ContactStore.labelled``."""
        parts = await together(self._part(place, before, limit) for place in _places(label))
        found = [one for part in parts for one in part]
        return sorted(found, key=lambda one: (one.at, one.contact_id), reverse=True)[:limit]

    async def _part(self, place: str, before: tuple[float, str] | None, limit: int) -> list[Found]:
        condition, values = "pk = :pk", {"pk": text(place)}
        if before is not None:
            condition += " AND sk < :before"
            values["before"] = text(_sort_key(before[1], math.ceil(before[0])))
        rows = await self._connection.query(
            limit=limit,
            **where(condition, **values),
            ProjectionExpression="sk",
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        return [_found(row["sk"]["S"]) for row in rows]


def _places(label: str) -> list[str]:
    """The partitions of a label."""
    if label.partition(" ")[0] in KEYED:
        return [LABEL + label]
    return [f"{LABEL}{label}#{part}" for part in range(PARTS)]


def _key(contact_id: str) -> Callable[[tuple[str, int]], Item]:
    """What makes the keys of a contact's listings."""

    def key(listed: tuple[str, int]) -> Item:
        label, at = listed
        places = _places(label)
        place = places[bucket_of(contact_id) % len(places)]
        return {"pk": text(place), "sk": text(_sort_key(contact_id, at))}

    return key


def _sort_key(contact_id: str, at: int) -> str:
    return f"{at:012}#{contact_id}"


def _found(sort_key: str) -> Found:
    at, _, contact_id = sort_key.partition("#")
    return Found(contact_id, int(at))
