"""The memory source does what every source promises."""

from __future__ import annotations

import asyncio

from collections.abc import Sequence

import pytest

from worker.errors import StoreUnavailable
from worker.sources.memory import MemorySource
from worker.sources.protocol import Message


ONE = [Message(b"1", "memory/1")]
TWO = [Message(b"2", "memory/2")]


async def test_batches_are_handed_out_in_order_and_acknowledged_after_handling() -> None:
    source = MemorySource([ONE, TWO])
    acknowledged: list[int] = []

    async def handle(_: Sequence[Message]) -> None:
        acknowledged.append(len(source.acknowledged))

    await source.run(handle, asyncio.Event())
    assert acknowledged == [0, 1]
    assert source.acknowledged == [ONE, TWO]


async def test_after_stop_no_new_batch_is_handed_out() -> None:
    source, stop = MemorySource([ONE, TWO]), asyncio.Event()

    async def handle(_: Sequence[Message]) -> None:
        stop.set()

    await source.run(handle, stop)
    assert source.acknowledged == [ONE]


async def test_a_batch_whose_handling_fails_is_not_acknowledged() -> None:
    source = MemorySource([ONE])

    async def handle(_: Sequence[Message]) -> None:
        raise ValueError("bug")

    with pytest.raises(ValueError, match="bug"):
        await source.run(handle, asyncio.Event())
    assert source.acknowledged == []


@pytest.mark.parametrize("stopping", [True, False])
async def test_a_batch_that_the_store_does_not_take_is_not_acknowledged(*, stopping: bool) -> None:
    source, stop = MemorySource([ONE, TWO]), asyncio.Event()

    async def handle(_: Sequence[Message]) -> None:
        if stopping:
            stop.set()
        raise StoreUnavailable("locked")

    running = source.run(handle, stop)
    if stopping:
        await running
    else:
        with pytest.raises(StoreUnavailable):
            await running
    assert source.acknowledged == []
