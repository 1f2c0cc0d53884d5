"""Visitors keep the pages' places and say nothing: health is told all the same."""

from __future__ import annotations

import asyncio
import time

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import pytest
import pytest_asyncio

from hostile.lines import all_in_order
from hostile.world import World


pytestmark = [pytest.mark.services, pytest.mark.asyncio(loop_scope="module")]

VISITORS: Final = 48
CHECKS: Final = 10

#: Longest time (s) that a supervisor waits for an answer.
PATIENCE_S: Final = 2.0


async def visit(
    port: int, request: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    return reader, writer


async def status(port: int) -> bytes:
    try:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await visit(port, b"GET /healthz HTTP/1.1\r\n\r\n")
            line = await reader.readline()
            writer.close()
            return line
    except (OSError, TimeoutError) as error:
        return type(error).__name__.encode()


@pytest_asyncio.fixture(loop_scope="module")
async def visitors(scene: World) -> AsyncIterator[int]:
    """The port of the pages, all of whose places are taken."""
    worker = await scene.worker()
    (said,) = worker.said("telemetry.listening")
    port: int = said["port"]
    async with AsyncExitStack() as stack:
        for number in range(VISITORS):
            _, writer = await visit(port, b"GET /heal" if number % 2 else b"")
            stack.callback(writer.close)
        yield port


async def test_health_is_told_however_many_idle_connections_there_are(visitors: int) -> None:
    begin = time.monotonic()
    answers = [await status(visitors) for _ in range(CHECKS)]
    assert answers == [b"HTTP/1.1 200 OK\r\n"] * CHECKS
    assert time.monotonic() - begin < PATIENCE_S


async def test_calls_are_written_while_visitors_come_and_go(scene: World, visitors: int) -> None:
    calls = await scene.calls(1)
    await scene.tell(calls)
    await scene.written(calls, await scene.worker())
    assert await status(visitors) == b"HTTP/1.1 200 OK\r\n"


async def test_after_strange_visitors_the_worker_ends_well_and_has_said_nothing_of_people(
    scene: World,
) -> None:
    await all_in_order(scene)
