"""An event loop for a year: time leaps, and stops at what happens outside.

While nothing happens, timers are up to an hour late, all of them, as on a machine that is
suspended now and then. For a moment after each event of the world they are exact.
"""

from __future__ import annotations

import asyncio
import selectors

from collections.abc import Callable
from math import inf
from typing import Any, Final


#: How late (s) timers may be while nothing happens.
LEAP_S: Final = 3600.0

#: Timers that differ by less (s) are due together.
RESOLUTION_S: Final = 1e-6

#: How long (s) they are exact once something did.
EXACT_S: Final = 0.5


class _Leaping(selectors.SelectSelector):
    """Moves time on instead of waiting."""

    now = 0.0
    exact_until = 0.0
    next_event = inf

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits and nothing is left to happen")
        if timeout > 0:
            late_s = LEAP_S if self.now >= self.exact_until else 0.0
            self.now = max(self.now, min(self.now + max(timeout, late_s), self.next_event))
        return super().select(0)


class LeapingLoop(asyncio.SelectorEventLoop):
    """The loop; what it runs must wait for nothing real."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)
        # After 194 days a nanosecond, asyncio's own, is lost on a float: no timer would be due.
        self._clock_resolution = RESOLUTION_S

    def time(self) -> float:
        """Virtual time (s)."""
        return self._leaping.now

    def next_event(self, at_s: float) -> None:
        """Let no leap go beyond this time: something will happen then."""
        self._leaping.next_event = at_s

    def be_exact(self, for_s: float = EXACT_S) -> None:
        """Something has happened: let timers be in time for a while."""
        self._leaping.exact_until = self._leaping.now + for_s

    def run_in_executor(  # type: ignore[override]  # the types of its arguments are of no use here
        self, _executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run it at once: a thread's time is not ours."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it goes to whoever waits for it
            future.set_exception(error)
        return future
