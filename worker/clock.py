"""Waiting: on a clock that tests can control, with back-off, and never past a stop."""

from __future__ import annotations

import asyncio
import random
import time

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar


T = TypeVar("T")

BACKOFF_FIRST_S: Final = 0.5
BACKOFF_LONGEST_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, handed in so that tests need not wait for them.

    Attributes:
        wall: Seconds since 1970.
        monotonic: Seconds since some moment; never set back.
        sleep: Waits so many seconds of ``monotonic``.
        chance: A number in [0, 1).
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random


class Backoff:
    """How long to wait after one more failure in a row: doubling, up to 30 s, half of it random."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._next_s = BACKOFF_FIRST_S

    def failed(self) -> float:
        """Count a failure; the wait (s) before the next try."""
        whole, self._next_s = self._next_s, min(2 * self._next_s, BACKOFF_LONGEST_S)
        return whole * (1 + self._chance()) / 2

    def succeeded(self) -> None:
        """Begin anew."""
        self._next_s = BACKOFF_FIRST_S


async def run_until(stop: asyncio.Event, work: Awaitable[T]) -> T | None:
    """Do the work, or drop it as soon as ``stop`` is set.

    Returns:
        What the work returned; None if it was dropped.
    """
    doing = asyncio.ensure_future(work)
    doing.add_done_callback(disregard)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        await cancel_and_wait(doing, stopping)


@asynccontextmanager
async def alongside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do the work in the background for as long as the block lasts.

    Raises:
        Exception: What the work raised; but only at the end of the block.
    """
    doing = asyncio.create_task(work)
    try:
        yield
    finally:
        await cancel_and_wait(doing)
    if not doing.cancelled():
        doing.result()


async def cancel_and_wait(*tasks: asyncio.Future[Any]) -> None:
    """Cancel the tasks and wait until they are over.

    ``wait`` and not ``await task``: a cancellation of ourselves must not be taken for the task's.
    """
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def disregard(task: asyncio.Future[Any]) -> None:
    """Mark the failure of work as seen: perhaps nobody waits for its outcome any more."""
    if not task.cancelled():
        task.exception()
