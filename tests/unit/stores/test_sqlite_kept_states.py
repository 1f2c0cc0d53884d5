"""A state that an older release wrote is read, and lives on."""

from __future__ import annotations

import gzip

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kept_states import FORMS, GONE, MESSAGE, entries
from pipelines.contact import Contact
from worker.stores.protocol import ContactStore, Counts, Entry, FaultNote, Saved
from worker.stores.sqlite import SqliteStore


SAMPLES = Path(__file__).parents[2] / "samples" / "state"
FAULT = FaultNote("our bug: TypeError at worker.engine.push:1", 1, 2.5, ("1.0/ab",))

DUE, CLAIMED, PARKED, LARGE, DONE = (entry.contact.id for entry in entries("first"))


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    """Which form the state is of."""
    return str(request.param)


@pytest.fixture
def before(form: str) -> list[Entry]:
    """The contacts as they were written."""
    return [replace(entry, version=1) for entry in entries(form)]


@pytest.fixture
async def store(tmp_path: Path, form: str) -> AsyncIterator[ContactStore]:
    file = tmp_path / "state.sqlite"
    file.touch(0o600)
    file.write_bytes(gzip.decompress((SAMPLES / form / "state.sqlite.gz").read_bytes()))
    opened = SqliteStore(file)
    yield opened
    await opened.close()


async def test_a_state_of_an_older_release_is_read_as_it_was_written(
    store: ContactStore, before: list[Entry]
) -> None:
    assert await store.load([entry.contact.id for entry in before]) == before
    assert await store.due(150.0, 9) == [DUE]
    assert await store.next_due() == 100.25
    assert await store.ahead(150.0, 9) == [LARGE, CLAIMED]
    assert await store.parked("", 9) == [PARKED]
    assert await store.counts(105.0) == Counts(5, 2, 1, 1, 90.5)
    assert await store.quarantined("", 9) == [MESSAGE]
    assert await store.positions("events") == {"shard-0": "42"}
    assert await store.recall("start") == "now"
    assert await store.save([Entry(Contact(GONE))]) == [Saved.FORGOTTEN]


async def test_contacts_of_an_older_release_are_saved_on(
    store: ContactStore, before: list[Entry]
) -> None:
    changed = await store.load([entry.contact.id for entry in before])
    for entry in changed:
        entry.contact.effects["p/MORE"] = "done"
        entry.fault = FAULT if entry.contact.id == DUE else None
    assert set(await store.save(changed)) == {Saved.SAVED}
    assert await store.load([entry.contact.id for entry in changed]) == changed
    assert await store.parked("", 9) == [DUE, PARKED]


async def test_contacts_of_an_older_release_are_put_back(
    store: ContactStore, before: list[Entry]
) -> None:
    """Whatever they were, with a fault and without again; what was parked stays so."""
    for entry in before:
        assert await store.put_back(entry.contact.id, 1, 120.0, FAULT)
    assert len(await store.parked("", 9)) == len(before)
    for entry in before:
        assert await store.put_back(entry.contact.id, 2, 120.0, None)
    free: dict[str, Any] = {"due_at": 120.0, "claim": "", "claimed_until": 0.0, "fault": None}
    freed = [replace(e, version=3, **free) for e in before]
    assert await store.load([entry.contact.id for entry in before]) == freed
    assert await store.parked("", 9) == [PARKED]
    assert (await store.due(120.0, 9))[-1] == DUE, "which was of a lower rank"
