"""What is too large for one item lies in chunks, and is never read torn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from itertools import count
from typing import Any

import pytest

from pipelines.contact import Contact, Parked
from worker.clock import Clock
from worker.errors import StoreUnavailable
from worker.stores import contents
from worker.stores.dynamodb import DynamoStore
from worker.stores.protocol import Entry, FaultNote, Quarantined, Saved


pytestmark = pytest.mark.services

AllItems = Callable[[], Awaitable[list[dict[str, Any]]]]
Remove = Callable[[list[dict[str, Any]]], Awaitable[None]]
Large = Callable[..., Contact]
Before = Callable[[str, dict[str, Any]], Awaitable[None]]
Meddle = Callable[[Before], DynamoStore]

#: Calls that a save of a large contact over another takes at most.
MOST_CALLS = 20

#: So that contacts of two chunks are small, and the tests quick.
PART_BYTES = 20_000
REAL_PART_BYTES = contents.PART_BYTES


FAULT = FaultNote("our bug: KeyError at worker.engine.push:1", 1, 2.5)


class Crash(BaseException):
    """The process dies: nothing after this is done."""


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "PART_BYTES", PART_BYTES)


def dying_at(call: int) -> Before:
    """Let so many calls through, and no more."""
    calls = count()

    async def before(_operation: str, _request: dict[str, Any]) -> None:
        if next(calls) >= call:
            raise Crash

    return before


async def only(store: DynamoStore, contact_id: str) -> Entry:
    [entry] = await store.load([contact_id])
    return entry


def chunks(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in items if item["sk"]["S"].startswith("chunk#")]


def named(items: list[dict[str, Any]]) -> list[str]:
    """The chunks that the items name."""
    heads = (item for item in items if "chunks" in item)
    return sorted(key["sk"]["S"] for head in heads for key in contents.chunk_keys(head))


def lying(items: list[dict[str, Any]]) -> list[str]:
    return sorted(item["sk"]["S"] for item in chunks(items))


async def test_a_large_contact_is_loaded_as_it_was_saved(
    store: DynamoStore, large: Large, all_items: AllItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "PART_BYTES", REAL_PART_BYTES)
    saved = Entry(large("a", size=1_500_000), due_at=1.0, expires_at=2.5)
    assert await store.save([saved]) == [Saved.SAVED]
    assert await only(store, "a") == saved
    lying = chunks(await all_items())
    assert len(lying) == 5
    assert max(len(item["data"]["B"]) for item in lying) == 350 * 1024


async def test_a_contact_up_to_the_limit_is_saved_and_a_larger_one_refused(
    table: str, store: DynamoStore, large: Large
) -> None:
    size = len(large("a").to_bytes())
    small = DynamoStore(table, connect=store._connection._connect, limit_bytes=size)
    assert await small.save([Entry(large("a")), Entry(large("b", size=30_001))]) == [
        Saved.SAVED,
        Saved.REFUSED,
    ]


@pytest.mark.parametrize("due_at", [5.0, None])
async def test_each_save_leaves_its_own_chunks_only(
    store: DynamoStore, large: Large, all_items: AllItems, due_at: float | None
) -> None:
    entry = Entry(large("a"), due_at=due_at, expires_at=7.0)
    for seed in (2, 3):
        await store.save([entry])
        entry.contact = large("a", seed)
    await store.save([entry])
    items = await all_items()
    assert lying(items) == named(items)
    assert await only(store, "a") == entry


async def test_a_contact_that_shrinks_leaves_no_chunks(
    store: DynamoStore, large: Large, all_items: AllItems
) -> None:
    entry = Entry(large("a"))
    await store.save([entry])
    entry.contact = Contact("a", tries=1)
    assert await store.save([entry]) == [Saved.SAVED]
    assert await only(store, "a") == entry
    assert lying(await all_items()) == []


@pytest.mark.parametrize("stale", ["large", "small"])
async def test_a_save_that_conflicts_leaves_no_chunks_and_hurts_none(
    store: DynamoStore, large: Large, all_items: AllItems, stale: str
) -> None:
    entry = Entry(large("a"))
    await store.save([entry])
    await store.save([entry])
    late = large("a", 2) if stale == "large" else Contact("a")
    assert await store.save([Entry(late, version=1)]) == [Saved.CONFLICT]
    assert await only(store, "a") == entry
    items = await all_items()
    assert lying(items) == named(items)


@pytest.mark.parametrize("idle", [True, False], ids=["idle", "due"])
async def test_a_crash_between_any_two_calls_leaves_the_old_contact_or_the_new(
    store: DynamoStore, meddle: Meddle, large: Large, all_items: AllItems, *, idle: bool
) -> None:
    due_at = None if idle else 1.0
    versions = set()
    for call in range(MOST_CALLS):
        [old] = await store.load(["a"])
        new = Entry(large("a", 2 * call), old.version, due_at, expires_at=9.0)
        try:
            assert await meddle(dying_at(call)).save([new]) == [Saved.SAVED]
        except Crash:
            pass
        else:
            break
        found = await only(store, "a")
        assert found.contact == (old if found.version == old.version else new).contact
        versions.add(found.version - old.version)
        found.contact = large("a", 2 * call + 1)
        assert await store.save([found]) == [Saved.SAVED]
        items = await all_items()
        assert lying(items) == named(items), "the next save removes what the crash left"
    else:
        pytest.fail("the save never came to its end")
    assert versions == {0, 1}


async def test_chunks_of_a_save_that_did_not_get_far_vanish_by_themselves(
    meddle: Meddle, large: Large, all_items: AllItems
) -> None:
    with pytest.raises(Crash):
        await meddle(dying_at(2)).save([Entry(large("a"), due_at=1.0)])
    left = chunks(await all_items())
    assert len(left) == 2
    assert all("ttl" in item for item in left)


@pytest.mark.parametrize("case", ["due", "parked", "idle", "for ever"])
async def test_chunks_live_longer_than_their_contact(
    store: DynamoStore, large: Large, all_items: AllItems, case: str
) -> None:
    entry = Entry(large("a"), expires_at=None if case == "for ever" else 4e9)
    entry.due_at = 1.0 if case == "due" else None
    if case == "parked":
        entry.contact.parked["tasks(1)"] = Parked(["p/s"], 1.0, 400, "", {}, "")
    await store.save([entry])
    times = {float(i["ttl"]["N"]) for i in chunks(await all_items()) if "ttl" in i}
    assert times == ({4e9 + contents.OUTLIVE_S} if case == "idle" else set())


async def test_readers_see_a_whole_contact_while_another_is_being_written(
    store: DynamoStore, meddle: Meddle, large: Large
) -> None:
    contacts = [large("a", 1), large("a", 2)]
    await store.save([Entry(contacts[0])])
    seen = []

    async def read(_operation: str, _request: dict[str, Any]) -> None:
        seen.append((await only(store, "a")).contact)

    [entry] = await store.load(["a"])
    entry.contact = contacts[1]
    assert await meddle(read).save([entry]) == [Saved.SAVED]
    assert all(contact in contacts for contact in seen)
    assert len(seen) > 3


async def test_a_reader_overtaken_by_a_save_reads_again(
    store: DynamoStore, meddle: Meddle, large: Large
) -> None:
    entry = Entry(large("a", 1))
    await store.save([entry])
    reads = iter(range(9))

    async def save_before_the_chunks_are_read(_operation: str, _request: dict[str, Any]) -> None:
        if next(reads) == 1:
            entry.contact = large("a", 2)
            await store.save([entry])

    assert await only(meddle(save_before_the_chunks_are_read), "a") == entry


async def test_a_reader_overtaken_by_a_removal_reads_an_empty_contact(
    store: DynamoStore, meddle: Meddle, large: Large, all_items: AllItems, remove: Remove
) -> None:
    await store.save([Entry(large("a", 1))])
    reads = iter(range(9))

    async def remove_all(_operation: str, _request: dict[str, Any]) -> None:
        if next(reads) == 1:
            await remove(await all_items())

    assert await only(meddle(remove_all), "a") == Entry(Contact("a"))


async def test_a_contact_without_its_chunks_is_no_empty_one_and_holds_up_no_other(
    store: DynamoStore, large: Large, all_items: AllItems, remove: Remove
) -> None:
    await store.save([Entry(large("a"), due_at=1.0), Entry(Contact("b", tries=1))])
    await remove(chunks(await all_items())[:1])
    a, b = await store.load(["a", "b"])
    assert (a.contact, a.version, a.due_at) == (Contact("a"), 1, 1.0)
    assert a.unreadable == "chunks of it are missing"
    assert b == Entry(Contact("b", tries=1), 1)
    assert await store.put_back("a", 1, None, FAULT)
    assert await store.parked("", 10) == ["a"]


async def test_a_large_contact_is_put_back_with_its_chunks_time_and_again(
    store: DynamoStore, large: Large, all_items: AllItems
) -> None:
    """Its version is raised in place; the chunks, whose keys name one, are found as before."""
    saved = Entry(large("a"), due_at=1.0, claim="w", claimed_until=99.0)
    await store.save([saved])
    before = lying(await all_items())
    for version in (1, 2, 3):
        assert await store.put_back("a", version, 1.0 + version, FAULT)
    assert lying(await all_items()) == before
    found = await only(store, "a")
    assert found == Entry(large("a"), 4, 4.0, fault=FAULT)
    found.contact = large("a", 2)
    assert await store.save([found]) == [Saved.SAVED]
    assert await only(store, "a") == found
    items = await all_items()
    assert lying(items) == named(items)
    assert not set(lying(items)) & set(before)


async def test_a_large_contact_that_was_put_back_shrinks_and_leaves_no_chunks(
    store: DynamoStore, large: Large, all_items: AllItems
) -> None:
    await store.save([Entry(large("a"))])
    assert await store.put_back("a", 1, 1.0, None)
    assert await store.save([Entry(Contact("a", tries=1), 2)]) == [Saved.SAVED]
    assert await only(store, "a") == Entry(Contact("a", tries=1), 3)
    assert lying(await all_items()) == []


async def test_chunks_live_as_long_as_a_contact_that_was_put_back(
    store: DynamoStore, large: Large, all_items: AllItems
) -> None:
    """With a fault it stays, and so do they; without, they vanish after it."""

    async def times() -> set[float]:
        return {float(i["ttl"]["N"]) for i in chunks(await all_items()) if "ttl" in i}

    await store.save([Entry(large("a"), expires_at=4e9)])
    assert await times() == {4e9 + contents.OUTLIVE_S}
    assert await store.put_back("a", 1, None, FAULT)
    assert await times() == set()
    assert await store.put_back("a", 2, None, None)
    assert await times() == {4e9 + contents.OUTLIVE_S}
    [found] = [item for item in await all_items() if item["sk"] == {"S": "head"}]
    assert found["ttl"] == {"N": "4000000000"}


async def test_a_put_back_overtaken_between_any_two_calls_changes_nothing(
    store: DynamoStore, meddle: Meddle, large: Large, all_items: AllItems
) -> None:
    for call in range(2):
        saved = Entry(large(f"{call}", 1), due_at=1.0)
        await store.save([saved])
        calls = count()

        async def overtake(_operation: str, _request: dict[str, Any]) -> None:
            if next(calls) == call:  # noqa: B023 - used within its round
                saved.contact = large(saved.contact.id, 2)  # noqa: B023 - as above
                assert await store.save([saved]) == [Saved.SAVED]  # noqa: B023 - as above

        assert not await meddle(overtake).put_back(f"{call}", 1, 9.0, FAULT)
        assert await only(store, f"{call}") == saved
    items = await all_items()
    assert lying(items) == named(items)


async def test_a_save_overtaken_by_a_put_back_conflicts_and_leaves_no_chunks(
    store: DynamoStore, meddle: Meddle, large: Large, all_items: AllItems
) -> None:
    for call in range(5):
        key = f"{call}"
        await store.save([Entry(large(key, 1), due_at=1.0)])
        calls = count()

        async def overtake(_operation: str, _request: dict[str, Any]) -> None:
            if next(calls) == call:  # noqa: B023 - used within its round
                assert await store.put_back(key, 1, 9.0, FAULT)  # noqa: B023 - as above

        late = Entry(large(key, 2), 1, 1.0)
        assert await meddle(overtake).save([late]) == [Saved.CONFLICT]
        assert await only(store, key) == Entry(large(key, 1), 2, 9.0, fault=FAULT)
    items = await all_items()
    assert lying(items) == named(items)


@pytest.mark.parametrize("rival", ["large", "small"])
@pytest.mark.parametrize("call", range(5))
async def test_a_save_overtaken_between_any_two_calls_conflicts(
    store: DynamoStore, meddle: Meddle, large: Large, all_items: AllItems, *, rival: str, call: int
) -> None:
    await store.save([Entry(large("a", 1))])
    [mine] = await store.load(["a"])
    mine.contact = large("a", 2)
    [theirs] = await store.load(["a"])
    theirs.contact = large("a", 7) if rival == "large" else Contact("a", tries=7)
    calls = count()

    async def overtake(_operation: str, _request: dict[str, Any]) -> None:
        if next(calls) == call:
            assert await store.save([theirs]) == [Saved.SAVED]

    assert await meddle(overtake).save([mine]) == [Saved.CONFLICT]
    assert await only(store, "a") == theirs
    items = await all_items()
    assert lying(items) == named(items)


async def test_a_save_that_shrinks_a_contact_conflicts_when_overtaken(
    store: DynamoStore, meddle: Meddle, large: Large, all_items: AllItems
) -> None:
    """Its first try finds that chunks are to go with what it replaces; then somebody is faster."""
    theirs = Entry(large("a", 1))
    await store.save([theirs])
    puts = count()

    async def overtake(_operation: str, _request: dict[str, Any]) -> None:
        if next(puts) == 1:
            assert await store.save([theirs]) == [Saved.SAVED]

    assert await meddle(overtake).save([Entry(Contact("a"), version=1)]) == [Saved.CONFLICT]
    assert await only(store, "a") == theirs
    items = await all_items()
    assert lying(items) == named(items)


async def test_a_save_that_slept_until_its_chunks_were_gone_conflicts(
    store: DynamoStore, meddle: Meddle, large: Large, all_items: AllItems, remove: Remove
) -> None:
    async def remove_chunks(operation: str, _request: dict[str, Any]) -> None:
        if operation == "update_item":
            await remove(chunks(await all_items()))

    assert await meddle(remove_chunks).save([Entry(large("a"), due_at=1.0)]) == [Saved.CONFLICT]
    assert await only(store, "a") == Entry(Contact("a"))


async def test_leftovers_that_cannot_be_removed_now_do_not_fail_a_save(
    store: DynamoStore, meddle: Meddle, large: Large
) -> None:
    async def fail(operation: str, _request: dict[str, Any]) -> None:
        if operation in {"query", "delete_item"}:
            raise StoreUnavailable("DynamoDB: throttled")

    entry = Entry(large("a", 1))
    await store.save([entry])
    entry.contact = large("a", 2)
    assert await meddle(fail).save([entry]) == [Saved.SAVED]
    stale = Entry(large("a", 3), version=1)
    assert await meddle(fail).save([stale]) == [Saved.CONFLICT]
    assert await only(store, "a") == entry


async def test_a_large_message_in_quarantine_is_kept_whole_and_released_whole(
    store: DynamoStore, large: Large, all_items: AllItems
) -> None:
    message = Quarantined("ab", 1.5, "kinesis:records/0/1", "no JSON", large("a").to_bytes())
    await store.quarantine([message])
    await store.quarantine([message])
    assert await store.quarantined("", 10) == [message]
    items = await all_items()
    assert lying(items) == named(items)
    assert all("ttl" not in item for item in items)
    assert await store.release(["ab"]) == 1
    assert await all_items() == []


async def test_a_quarantine_that_crashes_shows_nothing_and_can_be_repeated(
    store: DynamoStore, meddle: Meddle, large: Large, all_items: AllItems
) -> None:
    message = Quarantined("ab", 1.5, "kinesis:records/0/1", "no JSON", large("a").to_bytes())
    with pytest.raises(Crash):
        await meddle(dying_at(4)).quarantine([message])
    assert await store.quarantined("", 10) == []
    await store.quarantine([message])
    assert await store.quarantined("", 10) == [message]
    items = await all_items()
    assert lying(items) == named(items)


async def test_the_wall_clock_counts_for_chunks_of_what_has_long_expired(
    table: str, client: Any, large: Large, all_items: AllItems
) -> None:
    """A save must not be overtaken by the table removing its chunks."""
    clock = Clock(wall=lambda: 2e9)
    store = DynamoStore(table, connect=lambda: nullcontext(client), clock=clock)
    await store.save([Entry(large("a"), expires_at=1e9)])
    times = {float(item["ttl"]["N"]) for item in chunks(await all_items())}
    assert times == {2e9 + contents.OUTLIVE_S}
