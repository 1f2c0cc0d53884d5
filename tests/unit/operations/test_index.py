"""Contacts are found by whom they are with, and those stored before get into the index."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from hostile_store import HostileStore
from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.labels import Keyed
from worker.clock import Clock
from worker.errors import ConfigError
from worker.operations.index import (
    ALL_OF_THEM,
    covered,
    found,
    index_all,
    index_key,
    is_own,
    label_in,
)
from worker.stores.memory import MemoryStore
from worker.stores.protocol import ContactStore, Entry, Saved


KEY, ANOTHER = b"k" * 32, b"j" * 32
ADA, BOB = "+4930901820", "+4930333333"


def call(contact_id: str, number: str, day: int = 1) -> Entry:
    """A contact as a release without an index has it."""
    at = f"2026-11-{day:02}T10:00:00.000Z"
    body = orjson.dumps({"InitiationTimestamp": at, "CustomerEndpoint": {"Address": number}})
    made = Contact(contact_id)
    made.observe(Fact(contact_id, "record", at, body, at))
    return Entry(made, due_at=5.0)


@pytest.fixture
async def store() -> ContactStore:
    made = MemoryStore()
    await made.save([call(f"{n:03}", ADA if n % 2 else BOB, 1 + n % 3) for n in range(500)])
    return made


async def ids(store: ContactStore, kind: Keyed, text: str, key: bytes | None = KEY) -> list[str]:
    label = await label_in(store, kind, text, key)
    return [entry.contact.id async for entry in found(store, label)]


async def test_contacts_that_were_stored_before_are_found_once_the_state_is_indexed(
    store: ContactStore,
) -> None:
    assert await ids(store, "phone", ADA) == []
    done = await index_all(store, KEY)
    assert (done.contacts, done.changed, done.unreadable) == (500, 500, 0)
    calls = await ids(store, "phone", "+49 (30) 90 18 20")
    assert sorted(calls) == [f"{n:03}" for n in range(1, 500, 2)]
    days = [int(contact_id) % 3 for contact_id in calls]
    assert days == sorted(days, reverse=True), "the newest first"
    assert len(await store.labelled("day 2026-11-02", None, 999)) == 167


async def test_indexing_again_changes_nothing_and_makes_nothing_due(store: ContactStore) -> None:
    await index_all(store, KEY)
    [before] = await store.load(["007"])
    assert (await index_all(store, KEY)).changed == 0
    assert await store.load(["007"]) == [before]
    assert before.due_at == 5.0


async def test_with_a_wrong_key_nothing_is_found_and_it_is_said(store: ContactStore) -> None:
    await index_all(store, KEY)
    with pytest.raises(ConfigError, match=r"not the key .* state index"):
        await ids(store, "phone", ADA, ANOTHER)


async def test_a_state_that_is_indexed_with_another_key_is_found_by_that_one_only(
    store: ContactStore,
) -> None:
    await index_all(store, KEY)
    label = await label_in(store, "phone", ADA, KEY)
    await index_all(store, ANOTHER)
    assert len(await ids(store, "phone", ADA, ANOTHER)) == 250
    assert await store.labelled(label, None, 9) == []
    with pytest.raises(ConfigError, match="not the key"):
        await ids(store, "phone", ADA)


async def test_without_a_key_people_are_not_found_and_it_is_said_what_to_set(
    store: ContactStore,
) -> None:
    await index_all(store, None)
    with pytest.raises(ConfigError, match=r"set CONNECT_DYNAMICS_INDEX_KEY.*state index"):
        await ids(store, "phone", ADA, None)
    assert len(await store.labelled("day 2026-11-02", None, 999)) == 167


@pytest.mark.parametrize(
    ("kind", "text", "advice"),
    [("phone", "Ada", "country code"), ("email", "Ada", "mail"), ("record", "1", "GUID")],
)
async def test_what_is_looked_for_and_is_nothing_of_its_kind_is_refused_unrepeated(
    store: ContactStore, kind: Keyed, text: str, advice: str
) -> None:
    with pytest.raises(ConfigError, match=advice) as refused:
        await ids(store, kind, text)
    assert text not in str(refused.value).split()


async def test_a_listed_contact_that_has_not_got_the_label_is_not_believed() -> None:
    """As after a crash between the row and the contact."""

    class Crashed(MemoryStore):
        async def labelled(self, *asked: Any) -> Any:
            listed = await super().labelled(*asked)
            return [*listed, replace(listed[0], contact_id="002", at=0.0)] if listed else []

    store = Crashed()
    await store.save([call("001", ADA), call("002", BOB)])
    await index_all(store, KEY)
    assert await ids(store, "phone", ADA) == ["001"]


async def test_contacts_that_cannot_be_read_are_counted_and_left() -> None:
    store = HostileStore()
    await store.save([call("001", ADA), call("002", ADA)])
    store.damaged = {"001"}
    done = await index_all(store, KEY)
    assert (done.contacts, done.changed, done.unreadable) == (2, 1, 1)


async def test_a_contact_that_a_worker_saves_meanwhile_is_indexed_too() -> None:
    class Busy(MemoryStore):
        other: Entry | None = None

        async def save(self, entries: Any) -> list[Saved]:
            if (other := self.other) is not None:
                self.other = None
                assert await super().save([other]) == [Saved.SAVED]
            return await super().save(entries)

    store = Busy()
    await store.save([call("001", ADA)])
    [store.other] = await store.load(["001"])
    store.other.contact.tries = 7
    assert (await index_all(store, KEY)).changed == 1
    [entry] = await store.load(["001"])
    assert entry.contact.tries == 7
    assert await ids(store, "phone", ADA) == ["001"]


async def test_the_key_is_read_from_where_other_secrets_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("k" * 32 + "\n")
    monkeypatch.setenv("OUR_KEY", "k" * 32)
    assert await index_key(f"file:{file}") == await index_key("env:OUR_KEY") == KEY
    assert await index_key("") is None


@pytest.mark.parametrize(("value", "says"), [("short", "5 characters"), (None, "has no OUR_KEY")])
async def test_a_key_that_is_missing_or_short_is_refused_by_its_settings_name(
    value: str | None, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OUR_KEY", raising=False)
    if value:
        monkeypatch.setenv("OUR_KEY", value)
    with pytest.raises(ConfigError, match=f"INDEX_KEY.*{says}"):
        await index_key("env:OUR_KEY")


async def test_what_the_state_remembers_of_the_key_does_not_tell_it() -> None:
    store = MemoryStore()
    await store.save([call("001", ADA)])
    await index_all(store, KEY)
    kept = repr(store.__dict__)
    assert KEY.decode() not in kept
    assert KEY.hex() not in kept


async def test_the_index_says_which_contacts_it_knows() -> None:
    store = MemoryStore()
    assert await covered(store) == f"contacts saved since the worker has the key; {ALL_OF_THEM}"
    assert await is_own(store, KEY, Clock(wall=lambda: 1_767_323_045.0))
    assert await is_own(store, KEY, Clock(wall=lambda: 1_767_999_999.0))
    assert await covered(store) == f"contacts saved since 2026-01-02T03:04:05Z; {ALL_OF_THEM}"
    await index_all(store, KEY)
    assert (await covered(store)).startswith("all contacts of the state")
    await index_all(store, None)
    assert (await covered(store)).startswith("all contacts of the state")
