"""How data is laid out in the DynamoDB table: keys, index attributes, numbers as text.

Pure: nothing here calls DynamoDB. ``worker.stores.tables`` lists the keys and the indexes.
"""

from __future__ import annotations

import math
import zlib

from bisect import bisect_right
from typing import Any, Final

from pipelines.contact import Damaged
from worker.stores import packing
from worker.stores.buckets import bucket_of
from worker.stores.protocol import Entry, FaultNote, Quarantined
from worker.stores.stored import read_entry, read_fault, unreadable, write_fault


#: An item, or a part of one, as DynamoDB's API writes it: name -> {type: value}.
Item = dict[str, dict[str, Any]]

#: Prefixes of partition keys.
CONTACT: Final = "contact#"
QUARANTINE: Final = "quarantine#"
POSITION: Final = "position#"
MEMORY: Final = "memory#"

#: Sort key of the main item of a partition.
HEAD: Final = "head"

#: Ranks of live contacts and of replayed ones; live ones go first.
RANKS: Final = (0, 1)

#: Lists by id are spread over shelves by the first character of the id, so that reading shelf after
#: shelf gives them in order. Ids are hexadecimal, so shelves fill evenly. Must never change.
SHELVES: Final = "048c"


def text(value: str) -> dict[str, Any]:
    """An attribute that is text."""
    return {"S": value}


def number(value: float) -> dict[str, Any]:
    """An attribute that is a number; ``float`` of it is exactly the same again."""
    return {"N": str(value)}


def packed(data: bytes) -> bytes:
    """Bytes as stored: compression reduces contacts, and write units, to a measured quarter."""
    return zlib.compress(data, level=1)


def unpacked(data: bytes) -> bytes:
    """The bytes given to ``packed``.

    Raises:
        Damaged: These were not made by ``packed``.
    """
    try:
        return zlib.decompress(data)
    except zlib.error:
        raise Damaged("its contents cannot be unpacked") from None


def head(kind: str, name: str) -> Item:
    """The key of a contact, a quarantined message or a remembered value."""
    return {"pk": text(kind + name), "sk": text(HEAD)}


def named(item: Item, kind: str) -> str:
    """The name of an item of that kind."""
    key: str = item["pk"]["S"]
    return key.removeprefix(kind)


def due_bucket(rank: int, bucket: int) -> str:
    """The name of a bucket of the due index, an index partition.

    One takes 1000 writes a second, and a change of ``ready_at`` is two. Earlier releases knew four
    buckets, and put contacts in them by another rule.
    """
    return f"{rank}#{bucket}"


def shelves_from(name: str) -> str:
    """The shelves that may hold names greater than this one, in order."""
    return SHELVES[_shelf_number(name) :]


def shelf(kind: str, name: str) -> str:
    """The shelf on which a contact or a quarantined message is listed."""
    return kind + SHELVES[_shelf_number(name)]


def _shelf_number(name: str) -> int:
    return max(0, bisect_right(SHELVES, name[:1]) - 1)


def contact_item(entry: Entry) -> Item:
    """A contact's head at its next version, without its contents and the name of the save."""
    contact_id = entry.contact.id
    return {
        **head(CONTACT, contact_id),
        "shelf": text(shelf(CONTACT, contact_id)),
        "version": number(entry.version + 1),
        **_standing(entry, parked=bool(entry.contact.parked)),
    }


#: The attributes that ``_standing`` may write.
STANDING: Final = (
    "rank",
    "claim",
    "claimed_until",
    "due_at",
    "due_bucket",
    "ready_at",
    "steps_parked",
    "parked_shelf",
    "fault",
    "expires_at",
    "ttl",
)


def _standing(entry: Entry, *, parked: bool) -> Item:
    """The attributes of a contact's head beside its contents: queue, indexes and expiry.

    Time-to-live is set only when nothing is due or parked, as the table does not check that before
    it removes an item.
    """
    contact_id = entry.contact.id
    item = {
        "rank": number(entry.rank),
        "claim": text(entry.claim),
        "claimed_until": number(entry.claimed_until),
    }
    if entry.due_at is not None:
        item["due_at"] = number(entry.due_at)
        item["due_bucket"] = text(due_bucket(entry.rank, bucket_of(contact_id)))
        item["ready_at"] = number(max(entry.due_at, entry.claimed_until))
    if parked:
        item["steps_parked"] = {"BOOL": True}
    if fault := write_fault(entry.fault):
        item["fault"] = text(fault)
    if parked or fault:
        item["parked_shelf"] = text(shelf(CONTACT, contact_id))
    if entry.expires_at is not None:
        item["expires_at"] = number(entry.expires_at)
        if entry.due_at is None and not (parked or fault):
            item["ttl"] = number(math.ceil(entry.expires_at))
    return item


def put_back(
    contact_id: str, item: Item, due_at: float | None, fault: FaultNote | None
) -> tuple[Item, set[str]]:
    """The attributes that change when a contact is put back, and the names of those to remove."""
    entry = damaged(contact_id, item, Damaged())
    entry.due_at, entry.fault, entry.claim, entry.claimed_until = due_at, fault, "", 0.0
    # Heads written by the first releases do not say why they are listed: it was for parked steps.
    parked = "steps_parked" in item or ("parked_shelf" in item and "fault" not in item)
    standing = _standing(entry, parked=parked)
    return {"version": number(entry.version + 1), **standing}, set(STANDING) - standing.keys()


def entry_of(contact_id: str, item: Item, data: bytes) -> Entry:
    """The entry that ``contact_item`` wrote, with its contents."""
    try:
        return read_entry(contact_id, packing.unpacked(data), **_beside(item))
    except Damaged as error:
        return damaged(contact_id, item, error)


def damaged(contact_id: str, item: Item, error: Damaged) -> Entry:
    """The entry of a damaged contact, with as much of its head as can be read."""
    try:
        return unreadable(contact_id, error, **_beside(item))
    except Damaged:
        return unreadable(contact_id, error, version=version_of(item))


def version_of(item: Item) -> int:
    """The version of an item; 0, which none has, if it cannot be read."""
    version = str(item.get("version", {}).get("N"))
    return int(version) if version.isdecimal() else 0


def _beside(item: Item) -> dict[str, Any]:
    """What a head holds beside the contents: arguments of ``Entry``.

    Raises:
        Damaged: An attribute is missing or invalid.
    """
    try:
        return {
            "version": int(item["version"]["N"]),
            "due_at": _float(item, "due_at"),
            "rank": int(item["rank"]["N"]),
            "claim": item["claim"]["S"],
            "claimed_until": float(item["claimed_until"]["N"]),
            "expires_at": _float(item, "expires_at"),
            "listed_until": _float(item, "listed_until"),
            "fault": read_fault(item["fault"]["S"]) if "fault" in item else None,
        }
    except (KeyError, ValueError):
        raise Damaged("what stands beside its contents is not what it should be") from None


def quarantine_item(message: Quarantined) -> Item:
    """A quarantined message's head without its body and the name of the save. It never expires."""
    return {
        **head(QUARANTINE, message.id),
        "shelf": text(shelf(QUARANTINE, message.id)),
        "version": number(0),
        "at": number(message.at),
        "origin": text(message.origin),
        "reason": text(message.reason),
    }


def quarantined_of(item: Item, body: bytes, remark: str = "") -> Quarantined:
    """The message that ``quarantine_item`` wrote, with its body and a remark on the reason."""
    return Quarantined(
        named(item, QUARANTINE),
        float(item["at"]["N"]),
        item["origin"]["S"],
        item["reason"]["S"] + remark,
        body,
    )


def _float(item: Item, name: str) -> float | None:
    return float(item[name]["N"]) if name in item else None
