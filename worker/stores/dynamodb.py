"""A contact store in one DynamoDB table, for any number of workers.

Loads and checkpoints are consistent reads and saves are conditional, so every worker sees what
others wrote. Lists (``due``, ``parked``, ``ids``, ``quarantined``, ``counts``) come from
indexes, which lag by a second or so: whoever acts on a list loads the contact and checks again, as
push does. Only a few of the stored contacts are due, and they are found without reading the others.

The table is defined in ``worker.stores.tables``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, Final

import structlog

from pipelines.contact import Contact, Damaged
from pipelines.identity import tombstone
from worker import aws
from worker.clock import Clock
from worker.errors import StoreUnavailable
from worker.stores import layout, listings, packing
from worker.stores.buckets import ALL
from worker.stores.connection import TableConnection, TableRefused, only, together, where
from worker.stores.contents import KEPT, Barred, Contents, chunk_keys
from worker.stores.layout import (
    CONTACT,
    MEMORY,
    POSITION,
    QUARANTINE,
    RANKS,
    SHELVES,
    Item,
    head,
    number,
    text,
)
from worker.stores.listings import Listings
from worker.stores.protocol import Counts, Entry, FaultNote, Found, Quarantined, Saved
from worker.stores.sqlite import MAX_ENTRY_BYTES
from worker.stores.tables import DUE, LISTED, PARKED


_log = structlog.get_logger(__name__)

#: Tries to read a contact that is saved each time between reading its item and its chunks.
READS: Final = 5

#: Contacts are counted one by one up to this many per shelf (about 17 MB of index, 2 100 read
#: units); beyond that DynamoDB's own count is used, up to six hours old.
COUNTED: Final = 100_000

#: The rank of replayed contacts, and how long (s) a bucket of theirs that was found empty is not
#: asked again, unless this process puts something there: nobody waits for them, questions cost.
REPLAYED: Final = 1
REPLAYED_EMPTY_S: Final = 5.0

#: The attribute of an index that holds the shelf.
SHELF_OF: Final = {LISTED: "shelf", PARKED: "parked_shelf"}


@dataclass(frozen=True, slots=True)
class _Row:
    """An entry as it was when ``save`` was called."""

    item: Item
    data: bytes
    size: int
    replaced: int
    labels: dict[str, int]
    to_list: dict[str, int]
    to_unlist: dict[str, int]
    listed_until: float | None

    @classmethod
    def of(cls, entry: Entry) -> _Row:
        item, data, until = (
            layout.contact_item(entry),
            entry.contact.to_bytes(),
            listings.until(entry),
        )
        return cls(
            item if until is None else {**item, "listed_until": number(until)},
            packing.packed(data),
            len(data),
            entry.version,
            dict(entry.contact.labels),
            listings.to_write(entry),
            entry.labels_removed,
            until,
        )


class DynamoStore:
    """``ContactStore`` in a DynamoDB table; see the module's docstring.

    Args:
        table: The table's name.
        connect: Makes a DynamoDB client.
        limit_bytes: Encoded contacts larger than this are refused.
        clock: Time and chance.
    """

    def __init__(
        self,
        table: str,
        *,
        connect: Callable[[], AbstractAsyncContextManager[Any]] | None = None,
        limit_bytes: int = MAX_ENTRY_BYTES,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or Clock()
        self._limit_bytes = limit_bytes
        connect = connect or partial(aws.client, "dynamodb")
        self._clock = clock
        self._empty_until: dict[str, float] = {}  # places of replayed contacts; monotonic (s)
        self._connection = TableConnection(table, connect, clock)
        self._contents = Contents(self._connection, clock)
        self._listings = Listings(self._connection)

    # --- contacts ---

    async def load(self, contact_ids: Sequence[str]) -> list[Entry]:
        """See ``ContactStore``."""
        wanted = list(dict.fromkeys(contact_ids))
        known = await self._heads(wanted)
        first = [key for key, item in known.items() if layout.version_of(item) == 1]
        for key in await self._forgotten(first):  # its creator died before it saw that
            await self.forget([key])
            del known[key]
        return await together(self._entry(key, known.get(key)) for key in wanted)

    async def _heads(self, contact_ids: Sequence[str]) -> dict[str, Item]:
        found = await self._connection.get([head(CONTACT, key) for key in contact_ids])
        return {layout.named(item, CONTACT): item for item in found}

    async def _forgotten(self, contact_ids: Sequence[str]) -> list[str]:
        """Those of these contacts that were forgotten."""
        stones = {tombstone(contact_id): contact_id for contact_id in contact_ids}
        found = await self._connection.get([head(MEMORY, stone) for stone in stones])
        return [stones[layout.named(item, MEMORY)] for item in found]

    async def _entry(self, contact_id: str, item: Item | None) -> Entry:
        for _ in range(READS):
            if item is None:
                return Entry(Contact(contact_id))
            try:
                data = await self._contents.get(item)
            except Damaged as error:
                return layout.damaged(contact_id, item, error)
            if data is not None:
                return layout.entry_of(contact_id, item, data)
            again = await self._connection.get([head(CONTACT, contact_id)])
            if again == [item]:  # so no save removed its chunks
                return layout.damaged(contact_id, item, Damaged("chunks of it are missing"))
            item = again[0] if again else None
        raise StoreUnavailable(f"DynamoDB: contact {contact_id} is saved again all the time")

    async def save(self, entries: Sequence[Entry]) -> list[Saved]:
        """See ``ContactStore``. Contacts are saved concurrently, each by its own request."""
        rows = [None if entry.unreadable else _Row.of(entry) for entry in entries]
        outcomes = [Saved.REFUSED] * len(entries)
        by_contact: defaultdict[str, list[int]] = defaultdict(list)  # entries' numbers, in order
        for n, entry in enumerate(entries):
            by_contact[entry.contact.id].append(n)

        async def save_in_order(numbers: list[int]) -> None:
            for n in numbers:
                row = rows[n]
                outcomes[n] = await self._save(row) if row else Saved.UNREADABLE
                if row and outcomes[n] is Saved.SAVED:
                    entries[n].version, entries[n].labels = row.replaced + 1, row.labels
                    entries[n].listed_until = row.listed_until
                    self._fill(row.item)

        await together(save_in_order(numbers) for numbers in by_contact.values())
        return outcomes

    async def _save(self, row: _Row) -> Saved:
        contact_id = layout.named(row.item, CONTACT)
        stone = tombstone(contact_id)
        if row.size > self._limit_bytes:
            begun = row.replaced or await self.recall(stone) is None
            return Saved.REFUSED if begun else Saved.FORGOTTEN
        try:
            await self._listings.add(contact_id, row.to_list, row.listed_until)
            written = await self._contents.put(
                row.item, row.data, row.replaced, head(MEMORY, stone)
            )
        except Barred:
            await self._listings.remove(contact_id, row.to_list)
            return Saved.FORGOTTEN
        except TableRefused as error:
            _log.error("store.contact_refused", contact_id=contact_id, reason=str(error))
            return Saved.REFUSED
        if written:
            await self._listings.drop(contact_id, row.to_unlist)
            return Saved.SAVED
        if row.to_list and await self.recall(stone) is not None:  # it was forgotten meanwhile
            await self._listings.remove(contact_id, row.to_list)
        return Saved.CONFLICT

    async def put_back(
        self, contact_id: str, version: int, due_at: float | None, fault: FaultNote | None
    ) -> bool:
        """See ``ContactStore``. Reads first what the change depends on."""
        found = await self._connection.query(
            **where(
                "pk = :pk AND sk = :sk",
                **head(CONTACT, contact_id),
            ),
            **only(*KEPT, *layout.STANDING),
            ConsistentRead=True,
        )
        if not found or layout.version_of(found[0]) != version:
            return False
        changes, removed = layout.put_back(contact_id, found[0], due_at, fault)
        self._fill(changes)
        return await self._contents.alter(found[0], changes, removed)

    # --- what is due ---

    async def due(self, now: float, limit: int, buckets: Collection[int] = ALL) -> list[str]:
        """See ``ContactStore``. Within a rank, those ready the longest come first.

        One whose claim lapsed became ready when it lapsed, not when it came due.
        """
        due: list[Item] = []
        for rank in RANKS:
            due += await self._from_buckets(
                self._worth_asking(_places([rank], buckets)),
                limit - len(due),
                " AND ready_at <= :now",
                now=number(now),
            )
        return [layout.named(item, CONTACT) for item in due]

    async def next_due(self, buckets: Collection[int] = ALL) -> float | None:
        """See ``ContactStore``."""
        places = self._worth_asking(_places(RANKS, buckets))
        found = await self._of_each(places, 1)
        empty = {place for place, items in zip(places, found, strict=True) if not items}
        until = self._clock.monotonic() + REPLAYED_EMPTY_S
        self._empty_until |= dict.fromkeys(empty & _REPLAYED, until)
        return min((_ready_at(item) for items in found for item in items), default=None)

    def _fill(self, item: Item) -> None:
        """Note that an item may be due: its bucket is not empty."""
        if "due_bucket" in item:
            self._empty_until.pop(item["due_bucket"]["S"], None)

    def _worth_asking(self, places: Sequence[str]) -> list[str]:
        """The buckets that may hold something."""
        now = self._clock.monotonic()
        return [place for place in places if self._empty_until.get(place, now) <= now]

    async def ahead(self, beyond: float, limit: int) -> list[str]:
        """See ``ContactStore``."""
        late = await self._from_buckets(
            _places(RANKS, ALL), limit, " AND ready_at >= :beyond", beyond=number(beyond)
        )
        return [layout.named(item, CONTACT) for item in late]

    async def _from_buckets(
        self, places: Sequence[str], limit: int, condition: str = "", **values: dict[str, Any]
    ) -> list[Item]:
        """Of all these buckets' items, those that are ready earliest."""
        found = await self._of_each(places, limit, condition, **values)
        return sorted((item for items in found for item in items), key=_ready_at)[:limit]

    async def _of_each(
        self, places: Sequence[str], limit: int, condition: str = "", **values: dict[str, Any]
    ) -> list[list[Item]]:
        """Of each bucket the items that are ready earliest."""
        return await together(
            self._connection.query(
                limit=limit,
                IndexName=DUE,
                **where(f"due_bucket = :bucket{condition}", bucket=text(place), **values),
            )
            for place in places
        )

    # --- lists ---

    async def ids(self, after: str, limit: int) -> list[str]:
        """See ``ContactStore``."""
        return await self._names(LISTED, CONTACT, after, limit)

    async def parked(self, after: str, limit: int) -> list[str]:
        """See ``ContactStore``."""
        return await self._names(PARKED, CONTACT, after, limit)

    async def labelled(
        self, label: str, before: tuple[float, str] | None, limit: int
    ) -> list[Found]:
        """See ``ContactStore``."""
        return await self._listings.found(label, before, limit)

    async def _names(self, index: str, kind: str, after: str, limit: int) -> list[str]:
        found: list[Item] = []
        for shelf in layout.shelves_from(after):
            found += await self._connection.query(
                limit=limit - len(found),
                IndexName=index,
                **where(
                    f"{SHELF_OF[index]} = :shelf AND pk > :after",
                    shelf=text(kind + shelf),
                    after=text(kind + after),
                ),
            )
        return [layout.named(item, kind) for item in found]

    async def counts(self, now: float) -> Counts:
        """See ``ContactStore``. Reads whole lists: for once a minute, not once a second.

        ``contacts`` may be six hours old if there are more than ``COUNTED`` on a shelf.
        """
        due = await together(self._due_in(bucket, now) for bucket in _places(RANKS, ALL))
        quarantined = sum(await self._count(LISTED, QUARANTINE))
        return Counts(
            contacts=await self._contacts(quarantined),
            due=sum(count for count, _ in due),
            parked=sum(await self._count(PARKED, CONTACT)),
            quarantined=quarantined,
            oldest_due_at=min((oldest for count, oldest in due if count), default=None),
        )

    async def _due_in(self, bucket: str, now: float) -> tuple[int, float]:
        """How many contacts of a bucket are due, claimed or not, and since when (s) the oldest."""
        count, oldest = 0, now
        async for page in self._connection.pages(
            IndexName=DUE,
            **where("due_bucket = :bucket", bucket=text(bucket), now=number(now)),
            FilterExpression="due_at <= :now",
            ProjectionExpression="due_at",
        ):
            count += page["Count"]
            oldest = min([oldest, *(float(item["due_at"]["N"]) for item in page["Items"])])
        return count, oldest

    async def _contacts(self, quarantined: int) -> int:
        counted = await self._count(LISTED, CONTACT, limit=COUNTED)
        if max(counted) < COUNTED:
            return sum(counted)
        return max(sum(counted), await self._connection.index_size(LISTED) - quarantined)

    async def _count(self, index: str, kind: str, limit: int | None = None) -> list[int]:
        """How many items of a kind are in an index, by shelf."""
        return await together(
            self._connection.count(
                limit=limit,
                IndexName=index,
                **where(f"{SHELF_OF[index]} = :shelf", shelf=text(kind + shelf)),
            )
            for shelf in SHELVES
        )

    async def expire(self, now: float, limit: int) -> int:  # noqa: ARG002 - the protocol's
        """Does nothing: the table itself removes expired contacts, some days later."""
        return 0

    async def forget(self, contact_ids: Sequence[str]) -> None:
        """See ``ContactStore``.

        A worker that dies while it saves one of them in chunks may leave some; forgetting it again
        removes those too. What it listed the contact under for the first time expires.
        """
        for contact_id in dict.fromkeys(contact_ids):
            await self.remember(tombstone(contact_id), "")
            known = await self._heads([contact_id])
            entry = await self._entry(contact_id, known.get(contact_id))
            await self._listings.remove(contact_id, entry.labels)
            last = await self._connection.delete(head(CONTACT, contact_id))
            if last is not None:  # it may have been saved once more
                saved = await self._entry(contact_id, last)
                await self._listings.remove(contact_id, saved.labels)
            await self._contents.erase(head(CONTACT, contact_id))

    async def scrub(self) -> None:
        """See ``ContactStore``. What was removed is gone, except from the table's backups."""

    # --- quarantine ---

    async def quarantine(self, items: Sequence[Quarantined]) -> None:
        """See ``ContactStore``."""
        first = {item.id: item for item in reversed(items)}
        await together(
            self._contents.put(layout.quarantine_item(item), item.body) for item in first.values()
        )

    async def quarantined(self, after: str, limit: int) -> list[Quarantined]:
        """See ``ContactStore``."""
        while ids := await self._names(LISTED, QUARANTINE, after, limit):
            heads = await self._connection.get([head(QUARANTINE, key) for key in ids])
            found = await together(self._quarantined(item) for item in heads)
            if there := [message for message in found if message]:
                return sorted(there, key=attrgetter("id"))
            after = ids[-1]  # these have all been released
        return []

    async def _quarantined(self, item: Item) -> Quarantined | None:
        try:
            body = await self._contents.get(item)
        except Damaged as error:
            return layout.quarantined_of(item, b"", f" ({error})")
        return None if body is None else layout.quarantined_of(item, body)

    async def release(self, quarantine_ids: Sequence[str]) -> int:
        """See ``ContactStore``. A crash halfway may leave unused chunks."""
        keys = [head(QUARANTINE, key) for key in dict.fromkeys(quarantine_ids)]
        released = [item for item in await together(map(self._connection.delete, keys)) if item]
        await self._contents.drop(key for item in released for key in chunk_keys(item))
        return len(released)

    # --- positions and remembered values ---

    async def positions(self, stream: str) -> dict[str, str]:
        """See ``ContactStore``."""
        found = await self._connection.query(
            **where("pk = :pk", pk=text(POSITION + stream)), ConsistentRead=True
        )
        return {item["sk"]["S"]: item["position"]["S"] for item in found}

    async def set_position(self, stream: str, shard: str, position: str) -> None:
        """See ``ContactStore``."""
        key = {"pk": text(POSITION + stream), "sk": text(shard)}
        await self._connection.put({**key, "position": text(position)})

    async def remember(self, name: str, value: str) -> str:
        """See ``ContactStore``."""
        item = {**head(MEMORY, name), "value": text(value)}
        kept = await self._connection.put(item, "attribute_not_exists(pk)")
        return str((kept or item)["value"]["S"])

    async def recall(self, name: str) -> str | None:
        """See ``ContactStore``."""
        found = await self._connection.get([head(MEMORY, name)])
        return str(found[0]["value"]["S"]) if found else None

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """See ``ContactStore``."""
        item = {**head(MEMORY, name), "value": text(new)}
        if old is None:
            return await self._connection.put(item, "attribute_not_exists(pk)") is None
        names = {"#value": "value"}  # a word that DynamoDB reserves
        return await self._connection.put(item, "#value = :old", names, old=text(old)) is None

    async def close(self) -> None:
        """See ``ContactStore``."""
        await self._connection.close()


def _places(ranks: Sequence[int], buckets: Collection[int]) -> list[str]:
    return [layout.due_bucket(rank, bucket) for rank in ranks for bucket in buckets]


#: The buckets of replayed contacts.
_REPLAYED: Final = frozenset(_places([REPLAYED], ALL))


def _ready_at(item: Item) -> float:
    return float(item["ready_at"]["N"])
