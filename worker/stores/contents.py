"""What an item holds: in the item itself or, if it is too large for that, in chunks beside it.

An item and its chunks are written so that nobody ever reads parts of two saves. Each save has a
name of its own, which is in the keys of its chunks:

1. the chunks are written, to vanish after a while should nothing come of the save;
2. if the item is to stay, they are made to stay;
3. the item is written on condition of the version it replaces: from here on its chunks are read;
4. the chunks of saves that it replaced, or that can no longer succeed, are removed.

Whatever is done between two steps, or not done any more, the item names a complete set of chunks.
What changes an item without its contents (``alter``) gives it a new version and a new name, so it
notes which chunks are still its own.
A crash between 2 and 4 leaves chunks that nobody reads; the item's next save that writes or
replaces chunks removes them.
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
    """An item may not be begun, because of another one that is there."""


_log = structlog.get_logger(__name__)

#: The largest part of the contents in one item (bytes). An item, names and all, may have 400 KB:
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
PART_BYTES: Final = 350 * 1024

#: How much longer than their item chunks stay (s). The table removes what has expired "within a
#: few days", and in any order. No save takes as long.
OUTLIVE_S: Final = 7 * 86_400

CHUNK: Final = "chunk#"

#: What an item says of its contents: by these alone its chunks are found.
KEPT: Final = ("pk", "sk", "version", "save", "chunks", "chunks_of")


def chunk_keys(item: Item) -> list[Item]:
    """The keys of the chunks an item names."""
    count = int(item["chunks"]["N"]) if "chunks" in item else 0
    return [{"pk": item["pk"], "sk": text(f"{_first(item)}#{n:04}")} for n in range(count)]


def _first(item: Item) -> str:
    """What the sort keys of the chunks that an item names begin with."""
    if "chunks_of" in item:
        return str(item["chunks_of"]["S"])
    return _version(item) + str(item["save"]["S"])


def _version(item: Item) -> str:
    """What the sort keys of chunks of an item's version begin with; later versions are greater."""
    return f"{CHUNK}{int(item['version']['N']):012}#"


class Contents:
    """Writes and reads items with what they hold.

    Args:
        connection: The table.
        clock: Wall clock.
    """

    def __init__(self, connection: TableConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def put(
        self, item: Item, data: bytes, replaced: int = 0, unless: Item | None = None
    ) -> bool:
        """Write an item and its contents.

        Args:
            item: The item with its ``version``. Without ``ttl`` it stays for good.
            data: What it holds.
            replaced: The version that it replaces; 0: none.
            unless: The key of an item that bars a new one: one that replaces none.

        Returns:
            False, and nothing is changed, if the item there is of another version.

        Raises:
            Barred: By ``unless``; nothing is changed.
            Refused: The table can never hold it.
        """
        body = packed(data)
        item = {**item, "save": text(uuid4().hex)}
        if len(body) <= PART_BYTES:
            return await self._put_whole({**item, "data": {"B": body}}, replaced, unless)
        parts = [body[at : at + PART_BYTES] for at in range(0, len(body), PART_BYTES)]
        item["chunks"] = number(len(parts))
        return await self._put_in_chunks(item, parts, replaced, unless)

    async def alter(self, item: Item, changes: Item, gone: set[str]) -> bool:
        """Change an item beside its contents, which stay what and where they are.

        Chunks come to stay before their item does, and vanish after it.

        Args:
            item: As it was read, with its ``KEPT`` and ``ttl``.
            changes: Attributes with their new values; a new ``version`` among them.
            gone: Names of attributes that are taken away.

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
            gone,
            "version = :replaced",
            replaced=item["version"],
        )
        if obstacle is not None:
            return obstacle.get("save") == changes["save"]
        if "ttl" in changes:
            await self._make_vanish(keys, float(changes["ttl"]["N"]))
        return True

    async def get(self, item: Item) -> bytes | None:
        """What an item holds; None if it has been saved again meanwhile, or removed.

        Raises:
            Damaged: It is not what was put there.
        """
        if "data" in item:
            return unpacked(item["data"]["B"])
        keys = chunk_keys(item)
        found = {chunk["sk"]["S"]: chunk for chunk in await self._connection.get(keys)}
        if len(found) < len(keys):
            return None
        return unpacked(b"".join(found[key["sk"]["S"]]["data"]["B"] for key in keys))

    async def drop(self, keys: Iterable[Item]) -> None:
        """Remove chunks that nobody reads. If the table cannot just now, that is no failure."""
        try:
            await together(self._connection.delete(key) for key in keys)
        except StoreUnavailable as error:
            _log.warning("store.chunks_left", reason=str(error))

    async def erase(self, key: Item) -> None:
        """Remove an item and all its chunks, those of saves that came to nothing too."""
        await self._connection.delete(key)
        left = await self._connection.query(
            **where("pk = :pk", pk=key["pk"]), ProjectionExpression="pk, sk", ConsistentRead=True
        )
        await together(self._connection.delete(chunk) for chunk in left)

    async def _put_whole(self, item: Item, replaced: int, unless: Item | None) -> bool:
        obstacle = await self._commit(item, replaced, unless, " AND attribute_not_exists(chunks)")
        if obstacle is None:
            return True
        if "chunks" not in obstacle or obstacle.get("version") != number(replaced):
            return False
        if await self._commit(item, replaced, unless) is not None:
            return False
        await self._sweep(item)
        return True

    async def _put_in_chunks(
        self, item: Item, parts: list[bytes], replaced: int, unless: Item | None
    ) -> bool:
        ttl = self._chunks_ttl(float(item["ttl"]["N"]) if "ttl" in item else 0.0)
        keys = chunk_keys(item)
        await together(
            self._connection.put({**key, "data": {"B": part}, **ttl})
            for key, part in zip(keys, parts, strict=True)
        )
        whole = "ttl" in item or await self._make_lasting(keys)
        try:
            if whole and await self._commit(item, replaced, unless) is None:
                await self._sweep(item)
                return True
        except Barred:
            await self.drop(keys)
            raise
        await self.drop(keys)
        return False

    def _chunks_ttl(self, ttl: float) -> Item:
        """The time-to-live of chunks whose item has this one (s)."""
        return {"ttl": number(math.ceil(max(self._clock.wall(), ttl)) + OUTLIVE_S)}

    async def _make_vanish(self, keys: Iterable[Item], ttl: float) -> None:
        """Let chunks vanish after their item. If the table cannot just now, that is no failure."""
        try:
            await together(
                self._connection.update(key, self._chunks_ttl(ttl), (), "attribute_exists(pk)")
                for key in keys
            )
        except StoreUnavailable as error:
            _log.warning("store.chunks_left", reason=str(error))

    async def _make_lasting(self, keys: Iterable[Item]) -> bool:
        """False if some are gone: somebody was faster, or this save has slept for days."""
        obstacles = await together(
            self._connection.update(key, {}, {"ttl"}, "attribute_exists(pk)") for key in keys
        )
        return not any(obstacle is not None for obstacle in obstacles)

    async def _commit(
        self, item: Item, replaced: int, unless: Item | None, more: str = ""
    ) -> Item | None:
        """Write the item itself; what is in the way, if so.

        Our own save in the way is an earlier try of this request, whose answer was lost.
        """
        if replaced:
            condition = f"version = :replaced{more}"
            obstacle = await self._connection.put(item, condition, replaced=number(replaced))
        elif unless is None:
            obstacle = await self._connection.put(item, "attribute_not_exists(pk)")
        else:
            obstacle = await self._connection.create(item, unless)
        if obstacle and unless and obstacle.get("pk") == unless["pk"]:
            raise Barred
        return None if obstacle and obstacle.get("save") == item["save"] else obstacle

    async def _sweep(self, item: Item) -> None:
        """Remove the chunks of saves that this one outdid.

        A save that would become this version, or an earlier one, cannot succeed any more; one
        that would become a later version has begun after this one and may.
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
