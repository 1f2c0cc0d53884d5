"""Virtual time: sleeping takes none, and what would wait for ever fails at once.

An hour of waiting takes no time and comes out the same in every run. ``simulated.loop`` has a loop
of its own: its tasks belong to processes that can be stopped and killed, and chance picks the
next one.
"""

from __future__ import annotations

import asyncio
import selectors

from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

from worker.clock import Clock


T = TypeVar("T")

#: Wall clock at virtual time 0 (s since 1970): 2026-01-02T03:00:00Z, when the calls begin.
BEGINNING = 1_767_322_800.0


class _Selector(selectors.SelectSelector):
    """Moves time on instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits and nothing is left to happen")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock moves only when nothing else is left to do."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time, which starts at 0."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def now() -> float:
    """Virtual time (s)."""
    return asyncio.get_running_loop().time()


def wall() -> float:
    """The wall clock of a world that began at ``BEGINNING`` (s since 1970)."""
    return BEGINNING + now()


def clock(beginning: float = BEGINNING, chance: float = 0.5) -> Clock:
    """The running loop's time, as the product takes it."""
    loop = asyncio.get_running_loop()
    return Clock(lambda: beginning + loop.time(), loop.time, chance=lambda: chance)


def iso(seconds: float) -> str:
    """``2026-01-02T03:00:00Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
