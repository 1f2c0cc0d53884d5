"""DynamoDB keeps the contract of all stores: the suite of the unit tests, run on moto.

Expired contacts are the table's to remove, which moto does not do: here a test's ``expire`` does
what the table would, going by nothing but the time-to-live that the store has set.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import pytest

from tests.unit.stores.test_store_contract import *  # noqa: F403 - every sentence of the suite
from tests.unit.stores.test_store_contract import LIMIT_BYTES, Rewrite, entry, save
from worker.stores.dynamodb import DynamoStore
from worker.stores.layout import CONTACT, Item, head, packed
from worker.stores.listings import LABEL, OUTLIVE_S


pytestmark = pytest.mark.services


class Housekept(DynamoStore):
    """A store whose table removes what has expired when told to, rather than days later."""

    def __init__(self, client: Any, table: str, **more: Any) -> None:
        super().__init__(table, **more)
        self._client = client
        self._table = table

    async def expire(self, now: float, limit: int) -> int:
        expired = await self._with_ttl_before(now)
        gone = [item for item in expired if not item["pk"]["S"].startswith(LABEL)][:limit]
        listed = await self._with_ttl_before(now + OUTLIVE_S)  # so much later
        rows = [item for item in listed if item["pk"]["S"].startswith(LABEL)]
        for item in gone + rows:
            key = {"pk": item["pk"], "sk": item["sk"]}
            await self._client.delete_item(TableName=self._table, Key=key)
        return len(gone)

    async def _with_ttl_before(self, now: float) -> list[Item]:
        answer = await self._client.scan(
            TableName=self._table,
            FilterExpression="#ttl < :now",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues={":now": {"N": str(now)}},
        )
        found: list[Item] = answer["Items"]
        return found


@pytest.fixture  # type: ignore[no-redef] # in place of the suite's stores
async def store(client: Any, table: str) -> AsyncIterator[DynamoStore]:
    opened = Housekept(client, table, connect=lambda: nullcontext(client), limit_bytes=LIMIT_BYTES)
    yield opened
    await opened.close()


@pytest.fixture  # type: ignore[no-redef] # in place of the suite's
def rewrite(client: Any, table: str) -> Rewrite:
    async def change(key: str, data: bytes) -> None:
        await client.update_item(
            TableName=table,
            Key=head(CONTACT, key),
            UpdateExpression="SET #data = :data",
            ExpressionAttributeNames={"#data": "data"},
            ExpressionAttributeValues={":data": {"B": packed(data)}},
        )

    return change


async def test_a_large_batch_is_loaded_whole(  # type: ignore[no-redef] # in place of the suite's
    store: DynamoStore,
) -> None:
    """As in the suite, but with fewer: DynamoDB hands out 100 at a time, and moto is slow."""
    keys = [f"{n:04}" for n in range(250)]
    await save(store, *map(entry, keys))
    assert [e.contact.id for e in await store.load(keys)] == keys
