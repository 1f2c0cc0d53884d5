"""I6, and replays: what people did in Dynamics stays, what is there is not done again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.pipeline import Pipeline
from pipelines.step import RecordStep
from twins.dynamics import PERSON_ID, Failure, in_turn
from worker.definitions import find
from worker.dynamics.errors import Throttled
from worker.dynamics.protocol import Request
from worker.sandbox.traffic import EVENTS, KINDS, RECORDINGS, RECORDS, History, history


if TYPE_CHECKING:
    from tests.property.conftest import World


thorough = settings(max_examples=15, deadline=None, derandomize=True)


OpenWorld = Callable[..., "AbstractAsyncContextManager[World]"]
Expected = Callable[[History], list[dict[str, Any]]]


@dataclass(frozen=True)
class Story:
    """One history, named shortly."""

    kind: str
    seed: int

    @property
    def told(self) -> History:
        return history(self.kind, Random(f"{self.seed} {self.kind}"))

    @property
    def bodies(self) -> list[bytes]:
        return [message.body for message in self.told.sent]


stories = st.builds(Story, st.sampled_from(list(KINDS)), st.integers(0, 99))


def call_on(stream: str | None = None) -> list[bytes]:
    """The messages of one answered and recorded call, of one stream or all."""
    told = history("voice_inbound", Random("a recorded call"))
    assert told.contacts[0].stored
    return [m.body for m in told.sent if stream in {None, m.stream}]


def phonecall(on_missing: str) -> list[Pipeline]:
    """The shipped pipeline with another answer to records that are gone."""
    shipped = find("phonecall")
    steps = (
        replace(step, on_missing=on_missing) if isinstance(step, RecordStep) else step
        for step in shipped.steps
    )
    return [replace(shipped, steps=tuple(steps))]


def key_of(world: World) -> str:
    """The key of the only phone call."""
    ((_, key),) = world.memory.records
    return key


# --- a person deletes the record ---


@pytest.mark.parametrize(("on_missing", "parked"), [("park", 1), ("skip", 0)])
async def test_i6_a_deleted_record_is_not_resurrected(
    open_world: OpenWorld, on_missing: str, parked: int
) -> None:
    async with open_world("memory post allow", pipelines=phonecall(on_missing)) as world:
        await world.tell(call_on(EVENTS))
        world.memory.delete("phonecalls", key_of(world))
        await world.tell(call_on(RECORDS), call_on(RECORDINGS), push=True)
        assert not world.memory.records
        assert len(await world.parked()) == parked
        assert len(world.wire.created()) == 1


async def test_i6_a_deleted_record_is_made_again_in_full_if_the_pipeline_says_so(
    open_world: OpenWorld, expected: Expected
) -> None:
    async with open_world("memory post allow", pipelines=phonecall("recreate")) as world:
        await world.tell(call_on(EVENTS))
        world.memory.delete("phonecalls", key_of(world))
        await world.tell(call_on(RECORDS), call_on(RECORDINGS), push=True)
        assert world.calls() == expected(history("voice_inbound", Random("a recorded call")))


# --- a person edits it ---


@thorough
@given(st.sampled_from(["subject", "phonenumber", "category", "actualstart"]))
async def test_i6_a_column_a_person_edited_stays_while_its_fact_does(
    open_world: OpenWorld, column: str
) -> None:
    async with open_world("memory post allow") as world:
        await world.tell(call_on(EVENTS) + call_on(RECORDS))
        world.memory.edit("phonecalls", key_of(world), **{column: "by hand"})
        await world.tell(call_on(), call_on(RECORDINGS), push=True)
        (call,) = world.calls()
        assert call[column] == "by hand"


async def test_i6_an_edited_column_follows_its_fact_when_that_changes(
    open_world: OpenWorld,
) -> None:
    async with open_world("memory post allow") as world:
        await world.tell(call_on(EVENTS))
        world.memory.edit("phonecalls", key_of(world), subject="by hand", actualstart="by hand")
        await world.tell(call_on(RECORDS))  # the record tells agent and number, so the subject
        (call,) = world.calls()
        assert call["subject"].startswith("Call between")
        assert call["actualstart"] == "by hand"


# --- a fresh machine ---


@pytest.mark.parametrize(
    "variant",
    ["sandbox post allow", "sandbox post refuse", "sandbox patch allow", "memory post refuse"],
)
@thorough
@given(story=stories)
async def test_i6_a_replay_on_a_fresh_machine_creates_and_changes_nothing(
    open_world: OpenWorld, variant: str, story: Story
) -> None:
    async with open_world(variant) as world:
        await world.tell(*[[body] for body in story.bodies], push=True)
        before = world.rows()
        world.forget()
        await world.tell(story.bodies)
        assert world.rows() == before
        assert world.wire.written() == 0
        assert not await world.parked()


async def test_i6_an_empty_text_is_the_null_that_dynamics_makes_of_it(
    open_world: OpenWorld,
) -> None:
    """The queue of a warm transfer's second leg is an agent's own and has no name."""
    warm = (history("voice_transfer", Random(seed)) for seed in range(100))
    told = next(h for h in warm if any(leg.queue and not leg.queue.name for leg in h.contacts))
    async with open_world("sandbox post refuse") as world:
        await world.tell([message.body for message in told.sent])
        world.forget()
        await world.tell([message.body for message in told.sent])
        assert world.wire.written() == 0


@thorough
@given(story=stories)
async def test_a_replay_with_the_state_kept_asks_nothing(
    open_world: OpenWorld, story: Story
) -> None:
    async with open_world("sandbox post allow") as world:
        await world.tell(story.bodies)
        world.wire.log.clear()
        await world.tell(*[[body] for body in story.bodies], push=True)
        assert not world.wire.log


@thorough
@given(story=stories)
async def test_a_complete_contact_costs_two_requests_in_an_empty_dynamics(
    open_world: OpenWorld, expected: Expected, story: Story
) -> None:
    async with open_world("sandbox post allow") as world:
        await world.tell(story.bodies)
        assert len(world.wire.log) <= 2 * len(expected(story.told))


async def test_i6_of_a_persons_record_only_empty_and_default_columns_are_filled(
    open_world: OpenWorld,
) -> None:
    async with open_world("memory post allow") as world:
        await persons_record(world, subject="by hand", directioncode=True)
        await world.tell(call_on())
        (call,) = world.calls()
        assert call["subject"] == "by hand"
        assert call["phonenumber"].startswith("+")
        assert call["directioncode"] is False  # it had its default
        assert call["statecode"] == 1  # it was open
        assert not world.wire.created()


async def test_i6_a_record_of_ours_that_a_person_changed_is_filled_only(
    open_world: OpenWorld,
) -> None:
    async with open_world("memory post allow") as world:
        await world.tell(call_on())
        world.memory.edit("phonecalls", key_of(world), subject="by hand", phonenumber=None)
        world.forget()
        await world.tell(call_on())
        (call,) = world.calls()
        assert call["subject"] == "by hand"
        assert call["phonenumber"].startswith("+")


async def test_overwriting_forces_a_persons_record(
    open_world: OpenWorld, expected: Expected
) -> None:
    async with open_world("memory post allow", overwrite=True) as world:
        await persons_record(world, subject="by hand", statecode=1, statuscode=4)
        await world.tell(call_on())
        assert world.calls() == expected(history("voice_inbound", Random("a recorded call")))


async def test_i6_a_throttled_create_does_not_make_a_persons_record_ours(
    open_world: OpenWorld,
) -> None:
    async with open_world("memory post allow") as world:
        await persons_record(world, subject="by hand")
        world.memory.script = in_turn(Failure(Throttled("busy", retry_after_s=1.0)))
        await world.tell(call_on())
        (call,) = world.calls()
        assert call["subject"] == "by hand"


async def test_i4_a_create_refused_for_another_records_alternate_key_is_not_lost_in_silence(
    open_world: OpenWorld,
) -> None:
    keys = {"phonecalls": [("subject",)]}
    told = history("voice_inbound", Random("a recorded call"))
    (leg,) = told.contacts
    assert leg.agent is not None
    subject = f"Call between {leg.agent.username} and {leg.customer.number}"
    async with open_world("sandbox post allow", keys=keys) as world:
        assert world.dataverse is not None
        world.dataverse.put("phonecalls", {"subject": subject}, "a person's")
        await world.tell(call_on())
        assert await world.parked()


async def persons_record(world: World, **columns: Any) -> None:
    """Let a person have made the record that the call would get."""
    await world.tell(call_on())
    key = key_of(world)
    world.memory.records.clear()
    body = {"activityid": key, **columns}
    await world.memory.send(Request("POST", "phonecalls", body=body), timeout_s=1)
    world.memory.edit("phonecalls", key, **columns, _createdby_value=PERSON_ID)
    world.forget()
