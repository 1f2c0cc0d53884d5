"""The contents of an item: in the item itself or, if too large, in chunks beside it.

An item and its chunks are written so that no reader ever sees parts of two saves. Each save has a
unique name, which is in the keys of its chunks:

1. the chunks are written with a time-to-live, in case the save fails;
2. if the item is to stay, their time-to-live is removed;
3. the item is written on condition of the version it replaces: from here on its chunks are read;
4. the chunks of saves that it replaced, or that can no longer succeed, are removed.

Whatever happens between two steps, the item always names a complete set of chunks.
A change of an item without its contents (``alter``) gives it a new version and a new name, so it
records which chunks are still its own.
A crash between 2 and 4 leaves unused chunks; the item's next save that writes or replaces chunks
removes them.
"""

from __future__ import annotations

import math

from collections.abc import Iterable
from typing import Final
from uuid import uuid4

import structlog

from worker.clock import Clock
from worker.errors import StoreUnavailable
from worker.stores.connection import TableConnection, together, where
from worker.stores.layout import Item, number, packed, text, unpacked


class Barred(Exception):  # noqa: N818 - says what is the matter
    """An item may not be created, because another one exists that bars it."""


_log = structlog.get_logger(__name__)

#: The largest part of the contents in one item (bytes). An item with its names may have 400 KB:
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
PART_BYTES: Final = 350 * 1024

#: How much longer than their item chunks stay (s). The table removes expired items "within a few
#: days", in any order. No save takes this long.
OUTLIVE_S: Final = 7 * 86_400

CHUNK: Final = "chunk#"

#: The attributes from which an item's chunks are found.
KEPT: Final = ("pk", "sk", "version", "save", "chunks", "chunks_of")


def chunk_keys(item: Item) -> list[Item]:
    """The keys of the chunks an item names."""
    count = int(item["chunks"]["N"]) if "chunks" in item else 0
    return [{"pk": item["pk"], "sk": text(f"{_first(item)}#{n:04}")} for n in range(count)]


def _first(item: Item) -> str:
    """The prefix of the sort keys of an item's chunks."""
    if "chunks_of" in item:
        return str(item["chunks_of"]["S"])
    return _version(item) + str(item["save"]["S"])


def _version(item: Item) -> str:
    """The prefix of the sort keys of chunks of an item's version; later versions are greater."""
    return f"{CHUNK}{int(item['version']['N']):012}#"


class Contents:
    """Writes and reads items with their contents.

    Args:
        connection: The table.
        clock: Wall clock.
    """

    def __init__(self, connection: TableConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def put(
        self, item: Item, data: bytes, replaced: int = 0, barred_by: Item | None = None
    ) -> bool:
        """Write an item and its contents.

        Args:
            item: The item with its ``version``. Without ``ttl`` it never expires.
            data: Its contents.
            replaced: The version that it replaces; 0: none.
            barred_by: The key of an item that bars a new one, i.e. one that replaces none.

        Returns:
            False, and nothing is changed, if the item there is of another version.

        Raises:
            Barred: By ``barred_by``; nothing is changed.
            TableRefused: The table can never hold it.
        """
        body = packed(data)
        item = {**item, "save": text(uuid4().hex)}
        if len(body) <= PART_BYTES:
            return await self._put_whole({**item, "data": {"B": body}}, replaced, barred_by)
        parts = [body[at : at + PART_BYTES] for at in range(0, len(body), PART_BYTES)]
        item["chunks"] = number(len(parts))
        return await self._put_in_chunks(item, parts, replaced, barred_by)

    async def alter(self, item: Item, changes: Item, removed: set[str]) -> bool:
        """Change an item but not its contents, which stay where they are.

        Chunks lose their time-to-live before their item does, and get one after it.

        Args:
            item: As it was read, with its ``KEPT`` and ``ttl``.
            changes: Attributes with their new values; a new ``version`` among them.
            removed: Names of attributes to remove.

        Returns:
            False, and nothing is changed, if the item there is of another version.
        """
        keys = chunk_keys(item)
        changes = {**changes, "save": text(uuid4().hex)}
        if keys:
            changes["chunks_of"] = text(_first(item))
        if "ttl" in item and "ttl" not in changes:
            await self._make_lasting(keys)
        obstacle = await self._connection.update(
            {name: item[name] for name in ("pk", "sk")},
            changes,
            removed,
            "version = :replaced",
            replaced=item["version"],
        )
        if obstacle is not None:
            return obstacle.get("save") == changes["save"]
        if "ttl" in changes:
            await self._make_expire(keys, float(changes["ttl"]["N"]))
        return True

    async def get(self, item: Item) -> bytes | None:
        """An item's contents; None if it has been saved again meanwhile, or removed.

        Raises:
            Damaged: They are not what was written.
        """
        if "data" in item:
            return unpacked(item["data"]["B"])
        keys = chunk_keys(item)
        found = {chunk["sk"]["S"]: chunk for chunk in await self._connection.get(keys)}
        if len(found) < len(keys):
            return None
        return unpacked(b"".join(found[key["sk"]["S"]]["data"]["B"] for key in keys))

    async def drop(self, keys: Iterable[Item]) -> None:
        """Remove unused chunks. Not a failure if the table is unavailable."""
        try:
            await together(self._connection.delete(key) for key in keys)
        except StoreUnavailable as error:
            _log.warning("store.chunks_left", reason=str(error))

    async def erase(self, key: Item) -> None:
        """Remove an item and all its chunks, including those of failed saves."""
        await self._connection.delete(key)
        chunks = await self._connection.query(
            **where("pk = :pk", pk=key["pk"]), ProjectionExpression="pk, sk", ConsistentRead=True
        )
        await together(self._connection.delete(chunk) for chunk in chunks)

    async def _put_whole(self, item: Item, replaced: int, barred_by: Item | None) -> bool:
        obstacle = await self._commit(
            item, replaced, barred_by, " AND attribute_not_exists(chunks)"
        )
        if obstacle is None:
            return True
        if "chunks" not in obstacle or obstacle.get("version") != number(replaced):
            return False
        if await self._commit(item, replaced, barred_by) is not None:
            return False
        await self._sweep(item)
        return True

    async def _put_in_chunks(
        self, item: Item, parts: list[bytes], replaced: int, barred_by: Item | None
    ) -> bool:
        ttl = self._chunks_ttl(float(item["ttl"]["N"]) if "ttl" in item else 0.0)
        keys = chunk_keys(item)
        await together(
            self._connection.put({**key, "data": {"B": part}, **ttl})
            for key, part in zip(keys, parts, strict=True)
        )
        whole = "ttl" in item or await self._make_lasting(keys)
        try:
            if whole and await self._commit(item, replaced, barred_by) is None:
                await self._sweep(item)
                return True
        except Barred:
            await self.drop(keys)
            raise
        await self.drop(keys)
        return False

    def _chunks_ttl(self, ttl: float) -> Item:
        """The time-to-live (s since 1970) of chunks whose item has this one."""
        return {"ttl": number(math.ceil(max(self._clock.wall(), ttl)) + OUTLIVE_S)}

    async def _make_expire(self, keys: Iterable[Item], ttl: float) -> None:
        """Have chunks expire after their item. Not a failure if the table is unavailable."""
        try:
            await together(
                self._connection.update(key, self._chunks_ttl(ttl), (), "attribute_exists(pk)")
                for key in keys
            )
        except StoreUnavailable as error:
            _log.warning("store.chunks_left", reason=str(error))

    async def _make_lasting(self, keys: Iterable[Item]) -> bool:
        """Keep chunks from expiring; False if some are gone: superseded, or expired already."""
        obstacles = await together(
            self._connection.update(key, {}, {"ttl"}, "attribute_exists(pk)") for key in keys
        )
        return not any(obstacle is not None for obstacle in obstacles)

    async def _commit(
        self, item: Item, replaced: int, barred_by: Item | None, more: str = ""
    ) -> Item | None:
        """Write the item itself; the item in the way, if any.

        If that is our own save, an earlier try of this request succeeded and its answer was lost.
        """
        if replaced:
            condition = f"version = :replaced{more}"
            obstacle = await self._connection.put(item, condition, replaced=number(replaced))
        elif barred_by is None:
            obstacle = await self._connection.put(item, "attribute_not_exists(pk)")
        else:
            obstacle = await self._connection.create(item, barred_by)
        if obstacle and barred_by and obstacle.get("pk") == barred_by["pk"]:
            raise Barred
        return None if obstacle and obstacle.get("save") == item["save"] else obstacle

    async def _sweep(self, item: Item) -> None:
        """Remove the chunks of saves that this one superseded.

        A save that would become this version or an earlier one can no longer succeed; one that
        would become a later version began after this one and may.
        """
        try:
            chunks = await self._connection.query(
                **where(
                    "pk = :pk AND sk BETWEEN :first AND :last",
                    pk=item["pk"],
                    first=text(CHUNK),
                    last=text(_version(item) + "~"),
                ),
                ProjectionExpression="pk, sk",
                ConsistentRead=True,
            )
        except StoreUnavailable as error:
            _log.warning("store.chunks_left", reason=str(error))
            return
        await self.drop(chunk for chunk in chunks if chunk not in chunk_keys(item))
