"""Push: brings Dynamics to match the contacts that are due.

A contact whose plan is not empty is *due*. This decides which contacts are worked on and when; what
is done for one is its transaction (``worker.engine.transaction``). While the gate is closed nothing
is claimed at all.
"""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from worker import heartbeat
from worker.clock import run_until
from worker.dynamics.reasons import GateState
from worker.engine.policy import RETRY_S
from worker.engine.transaction import Transactions
from worker.errors import StoreUnavailable


_log = structlog.get_logger(__name__)

#: How many contacts are worked on at a time; the gate limits requests in flight.
CONTACTS_AT_A_TIME = 64

#: Longest and shortest wait before the store is asked again for due contacts (s).
LOOK_AGAIN_S = 1.0
SHORTEST_PAUSE_S = 0.05

#: A wait that is worth a log line (s).
LONG_PAUSE_S = 15.0


class Push:
    """Pushes due contacts.

    Args:
        transactions: Carries out what is due; its store, gate and clock are used here too.
        probe: One request past the gate, to find out whether it can open again.

    Attributes:
        transactions: As given.
    """

    def __init__(self, transactions: Transactions, probe: Callable[[], Awaitable[object]]) -> None:
        self.transactions = transactions
        self._probe = probe
        self._store = transactions.store
        self._gate = transactions.gate
        self._clock = transactions.clock
        self._faults = transactions.faults
        self._containment = transactions.containment
        self._news = asyncio.Event()
        self._in_hand: set[str] = set()

    def news(self) -> None:
        """Look for due contacts now: something came due."""
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Push what comes due until ``stop`` is set, then finish what is in hand."""
        async with asyncio.TaskGroup() as group:
            group.create_task(run_until(stop, self._revive()))
            look = partial(self._look_after, group, stop)
            await self._faults.again("push", look, self._clock, stop=stop)

    async def _revive(self) -> None:
        """Try what other builds parked as bugs, once at the start."""
        with self._faults.contained("housekeeping"):
            while True:
                try:
                    return await self._containment.revive(self._news)
                except* StoreUnavailable:
                    heartbeat.beat()
                    await self._clock.sleep(LONG_PAUSE_S)

    async def _look_after(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        while not stop.is_set():
            heartbeat.beat()
            if self._gate.breaker.state is not GateState.OPEN:  # so nothing is claimed
                await run_until(stop, self._gate.breaker.reopen(self._probe))
            elif not await self._start(group):
                await run_until(stop, self._rest())

    async def drain(self, stop: asyncio.Event | None = None) -> None:
        """Push until nothing is due any more, now or after a pause that runs, or ``stop`` is set.

        Contacts in hand are finished in any case.
        """
        stop = stop or asyncio.Event()
        while not stop.is_set():
            async with asyncio.TaskGroup() as group:
                while not stop.is_set() and await self._start(group):
                    await run_until(stop, self._gate.breaker.reopen(self._probe))
            following = await self._store.next_due()
            if following is None or await self._only_given_up():
                return
            pause_s = max(0.0, following - self._clock.wall())
            if pause_s > LONG_PAUSE_S:
                _log.error("push.waiting", seconds=round(pause_s), why="an earlier run's claims")
            await run_until(stop, self._clock.sleep(pause_s))

    # --- which contacts ---

    async def _start(self, group: asyncio.TaskGroup) -> bool:
        """Start work on due contacts, as many as there is room for; False: none is in hand."""
        self._news.clear()
        room = max(0, int(min(CONTACTS_AT_A_TIME, self._gate.slots.room)) - len(self._in_hand))
        excluded = self._containment.held_back() | self._in_hand
        due = await self._due(CONTACTS_AT_A_TIME + len(excluded)) if room else []
        fresh = [contact_id for contact_id in due if contact_id not in excluded][:room]
        for contact_id in fresh:
            self._in_hand.add(contact_id)
            group.create_task(self._guarded(contact_id))
        if not self._in_hand:
            return False
        if room > len(fresh):
            await self._rest()
        else:
            await self._news.wait()  # until there is room again
        return True

    async def _due(self, limit: int) -> list[str]:
        try:
            return await self._store.due(self._clock.wall(), limit)
        except StoreUnavailable as error:
            _log.warning("push.store_unavailable", reason=str(error))
            await self._clock.sleep(RETRY_S)
            return []

    async def _only_given_up(self) -> bool:
        given_up = self._containment.held_back_for_good()
        return bool(given_up) and given_up >= set(await self._due(len(given_up) + 1))

    async def _rest(self) -> None:
        """Wait until something comes due, or until it is time to look again."""
        try:
            following = await self._store.next_due()
        except StoreUnavailable:
            following = None  # asked again after the pause; _due reports it
        pause_s = LOOK_AGAIN_S
        if following is not None and not self._containment.held_back():
            pause_s = min(pause_s, max(SHORTEST_PAUSE_S, following - self._clock.wall()))
        await run_until(self._news, self._clock.sleep(pause_s))

    async def _guarded(self, contact_id: str) -> None:
        try:
            await self.transactions.run(contact_id)
        except StoreUnavailable as error:
            # Its claim lapses by itself; the intent saved with it says what may have been sent.
            _log.warning("push.store_unavailable", contact_id=contact_id, reason=str(error))
            await self._clock.sleep(RETRY_S)
        except Exception as error:  # noqa: BLE001 - containment itself may have a bug
            self._containment.hold_back(contact_id)
            self._faults.note("contact", error, contact_id=contact_id)
        finally:
            self._in_hand.discard(contact_id)
            self._news.set()
