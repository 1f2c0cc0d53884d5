"""A table that an older release wrote is read, and lives on."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.unit.stores.test_sqlite_kept_states import *  # noqa: F403 - every sentence of it
from tests.unit.stores.test_sqlite_kept_states import LARGE
from worker.stores.dynamodb import DynamoStore
from worker.stores.protocol import Entry


pytestmark = pytest.mark.services

SAMPLES = Path(__file__).parents[2] / "samples" / "state"


@pytest.fixture  # type: ignore[no-redef] # in place of the other's
async def store(client: Any, table: str, form: str) -> AsyncIterator[DynamoStore]:
    for item in orjson.loads((SAMPLES / form / "items.json").read_bytes()):
        if "data" in item:
            item["data"]["B"] = b64decode(item["data"]["B"])
        await client.put_item(TableName=table, Item=item)
    opened = DynamoStore(table, connect=lambda: nullcontext(client))
    yield opened
    await opened.close()


async def test_a_large_contact_of_an_older_release_leaves_no_chunks_when_it_is_saved_on(
    store: DynamoStore,
    all_items: Callable[[], Awaitable[list[dict[str, Any]]]],
    before: list[Entry],
) -> None:
    def chunks(items: list[dict[str, Any]]) -> int:
        return sum(item["sk"]["S"].startswith("chunk#") for item in items)

    assert chunks(await all_items()) > 1
    assert await store.put_back(LARGE, 1, 1.0, None)
    [entry] = await store.load([LARGE])
    assert entry.contact == before[3].contact
    await store.save([entry])
    assert chunks(await all_items()) == 0
