"""A table as the release before faults and form numbers left it is read, and lives on."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.unit.stores.test_sqlite_first_form import *  # noqa: F403 - every sentence of it
from tests.unit.stores.test_sqlite_first_form import BEFORE, LARGE
from worker.stores.dynamodb import DynamoStore


pytestmark = pytest.mark.services

SAMPLE = Path(__file__).parents[2] / "samples" / "state" / "items.json"


@pytest.fixture  # type: ignore[no-redef] # in place of the other's
async def store(client: Any, table: str) -> AsyncIterator[DynamoStore]:
    for item in orjson.loads(SAMPLE.read_bytes()):
        if "data" in item:
            item["data"]["B"] = b64decode(item["data"]["B"])
        await client.put_item(TableName=table, Item=item)
    opened = DynamoStore(table, connect=lambda: nullcontext(client))
    yield opened
    await opened.close()


async def test_a_large_contact_of_the_first_form_leaves_no_chunks_when_it_is_saved_on(
    store: DynamoStore, all_items: Callable[[], Awaitable[list[dict[str, Any]]]]
) -> None:
    def chunks(items: list[dict[str, Any]]) -> int:
        return sum(item["sk"]["S"].startswith("chunk#") for item in items)

    assert chunks(await all_items()) > 1
    assert await store.put_back(LARGE, 1, 1.0, None)
    [entry] = await store.load([LARGE])
    assert entry.contact == BEFORE[3].contact
    await store.save([entry])
    assert chunks(await all_items()) == 0
