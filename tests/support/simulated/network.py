"""The way between a process and a service: calls take time, fail, and lose their answers."""

from __future__ import annotations

import asyncio

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from simulated.loop import PROCESS, Process, VirtualLoop


T = TypeVar("T")

#: A quick way (s): evenly between these.
QUICK_S = (0.002, 0.05)
#: A slow way (s). Both ways together stay below what a client waits for a lost answer.
SLOW_S = (0.5, 20.0)


@dataclass(slots=True)
class Weather:
    """How a service can be reached just now.

    Attributes:
        fails: Share of calls that end in trouble before anything was done.
        loses: Share of calls that are carried out and whose answers are lost.
        slow: Share of ways that are slow.
    """

    fails: float = 0.0
    loses: float = 0.0
    slow: float = 0.0

    def clear(self) -> None:
        """Nothing goes wrong."""
        self.fails = self.loses = self.slow = 0.0


class Network:
    """Carries calls.

    What has been sent arrives whatever becomes of its sender: it is carried out by the world.

    Args:
        loop: Time.
        rng: Decides what goes wrong.

    Attributes:
        ambushes: Told of each process for which a service (by its weather) has just acted, and
            which does not know of it yet.
    """

    def __init__(self, loop: VirtualLoop, rng: Random) -> None:
        self.ambushes: list[Callable[[Process, Weather], object]] = []
        self._loop = loop
        self._rng = rng

    async def call(
        self, act: Callable[[], T], weather: Weather, trouble: Callable[[], Exception]
    ) -> T:
        """Have a service act, and wait for its answer.

        Args:
            act: What the service does; what it raises is its answer too.
            weather: How things are.
            trouble: Makes the exception that a failed call, or a lost answer, ends in.
        """
        answer: asyncio.Future[T] = self._loop.create_future()
        there_s, back_s = self._way_s(weather), self._way_s(weather)
        luck = self._rng.random()
        process = PROCESS.get()

        def arrive() -> None:
            if luck < weather.fails:
                self._loop.outside(back_s, lambda: _fail(answer, trouble()))
                return
            try:
                result = act()
            except Exception as error:  # noqa: BLE001 - it goes to the caller, whatever it is
                failure = error
                self._loop.outside(back_s, lambda: _fail(answer, failure))
                return
            if process is not None:
                self.strike(process, weather)
            if luck < weather.fails + weather.loses:
                self._loop.outside(back_s, lambda: _fail(answer, trouble()))
                return
            self._loop.outside(back_s, lambda: _succeed(answer, result))

        self._loop.outside(there_s, arrive)
        return await answer

    def strike(self, process: Process, weather: Weather) -> None:
        """Now is the time for an ambush."""
        for ambush in self.ambushes:
            ambush(process, weather)

    def _way_s(self, weather: Weather) -> float:
        slow = weather.slow and self._rng.random() < weather.slow
        return self._rng.uniform(*(SLOW_S if slow else QUICK_S))


def _succeed(answer: asyncio.Future[Any], result: object) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def at_once(call: Coroutine[Any, Any, T]) -> T:
    """The result of a call to a twin, which never waits."""
    try:
        call.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("a twin waited")
