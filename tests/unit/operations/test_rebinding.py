"""Rebinding a state: another organization may be used with it afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipelines.acknowledgements import has_records
from pipelines.contact import Parked
from pipelines.history import happenings
from twins.calls import calls
from twins.loop import now, wall
from twins.rig import Rig
from worker.clock import Clock
from worker.dynamics.binding import GOOD_FOR_S, NAME, Binding, Bound, written
from worker.dynamics.errors import WrongOrganization
from worker.engine.ingest import Ingest
from worker.engine.push import Push
from worker.errors import ConfigError
from worker.operations import rebinding
from worker.operations.rebinding import bound, rebind
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry


MANY = calls(5)


async def used(rig: Rig) -> None:
    """A state that has been used with one organization."""
    binding = Binding(rig.dynamics.organization_id, "https://org.test", rig.store, rig.clock)
    await rig.tell(*(call.begun() for call in MANY))
    await rig.run(5, Push(rig.another().transactions, rig.probe, binding=binding))
    assert len(rig.calls) == len(MANY)


async def test_rebinding_gives_up_what_was_acknowledged_and_binds_the_state_to_nothing() -> None:
    rig = Rig()
    await used(rig)
    done = await rebind(rig.store, rig.clock, by="root", why="moved")
    assert (done.contacts, done.records, done.parked, done.damaged) == (5, 5, 0, 0)
    last = [*happenings((await rig.entry(MANY[0].id)).contact)][-1]
    assert (last.what, last.by, last.why) == ("rebound", "root", "moved")
    assert await bound(rig.store) == Bound()
    assert not any(
        has_records(entry.contact) for entry in await rig.store.load([c.id for c in MANY])
    )


async def test_running_workers_have_time_to_notice_before_anything_is_given_up() -> None:
    rig = Rig()
    await used(rig)
    begun = now()
    await rebind(rig.store, rig.clock)
    assert now() - begun >= GOOD_FOR_S


async def test_what_was_parked_is_to_be_tried_with_the_next_organization() -> None:
    rig = Rig()
    await used(rig)
    entry = await rig.entry(MANY[0].id)
    entry.contact.parked["tasks(5)"] = Parked(["case/TASK"], 6.0, 403, "0x80040220", {}, "no")
    entry.due_at = None
    await rig.store.save([entry])
    assert (await rebind(rig.store, rig.clock)).parked == 1
    assert (await rig.entry(MANY[0].id)).due_at == wall()


class KilledError(Exception):
    """The command was killed."""


class KilledStore(MemoryStore):
    """Ends the process at the third page."""

    pages = 0

    async def ids(self, after: str, limit: int) -> list[str]:
        self.pages += 1
        if self.pages == 3:
            raise KilledError
        return await super().ids(after, limit)


async def test_an_interrupted_rebinding_admits_nobody_and_goes_on_from_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebinding, "PAGE", 2)
    rig = Rig()
    await used(rig)
    rig.store.__class__ = type("Killed", (KilledStore, type(rig.store)), {})
    with pytest.raises(KilledError):
        await rebind(rig.store, rig.clock)
    assert (await bound(rig.store)).giving_up == MANY[3].id
    binding = Binding(rig.dynamics.organization_id, "https://org.test", rig.store, rig.clock)
    with pytest.raises(WrongOrganization, match="run it again"):
        await binding.confirm()
    done = await rebind(rig.store, rig.clock)
    assert (done.contacts, done.records) == (1, 1)
    assert await bound(rig.store) == Bound()


class RacedStore(MemoryStore):
    """Somebody saves a contact between every first load and save."""

    raced = False

    async def load(self, contact_ids: Sequence[str]) -> list[Entry]:
        found = await super().load(contact_ids)
        if not self.raced:
            self.raced = True
            await super().save(await super().load(contact_ids[:1]))
        return found


async def test_a_contact_that_is_saved_meanwhile_is_given_up_all_the_same() -> None:
    rig = Rig()
    await used(rig)
    rig.store.__class__ = type("Raced", (RacedStore, type(rig.store)), {})
    assert (await rebind(rig.store, rig.clock)).records == 5
    assert not has_records((await rig.entry(MANY[0].id)).contact)


async def test_a_contact_of_a_newer_release_keeps_the_state_from_being_rebound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    await used(rig)
    load = rig.store.load

    async def newer(contact_ids: Sequence[str]) -> list[Entry]:
        found = await load(contact_ids)
        found[0].newer, found[0].unreadable = True, "a newer release wrote it"
        return found

    monkeypatch.setattr(rig.store, "load", newer)
    with pytest.raises(ConfigError, match="newer release"):
        await rebind(rig.store, rig.clock)
    assert (await bound(rig.store)).giving_up is not None


async def test_two_who_rebind_one_state_at_once_are_told() -> None:
    rig = Rig()
    await used(rig)
    before = await bound(rig.store)

    async def sleep(_seconds: float) -> None:
        other = written(Bound(before.organization, before.address, giving_up="zzz"))
        assert await rig.store.replace(NAME, await rig.store.recall(NAME), other)

    clock = Clock(wall, now, sleep)
    with pytest.raises(ConfigError, match="somebody else"):
        await rebind(rig.store, clock)


async def test_a_replay_after_a_rebinding_writes_what_the_state_knew_already() -> None:
    rig = Rig(live=False)
    await used(rig)
    await rebind(rig.store, rig.clock)
    rig.dynamics = type(rig.dynamics)()
    replayed = Ingest(rig.store, rank=1, clock=rig.clock)
    await replayed.handle([Message(call.begun(), f"archive:{call.id}") for call in MANY])
    await rig.run(5, rig.another())
    assert len(rig.calls) == len(MANY)
