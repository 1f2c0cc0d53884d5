"""Waits far ahead: a contact that fails is not tried at every look, nor does it hide the others."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.contact import Contact
from pipelines.plan import Plan
from twins.clock import Turned
from worker.engine.containment import growing_pause_s
from worker.engine.far_ahead import FarAhead
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, FaultNote


WEEKS_S = 30 * 86_400.0
FAILS, FINE = "fails", "fine"


class Cursed(MemoryStore):
    """Loading one contact is a bug."""

    loads = 0

    async def load(self, contact_ids: Sequence[str]) -> list[Entry]:
        self.loads += FAILS in contact_ids
        if FAILS in contact_ids:
            raise RecursionError
        return await super().load(contact_ids)


async def far_ahead(store: MemoryStore, time: Turned, fault: FaultNote | None) -> FarAhead:
    await store.save(
        [
            Entry(Contact(FAILS), due_at=time.now + WEEKS_S, fault=fault),
            Entry(Contact(FINE), due_at=time.now + WEEKS_S),
        ]
    )
    return FarAhead(store, lambda _contact: Plan(), time.clock())


async def test_a_contact_that_failed_waits_out_its_pause_although_its_wait_is_far_ahead() -> None:
    store, time = MemoryStore(), Turned(1000.0)
    looks = await far_ahead(store, time, FaultNote("our bug: KeyError at a:1", 6, 900.0))
    await looks.look()
    assert await store.due(time.now, 9) == [FINE]
    time.now += growing_pause_s(6) - 1
    await looks.look()
    assert await store.due(time.now, 9) == [FINE]
    time.now += 2
    await looks.look()
    assert await store.due(time.now, 9) == [FINE, FAILS]


async def test_a_contact_that_cannot_be_loaded_hides_no_other_and_is_asked_for_ever_less() -> None:
    store, time = Cursed(), Turned(1000.0)
    looks = await far_ahead(store, time, None)
    for _ in range(100):
        await looks.look()
        time.now += 30.0
    assert await store.due(time.now, 9) == [FINE]
    assert store.loads < 2 * 20
