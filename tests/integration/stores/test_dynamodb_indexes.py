"""What is in which index, and for how long the table keeps an item."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from pipelines.contact import Contact, Parked
from worker.stores import dynamodb
from worker.stores.buckets import BUCKETS
from worker.stores.dynamodb import DynamoStore
from worker.stores.layout import RANKS
from worker.stores.protocol import Entry, Quarantined, Saved


pytestmark = pytest.mark.services

AllItems = Callable[[], Awaitable[list[dict[str, Any]]]]
Before = Callable[[str, dict[str, Any]], Awaitable[None]]
Meddle = Callable[[Before], DynamoStore]

PARKED = Parked(["p/s"], 1.0, 400, "", {}, "")


def contact_id(random: Random) -> str:
    return random.randbytes(16).hex()


async def save(store: DynamoStore, *entries: Entry) -> None:
    assert await store.save(entries) == [Saved.SAVED] * len(entries)


async def test_due_merges_all_buckets_in_order(store: DynamoStore, all_items: AllItems) -> None:
    random = Random(1)
    entries = [
        Entry(
            Contact(contact_id(random)),
            due_at=float(random.randrange(1000)),
            rank=random.randrange(2),
            claimed_until=float(random.choice([0, 0, random.randrange(2000)])),
        )
        for _ in range(200)
    ]
    await save(store, *entries)
    buckets = {item["due_bucket"]["S"] for item in await all_items()}
    assert len(buckets) == BUCKETS * len(RANKS)

    ready = {e.contact.id: (e.rank, max(e.due_at or 0, e.claimed_until)) for e in entries}
    for now, limit in [(0.0, 9), (500.0, 3), (500.0, 40), (1500.0, 160), (1500.0, 500)]:
        due = await store.due(now, limit)
        expected = sorted(place for place in ready.values() if place[1] <= now)
        assert [ready[key] for key in due] == expected[:limit]
    assert await store.next_due() == min(at for _, at in ready.values())


async def test_contacts_that_owe_nothing_are_not_in_the_due_index(
    store: DynamoStore, client: Any, table: str
) -> None:
    done, owing = Entry(Contact("a"), due_at=1.0), Entry(Contact("b"), due_at=1.0)
    await save(store, done, owing, Entry(Contact("c")))
    done.due_at = None
    await save(store, done)
    answer = await client.scan(TableName=table, IndexName="due")
    assert [item["pk"]["S"] for item in answer["Items"]] == ["contact#b"]
    assert "data" not in answer["Items"][0]


async def test_neither_due_nor_listing_ever_scans_or_reads_contents(
    store: DynamoStore, meddle: Meddle
) -> None:
    await save(store, Entry(Contact("a", parked={"tasks(1)": PARKED}), due_at=1.0))
    requests = []

    async def note(operation: str, request: dict[str, Any]) -> None:
        requests.append((operation, request.get("IndexName")))

    watched = meddle(note)
    assert await watched.due(9.0, 10) == ["a"]
    assert await watched.next_due() == 1.0
    assert await watched.parked("", 10) == ["a"]
    assert await watched.ids("", 10) == ["a"]
    assert set(requests) == {("query", "due"), ("query", "parked"), ("query", "listed")}


async def test_replayed_contacts_are_not_asked_for_anew_for_seconds_after_there_were_none(
    meddle: Meddle,
) -> None:
    asked: list[str] = []

    async def before(operation: str, request: dict[str, Any]) -> None:
        if operation == "query":
            asked.append(request["ExpressionAttributeValues"][":bucket"]["S"])

    store = meddle(before)
    assert await store.next_due() is None
    assert len(asked) == BUCKETS * len(RANKS)
    asked.clear()
    assert await store.due(9.0, 9) == []
    assert {place[0] for place in asked} == {"0"}
    await save(store, Entry(Contact("a"), due_at=1.0, rank=1))
    assert await store.due(9.0, 9) == ["a"]


@pytest.mark.parametrize("due", [True, False])
@pytest.mark.parametrize("parked", [True, False])
@pytest.mark.parametrize("expires_at", [None, 1_800_000_000.25])
async def test_time_to_live_is_set_only_on_what_is_neither_due_nor_parked(
    store: DynamoStore,
    all_items: AllItems,
    expires_at: float | None,
    *,
    due: bool,
    parked: bool,
) -> None:
    contact = Contact("a", parked={"tasks(1)": PARKED} if parked else {})
    await save(store, Entry(contact, due_at=1.0 if due else None, expires_at=expires_at))
    [item] = await all_items()
    expected = {"N": "1800000001"} if expires_at and not due and not parked else None
    assert item.get("ttl") == expected


async def test_a_contact_that_comes_due_again_loses_its_time_to_live(
    store: DynamoStore, all_items: AllItems
) -> None:
    entry = Entry(Contact("a"), expires_at=5.0)
    await save(store, entry)
    entry.due_at = 1.0
    await save(store, entry)
    [item] = await all_items()
    assert "ttl" not in item
    assert (await store.load(["a"]))[0].expires_at == 5.0


async def test_expiring_is_left_to_the_table(store: DynamoStore) -> None:
    await save(store, Entry(Contact("a"), expires_at=1.0))
    assert await store.expire(9.0, 10) == 0
    assert await store.ids("", 10) == ["a"]


async def test_ids_are_in_order_whatever_they_begin_with(store: DynamoStore) -> None:
    keys = [*"0123456789abcdef", "-", "_x", "z", contact_id(Random(2))]
    await save(store, *(Entry(Contact(key)) for key in keys))
    listed: list[str] = []
    while page := await store.ids(listed[-1] if listed else "", 7):
        listed += page
    assert listed == sorted(keys)


async def test_quarantine_is_read_on_past_messages_just_released(
    store: DynamoStore, meddle: Meddle
) -> None:
    """The index still lists them; a page without any would look like the end."""
    await store.quarantine([Quarantined(k, 1.0, "sqs:r/1", "no JSON", b"{") for k in "abc"])

    async def release(operation: str, _request: dict[str, Any]) -> None:
        if operation == "batch_get_item":
            await store.release(["a", "b"])

    assert [q.id for q in await meddle(release).quarantined("", 2)] == ["c"]


async def test_many_contacts_are_counted_by_the_table(
    store: DynamoStore, meddle: Meddle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamodb, "COUNTED", 2)
    await save(store, *(Entry(Contact(key)) for key in ["a1", "a2", "a3", "b1"]))
    await store.quarantine([Quarantined("q", 1.0, "sqs:r/1", "no JSON", b"{")])
    operations = []

    async def note(operation: str, _request: dict[str, Any]) -> None:
        operations.append(operation)

    counts = await meddle(note).counts(1.0)
    assert (counts.contacts, counts.quarantined) == (2, 1), "moto does not count what is indexed"
    assert "describe_table" in operations
