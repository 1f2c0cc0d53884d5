"""The operator's desk: which parked write is meant, and what happens when somebody is faster."""

from __future__ import annotations

import asyncio

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.contact import Contact, Parked
from worker.errors import ConfigError
from worker.operations.contact import contact_entry
from worker.operations.parked import ParkedWrite, drop_parked, matches, parked_writes, retry_parked
from worker.operations.state import opened
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, Saved


PLACE = "phonecalls(1)"


def parked(*steps: str) -> Parked:
    return Parked(list(steps), 0.0, 400, "", {}, "")


async def keep(store: MemoryStore, *contact_ids: str) -> None:
    for contact_id in contact_ids:
        (entry,) = await store.load([contact_id])
        entry.contact.parked[PLACE] = parked("mine/STEP2", "mine/STEP4")
        await store.save([entry])


@pytest.mark.parametrize(
    ("ids", "step", "meant"),
    [
        ((), "", True),
        (("ABC",), "", True),
        (("other",), "", False),
        ((), "STEP4", True),
        ((), "mine/STEP4", True),
        ((), "STEP5", False),
        ((), "other/STEP4", False),
    ],
)
def test_parked_writes_are_meant_by_contact_and_step(
    ids: tuple[str, ...], step: str, *, meant: bool
) -> None:
    write = ParkedWrite("abc", PLACE, parked("mine/STEP2", "mine/STEP4"))
    assert matches(write, ids, step) is meant


async def test_all_parked_writes_are_found_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.operations.parked.PAGE", 2)
    store = MemoryStore()
    await keep(store, "a", "b", "c")
    assert [w.contact_id async for w in parked_writes(store)] == ["a", "b", "c"]


async def test_a_retried_write_is_due_and_no_longer_parked() -> None:
    store = MemoryStore()
    await keep(store, "a")
    (write,) = [w async for w in parked_writes(store)]
    await retry_parked(store, write)
    (entry,) = await store.load(["a"])
    assert entry.contact.parked == {}
    assert entry.due_at is not None


class Contested(MemoryStore):
    """Somebody else saves the contact just before our first save."""

    def __init__(self) -> None:
        super().__init__()
        self.disturb = False

    async def save(self, entries: Sequence[Entry]) -> list[Saved]:
        """See ``ContactStore``."""
        if self.disturb:
            self.disturb = False
            (fresh,) = await self.load([entries[0].contact.id])
            fresh.contact.tries = 2
            await self.save([fresh])
        return await super().save(entries)


async def test_what_the_worker_saved_meanwhile_is_kept() -> None:
    store = Contested()
    await keep(store, "a")
    (write,) = [w async for w in parked_writes(store)]
    store.disturb = True
    await drop_parked(store, write)
    (entry,) = await store.load(["a"])
    assert entry.contact.tries == 2
    assert entry.contact.parked == {}


async def test_a_contact_is_found_whatever_the_case_of_its_id() -> None:
    store = MemoryStore()
    await store.save([Entry(Contact("abc"))])
    assert (await contact_entry(store, " ABC ")).contact.id == "abc"
    with pytest.raises(ConfigError, match="knows no contact def"):
        await contact_entry(store, "def")


def test_no_state_is_made_by_looking_at_it(tmp_path: Path) -> None:
    async def look() -> None:
        async with opened(f"sqlite:{tmp_path}/typo.db"):
            pytest.fail("opened")

    with pytest.raises(ConfigError, match="there is no state yet"):
        asyncio.run(look())
    assert not list(tmp_path.iterdir())
