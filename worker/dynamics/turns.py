"""Turns: which of those that wait goes next.

Whoever does the work of a contact that an agent waits for goes first, the newest of them first of
all; the others go in the order in which they came, and are never held up altogether.
"""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Generic, TypeVar

from worker.precedence import NOBODY, Since, precedence


T = TypeVar("T")

#: So many go first in a row while others wait; then it is one of these.
MOST_IN_A_ROW: Final = 4


class Turns(Generic[T]):
    """Futures that wait for their turn, whose results are set by who gives it to them."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[T], Since] = {}
        self._in_a_row = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def join(self, place: asyncio.Future[T]) -> None:
        """Wait, with the precedence of the running task."""
        self._waiting[place] = precedence()

    def leave(self, place: asyncio.Future[T]) -> None:
        """Wait no longer, if it still did."""
        self._waiting.pop(place, None)

    def next(self) -> asyncio.Future[T]:
        """Take out whose turn it is; somebody must wait."""
        since = {place: waits() for place, waits in self._waiting.items()}
        others = [place for place, at in since.items() if at == NOBODY]
        place = max(since, key=lambda waiting: since[waiting])  # of several the one that came first
        if others and self._in_a_row >= MOST_IN_A_ROW:
            place = others[0]
        self._in_a_row = self._in_a_row + 1 if others and since[place] > NOBODY else 0
        self.leave(place)
        return place


class TurnLock:
    """A lock that goes to whose turn it is.

    Attributes:
        is_held: Whether somebody has it.
    """

    def __init__(self) -> None:
        self.is_held = False
        self._turns: Turns[None] = Turns()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait for the lock and hold it while the block lasts."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            if self.is_held:
                self._turns.join(place)
                await place
            else:
                self.is_held = True
                place.set_result(None)
            yield
        finally:
            # Also if it was given to a task that was cancelled at that moment. Whoever was
            # cancelled while it waited stays in line: its turn is passed over.
            if place.done() and not place.cancelled():
                self.is_held = False
                self._pass_on()

    def _pass_on(self) -> None:
        while self._turns and not self.is_held:
            place = self._turns.next()
            if not place.done():
                place.set_result(None)
                self.is_held = True
