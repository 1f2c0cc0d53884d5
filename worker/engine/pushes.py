"""Pushes: one for each application user, which share the contacts bucket by bucket.

Each has a gate, a budget, a due list and an alarm of its own, so the backlog or the trouble of one
never hides the work of another (``worker.dynamics.spread``). The contacts of a user that is
throttled wait, and an outage is everybody's. Only a user that nobody lets in, because it is
unauthorized, expired or disabled, hands its contacts over after a minute; it gets them back once a
probe of its own succeeds. Workers decide that each for itself, by gates that are in sync; if two
disagree for a moment, claims decide who pushes what.

What is done once per worker, however many users it has, is done here: what was parked is revived,
and those for whom somebody waits are recalled.
"""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import astuple
from typing import Final

import structlog

from pipelines.contact import Contact
from pipelines.live import LIVE_WITHIN_S
from worker import heartbeat
from worker.clock import run_until
from worker.dynamics.reasons import GateState, Reason
from worker.dynamics.spread import spread
from worker.engine.push import LONG_PAUSE_S, Push, set_after
from worker.engine.reports import Sent
from worker.engine.revival import Revival
from worker.engine.transaction import Transactions
from worker.engine.waiting import Waiting
from worker.errors import StoreUnavailable
from worker.stores.buckets import bucket_of


_log = structlog.get_logger(__name__)

#: Reasons that are one user's own, and end only when somebody acts.
NOT_LET_IN: Final = frozenset((Reason.UNAUTHORIZED, Reason.FORBIDDEN))

#: How long (s) a user's contacts wait for it then, before the others take them.
HAND_OVER_AFTER_S: Final = 60.0

#: How often (s) that is looked at.
LOOK_S: Final = 1.0

#: How many contacts that came due just before the start are looked at for who waits.
MOST_RECALLED: Final = 500

#: How often (s) at most what was parked without an answer is tried again.
REVIVED_EVERY_S: Final = 600.0


class Pushes:
    """The pushes of one worker.

    Args:
        each: One for each application user; store, planner, clock and faults are the same in all.

    Attributes:
        each: As given.
    """

    def __init__(self, *each: Push) -> None:
        self.each: Sequence[Push] = each
        self._store = self.transactions.store
        self._clock = self.transactions.clock
        self._faults = self.transactions.faults
        self._revival = Revival(self._store, self._clock, self.transactions.build, self.news)
        self._recovered = self.transactions.gate.breaker.recovered
        for push in each[1:]:
            push.transactions.gate.breaker.recovered = self._recovered
        self._kept_out_since: dict[str, float] = {}
        self._owners: dict[int, Push] = {}
        self._moved = asyncio.Event()
        self._able = [push.user for push in each]
        self._spread()

    @property
    def transactions(self) -> Transactions:
        """The first user's, for what is the same in all."""
        return self.each[0].transactions

    @property
    def sent(self) -> Sent:
        """What went out so far, as all users together."""
        counts = [astuple(push.transactions.reports.sent) for push in self.each]
        return Sent(*map(sum, zip(*counts, strict=True)))

    def news(self, contacts: Sequence[Contact] = ()) -> None:
        """Look for due contacts now: something came due, these among others."""
        if len(self.each) == 1:
            self.each[0].news(contacts)
            return
        parts: dict[str, list[Contact]] = {push.user: [] for push in self.each}
        for contact in contacts:
            parts[self._owners[bucket_of(contact.id)].user].append(contact)
        for push in self.each:
            push.news(parts[push.user])

    async def run(self, stop: asyncio.Event) -> None:
        """Push what comes due until ``stop`` is set, then finish what is in hand."""
        async with asyncio.TaskGroup() as group:
            chores = [self._revive_bugs, self._revive_unanswered, self._recall_waiting]
            if len(self.each) > 1:
                chores += [self._introduce, self._watch]
            for chore in chores:
                group.create_task(run_until(stop, chore()))
            for push in self.each[1:]:
                group.create_task(self._run_apart(push, stop))
            await self.each[0].run(stop)

    async def _run_apart(self, push: Push, stop: asyncio.Event) -> None:
        with heartbeat.apart(push.user):
            await push.run(stop)

    async def drain(self, stop: asyncio.Event | None = None) -> None:
        """Push until nothing is due any more that a user may push; see ``Push.drain``."""
        stop = stop or asyncio.Event()
        if len(self.each) == 1:
            await self.each[0].drain(stop)
            return
        await self._introduce()
        again = True
        while again and not stop.is_set():
            self._moved.clear()
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch())
                ended = asyncio.Event()
                ends = [
                    group.create_task(set_after(event.wait, ended)) for event in (stop, self._moved)
                ]
                drains = [push.drain(ended) for push in self.each if push.buckets]
                await asyncio.gather(*drains)
                again = self._moved.is_set()  # who was done may have got more
                for task in (watching, *ends):
                    task.cancel()

    # --- who pushes what ---

    async def _watch(self) -> None:
        """Hand over the contacts of users that are not let in, and give them back."""
        while True:
            with self._faults.contained("push"):
                able = [push.user for push in self.each if self._is_able(push)]
                if able != self._able:
                    self._report(able)
                    self._able = able
                    self._spread()
            await self._clock.sleep(LOOK_S)

    def _is_able(self, push: Push) -> bool:
        """Whether it may send, or may again soon."""
        breaker = push.transactions.gate.breaker
        if breaker.state is GateState.OPEN:
            if breaker.reason is Reason.NONE:  # not on trial
                self._kept_out_since.pop(push.user, None)
            return True
        if push.user not in self._able:
            return False  # until a probe of its own succeeds, whatever that meets meanwhile
        if breaker.reason not in NOT_LET_IN:
            self._kept_out_since.pop(push.user, None)
            return True
        now = self._clock.monotonic()
        return now - self._kept_out_since.setdefault(push.user, now) < HAND_OVER_AFTER_S

    def _report(self, able: list[str]) -> None:
        for push in self.each:
            if push.user in self._able and push.user not in able:
                breaker = push.transactions.gate.breaker
                _log.error(
                    "dynamics.user_handed_over",
                    client_id=push.user,
                    reason=breaker.reason.value,
                    cause=breaker.cause,
                )
            elif push.user in able and push.user not in self._able:
                _log.warning("dynamics.user_back", client_id=push.user)

    def _spread(self) -> None:
        parts = spread([push.user for push in self.each], self._able)
        for push in self.each:
            push.buckets = parts[push.user]
            self._owners |= dict.fromkeys(push.buckets, push)
        for push in self.each:
            push.transactions.waiting.hand_over(self._waiting_of)
        self._moved.set()
        self.news()

    def _waiting_of(self, contact_id: str) -> Waiting:
        return self._owners[bucket_of(contact_id)].transactions.waiting

    # --- once per worker ---

    async def _introduce(self) -> None:
        """Have all users known as ours before one meets what another has written."""
        for push in self.each:
            with self._faults.contained("housekeeping"):
                if users := push.transactions.performer.users:
                    await users.acknowledged()

    async def _revive_bugs(self) -> None:
        """Try what other builds parked as bugs, once at the start."""
        await self._revive(self._revival.bugs)

    async def _revive_unanswered(self) -> None:
        """Try what was parked without an answer, once after each outage."""
        while True:
            await self._recovered.wait()
            self._recovered.clear()
            await self._revive(self._revival.unanswered)
            await self._clock.sleep(REVIVED_EVERY_S)  # however often writes come and go

    async def _revive(self, revive: Callable[[], Awaitable[None]]) -> None:
        with self._faults.contained("housekeeping"):
            while True:
                try:
                    return await revive()
                except* StoreUnavailable:
                    heartbeat.beat()
                    await self._clock.sleep(LONG_PAUSE_S)

    async def _recall_waiting(self) -> None:
        """Find for whom somebody waits although another process took the news in."""
        with self._faults.contained("housekeeping"):
            try:
                since = self._clock.wall() - LIVE_WITHIN_S
                ids = await self._store.ahead(since, MOST_RECALLED)
                entries = await self._store.load(ids)
            except StoreUnavailable as error:
                _log.warning("push.store_unavailable", reason=str(error))
                return  # they are due all the same
            self.news([entry.contact for entry in entries if not entry.unreadable])
