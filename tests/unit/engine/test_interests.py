"""Interests: what all live workers read, as far as it can be known."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.interest import Interest, interest_of, together
from pipelines.pipeline import Pipeline
from twins.calls import Call
from twins.rig import Rig
from worker.definitions import find
from worker.dynamics.live_workers import EXPIRY_S, HEARTBEAT_S
from worker.engine.interests import ASK_EVERY_S, NOTE, READ, Interests
from worker.errors import StoreUnavailable
from worker.stores.memory import MemoryStore


PHONECALL = [find("phonecall")]
TIMELINE = [find("timeline")]


def worker(rig: Rig, loaded: list[Pipeline], name: str = "us") -> Interests:
    return Interests(rig.store, loaded, name, rig.clock)


async def test_what_is_read_is_what_all_live_workers_read(rig: Rig) -> None:
    ours, theirs = worker(rig, PHONECALL), worker(rig, TIMELINE, "them")
    assert await ours.read() == interest_of(PHONECALL)
    await theirs.read()
    await asyncio.sleep(ASK_EVERY_S)
    both = together([interest_of(PHONECALL), interest_of(TIMELINE)])
    assert await ours.read() == await theirs.read() == both


async def test_a_worker_that_beats_no_more_reads_nothing_any_more(rig: Rig) -> None:
    ours, theirs = worker(rig, PHONECALL), worker(rig, TIMELINE, "them")
    await theirs.read()
    task = asyncio.ensure_future(ours.run())
    await asyncio.sleep(EXPIRY_S - 1)
    assert await ours.read() != interest_of(PHONECALL)
    await asyncio.sleep(HEARTBEAT_S)
    assert await ours.read() == interest_of(PHONECALL)
    task.cancel()


async def test_of_what_workers_that_are_gone_read_nothing_is_kept(rig: Rig) -> None:
    ours, theirs = worker(rig, PHONECALL), worker(rig, TIMELINE, "them")
    await theirs.read()
    task = asyncio.ensure_future(ours.run())
    await asyncio.sleep(1)
    assert len(ours._known) == 2
    await asyncio.sleep(EXPIRY_S + HEARTBEAT_S)
    assert len(ours._known) == 1
    task.cancel()


async def test_a_worker_that_only_beats_counts_as_long_as_it_does(rig: Rig) -> None:
    ours, theirs = worker(rig, PHONECALL), worker(rig, TIMELINE, "them")
    task = asyncio.ensure_future(theirs.run())
    await asyncio.sleep(5 * EXPIRY_S)
    assert await ours.read() == together([interest_of(PHONECALL), interest_of(TIMELINE)])
    task.cancel()


async def test_the_state_is_asked_once_a_second_however_much_comes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def recall(store: MemoryStore, name: str) -> str | None:
        asked.append(name)
        return store._remembered.get(name)

    monkeypatch.setattr(MemoryStore, "recall", recall)
    ours = worker(rig, PHONECALL)
    for _ in range(50):
        await ours.read()
    assert asked == [NOTE]


@pytest.mark.parametrize(
    "text", ['{"form":2}', '{"form":2,"workers":{"them":[1,"ab"]}}'], ids=["alone", "with workers"]
)
async def test_what_a_newer_release_wrote_stays_and_everything_is_read(rig: Rig, text: str) -> None:
    await rig.store.remember(NOTE, text)
    assert await worker(rig, PHONECALL).read() is None
    assert await rig.store.recall(NOTE) == text


@pytest.mark.parametrize("text", ["", "[]", "{", '{"form":1,"workers":{"them":1}}'])
async def test_after_damage_everything_is_read_until_all_have_beaten_again(
    rig: Rig, text: str
) -> None:
    await rig.store.remember(NOTE, text)
    ours = worker(rig, PHONECALL)
    assert await ours.read() is None
    await asyncio.sleep(EXPIRY_S)
    assert await ours.read() == interest_of(PHONECALL)


@pytest.mark.parametrize("text", [None, "", "[]", '{"form":2}', '{"form":1,"names":1}'])
async def test_while_it_cannot_be_read_what_another_worker_reads_everything_is(
    rig: Rig, text: str | None
) -> None:
    await rig.store.remember(NOTE, '{"form":1,"workers":{"them":[1,"ab"]}}')
    if text is not None:
        await rig.store.remember(READ + "ab", text)
    assert await worker(rig, PHONECALL).read() is None


async def test_while_the_state_is_away_everything_is_read(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> str | None:
        raise StoreUnavailable("throttled")

    ours = worker(rig, PHONECALL)
    assert await ours.read() is not None
    with monkeypatch.context() as patched:
        patched.setattr(MemoryStore, "recall", away)
        await asyncio.sleep(ASK_EVERY_S)
        assert await ours.read() is None
    await asyncio.sleep(ASK_EVERY_S)
    assert await ours.read() is not None


# --- what ingest makes of it ---


@pytest.fixture
def reading(rig: Rig) -> Callable[[list[Pipeline]], None]:
    """Lets ingest go by what these pipelines read."""

    def let(loaded: list[Pipeline]) -> None:
        rig.ingest.interest = Interests(rig.store, loaded, "us", rig.clock).read

    return let


async def test_a_message_of_which_nothing_is_read_is_stored_and_makes_nothing_due(
    rig: Rig, call: Call, reading: Callable[[list[Pipeline]], None]
) -> None:
    reading(PHONECALL)
    await rig.tell(call.begun())
    await rig.run(1)
    saves = rig.store.saves
    await rig.tell(call.event("QUEUED"))
    entry = await rig.entry(call.id)
    assert "event/QUEUED" in entry.contact.facts
    assert entry.due_at is None
    assert rig.store.saves == saves + 1


async def test_a_message_that_only_another_workers_pipeline_reads_makes_its_contact_due(
    rig: Rig, call: Call, reading: Callable[[list[Pipeline]], None]
) -> None:
    await worker(rig, TIMELINE, "them").read()
    reading(PHONECALL)
    await rig.tell(call.begun())
    await rig.run(1)
    await rig.tell(call.event("QUEUED"))
    assert (await rig.entry(call.id)).due_at is not None


async def test_a_contact_that_is_due_stays_so_whatever_comes(
    rig: Rig, call: Call, reading: Callable[[list[Pipeline]], None]
) -> None:
    reading(PHONECALL)
    await rig.tell(call.begun())
    due_at = (await rig.entry(call.id)).due_at
    await rig.tell(call.event("QUEUED"))
    assert (await rig.entry(call.id)).due_at == due_at is not None


async def test_what_cannot_be_judged_for_a_bug_of_ours_is_looked_at(
    rig: Rig,
    call: Call,
    reading: Callable[[list[Pipeline]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> bool:
        raise TypeError

    reading(PHONECALL)
    await rig.tell(call.begun())
    await rig.run(1)
    monkeypatch.setattr("worker.engine.ingest.concerns", fail)
    await rig.tell(call.event("QUEUED"))
    assert (await rig.entry(call.id)).due_at is not None


def test_together_interests_read_what_any_does() -> None:
    one = Interest({"": frozenset("a"), "ended": frozenset("b")}, frozenset(["ended"]))
    other = Interest({"ended": frozenset("c"), "record": frozenset()}, frozenset(["queued"]))
    both = together([one, other])
    assert both.names == {"": {"a"}, "ended": {"b", "c"}, "record": frozenset()}
    assert {"ended", "queued"} <= both.moments
