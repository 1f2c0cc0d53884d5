"""A table restored from a backup, under the name of the one that it takes the place of."""

from __future__ import annotations

from typing import Any

import pytest

from worker.stores.dynamodb import DynamoStore
from worker.stores.restoration import Keeper, TableMark
from worker.stores.tables import create_tables


pytestmark = pytest.mark.services


async def test_a_restored_table_is_recognised_although_its_contents_say_nothing(
    client: Any, connect: Any, table: str, store: DynamoStore
) -> None:
    mark = TableMark(table, connect)
    for _ in range(2):
        assert (await Keeper(store, mark).look()).number == 0
    items = (await client.scan(TableName=table))["Items"]
    await client.delete_table(TableName=table)
    await create_tables(client, table)
    for item in items:
        await client.put_item(TableName=table, Item=item)
    for _ in range(2):
        assert (await Keeper(store, mark).look()).number == 1
