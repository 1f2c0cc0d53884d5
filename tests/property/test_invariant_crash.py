"""I4 and I2: whatever step a worker ends at, and however many there are, one record, told once."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import TYPE_CHECKING

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.engine.claims import CLAIM_S
from worker.sandbox.traffic import KINDS, history


if TYPE_CHECKING:
    from tests.property.conftest import World


thorough = settings(max_examples=15, deadline=None, derandomize=True)


OpenWorld = Callable[..., "AbstractAsyncContextManager[World]"]


@pytest.mark.parametrize(
    ("variant", "kind", "push"),
    [
        ("sandbox post allow", "voice_inbound", False),
        ("sandbox patch refuse", "voice_abandoned", True),
        ("memory post refuse", "voice_transfer", False),
        ("memory post refuse", "voice_ivr_only", True),
        ("memory patch allow", "voice_missed", True),
    ],
)
async def test_i4_a_crash_before_or_after_any_step_ends_in_the_same_records_created_once(
    open_world: OpenWorld, variant: str, kind: str, push: bool
) -> None:
    batches = [[message.body] for message in history(kind, Random(kind)).sent]
    async with open_world(variant) as world:
        await world.tell(*batches)
        plain = world.rows()
    crashes = 0
    while True:
        async with open_world(variant) as world:
            if not await world.tell_crashing(batches, at=crashes + 1, push=push):
                break
            crashes += 1
            assert world.rows() == plain, crashes
            assert len(world.wire.created()) == len(set(world.wire.created())), crashes
            assert not await world.parked(), crashes
    assert crashes > 2 * len(batches)


@thorough
@given(kind=st.sampled_from(list(KINDS)), at=st.lists(st.integers(1, 60), max_size=6))
async def test_i4_crash_after_crash_ends_in_the_same_records_created_once(
    open_world: OpenWorld, kind: str, at: list[int]
) -> None:
    batches = [[message.body] for message in history(kind, Random(kind)).sent]
    async with open_world("memory post refuse") as world:
        await world.tell(*batches)
        plain = world.rows()
    async with open_world("memory post refuse") as world:
        for steps in [*at, 0]:
            world.steps.crash_at = world.steps.count + steps
            done = await world.tell(*batches, push=True)
            batches = batches[done:]
            world.clock.now += CLAIM_S
        assert not batches
        assert world.rows() == plain
        assert len(world.wire.created()) == len(set(world.wire.created()))


@thorough
@given(at=st.integers(1, 80), kind=st.sampled_from(["voice_inbound", "voice_transfer"]))
async def test_i4_what_happens_between_a_crash_and_its_repair_is_told_too(
    open_world: OpenWorld, at: int, kind: str
) -> None:
    """The create's answer is lost; before anybody notices, the contact record comes."""
    batches = [[message.body] for message in history(kind, Random(kind)).sent]
    async with open_world("memory post refuse") as world:
        await world.tell(*batches)
        plain = world.rows()
    async with open_world("memory post refuse") as world:
        world.steps.crash_at = at
        done = await world.tell(*batches[:4], push=True)
        left = [body for batch in batches[done:] for body in batch]
        await world.tell(left)  # the claim still runs: this worker waits until it has lapsed
        assert world.rows() == plain
        assert len(world.wire.created()) == len(set(world.wire.created()))


@thorough
@given(kind=st.sampled_from(list(KINDS)), seed=st.integers(0, 20), others=st.integers(2, 4))
async def test_i4_workers_that_push_one_store_at_once_create_once_and_end_the_same(
    open_world: OpenWorld, kind: str, seed: int, others: int
) -> None:
    sent = [message.body for message in history(kind, Random(f"{seed} {kind}")).sent]
    async with open_world("memory post refuse") as world:
        await world.tell(sent)
        plain = world.rows()
    async with open_world("memory post refuse") as world:
        workers = [[[body] for body in sent[n::others]] for n in range(others)]
        await asyncio.gather(*(world.tell(*batches, push=True) for batches in workers))
        assert world.rows() == plain
        assert len(world.wire.created()) == len(set(world.wire.created()))


async def test_i4_two_workers_in_one_sandbox_create_once(open_world: OpenWorld) -> None:
    sent = [message.body for message in history("voice_transfer", Random(3)).sent]
    async with open_world("sandbox post refuse") as world:
        await asyncio.gather(
            world.tell(*[[body] for body in sent[::2]], push=True),
            world.tell(*[[body] for body in sent[1::2]], push=True),
        )
        assert len(world.wire.created()) == len(set(world.wire.created())) == len(world.calls())
        assert not await world.parked()
