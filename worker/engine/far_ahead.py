"""Waits that lie too far ahead: what a wrong clock left in the store.

Due times and claims are wall-clock times. Once a clock that was ahead is set right, what it wrote
lies in the future, and no worker picks it up. So it is looked for, seldom.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, nextafter
from typing import Final

import structlog

from pipelines.contact import Contact
from pipelines.plan import Plan
from worker import heartbeat
from worker.clock import Clock
from worker.engine.claims import CLAIM_S, TOO_LARGE_S
from worker.engine.containment import growing_pause_s
from worker.errors import StoreUnavailable
from worker.faults import Faults
from worker.stores.protocol import ContactStore, Entry


_log = structlog.get_logger(__name__)

#: How often it is looked (s), and at how many contacts at a time.
LOOK_EVERY_S: Final = 30.0
AT_A_TIME: Final = 200

#: By how much (s) clocks may differ without anything being wrong.
MARGIN_S: Final = 60.0

#: No pause before another try is longer (s).
LONGEST_PAUSE_S: Final = TOO_LARGE_S


@dataclass(slots=True)
class FarAhead:
    """Finds waits that lie too far ahead, and has their contacts looked at now.

    A claim is respected until its token was seen unchanged for as long as a claim lasts, by this
    worker's own monotonic clock: whoever holds it has stopped by then, as with leases. The pause
    after a fault is respected in the same way, for as long as it lasts: between two workers whose
    clocks are weeks apart, each wait of one lies far ahead for the other, and such contacts would
    be tried at every look.

    Attributes:
        store: Where contacts are kept.
        plan: What is still to be done for a contact now.
        clock: Clocks; the wall clock is the one that due times are compared with.
        faults: Contains bugs in a contact's plan.
        found: "claim" or "due" -> how many were found so far.
    """

    store: ContactStore
    plan: Callable[[Contact], Plan]
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    found: Counter[str] = field(default_factory=Counter)
    _beyond: float = 0.0
    _unloadable: dict[str, tuple[int, float]] = field(default_factory=dict)
    _before: dict[str, tuple[str, float]] = field(default_factory=dict)
    _now: dict[str, tuple[str, float]] = field(default_factory=dict)

    async def run(self) -> None:
        """Look repeatedly, until cancelled."""
        while True:
            heartbeat.beat()
            try:
                await self.look()
            except StoreUnavailable as error:
                _log.warning("far_ahead.store_unavailable", reason=str(error))
            await self.clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Look at the next page of waits that are longer than a claim lasts, the nearest first.

        Raises:
            StoreUnavailable: The store cannot be used just now.
        """
        nearest = self.clock.wall() + CLAIM_S + MARGIN_S
        ids = await self.store.ahead(max(nearest, self._beyond), AT_A_TIME)
        entries = await self._load(ids)
        for entry in entries:
            heartbeat.beat()
            await self.clock.sleep(0)  # a page of plans is not to hold up the loop
            with self.faults.contained("housekeeping", contact_id=entry.contact.id):
                await self._check(entry)
        if len(ids) == AT_A_TIME:
            furthest = max((max(e.due_at or 0.0, e.claimed_until) for e in entries), default=0.0)
            self._beyond = max(furthest, nextafter(self._beyond, inf))
        else:  # that was the last page: claims that were on no page have ended
            self._beyond = 0.0
            self._before, self._now = self._now, {}

    async def _load(self, contact_ids: list[str]) -> list[Entry]:
        """The contacts, without those whose loading ends in a bug of ours.

        Such a contact does not keep the others of its page from being looked at, and its loading is
        tried again after growing pauses.
        """
        now = self.clock.monotonic()
        ids = [one for one in contact_ids if self._unloadable.get(one, (0, now))[1] <= now]
        with self.faults.contained("housekeeping"):
            return await self.store.load(ids)
        entries: list[Entry] = []
        for contact_id in ids:
            tries = self._unloadable.get(contact_id, (0, now))[0] + 1
            self._unloadable[contact_id] = tries, now + growing_pause_s(tries)
            with self.faults.contained("housekeeping", contact_id=contact_id):
                entries += await self.store.load([contact_id])
                del self._unloadable[contact_id]
        return entries

    async def _check(self, entry: Entry) -> None:
        if entry.due_at is None:
            return
        wall = self.clock.wall()
        if entry.claimed_until > wall:
            if entry.claimed_until > wall + CLAIM_S + MARGIN_S and self._holder_has_stopped(entry):
                await self._make_due(entry, "claim")
        elif entry.due_at > self._latest(entry) + MARGIN_S and self._has_paused(entry):
            await self._make_due(entry, "due")

    def _holder_has_stopped(self, entry: Entry) -> bool:
        """Whether a claim's holder must have stopped by now."""
        return self._unchanged_s(entry, entry.claim) >= CLAIM_S

    def _has_paused(self, entry: Entry) -> bool:
        """Whether the pause after a fault must be over by now."""
        if entry.fault is None:
            return True
        pause_s = growing_pause_s(entry.fault.tries)
        return self._unchanged_s(entry, str(entry.version)) >= pause_s

    def _unchanged_s(self, entry: Entry, token: str) -> float:
        """For how long (s) this token of a contact has been seen."""
        key, now = entry.contact.id, self.clock.monotonic()
        seen, since = self._now.get(key) or self._before.get(key) or ("", now)
        if seen != token:
            since = now
        self._now[key] = token, since
        return now - since

    def _latest(self, entry: Entry) -> float:
        """The latest time (s) at which a contact that nobody holds may be due."""
        wall = self.clock.wall()
        if entry.unreadable or entry.fault is not None:
            return wall + LONGEST_PAUSE_S
        planned = self.plan(entry.contact)
        if planned.actions:
            return wall + LONGEST_PAUSE_S
        return wall if planned.next_at is None else planned.next_at

    async def _make_due(self, entry: Entry, kind: str) -> None:
        """Make a contact due now; if it was saved meanwhile, that corrected it."""
        wall, contact_id = self.clock.wall(), entry.contact.id
        due_at = min(entry.due_at or wall, wall)
        if await self.store.put_back(contact_id, entry.version, due_at, entry.fault):
            self.found[kind] += 1
            ahead_s = max(entry.due_at or 0.0, entry.claimed_until) - wall
            _log.warning(
                "far_ahead.found", contact_id=contact_id, kind=kind, ahead_s=round(ahead_s)
            )
