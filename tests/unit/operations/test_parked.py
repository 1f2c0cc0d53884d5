"""Parked writes: which are meant, by which cause they are listed, and somebody who is faster."""

from __future__ import annotations

import asyncio

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import pytest

from pipelines.contact import Contact, Parked
from worker.errors import ConfigError
from worker.operations.contact import contact_entry
from worker.operations.parked import (
    Choice,
    ParkedWrite,
    drop_parked,
    parked_writes,
    retry_parked,
)
from worker.operations.pile import ParkedCause, ParkedLine, exported, line, piled
from worker.operations.state import opened
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, FaultNote, Saved


PLACE = "phonecalls(1)"


def parked(*steps: str) -> Parked:
    return Parked(list(steps), 0.0, 400, "0x80048d19", {}, "")


async def keep(store: MemoryStore, *contact_ids: str) -> None:
    for contact_id in contact_ids:
        (entry,) = await store.load([contact_id])
        entry.contact.parked[PLACE] = parked("mine/STEP2", "mine/STEP4")
        await store.save([entry])


@pytest.mark.parametrize(
    ("choice", "meant"),
    [
        (Choice(), True),
        (Choice(frozenset(["abc"])), True),
        (Choice(frozenset(["other"])), False),
        (Choice(step="STEP4"), True),
        (Choice(step="mine/STEP4"), True),
        (Choice(step="STEP5"), False),
        (Choice(step="other/STEP4"), False),
        (Choice(code="400"), True),
        (Choice(code="0X80048D19"), True),
        (Choice(code="404"), False),
        (Choice(since=10.0), True),
        (Choice(since=10.5), False),
    ],
)
def test_parked_writes_are_meant_by_contact_step_code_and_time(
    choice: Choice, *, meant: bool
) -> None:
    write = ParkedWrite("abc", PLACE, replace(parked("mine/STEP2", "mine/STEP4"), at=10.0))
    assert choice.takes(write) is meant


async def refused(store: MemoryStore, contact_id: str, answer: str, code: str, at: float) -> None:
    (entry,) = await store.load([contact_id])
    entry.contact.parked[PLACE] = replace(parked(f"mine/{code}"), answer=answer, code=code, at=at)
    await store.save([entry])


async def test_twenty_parked_writes_of_two_causes_are_two_rows_the_larger_first() -> None:
    store = MemoryStore()
    for n in range(20):
        answer = f"phonecall With Id = {uuid5(NAMESPACE_URL, str(n))} Does Not Exist"
        await refused(store, f"{n:02}", answer, "0x1" if n % 3 else "0x2", 60.0 * n)
    first, second = (await piled(store, Choice())).rows()
    assert first == ParkedCause(
        table="phonecalls",
        status=400,
        code="0x1",
        message="phonecall With Id = … Does Not Exist",
        writes=13,
        contacts=13,
        steps=["mine/0x1"],
        oldest="1970-01-01T00:01:00Z",
        newest="1970-01-01T00:19:00Z",
    )
    assert (second.code, second.writes) == ("0x2", 7)
    assert [row.code for row in (await piled(store, Choice(step="0x2"))).rows()] == ["0x2"]


async def test_a_bug_of_ours_is_a_cause_however_often_it_was_tried() -> None:
    store = MemoryStore()
    for n, tries in enumerate((2, 9)):
        note = FaultNote("our bug: TypeError at pipelines.plan:33", tries, 0.0, ("0.1.0",))
        await store.save([Entry(Contact(f"{n}"), fault=note)])
    [row] = (await piled(store, Choice(code="bug"))).rows()
    assert (row.contacts, row.code, row.status) == (2, "bug", None)
    assert row.message == "our bug: TypeError at pipelines.plan:33; tried again by itself"


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (Choice(frozenset(["abd", "a"])), "contact abd; near: abc"),
        (Choice(step="STEP"), "step STEP; near: STEP2, STEP4"),
        (Choice(code="40"), "code 40; near: 400"),
        (Choice(frozenset(["zzz"])), "nothing is parked of contact zzz$"),
    ],
)
async def test_a_name_that_there_is_not_is_refused_with_those_that_are_near(
    choice: Choice, told: str
) -> None:
    store = MemoryStore()
    await keep(store, "a", "abc")
    with pytest.raises(ConfigError, match=told):
        await piled(store, choice)


async def test_a_parked_write_is_listed_without_values_and_exported_with_them() -> None:
    store = MemoryStore()
    await keep(store, "a")
    (entry,) = await store.load(["a"])
    sent = {"method": "PATCH", "path": PLACE, "body": {"subject": "Ada"}}
    entry.contact.parked[PLACE] = replace(parked("mine/STEP2"), request=sent, answer="no Ada here")
    await store.save([entry])
    (write,) = [w async for w in parked_writes(store)]
    assert line(write) == ParkedLine(
        contact="a",
        record=PLACE,
        steps=["mine/STEP2"],
        at="1970-01-01T00:00:00Z",
        table="phonecalls",
        status=400,
        code="0x80048d19",
        message="no … here",
    )
    assert (exported(write).request, exported(write).answer) == (sent, "no Ada here")


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
