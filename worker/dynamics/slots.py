"""How many requests of one application user may be in flight, and which request goes next.

Dataverse limits concurrent requests, requests and execution time per user and web server and
advises to start low, raise until 429 and obey Retry-After (powerapps-docs ``api-limits``, "send
parallel requests"). So the number of slots grows by about one with each round of successes and
halves on trouble. Slots are handed out in the order in which they were asked for, but first to
requests that somebody waits for (``worker.dynamics.turns``).

When nothing may be sent at all is decided by ``worker.dynamics.breaker``.
"""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from worker.clock import Clock
from worker.dynamics.budget import RequestBudget
from worker.dynamics.errors import NotSent
from worker.dynamics.reasons import GateClosed, Reason
from worker.dynamics.turns import TurnLock, Turns


START_SLOTS: Final = 4

#: Dataverse's documented limit of concurrent requests per user and web server.
MAX_SLOTS: Final = 52

#: How often (s) something that others may change meanwhile is looked at again.
POLL_S: Final = 1.0

#: Seconds of work that are worth taking in hand while the budget spreads requests over time.
AHEAD_S: Final = 2.0


class Slots:
    """An adaptive semaphore for the requests of one worker.

    Attributes:
        in_flight: Requests that hold a slot.
        budget: Spreads requests over time.
        workers: How many workers share slots and budget, this one included.
        hint: The last ``x-ms-dop-hint``; 0: none yet.
        one_at_a_time: Whether one request is all that may be in flight, as on trial.
    """

    def __init__(self, clock: Clock, max_slots: int = MAX_SLOTS) -> None:
        """``START_SLOTS`` free slots, never more than ``max_slots`` for all workers together."""
        self._clock = clock
        self._max_slots = max_slots
        self._shared_limit = max_slots
        self._rank = 0
        self._slots = float(START_SLOTS)
        self._waiting: Turns[GateClosed | None] = Turns()
        self._pacing = TurnLock()
        self._refused: tuple[Reason, float] | None = None
        self.one_at_a_time = False
        self.in_flight = 0
        self.budget = RequestBudget()
        self.workers = 1
        self.hint = 0

    @property
    def limit(self) -> int:
        """How many requests may be in flight now; 0 only for a worker without a share."""
        return min(self.share, 1 if self.one_at_a_time else max(1, int(self._slots)))

    @property
    def room(self) -> float:
        """How many contacts are worth working on at a time; more would only wait."""
        return 1 if self.one_at_a_time else max(1.0, self.budget.rate * AHEAD_S)

    @property
    def share(self) -> int:
        """This worker's share of the slots; the shares of all workers add up to all the slots."""
        before = self._shared_limit * self._rank // self.workers
        return self._shared_limit * (self._rank + 1) // self.workers - before

    @asynccontextmanager
    async def held(self, deadline: float | None = None) -> AsyncIterator[None]:
        """Wait for a slot and hold it while the block lasts.

        Args:
            deadline: Until when to wait, on the monotonic clock (s); None: as long as it takes.

        Raises:
            GateClosed: requests are refused, or come to be refused while this one waits.
            NotSent: no slot came free in time.
        """
        await self._pace(self._left_s(deadline))
        place: asyncio.Future[GateClosed | None] = asyncio.get_running_loop().create_future()
        started: float | None = None
        try:
            await self._enter(place, self._left_s(deadline))
            started = self._clock.monotonic()
            yield
        finally:
            # First: a slot comes free whatever else fails.
            if place.done() and not place.cancelled() and place.result() is None:
                self.in_flight -= 1
            self._wake()
            if started is not None:
                self.budget.add_duration(self._clock.monotonic() - started)

    def grow(self) -> None:
        """After a success: one more slot for each round of successes that used them all."""
        # Growing while slots are free would only prepare a burst.
        if self.in_flight >= self.limit and self._slots < self._shared_limit:
            self._slots += 1 / self._slots
            self._wake()

    def halve(self) -> None:
        """After trouble: half as many, but one."""
        self._slots = max(1.0, self.limit / 2)

    def take_hint(self, slots: int) -> None:
        """Take ``x-ms-dop-hint``, the server's advice, as the maximum of all workers together."""
        self.hint = max(1, slots)
        self._shared_limit = min(self.hint, self._max_slots)
        self._divide()

    def take_share(self, rank: int, workers: int) -> None:
        """Take the share of slots and budget of worker number ``rank``, from 0, of ``workers``."""
        self._rank, self.workers = rank, workers
        self._divide()

    def refuse(self, reason: Reason, retry_at: float) -> None:
        """Refuse all requests that wait and all that come, until ``allow``."""
        self._refused, self.one_at_a_time = (reason, retry_at), False
        while self._waiting:
            place = self._waiting.next()
            if not place.done():
                place.set_result(GateClosed(reason, retry_at))

    def allow(self, *, one_at_a_time: bool) -> None:
        """Let requests pass again, with few slots, as at the start."""
        self._refused, self.one_at_a_time = None, one_at_a_time
        self._slots = min(self._slots, float(START_SLOTS))

    def end_trial(self) -> None:
        """Let more than one request pass at a time again."""
        self.one_at_a_time = False

    def _divide(self) -> None:
        self.budget.workers = min(self.workers, self._shared_limit)  # the others send nothing
        self._wake()

    async def _pace(self, wait_s: float | None) -> None:
        """Wait until the budget allows one request more."""
        if not self._pacing.is_held and self._may_go():
            return  # nothing to wait for: neither a turn nor a time limit is needed
        try:
            async with asyncio.timeout(wait_s), self._pacing.held():
                while not self._may_go():
                    await self._clock.sleep(min(self._pause_s(), POLL_S))
        except TimeoutError:
            raise NotSent("not sent: the budget allowed no request in time") from None

    def _may_go(self) -> bool:
        """Spend what a request costs, if there is so much; True also if it will be refused."""
        if self._refused is None:
            if self._pause_s():
                return False
            self.budget.spend()
        return True

    def _pause_s(self) -> float:
        return self.budget.wait_s(self._clock.monotonic())

    async def _enter(self, place: asyncio.Future[GateClosed | None], wait_s: float | None) -> None:
        """Wait for a slot; with it ``place`` is done, and its owner gives the slot back."""
        self._raise_if_refused()
        if self.in_flight < self.limit and not self._waiting:
            self.in_flight += 1
            place.set_result(None)
            return
        self._waiting.join(place)
        try:
            async with asyncio.timeout(wait_s):
                refusal = await place
        except TimeoutError:
            raise NotSent("not sent: no slot came free in time") from None
        finally:
            self._waiting.leave(place)
        if refusal is not None:
            raise refusal
        self._raise_if_refused()  # since the slot was granted

    def _raise_if_refused(self) -> None:
        if self._refused is not None:
            raise GateClosed(*self._refused)

    def _left_s(self, deadline: float | None) -> float | None:
        return None if deadline is None else deadline - self._clock.monotonic()

    def _wake(self) -> None:
        """Hand free slots to those whose turn it is."""
        while self._waiting and self.in_flight < self.limit:
            place = self._waiting.next()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)
