"""Of a forgotten contact no item is left in the table, whatever its saves left behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import pytest

from pipelines.contact import Contact
from pipelines.identity import tombstone
from worker.operations.erasure import erase
from worker.stores import contents
from worker.stores.dynamodb import DynamoStore
from worker.stores.protocol import Entry, Quarantined, Saved


pytestmark = pytest.mark.services

AllItems = Callable[[], Awaitable[list[dict[str, Any]]]]
Large = Callable[..., Contact]
Before = Callable[[str, dict[str, Any]], Awaitable[None]]
Meddle = Callable[[Before], DynamoStore]

GONE = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"


class Crash(BaseException):
    """The process dies: nothing after this is done."""


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "PART_BYTES", 20_000)


def keys(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((item["pk"]["S"], item["sk"]["S"]) for item in items)


async def test_only_the_tombstone_is_left_which_does_not_name_it(
    store: DynamoStore, large: Large, all_items: AllItems
) -> None:
    entry = Entry(large(GONE), due_at=1.0)
    assert await store.save([entry]) == [Saved.SAVED]
    text = bytes(large("x", seed=2).to_bytes()) + GONE.encode()
    await store.quarantine([Quarantined("q", 1.0, "sqs:q/1", "not JSON", text)])
    await erase(store, GONE)
    left = await all_items()
    assert keys(left) == [(f"memory#{tombstone(GONE)}", "head")]
    assert GONE not in str(left)


async def test_chunks_that_a_crash_left_go_too(
    store: DynamoStore, meddle: Meddle, large: Large, all_items: AllItems
) -> None:
    assert await store.save([Entry(large(GONE))]) == [Saved.SAVED]

    async def die(operation: str, request: dict[str, Any]) -> None:
        if operation == "put_item" and request["Item"]["sk"] == {"S": "head"}:
            raise Crash

    with pytest.raises(Crash):
        await meddle(die).save([Entry(large(GONE, seed=2), version=1)])
    assert len(await all_items()) > 3
    await erase(store, GONE)
    assert keys(await all_items()) == [(f"memory#{tombstone(GONE)}", "head")]


@pytest.mark.parametrize("size", [10, 30_000])
@pytest.mark.parametrize("begun", [False, True])
async def test_whoever_is_just_saving_it_leaves_nothing(
    store: DynamoStore, meddle: Meddle, large: Large, all_items: AllItems, size: int, *, begun: bool
) -> None:
    """It is forgotten before each request of a save in turn, until there are no more of them."""
    for number in range(20):
        contact_id, requests = f"{number}", count()
        mine = Entry(large(contact_id, size=size))
        mine.contact.labels = {"day 2026-11-30": 5}
        if begun:
            assert await store.save([mine]) == [Saved.SAVED]
            mine.contact = large(contact_id, seed=2, size=size)
        mine.contact.labels["phone Ab-_0123456x"] = 5

        async def forget(_operation: str, _request: dict[str, Any]) -> None:
            if next(requests) == number:  # noqa: B023 - used within its round
                await store.forget([contact_id])  # noqa: B023 - as above

        await meddle(forget).save([mine])
        if next(requests) <= number:
            return
        assert contact_id not in await store.ids("", 100)
        left = keys(await all_items())
        assert [k for k in left if k[0] == f"contact#{contact_id}"] == []
        assert [k for k in left if k[1].endswith(f"#{contact_id}")] == []
    pytest.fail("a save has no end")


async def test_whoever_dies_while_creating_it_again_brings_it_back_for_no_other(
    store: DynamoStore, meddle: Meddle, large: Large, all_items: AllItems
) -> None:
    """It is forgotten just before it is written, and its creator dies just after."""
    mine = Entry(large(GONE, size=10))
    mine.contact.labels = {"day 2026-11-30": 5, "phone Ab-_0123456x": 5}
    written = False

    async def die(operation: str, request: dict[str, Any]) -> None:
        nonlocal written
        if written:
            raise Crash
        if operation == "put_item" and request["Item"]["sk"] == {"S": "head"}:
            await store.forget([GONE])
            written = True

    with pytest.raises(Crash):
        await meddle(die).save([mine])
    assert await store.ids("", 9) == [GONE]
    assert await store.load([GONE]) == [Entry(Contact(GONE))]
    assert keys(await all_items()) == [(f"memory#{tombstone(GONE)}", "head")]
