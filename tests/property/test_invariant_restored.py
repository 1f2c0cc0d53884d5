"""I4 and I6 when the state is restored from an older copy, or lost, and messages come again."""

from __future__ import annotations

import copy

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.definitions import find
from worker.sandbox.traffic import KINDS, history
from worker.stores.memory import MemoryStore
from worker.stores.protocol import ContactStore
from worker.stores.restoration import Keeper, declare


if TYPE_CHECKING:
    from tests.property.conftest import World


thorough = settings(max_examples=20, deadline=None, derandomize=True)
pipelines = pytest.mark.parametrize("pipeline", ["phonecall", "timeline"])

OpenWorld = Callable[..., "AbstractAsyncContextManager[World]"]

#: What a person made of records: by name and column.
Edits = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Life:
    """A history of which the state forgets a part. Places in it are hundredths of all messages.

    Attributes:
        kind: What kind of contact it is about.
        seed: Which one.
        copied: When the state was copied.
        lost: When it was lost.
        again: From where on messages come again: not after ``copied``.
        at_once: They come again in one batch, not one by one.
    """

    kind: str
    seed: int
    copied: int
    lost: int
    again: int
    at_once: bool

    @property
    def bodies(self) -> list[bytes]:
        told = history(self.kind, Random(f"{self.seed} {self.kind}"))
        return [message.body for message in told.sent]

    def part(self, begin: int, end: int) -> list[bytes]:
        bodies = self.bodies
        return bodies[len(bodies) * begin // 100 : len(bodies) * end // 100]


#: A draft of which the record comes so late that it counts as sent is a record that is cancelled,
#: but none if the state is lost before.
TOLD = sorted(KINDS.keys() - {"mail_draft"})


@st.composite
def lives(draw: st.DrawFn) -> Life:
    again, copied, lost = sorted(draw(st.integers(0, 100)) for _ in range(3))
    kind, seed = draw(st.sampled_from(TOLD)), draw(st.integers(0, 99))
    return Life(kind, seed, copied, lost, again, draw(st.booleans()))


async def told(world: World, bodies: Iterable[bytes]) -> None:
    """Tell one message after the other, and bring Dynamics up to date after each."""
    await world.tell(*([body] for body in bodies), push=True)


async def restore(world: World, store: ContactStore) -> None:
    """Go on with an older state that is known to be one."""
    world.store = store
    keeper = Keeper(store, None, world.clock.clock())
    await declare(store, world.clock())
    await keeper.look()
    world.doubt = keeper.doubt


async def live(world: World, life: Life, meddle: Callable[[World], Any]) -> Any:
    """Live up to the loss, have people meddle, go on with the copy, and hear the rest again."""
    await told(world, life.part(0, life.copied))
    kept = copy.deepcopy(world.store)
    await told(world, life.part(life.copied, life.lost))
    done = meddle(world)
    await restore(world, kept)
    again = life.part(life.again, 100)
    await (world.tell(again) if life.at_once else told(world, again))
    return done


def nothing(_world: World) -> None:
    """Nobody meddles."""


def edit_all(world: World) -> Edits:
    """A person changes every text of every record."""
    edits = {}
    for (entity_set, key), record in world.memory.records.items():
        texts = (c for c, v in record.items() if isinstance(v, str) and not c.endswith(IDS))
        edits[f"{entity_set}({key})"] = dict.fromkeys(texts, "by hand")
        world.memory.edit(entity_set, key, **edits[f"{entity_set}({key})"])
    return edits


#: How columns end that hold an id.
IDS = ("id", "_value")


def stand(world: World, edits: Edits) -> bool:
    rows = world.rows()
    return all(columns.items() <= rows[name].items() for name, columns in edits.items())


def created_once(world: World) -> bool:
    return len(world.wire.created()) == len(set(world.wire.created()))


@pytest.mark.parametrize("variant", ["memory post refuse", "memory patch allow"])
@pipelines
@thorough
@given(life=lives())
async def test_i4_with_a_restored_state_records_are_made_once_and_end_as_without_a_loss(
    open_world: OpenWorld, variant: str, pipeline: str, life: Life
) -> None:
    async with open_world(variant, pipelines=[find(pipeline)]) as world:
        await told(world, life.bodies)
        plain = world.rows()
    async with open_world(variant, pipelines=[find(pipeline)]) as world:
        await live(world, life, nothing)
        assert world.rows() == plain
        assert created_once(world)
        assert not await world.parked()


@thorough
@given(life=lives())
async def test_with_a_restored_state_records_are_read_as_dataverse_shows_them(
    open_world: OpenWorld, life: Life
) -> None:
    async with open_world("sandbox post refuse", pipelines=[find("timeline")]) as world:
        await told(world, life.bodies)
        plain = world.rows()
    async with open_world("sandbox post refuse", pipelines=[find("timeline")]) as world:
        await live(world, life, nothing)
        assert world.rows() == plain


@pipelines
@thorough
@given(life=lives())
async def test_i6_with_a_restored_state_what_people_edited_last_stays(
    open_world: OpenWorld, pipeline: str, life: Life
) -> None:
    async with open_world("memory post refuse", pipelines=[find(pipeline)]) as world:
        edits = await live(world, life, edit_all)
        assert stand(world, edits)
        assert created_once(world)


@thorough
@given(life=lives())
async def test_i6_with_a_restored_state_a_record_that_it_knows_and_a_person_deleted_stays_so(
    open_world: OpenWorld, life: Life
) -> None:
    async with open_world("memory post allow") as world:
        await told(world, life.part(0, life.copied))
        known = world.rows().keys()
    async with open_world("memory post allow") as world:
        await live(world, life, lambda world: world.memory.records.clear())
        assert known.isdisjoint(world.rows())


@pipelines
@thorough
@given(life=lives())
async def test_i4_a_lost_state_is_rebuilt_from_the_archive_with_no_second_create(
    open_world: OpenWorld, pipeline: str, life: Life
) -> None:
    async with open_world("memory post refuse", pipelines=[find(pipeline)]) as world:
        await told(world, life.part(0, life.lost))
        edits = edit_all(world)
        await restore(world, MemoryStore())
        await world.tell(life.bodies)
        assert stand(world, edits)
        assert created_once(world)
        written = world.wire.written()
        await told(world, life.bodies)
        assert world.wire.written() == written
