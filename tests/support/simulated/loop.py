"""An event loop in virtual time, whose tasks belong to processes that can be stopped and killed.

Time moves on only when nothing is ready. Of what is ready at one instant chance picks the next,
so every order comes up sooner or later; one ``Random`` decides, so a seed repeats a run exactly.
"""

from __future__ import annotations

import asyncio
import heapq

from asyncio.events import _set_running_loop
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from itertools import count
from random import Random
from typing import Any, cast


#: More callbacks than any run needs: something goes round in a circle.
TOO_MANY = 3_000_000


class StuckError(AssertionError):
    """Everybody waits and nothing is left to happen, or it never ends."""


class Process:
    """What SIGSTOP, SIGCONT and SIGKILL act on: tasks, and the tasks these begin.

    Attributes:
        name: For the story.
        stopped: Nothing of it runs; what comes for it meanwhile waits.
        dead: It will never run again.
        woken_at: When it last went on after a stop (s of the loop).
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.stopped = False
        self.dead = False
        self.woken_at = 0.0
        self.waiting: list[Handle] = []


class Handle:
    """Something to call (see ``asyncio.Handle``, of which tasks need no more)."""

    __slots__ = ("args", "callback", "cancelled", "context")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = copy_context() if context is None else context
        self.cancelled = False

    def cancel(self) -> None:
        """Do not call it."""
        self.cancelled = True


#: The process that runs; None: the world outside.
PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class _Task(asyncio.Task[Any]):
    """A task that sets of tasks hold in the same order in every run."""

    def __init__(self, number: int, coro: Coroutine[Any, Any, Any], **more: Any) -> None:
        self.number = number
        super().__init__(coro, **more)

    def __hash__(self) -> int:
        return self.number


class VirtualLoop:
    """As much of an event loop as tasks, futures and time-outs need.

    Args:
        rng: Decides what runs first.

    Attributes:
        failures: What went wrong without anybody to tell.
        steps: How many callbacks ran.
    """

    def __init__(self, rng: Random) -> None:
        self.failures: list[str] = []
        self.steps = 0
        self._chance = rng.random
        self._now = 0.0
        self._ready: list[Handle] = []
        self._timers: list[tuple[float, int, Handle]] = []
        self._timer_numbers = count()
        self._task_numbers = count()
        self._halted = False
        self._outside = Context()
        self._self = cast("asyncio.AbstractEventLoop", self)  # to those that need no more of it

    # --- what runs ---

    def run(self) -> None:
        """Run until ``halt`` is called.

        Raises:
            StuckError: That will never be.
        """
        _set_running_loop(self._self)
        self._halted = False
        try:
            while not self._halted:
                self._step()
        finally:
            _set_running_loop(None)

    def halt(self) -> None:
        """Let ``run`` return."""
        self._halted = True

    def start(self, process: Process, main: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin a process."""
        context = copy_context()
        context.run(PROCESS.set, process)
        return self.create_task(main, context=context)

    def outside(self, delay_s: float, act: Callable[[], object]) -> None:
        """Have something happen later that no process can hold up."""
        self.call_later(delay_s, act, context=self._outside)

    def stop_process(self, process: Process) -> None:
        """SIGSTOP."""
        process.stopped = True

    def wake_process(self, process: Process) -> None:
        """SIGCONT: what came meanwhile is ready now."""
        process.stopped = False
        process.woken_at = self._now
        self._ready += process.waiting
        process.waiting = []

    def kill_process(self, process: Process) -> None:
        """SIGKILL: no handler of the product sees it."""
        process.stopped = process.dead = True

    def end(self, processes: list[Process]) -> None:
        """Cancel whatever is left; to nobody's effect, the world has ended."""
        self.failures = []  # what tasks say of their own end is of no interest
        for process in processes:
            self.wake_process(process)
        _set_running_loop(self._self)
        try:
            while left := asyncio.all_tasks(self._self):
                while self._ready:  # what has not even begun cannot be cancelled neatly
                    self._step()
                for task in sorted(left, key=hash):
                    task.cancel()
        finally:
            _set_running_loop(None)
        self._timers.clear()

    def _step(self) -> None:
        ready = self._ready
        if not ready:
            self._move_on()
        if len(ready) > 1:
            picked = int(self._chance() * len(ready))
            ready[picked], ready[-1] = ready[-1], ready[picked]
        handle = ready.pop()
        if handle.cancelled:
            return
        process = handle.context.get(PROCESS)
        if process is not None and process.stopped:
            process.waiting.append(handle)
            return
        self.steps += 1
        handle.context.run(handle.callback, *handle.args)

    def _move_on(self) -> None:
        timers = self._timers
        while timers and timers[0][2].cancelled:
            heapq.heappop(timers)
        if not timers or self.steps > TOO_MANY:
            raise StuckError(f"at {self._now:.1f} s after {self.steps} steps")
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(timers)[2])

    # --- what asyncio asks of a loop ---

    def time(self) -> float:
        """Virtual time (s)."""
        return self._now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """See ``asyncio.AbstractEventLoop``."""
        handle = Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        """See ``asyncio.AbstractEventLoop``."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        """See ``asyncio.AbstractEventLoop``."""
        handle = Handle(callback, args, context)
        heapq.heappush(self._timers, (when, next(self._timer_numbers), handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """See ``asyncio.AbstractEventLoop``."""
        return asyncio.Future(loop=self._self)

    def create_task(self, coro: Any, **more: Any) -> asyncio.Task[Any]:
        """See ``asyncio.AbstractEventLoop``."""
        return _Task(next(self._task_numbers), coro, loop=self._self, **more)

    def get_debug(self) -> bool:
        """See ``asyncio.AbstractEventLoop``."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Note what nobody else will hear of."""
        self.failures.append(f"{context['message']}: {context.get('exception')!r}")
