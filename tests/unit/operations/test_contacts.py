"""Contacts as lists show them: which, in which order, within which bound."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.contact import Contact, Parked
from pipelines.decode import decode
from pipelines.fact import Fact
from pipelines.labels import label_of, relabel
from twins.calls import Call, calls
from worker.operations.contacts import ContactRow, Wanted, listed, pasted, row_of, with_label
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, FaultNote


KEY = b"k" * 32
NOW = datetime(2026, 1, 20, tzinfo=UTC).timestamp()
GUID = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
REFUSED = Parked(["mine/STEP"], 0.0, 404, "0x80040217", {"path": "tasks(1)"}, "no task")


def told(call: Call, day: int, **fields: Any) -> Contact:
    """A call that began at 03:00 on this day of January."""
    began = f"2026-01-{day:02}T03:00:00Z"
    contact = Contact(call.id)
    for fact in decode(call.record(**{"InitiationTimestamp": began, **fields})):
        assert isinstance(fact, Fact)
        contact.observe(fact)
    return contact


async def keep(store: MemoryStore, contact: Contact, **entry: Any) -> None:
    relabel(contact, KEY)
    await store.save([Entry(contact, **entry)])


async def shown(store: MemoryStore, limit: int = 0, **wanted: Any) -> list[str]:
    """The last three digits of the ids that a list shows."""
    return [row.contact[-3:] for row in (await listed(store, Wanted(**wanted), limit, NOW)).rows]


@pytest.fixture
async def store() -> MemoryStore:
    """Six contacts: 000 of 1 January to 005 of 6 January."""
    store = MemoryStore()
    quiet, parked, due, late, chat, bug = (
        told(
            call,
            day + 1,
            Queue={"ARN": "a/queue/77", "Name": "Support" if day < 3 else "Sales"},
            Channel="CHAT" if day == 4 else "VOICE",
        )
        for day, call in enumerate(calls(6))
    )
    parked.parked["tasks(1)"] = REFUSED
    late.effects["mine/PAGE"] = "worker_late 2026-01-04T03:00:00Z 61 s"
    quiet.effects["mine/PAGE"] = "replayed 2026-01-04T03:00:00Z"
    await keep(store, quiet)
    await keep(store, parked, due_at=NOW)
    await keep(store, due, due_at=NOW - 5)
    await keep(store, late, due_at=NOW + 5)
    await keep(store, chat)
    await keep(store, bug, fault=FaultNote("our bug", 1, 0.0))
    return store


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["005", "004", "003", "002", "001", "000"]),
        ({"due": True}, ["002"]),
        ({"parked": True}, ["005", "001"]),
        ({"failing": "404"}, ["001"]),
        ({"failing": "0X80040217"}, ["001"]),
        ({"failing": "bug"}, ["005"]),
        ({"failing": "40"}, []),
        ({"expired": True}, ["003"]),
        ({"channel": "chat"}, ["004"]),
        ({"queue": "support"}, ["002", "001", "000"]),
        ({"queue": "support", "parked": True}, ["001"]),
        ({"since": datetime(2026, 1, 3, 3, tzinfo=UTC).timestamp()}, ["005", "004", "003", "002"]),
        ({"until": datetime(2026, 1, 3, 3, tzinfo=UTC).timestamp()}, ["002", "001", "000"]),
        ({"until": datetime(2026, 1, 3, 2, tzinfo=UTC).timestamp()}, ["001", "000"]),
        ({"until": datetime(2026, 1, 3, tzinfo=UTC).timestamp(), "expired": True}, []),
    ],
)
async def test_contacts_are_listed_newest_first_by_what_is_asked_for(
    store: MemoryStore, wanted: dict[str, Any], found: list[str]
) -> None:
    assert await shown(store, **wanted) == found


async def test_a_list_that_is_cut_says_how_to_go_on_and_then_nothing_is_missed(
    store: MemoryStore,
) -> None:
    first = await listed(store, Wanted(), 4, NOW)
    assert first.more
    assert first.note == "the first 4; --limit 0 for more, or --until 2026-01-03T03:00:00Z"
    until = datetime(2026, 1, 3, 3, tzinfo=UTC).timestamp()
    assert await shown(store, until=until) == ["002", "001", "000"]


async def test_only_the_newest_are_looked_at_for_a_queue_and_it_says_so(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.operations.contacts.MOST", 4)
    monkeypatch.setattr("worker.operations.contacts.PAGE", 2)
    found = await listed(store, Wanted(queue="support"), 0, NOW)
    assert [row.contact[-3:] for row in found.rows] == ["002"]
    assert found.more
    assert found.note == "looked at the newest 4 contacts; go on with --until 2026-01-03T03:00:00Z"


async def test_of_very_many_parked_contacts_some_are_looked_at_and_it_says_so(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = await listed(store, Wanted(parked=True), 1, NOW)
    assert [row.contact[-3:] for row in some.rows] == ["005"]
    assert (some.more, some.note) == (True, "1 of 2; --limit 0 for all")
    monkeypatch.setattr("worker.operations.contacts.MOST", 1)
    monkeypatch.setattr("worker.operations.contacts.PAGE", 1)
    found = await listed(store, Wanted(parked=True), 0, NOW)
    assert [row.contact[-3:] for row in found.rows] == ["001"]
    assert found.note.startswith("looked at 1 of those with something parked")


async def test_days_long_before_all_others_are_not_looked_for_unless_since_then(
    store: MemoryStore,
) -> None:
    ancient = Call("00000000-0000-4000-8000-000000000099")
    await keep(store, told(ancient, 1, InitiationTimestamp="2025-06-01T03:00:00Z"))
    assert "099" not in await shown(store)
    since = datetime(2025, 5, 1, tzinfo=UTC).timestamp()
    assert "099" in await shown(store, since=since)


async def test_a_contact_is_listed_without_a_word_about_anybody(store: MemoryStore) -> None:
    [entry] = await store.load([calls(2)[1].id])
    assert row_of(entry, NOW) == ContactRow(
        contact="00000000-0000-4000-8000-000000000001",
        began="2026-01-02T03:00:00Z",
        channel="VOICE",
        queue="Support",
        phase="completed",
        state="parked",
        due="2026-01-20T00:00:00Z",
        expired=False,
        failing=["404 0x80040217 tasks"],
    )
    unreadable = Entry(Contact("x"), 1, unreadable="its first line is not JSON")
    assert row_of(unreadable, NOW).state == "unreadable"


async def test_contacts_are_found_by_label_and_only_those_that_still_have_it(
    store: MemoryStore,
) -> None:
    label = label_of("phone", "+1 555 0100200", KEY)
    assert label is not None
    assert len((await with_label(store, label, 0, NOW)).rows) == 6
    some = await with_label(store, label, 2, NOW)
    assert [row.contact[-3:] for row in some.rows] == ["005", "004"]
    assert (some.more, some.note) == (True, "the newest 2; --limit 0 for all")
    nobody = await with_label(store, "phone nobody", 0, NOW)
    assert nobody.rows == []
    assert nobody.note.startswith("looked among contacts saved since")


async def test_a_state_of_an_earlier_release_says_how_its_contacts_come_into_the_list() -> None:
    store = MemoryStore()
    assert (await listed(store, Wanted(), 0, NOW)).note == ""
    await store.save([Entry(told(calls(1)[0], 1))])
    assert "connect-dynamics state index" in (await listed(store, Wanted(), 0, NOW)).note


async def test_a_state_whose_contacts_are_all_older_says_how_far_back_a_list_has_looked(
    store: MemoryStore,
) -> None:
    much_later = NOW + 90 * 86_400
    nothing = await listed(store, Wanted(), 0, much_later)
    assert nothing.note.startswith("looked 31 days back from now; --since 365d looks further; ")
    assert len((await listed(store, Wanted(since=much_later - 365 * 86_400), 0, much_later)).rows)


@pytest.mark.parametrize(
    "text",
    [
        GUID,
        f"phonecalls({GUID})",
        f"https://org.crm.dynamics.com/api/data/v9.2/phonecalls({GUID})",
        f"https://org.crm.dynamics.com/main.aspx?appid={GUID[::-1]}&etn=phonecall&id={GUID}",
        f"https://org.crm.dynamics.com/main.aspx?etn=phonecall&id=%7b{GUID.upper()}%7d#1",
        f"  {GUID}\n",
    ],
)
def test_a_record_is_named_by_its_id_or_by_any_address_that_dynamics_shows(text: str) -> None:
    assert label_of("record", pasted(text), KEY) == label_of("record", GUID, KEY)
