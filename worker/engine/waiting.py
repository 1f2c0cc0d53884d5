"""Waiting: the contacts for which somebody waits, which push takes before all others.

Each worker knows those that it took in itself, and at its start those that came due just before.
Nothing about it is stored, it follows from the facts and the time: once somebody has waited too
long, the contact is one like all others, in the store's order.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from math import inf
from typing import Final

from pipelines.contact import Contact
from pipelines.live import LIVE_WITHIN_S
from pipelines.waiting import waiting_since
from worker.clock import Clock
from worker.engine.planner import Planner
from worker.precedence import NOBODY


#: How many contacts are known at a time; beyond that those are dropped that wait the longest.
MOST_WAITING: Final = 10_000


@dataclass(slots=True)
class _Wait:
    """Since when somebody waits, and when to look next (s since 1970)."""

    since: float
    look_at: float = 0.0


class Waiting:
    """Contacts for which somebody waits.

    Args:
        planner: Whose pipelines do something live.
        clock: Its wall clock says who has waited too long.
    """

    def __init__(self, planner: Planner, clock: Clock) -> None:
        self._planner = planner
        self._clock = clock
        self._waits: dict[str, _Wait] = {}

    def __len__(self) -> int:
        """How many contacts are known."""
        return len(self._waits)

    def see(self, contact: Contact) -> None:
        """Note whether somebody waits for a contact of which something new came."""
        now = self._clock.wall()
        live = self._planner.terms.live
        since = waiting_since(contact, self._planner.pipelines, now) if live else None
        if since is None:
            self._waits.pop(contact.id, None)
            return
        self._waits[contact.id] = _Wait(since)
        if len(self._waits) > MOST_WAITING:
            kept = self._newest_first(now)[: MOST_WAITING // 2]
            self._waits = {contact_id: self._waits[contact_id] for contact_id in kept}

    def since(self, contact_id: str) -> float:
        """Since when (s since 1970) somebody waits for a contact; ``NOBODY`` if nobody does."""
        wait = self._waits.get(contact_id)
        if wait is None or self._clock.wall() - wait.since > LIVE_WITHIN_S:
            return NOBODY
        return wait.since

    def due(self) -> list[str]:
        """Those to look at now, newest first; those who have waited too long are dropped."""
        now = self._clock.wall()
        waiting = self._newest_first(now)
        self._waits = {contact_id: self._waits[contact_id] for contact_id in waiting}
        return [contact_id for contact_id in waiting if self._waits[contact_id].look_at <= now]

    def looked_at(self, contact_id: str, due_at: float | None) -> None:
        """A contact was worked on; it is due again at this time (s since 1970), or not at all."""
        wait = self._waits.get(contact_id)
        if wait is None:
            return
        if due_at is None or due_at > wait.since + LIVE_WITHIN_S:
            del self._waits[contact_id]
        else:
            wait.look_at = due_at

    def hand_over(self, to: Callable[[str], Waiting]) -> None:
        """Give each contact to what knows it from now on, perhaps this."""
        waits, self._waits = self._waits, {}
        for contact_id, wait in waits.items():
            to(contact_id)._waits[contact_id] = wait  # noqa: SLF001 - another one of these

    def next_at(self, besides: Container[str]) -> float:
        """When (s since 1970) to look next at one ``besides`` these; infinite if there is none."""
        return min((w.look_at for c, w in self._waits.items() if c not in besides), default=inf)

    def _newest_first(self, now: float) -> list[str]:
        there = [(w.since, c) for c, w in self._waits.items() if now - w.since <= LIVE_WITHIN_S]
        return [contact_id for _, contact_id in sorted(there, reverse=True)]
