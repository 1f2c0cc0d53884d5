"""What every contact store does. A new store joins with one line in OPENERS.

One that needs a server takes all of this over with a fixture ``store`` of its own, as
``tests/integration/stores/test_dynamodb_contract.py`` does.
"""

from __future__ import annotations

import asyncio
import sqlite3

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from hostile_store import HostileStore
from pipelines.contact import Contact, Parked, RecordLedger
from pipelines.fact import Fact
from pipelines.identity import tombstone
from worker.stores.buckets import ALL, bucket_of
from worker.stores.memory import MemoryStore
from worker.stores.protocol import (
    ContactStore,
    Counts,
    Entry,
    FaultNote,
    Found,
    Quarantined,
    Saved,
)
from worker.stores.sqlite import SqliteStore


LIMIT_BYTES = 20_000


@asynccontextmanager
async def memory(_folder: Path) -> AsyncIterator[ContactStore]:
    yield MemoryStore(limit_bytes=LIMIT_BYTES)


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[ContactStore]:
    store = SqliteStore(folder / "contacts.sqlite", limit_bytes=LIMIT_BYTES)
    yield store
    await store.close()


@asynccontextmanager
async def hostile(_folder: Path) -> AsyncIterator[ContactStore]:
    """Its lists are late, but a test's next look is later; its other ways are for other ids."""
    store = HostileStore(limit_bytes=LIMIT_BYTES, late=1.0)
    store.damaged, store.newer, store.unsavable, store.unwritable = {"x1"}, {"x2"}, {"x3"}, {"x4"}
    yield store


Opener = Callable[[Path], AbstractAsyncContextManager[ContactStore]]

#: Stores, empty and refusing contacts of more than LIMIT_BYTES.
OPENERS: list[Opener] = [memory, sqlite, hostile]


@pytest.fixture(params=OPENERS, ids=lambda opener: opener.__name__)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ContactStore]:
    opener: Opener = request.param
    async with opener(tmp_path) as opened:
        yield opened


#: ``await rewrite("a", data)``: what is stored of a contact is something else from now on.
Rewrite = Callable[[str, bytes], Awaitable[None]]


@pytest.fixture
def rewrite(store: ContactStore, tmp_path: Path) -> Rewrite:
    async def change(key: str, data: bytes) -> None:
        if isinstance(store, MemoryStore):
            store._rows[key] = replace(store._rows[key], data=data)
            return
        with closing(sqlite3.connect(tmp_path / "contacts.sqlite")) as connection, connection:
            connection.execute("UPDATE contact SET data = ? WHERE id = ?", (data, key))

    return change


FAULT = FaultNote("our bug: TypeError at worker.engine.push:1", 2, 5.25, ("1.0/ab", "1.1/ab"))

NEWER = orjson.dumps({"form": 2, "contents": "of another kind"})

#: What no release wrote, and what is said of it.
DAMAGED = {
    "not JSON": (b"\x00\xff", "not JSON"),
    "nothing": (b"", "not JSON"),
    "no object": (b"[]", "no object"),
    "an odd form": (b'{"form":"x","facts":{}}', "its form"),
    "no facts": (b"{}", "its facts"),
    "facts of a wrong shape": (b'{"facts":{"record":["1"]}}\n{}', "its facts"),
    "a line too few": (b'{"facts":{"record":["1",""]}}', "1 facts and holds 0"),
    "a line too many": (b'{"facts":{}}\n{}', "0 facts and holds 1"),
    "a line cut short": (b'{"facts":{"record":["1",""]}}\n{"a":', "no JSON object"),
    "a wrong type": (b'{"facts":{},"tries":true}', "its tries"),
    "a record without key": (b'{"facts":{},"ledger":{"a":{"entity":"a"}}}', "RecordLedger lacks"),
    "a column that is no text": (
        b'{"facts":{},"ledger":{"a(1)":{"entity":"a","key":"1","columns":{"x":1}}}}',
        "its columns",
    ),
}


def contact(key: str, *, size: int = 10, parked: bool = False) -> Contact:
    """A contact with something in every field."""
    made = Contact(
        key,
        ledger={
            "tasks(1)": RecordLedger("tasks", "1", "there", {"subject": "ab"}, answer={"x": 1})
        },
        lookups={"p/s": {"asked": "cd", "answer": {"contactid": "é"}}},
        effects={"p/open": "done"},
        intent={"tasks(1)": {"subject": "ef"}},
        tries=2,
        history=[[1_767_323_045_678, "create", "tasks(1)", ["p/s"], ["subject"], 201]],
    )
    body = b'{"text":"%s"}' % (b"x" * size)
    made.observe(Fact(key, "record", "1", body, "2026-01-02T03:04:05.678Z"))
    if parked:
        made.parked["tasks(1)"] = Parked(
            steps=["p/s"], at=1.5, status=400, code="0x0", request={"body": None}, answer="no"
        )
    return made


def entry(key: str, due_at: float | None = None, **more: float | str) -> Entry:
    return Entry(contact(key), due_at=due_at, **more)  # type: ignore[arg-type] # Entry's own fields


def quarantined(key: str, at: float = 1.0) -> Quarantined:
    return Quarantined(key, at, "sqs:recordings/1", "no JSON", b"\x00\xff{")


async def save(store: ContactStore, *entries: Entry) -> None:
    assert await store.save(entries) == [Saved.SAVED] * len(entries)


async def load(store: ContactStore, key: str) -> Entry:
    [loaded] = await store.load([key])
    return loaded


async def test_an_unknown_contact_loads_empty_with_version_0(store: ContactStore) -> None:
    assert await store.load(["a"]) == [Entry(Contact("a"))]


async def test_loading_yields_one_entry_per_distinct_id(store: ContactStore) -> None:
    await save(store, entry("b"))
    loaded = await store.load(["c", "b", "a", "b", "c"])
    assert [(e.contact.id, e.version) for e in loaded] == [("c", 0), ("b", 1), ("a", 0)]


async def test_loading_nothing_yields_nothing(store: ContactStore) -> None:
    assert await store.load([]) == []


async def test_what_is_saved_is_loaded_with_all_beside_it(store: ContactStore) -> None:
    saved = Entry(contact("a", parked=True), 0, 12.25, 1, "worker-1", 13.5, 99.75, FAULT)
    await save(store, saved)
    assert await load(store, "a") == saved


async def test_a_large_batch_is_loaded_whole(store: ContactStore) -> None:
    keys = [f"{n:04}" for n in range(2500)]
    await save(store, *map(entry, keys))
    assert [e.contact.id for e in await store.load(keys)] == keys


async def test_saving_raises_the_version_in_place(store: ContactStore) -> None:
    first = entry("a")
    await save(store, first)
    assert first.version == 1
    await save(store, first)
    assert (first.version, (await load(store, "a")).version) == (2, 2)


async def test_an_entry_loaded_before_another_save_conflicts_and_changes_nothing(
    store: ContactStore,
) -> None:
    await save(store, entry("a"))
    mine, theirs = await load(store, "a"), await load(store, "a")
    theirs.contact.tries = 7
    await save(store, theirs)
    mine.contact.tries = 8
    assert await store.save([mine]) == [Saved.CONFLICT]
    assert mine.version == 1
    assert (await load(store, "a")).contact.tries == 7


async def test_of_two_that_create_a_contact_one_conflicts(store: ContactStore) -> None:
    assert await store.save([entry("a")]) == [Saved.SAVED]
    assert await store.save([entry("a")]) == [Saved.CONFLICT]


async def test_the_same_entry_twice_in_one_call_conflicts_with_itself(store: ContactStore) -> None:
    twice = entry("a")
    assert await store.save([twice, twice]) == [Saved.SAVED, Saved.CONFLICT]
    assert twice.version == 1


async def test_of_saves_racing_for_one_version_one_wins(store: ContactStore) -> None:
    outcomes = await asyncio.gather(*(store.save([entry("a")]) for _ in range(10)))
    assert sorted(o.name for [o] in outcomes) == ["CONFLICT"] * 9 + ["SAVED"]


async def test_an_entry_removed_since_it_was_loaded_conflicts(store: ContactStore) -> None:
    known = entry("a", expires_at=1.0)
    await save(store, known)
    await store.expire(2.0, 10)
    assert await store.save([known]) == [Saved.CONFLICT]
    assert (await load(store, "a")).version == 0


async def test_a_contact_too_large_is_refused_and_holds_nobody_up(store: ContactStore) -> None:
    large = Entry(contact("b", size=LIMIT_BYTES))
    stale = Entry(contact("c"), version=5)
    outcomes = await store.save([entry("a"), large, stale, entry("d")])
    assert outcomes == [Saved.SAVED, Saved.REFUSED, Saved.CONFLICT, Saved.SAVED]
    assert (large.version, stale.version) == (0, 5)
    assert await store.ids("", 10) == ["a", "d"]


async def test_a_refused_entry_leaves_the_stored_one_as_it_was(store: ContactStore) -> None:
    await save(store, entry("a"))
    grown = await load(store, "a")
    grown.contact = contact("a", size=LIMIT_BYTES)
    assert await store.save([grown]) == [Saved.REFUSED]
    assert await load(store, "a") == Entry(contact("a"), 1)


async def test_saving_nothing_is_fine(store: ContactStore) -> None:
    assert await store.save([]) == []


async def test_changing_an_entry_after_saving_does_not_change_the_store(
    store: ContactStore,
) -> None:
    saved = entry("a", due_at=1.0)
    await save(store, saved)
    saved.due_at = None
    saved.contact.facts.clear()
    saved.contact.ledger.clear()
    assert await load(store, "a") == Entry(contact("a"), 1, 1.0)


async def test_changing_a_loaded_entry_does_not_change_the_store(store: ContactStore) -> None:
    await save(store, entry("a"))
    loaded = await load(store, "a")
    loaded.contact.facts.clear()
    assert await load(store, "a") == Entry(contact("a"), 1)


async def test_due_are_those_whose_time_has_come_now_included(store: ContactStore) -> None:
    await save(store, entry("a", 1.0), entry("b", 2.0), entry("c", 2.1), entry("d"))
    assert await store.due(0.9, 10) == []
    assert await store.due(2.0, 10) == ["a", "b"]


async def test_a_claim_hides_an_entry_until_it_lapses(store: ContactStore) -> None:
    await save(store, entry("a", 1.0, claim="w", claimed_until=5.0))
    assert await store.due(4.9, 10) == []
    assert await store.due(5.0, 10) == ["a"]


async def test_due_come_live_ones_first_and_each_by_age(store: ContactStore) -> None:
    await save(
        store,
        entry("a", 1.0, rank=1),
        entry("b", 3.0),
        entry("c", 2.0),
        entry("d", 0.5, rank=1),
    )
    assert await store.due(9.0, 10) == ["c", "b", "d", "a"]
    assert await store.due(9.0, 3) == ["c", "b", "d"]


async def test_an_entry_saved_without_due_at_is_no_longer_due(store: ContactStore) -> None:
    done = entry("a", 1.0)
    await save(store, done)
    done.due_at = None
    await save(store, done)
    assert await store.due(9.0, 10) == []
    assert await store.next_due() is None


async def test_next_due_is_when_the_first_will_be_due_and_unclaimed(store: ContactStore) -> None:
    assert await store.next_due() is None
    await save(store, entry("a"), entry("b", 1.0, claim="w", claimed_until=8.0))
    assert await store.next_due() == 8.0
    await save(store, entry("c", 7.0, claim="w", claimed_until=3.0))
    assert await store.next_due() == 7.0


async def test_each_bucket_has_a_due_list_of_its_own(store: ContactStore) -> None:
    keys = [f"{n:03}" for n in range(60)]
    await save(store, *(entry(key, 10.0 + n % 7, rank=n % 2) for n, key in enumerate(keys)))
    for bucket in ALL:
        due = await store.due(99.0, 99, {bucket})
        assert sorted(due) == [key for key in keys if bucket_of(key) == bucket]
        assert await store.due(99.0, 2, {bucket}) == due[:2]
        order = [(int(key) % 2, int(key) % 7) for key in due]
        assert order == sorted(order)
        assert await store.next_due({bucket}) == 10.0 + min(int(key) % 7 for key in due)
        assert await store.due(9.0, 99, {bucket}) == []
    some = {0, 5, 11}
    assert set(await store.due(99.0, 99, some)) == {key for key in keys if bucket_of(key) in some}
    assert await store.due(99.0, 99, ()) == []
    assert await store.next_due(()) is None


async def test_a_claim_hides_an_entry_from_its_bucket_until_it_lapses(store: ContactStore) -> None:
    await save(store, entry("a", 1.0, claim="w", claimed_until=5.0), entry("b", 2.0))
    own = {bucket_of("a")}
    assert bucket_of("b") not in own
    assert await store.due(4.9, 10, own) == []
    assert await store.next_due(own) == 5.0
    assert await store.due(5.0, 10, own) == ["a"]
    done = await load(store, "a")
    done.due_at = None
    await save(store, done)
    assert await store.next_due(own) is None


async def test_ids_page_through_the_whole_store(store: ContactStore) -> None:
    await save(store, *map(entry, ["b", "d", "a", "c"]))
    assert await store.ids("", 3) == ["a", "b", "c"]
    assert await store.ids("c", 3) == ["d"]
    assert await store.ids("d", 3) == []


async def test_parked_lists_contacts_with_parked_steps_only(store: ContactStore) -> None:
    await save(store, *(Entry(contact(k, parked=k != "b")) for k in "dabc"))
    assert await store.parked("", 2) == ["a", "c"]
    assert await store.parked("c", 2) == ["d"]


async def test_a_contact_whose_steps_are_released_is_no_longer_parked(store: ContactStore) -> None:
    stuck = Entry(contact("a", parked=True))
    await save(store, stuck)
    stuck.contact.parked.clear()
    await save(store, stuck)
    assert await store.parked("", 10) == []


async def test_a_contact_with_a_fault_is_listed_as_parked_until_it_is_saved_without(
    store: ContactStore,
) -> None:
    faulty = entry("a", 1.0)
    faulty.fault = FAULT
    await save(store, faulty, entry("b"))
    assert (await load(store, "a")).fault == FAULT
    assert await store.parked("", 10) == ["a"]
    assert (await store.counts(0.0)).parked == 1
    faulty.fault = None
    await save(store, faulty)
    assert await store.parked("", 10) == []
    assert (await store.counts(0.0)).parked == 0


async def test_a_contact_with_a_fault_does_not_expire(store: ContactStore) -> None:
    faulty = entry("a", expires_at=1.0)
    faulty.fault = FAULT
    await save(store, faulty, entry("b", expires_at=1.0))
    assert await store.expire(50.0, 10) == 1
    assert await store.ids("", 10) == ["a"]


async def test_what_is_put_back_is_unclaimed_has_its_fault_and_all_else_as_it_was(
    store: ContactStore,
) -> None:
    saved = Entry(contact("a", parked=True), 0, 1.0, 1, "w", 99.0, 50.0)
    await save(store, saved)
    assert await store.put_back("a", 1, 7.5, FAULT)
    assert await load(store, "a") == replace(
        saved, version=2, due_at=7.5, claim="", claimed_until=0.0, fault=FAULT
    )
    assert await store.due(7.4, 10) == []
    assert await store.due(7.5, 10) == ["a"]
    assert await store.next_due() == 7.5
    assert await store.save([saved]) == [Saved.CONFLICT]


async def test_what_is_put_back_keeps_its_rank(store: ContactStore) -> None:
    await save(store, entry("a", rank=1), entry("b", 1.0, rank=1), entry("c", 9.0), entry("d"))
    for key in "abd":
        assert await store.put_back(key, 1, 2.0, None)
    assert await store.due(9.0, 2) == ["d", "c"]
    assert set(await store.due(9.0, 10)) == set("abcd")


async def test_what_is_put_back_with_nothing_owed_is_no_longer_due(store: ContactStore) -> None:
    await save(store, entry("a", 1.0, claim="w", claimed_until=99.0))
    assert await store.put_back("a", 1, None, FAULT)
    assert await store.next_due() is None
    assert await store.counts(99.0) == Counts(1, 0, 1, 0, None)
    assert (await load(store, "a")).due_at is None


@pytest.mark.parametrize("parked", [True, False])
async def test_a_fault_that_is_taken_away_leaves_parked_steps_parked(
    store: ContactStore, *, parked: bool
) -> None:
    await save(store, Entry(contact("a", parked=parked), expires_at=1.0))
    assert await store.put_back("a", 1, None, FAULT)
    assert await store.parked("", 10) == ["a"]
    assert await store.expire(9.0, 10) == 0
    assert await store.put_back("a", 2, None, None)
    assert await store.parked("", 10) == ["a"] * parked
    assert await store.expire(9.0, 10) == (not parked)


async def test_only_the_version_that_is_stored_is_put_back(store: ContactStore) -> None:
    await save(store, entry("a", 1.0))
    saved = await load(store, "a")
    assert not await store.put_back("a", 0, 2.0, FAULT)
    assert not await store.put_back("a", 2, 2.0, FAULT)
    assert not await store.put_back("b", 0, 2.0, FAULT)
    assert await load(store, "a") == saved
    assert await store.ids("", 10) == ["a"]


async def test_of_those_that_put_a_contact_back_at_once_one_does(store: ContactStore) -> None:
    await save(store, entry("a", 1.0))
    done = await asyncio.gather(*(store.put_back("a", 1, float(n), None) for n in range(10)))
    assert done.count(True) == 1
    assert (await load(store, "a")).due_at == done.index(True)


async def test_a_contact_that_was_put_back_is_saved_on_and_put_back_again(
    store: ContactStore,
) -> None:
    await save(store, entry("a", 1.0))
    for round_ in range(3):
        claimed = await load(store, "a")
        claimed.contact.tries = round_
        claimed.claim, claimed.claimed_until = "w", 99.0
        await save(store, claimed)
        assert await store.put_back("a", claimed.version, 1.0, FAULT)
    last = await load(store, "a")
    assert (last.version, last.contact.tries, last.claim) == (7, 2, "")


async def test_ahead_are_those_owed_but_not_before_then_the_earliest_first(
    store: ContactStore,
) -> None:
    await save(
        store,
        entry("a", 1.0, claim="w", claimed_until=500.0),
        entry("b", 100.0, rank=1),
        entry("c", 99.0),
        entry("d", claim="w", claimed_until=700.0),
        entry("e", 300.0),
    )
    assert await store.ahead(100.0, 10) == ["b", "e", "a"]
    assert await store.ahead(100.0, 2) == ["b", "e"]
    assert await store.ahead(500.5, 10) == []


@pytest.mark.parametrize("what", DAMAGED)
async def test_a_damaged_contact_is_told_and_not_touched_and_holds_up_no_other(
    store: ContactStore, rewrite: Rewrite, what: str
) -> None:
    data, said = DAMAGED[what]
    await save(store, entry("a", 1.0), entry("b", 2.0, rank=1, expires_at=3.0), entry("c", 3.0))
    await rewrite("b", data)
    a, b, c = await store.load("abc")
    assert (a.contact, c.contact) == (contact("a"), contact("c"))
    assert said in b.unreadable
    assert not b.newer
    expected = Entry(Contact("b"), 1, 2.0, 1, expires_at=3.0, unreadable=b.unreadable)
    assert b == expected
    b.contact.tries = 9
    assert await store.save([a, b, c]) == [Saved.SAVED, Saved.UNREADABLE, Saved.SAVED]
    assert b.version == 1
    assert await load(store, "b") == expected
    assert await store.save([entry("b")]) == [Saved.CONFLICT]


async def test_a_contact_of_a_newer_form_is_left_alone(
    store: ContactStore, rewrite: Rewrite
) -> None:
    await save(store, entry("a", 1.0))
    await rewrite("a", NEWER)
    found = await load(store, "a")
    assert found.newer
    assert "newer release" in found.unreadable
    assert await store.save([found]) == [Saved.UNREADABLE]


async def test_a_contact_that_cannot_be_read_is_put_back_and_forgotten_as_others_are(
    store: ContactStore, rewrite: Rewrite
) -> None:
    await save(store, entry("a", 1.0, claim="w", claimed_until=99.0))
    await rewrite("a", DAMAGED["not JSON"][0])
    damaged = await load(store, "a")
    assert await store.put_back("a", 1, None, FAULT)
    after = replace(damaged, version=2, due_at=None, claim="", claimed_until=0.0, fault=FAULT)
    assert await load(store, "a") == after
    assert await store.parked("", 10) == ["a"]
    await rewrite("a", contact("a").to_bytes())
    assert (await load(store, "a")).contact == contact("a")
    await store.forget(["a"])
    assert await store.load(["a"]) == [Entry(Contact("a"))]


async def test_what_a_newer_release_noted_is_kept_by_an_older_one(
    store: ContactStore, rewrite: Rewrite
) -> None:
    """Newer, older, newer: nothing of it is lost, so versions can be mixed and rolled back."""
    await save(store, Entry(contact("a", parked=True)))
    head, *lines = contact("a", parked=True).to_bytes().split(b"\n")
    document = orjson.loads(head)
    document["watched"] = {"by": ["b"]}
    document["ledger"]["tasks(1)"]["owner"] = {"id": 1}
    document["parked"]["tasks(1)"]["since"] = 2.5
    await rewrite("a", b"\n".join([orjson.dumps(document), *lines]))

    older = await load(store, "a")
    older.contact.tries += 1
    older.contact.ledger["tasks(1)"].columns["subject"] = "new"
    await save(store, older)

    newer = (await load(store, "a")).contact
    assert newer.extra == {"watched": {"by": ["b"]}}
    assert newer.ledger["tasks(1)"].extra == {"owner": {"id": 1}}
    assert newer.parked["tasks(1)"].extra == {"since": 2.5}
    document["tries"] += 1
    document["ledger"]["tasks(1)"]["columns"]["subject"] = "new"
    assert orjson.loads(newer.to_bytes().split(b"\n")[0]) == document


async def test_counts_of_an_empty_store_are_zero(store: ContactStore) -> None:
    assert await store.counts(1.0) == Counts(0, 0, 0, 0, None)


async def test_counts_claimed_ones_as_due_and_future_ones_not(store: ContactStore) -> None:
    await save(
        store,
        entry("a", 3.0, rank=1, claim="w", claimed_until=99.0),
        entry("b", 4.0),
        entry("c", 10.5),
        Entry(contact("d", parked=True)),
    )
    await store.quarantine([quarantined("q")])
    assert await store.counts(10.0) == Counts(4, 2, 1, 1, 3.0)
    assert (await store.counts(2.0)).oldest_due_at is None


async def test_expire_removes_what_is_past_its_time(store: ContactStore) -> None:
    await save(store, entry("a", expires_at=1.0), entry("b", expires_at=3.0), entry("c"))
    assert await store.expire(1.0, 10) == 0
    assert await store.expire(1.1, 10) == 1
    assert await store.ids("", 10) == ["b", "c"]
    assert await load(store, "a") == Entry(Contact("a"))


async def test_expire_spares_what_is_due_or_parked(store: ContactStore) -> None:
    parked = Entry(contact("a", parked=True), expires_at=1.0)
    await save(store, parked, entry("b", 1.0, expires_at=1.0), entry("c", 99.0, expires_at=1.0))
    assert await store.expire(50.0, 10) == 0
    assert await store.ids("", 10) == ["a", "b", "c"]


async def test_expire_stops_at_the_limit(store: ContactStore) -> None:
    await save(store, *(entry(k, expires_at=1.0) for k in "abcde"))
    assert [await store.expire(2.0, 2) for _ in range(4)] == [2, 2, 1, 0]


async def test_a_forgotten_contact_is_gone_and_is_never_begun_anew(store: ContactStore) -> None:
    await save(store, entry("a", 1.0), Entry(contact("b", parked=True)), entry("c"))
    await store.forget(["a", "b"])
    assert await store.counts(9.0) == Counts(1, 0, 0, 0, None)
    assert await store.load(["a", "b"]) == [Entry(Contact("a")), Entry(Contact("b"))]
    anew, large = entry("a", 1.0), Entry(contact("b", size=LIMIT_BYTES))
    assert await store.save([anew, large, entry("d")]) == [
        Saved.FORGOTTEN,
        Saved.FORGOTTEN,
        Saved.SAVED,
    ]
    assert anew.version == 0
    assert await store.ids("", 10) == ["c", "d"]
    assert await store.due(9.0, 10) == []
    assert await store.next_due() is None


async def test_who_had_loaded_a_forgotten_contact_does_not_bring_it_back(
    store: ContactStore,
) -> None:
    claimed = entry("a", 1.0, claim="w", claimed_until=9.0)
    await save(store, claimed)
    [begun] = await store.load(["b"])
    await store.forget(["a", "b"])
    claimed.claim, claimed.due_at = "", None
    assert await store.save([claimed, begun]) == [Saved.CONFLICT, Saved.FORGOTTEN]
    assert await store.ids("", 10) == []


async def test_of_a_contact_forgotten_while_it_is_begun_nothing_is_left(
    store: ContactStore,
) -> None:
    begun = [store.save([entry(f"{n:03}", 1.0)]) for n in range(40)]
    await asyncio.gather(*begun[:20], store.forget([f"{n:03}" for n in range(40)]), *begun[20:])
    assert await store.ids("", 100) == []
    assert await store.due(9.0, 100) == []


async def test_a_contact_is_forgotten_that_the_store_does_not_know_and_twice(
    store: ContactStore,
) -> None:
    await store.forget(["a", "a"])
    await store.forget(["a"])
    await store.forget([])
    await store.scrub()
    assert await store.save([entry("a")]) == [Saved.FORGOTTEN]
    assert await store.recall(tombstone("a")) is not None


async def test_quarantine_keeps_messages_as_they_came(store: ContactStore) -> None:
    await store.quarantine([quarantined("b"), quarantined("a")])
    assert await store.quarantined("", 10) == [quarantined("a"), quarantined("b")]


async def test_quarantining_again_keeps_the_first(store: ContactStore) -> None:
    await store.quarantine([quarantined("a", at=1.0), quarantined("a", at=2.0)])
    await store.quarantine([quarantined("a", at=3.0), quarantined("b", at=4.0)])
    assert [q.at for q in await store.quarantined("", 10)] == [1.0, 4.0]


async def test_quarantined_is_read_in_pages(store: ContactStore) -> None:
    await store.quarantine([quarantined(k) for k in "cabd"])
    assert [q.id for q in await store.quarantined("", 3)] == ["a", "b", "c"]
    assert [q.id for q in await store.quarantined("c", 3)] == ["d"]


async def test_release_removes_messages_and_says_how_many(store: ContactStore) -> None:
    await store.quarantine([quarantined(k) for k in "abc"])
    assert await store.release(["a", "c", "x", "a"]) == 2
    assert await store.release(["a", "c"]) == 0
    assert [q.id for q in await store.quarantined("", 3)] == ["b"]


async def test_positions_are_the_last_written_of_each_shard(
    store: ContactStore,
) -> None:
    await store.set_position("events", "shard-0", "10")
    await store.set_position("events", "shard-1", "20")
    await store.set_position("records", "shard-0", "30")
    await store.set_position("events", "shard-0", "11")
    assert await store.positions("events") == {"shard-0": "11", "shard-1": "20"}
    assert await store.positions("objects") == {}


async def test_remember_keeps_the_first_value(store: ContactStore) -> None:
    assert await store.remember("start", "now") == "now"
    assert await store.remember("start", "later") == "now"
    assert await store.remember("other", "later") == "later"


async def test_recall_tells_what_is_remembered_or_that_nothing_is(store: ContactStore) -> None:
    assert await store.recall("start") is None
    await store.remember("start", "now")
    assert await store.recall("start") == "now"


async def test_replace_changes_a_value_that_is_known_and_no_other(store: ContactStore) -> None:
    assert not await store.replace("gate", "", "open")
    assert await store.replace("gate", None, "open")
    assert not await store.replace("gate", None, "closed")
    assert not await store.replace("gate", "closed", "")
    assert await store.replace("gate", "open", "closed")
    assert await store.recall("gate") == "closed"
    assert await store.remember("gate", "open") == "closed"
    assert await store.recall("other") is None


@pytest.mark.parametrize("old", [None, "open"])
async def test_of_those_that_replace_the_same_value_at_once_one_succeeds(
    store: ContactStore, old: str | None
) -> None:
    if old is not None:
        await store.remember("gate", old)
    done = await asyncio.gather(*(store.replace("gate", old, str(n)) for n in range(10)))
    assert done.count(True) == 1
    assert await store.recall("gate") == str(done.index(True))


async def test_calls_side_by_side_do_not_disturb_each_other(store: ContactStore) -> None:
    entries = [entry(f"{n:03}") for n in range(100)]
    saves = [store.save([e]) for e in entries]
    others = [
        store.quarantine([quarantined("q")]),
        store.set_position("events", "shard-0", "1"),
        store.remember("start", "now"),
    ]
    outcomes, *_ = await asyncio.gather(asyncio.gather(*saves), *others)
    assert outcomes == [[Saved.SAVED]] * 100
    assert await store.counts(0.0) == Counts(100, 0, 0, 1, None)
    assert await store.positions("events") == {"shard-0": "1"}


async def test_a_cancelled_save_happens_whole_or_not_at_all(
    store: ContactStore,
) -> None:
    doomed = asyncio.create_task(store.save([entry("a"), entry("b")]))
    other = asyncio.create_task(store.save([entry("c")]))
    await asyncio.sleep(0)
    doomed.cancel()
    await asyncio.wait([doomed])
    assert await other == [Saved.SAVED]
    assert await store.ids("", 10) in (["c"], ["a", "b", "c"])


async def test_closing_twice_is_fine(store: ContactStore) -> None:
    await store.close()
    await store.close()


# --- labels ---

DAY, PHONE, FAILING = "day 2026-11-30", "phone Ab-_0123456x", "failing 403 0x80040220 phonecalls"


def labelled(key: str, **labels: int) -> Entry:
    """A contact that is to be listed under these: ``day``, ``phone``, ``failing``."""
    names = {"day": DAY, "phone": PHONE, "failing": FAILING}
    made = entry(key)
    made.contact.labels = {names[name]: at for name, at in labels.items()}
    return made


async def found(store: ContactStore, label: str, limit: int = 9) -> list[str]:
    return [one.contact_id for one in await store.labelled(label, None, limit)]


async def test_contacts_are_found_under_their_labels_the_newest_first(store: ContactStore) -> None:
    await save(store, labelled("a1", day=20, phone=20), labelled("b1", day=30), labelled("c1"))
    assert await store.labelled(DAY, None, 9) == [Found("b1", 30), Found("a1", 20)]
    assert await store.labelled(PHONE, None, 9) == [Found("a1", 20)]
    assert await store.labelled("day 2026-11-3", None, 9) == []


async def test_a_page_of_a_label_begins_where_the_last_one_ended(store: ContactStore) -> None:
    """Also among contacts of the same second, which are in different parts of a spread label."""
    ids = [f"{n:02x}" for n in range(20)]
    await save(store, *(labelled(key, day=100 + n // 8, phone=7) for n, key in enumerate(ids)))
    for label in (DAY, PHONE):
        seen: list[Found] = []
        while page := await store.labelled(
            label, (seen[-1].at, seen[-1].contact_id) if seen else None, 3
        ):
            assert len(page) <= 3
            seen += page
        assert [one.contact_id for one in seen] == ids[::-1]


async def test_a_contact_is_found_only_under_the_labels_it_has_now(store: ContactStore) -> None:
    made = labelled("a1", day=20, failing=20)
    await save(store, made)
    assert await found(store, FAILING) == ["a1"]
    kept = await load(store, "a1")
    assert kept.labels == kept.contact.labels == {DAY: 20, FAILING: 20}
    del kept.contact.labels[FAILING]
    kept.contact.labels[PHONE] = 25
    await save(store, kept)
    assert kept.labels == {DAY: 20, PHONE: 25}
    assert await found(store, FAILING) == []
    assert await found(store, DAY) == await found(store, PHONE) == ["a1"]


async def test_a_save_that_conflicts_lists_no_contact_that_has_not_the_label(
    store: ContactStore,
) -> None:
    """One may be listed nevertheless; then the contact says that it has not got it."""
    await save(store, labelled("a1", day=20))
    stale = labelled("a1", phone=20)
    assert await store.save([stale]) == [Saved.CONFLICT]
    assert stale.labels == {}
    kept = await load(store, "a1")
    assert kept.contact.labels == {DAY: 20}
    assert await found(store, DAY) == ["a1"]


async def test_putting_a_contact_back_leaves_it_under_its_labels(store: ContactStore) -> None:
    await save(store, labelled("a1", day=20))
    assert await store.put_back("a1", 1, 5.0, FAULT)
    assert await found(store, DAY) == ["a1"]


async def test_a_forgotten_contact_is_found_under_no_label(store: ContactStore) -> None:
    await save(store, labelled("a1", day=20, phone=20), labelled("b1", day=21, phone=21))
    await store.forget(["a1"])
    assert await found(store, DAY) == await found(store, PHONE) == ["b1"]


async def test_an_expired_contact_is_found_under_no_label(store: ContactStore) -> None:
    gone, stays = labelled("a1", day=20, phone=20), labelled("b1", day=21, phone=21)
    gone.expires_at, stays.expires_at = 1.0, 5.0
    await save(store, gone, stays)
    assert await store.expire(2.0, 9) == 1
    assert await found(store, DAY) == await found(store, PHONE) == ["b1"]
