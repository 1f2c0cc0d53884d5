"""Answers kept for a while, and questions asked once at a time."""

from __future__ import annotations

import asyncio
import time

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar


T = TypeVar("T")


@dataclass(slots=True)
class Answers(Generic[T]):
    """A bounded cache of what was answered; failures are not kept.

    Attributes:
        keep_s: How long an answer is good (s).
        most: How many are kept; the oldest goes first.
        clock: Monotonic clock (s).
    """

    keep_s: float
    most: int
    clock: Callable[[], float] = time.monotonic
    _kept: OrderedDict[Hashable, tuple[float, T]] = field(default_factory=OrderedDict)
    _asking: dict[Hashable, asyncio.Event] = field(default_factory=dict)

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to this question; who comes while it is being asked waits for the answer."""
        while (asked := self._asking.get(key)) is not None:
            await asked.wait()
        if (kept := self._kept.get(key)) is not None and kept[0] > self.clock():
            return kept[1]
        asking = self._asking[key] = asyncio.Event()
        try:
            answer = await ask()
        finally:
            del self._asking[key]
            asking.set()
        self._kept.pop(key, None)
        self._kept[key] = (self.clock() + self.keep_s, answer)
        if len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return answer
