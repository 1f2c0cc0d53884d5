"""Containment: what happens to contacts whose rounds end in a bug of ours.

One contact that cannot be worked on must not affect any other: its claim is released without its
contents being touched, and it waits with growing pauses that news do not shorten. After an hour of
tries it is parked, with the *build* (release and pipelines) that has the bug; a build that has not
tried it does so by itself, a few contacts first.

The same place failing on several contacts, none of which has succeeded since, is one fault and not
theirs: they wait together, one of them is tried after each of the growing pauses, and none
is parked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.metadata import version
from math import inf
from typing import Final

import structlog

from pipelines.pipeline import Pipeline
from worker.clock import Clock
from worker.errors import StoreUnavailable
from worker.faults import Faults
from worker.stores.protocol import ContactStore, Entry, FaultNote


_log = structlog.get_logger(__name__)

#: Pauses before a contact, or a place, is tried again: first and longest (s), doubling between.
FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 600.0

#: A contact that fails alone is parked after so many rounds, and this long (s) after the first.
PARK_TRIES: Final = 10
PARK_AFTER_S: Final = 3600.0

#: So many rounds in a row may leave writes before a contact waits for the next one.
USUAL_ROUNDS: Final = 5

#: How many contacts are counted in memory, of those that have not succeeded since.
MOST_COUNTED: Final = 10_000

#: A replay has to end: it parks after so many rounds.
REPLAY_TRIES: Final = 3

#: From how many contacts on a place's failures are one fault, and how many are counted for it.
SEVERAL: Final = 2
MOST_PER_PLACE: Final = 1000

#: After so long (s) without a failure a place is counted anew.
PLACE_S: Final = 7200.0


def growing_pause_s(tries: int) -> float:
    """The pause (s) after so many tries."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(tries - 1, 16))


def _once_more(counts: dict[str, int], contact_id: str) -> int:
    """Count one more for a contact; beyond the limit, the one counted longest ago is forgotten."""
    counts[contact_id] = count = counts.pop(contact_id, 0) + 1
    while len(counts) > MOST_COUNTED:
        del counts[next(iter(counts))]
    return count


def build_of(pipelines: Iterable[Pipeline]) -> str:
    """What names this release with these pipelines: a bug belongs to both."""
    seal = blake2b(digest_size=6)
    for pipeline in pipelines:
        seal.update(pipeline.digest.encode())
    return f"{version('connect-dynamics')}+{seal.hexdigest()}"


@dataclass(slots=True)
class _Place:
    """Where contacts fail, none of which has succeeded since; times are monotonic (s)."""

    since: float
    last: float
    contacts: set[str] = field(default_factory=set)
    pause_s: float = FIRST_PAUSE_S
    retry_at: float = 0.0

    @property
    def one_fault(self) -> bool:
        return len(self.contacts) >= SEVERAL


@dataclass(slots=True)
class Containment:
    """Decides on contacts whose rounds ended in a fault.

    Attributes:
        store: Where contacts are kept.
        clock: Time and chance.
        build: See ``build_of``.
        faults: Counts and reports them.
        patient: False in a replay, which has to end: contacts are parked after a few rounds.
    """

    store: ContactStore
    clock: Clock
    build: str
    faults: Faults
    patient: bool = True
    _places: dict[str, _Place] = field(default_factory=dict)
    _held_back: dict[str, float] = field(default_factory=dict)
    _unsaved: dict[str, int] = field(default_factory=dict)
    _unfinished: dict[str, int] = field(default_factory=dict)
    _too_old: bool = False

    # --- before a round ---

    def held_back(self) -> set[str]:
        """Contacts that are due in the store but are not worked on for a while."""
        now = self.clock.monotonic()
        for contact_id in [c for c, until in self._held_back.items() if until <= now]:
            del self._held_back[contact_id]
        return set(self._held_back)

    def held_back_for_good(self) -> set[str]:
        """Those of them that are never worked on again: only in a replay."""
        return {contact_id for contact_id, until in self._held_back.items() if until == inf}

    async def admits(self, entry: Entry) -> bool:
        """Whether the contact is to be worked on now; if not, it has been dealt with."""
        if entry.newer:
            self._leave_to_newer(entry)
        elif entry.unreadable:
            await self._set_aside(entry)
        elif pause_s := self._waits_s(entry):
            due_at = self.clock.wall() + pause_s * (1 + self.clock.chance() / 2)
            await self.store.put_back(entry.contact.id, entry.version, due_at, entry.fault)
        else:
            return True
        return False

    def _leave_to_newer(self, entry: Entry) -> None:
        """Leave a contact to the newer release that wrote it; logged once, not for each."""
        self._held_back[entry.contact.id] = (
            self.clock.monotonic() + LONGEST_PAUSE_S if self.patient else inf
        )
        if not self._too_old:
            self._too_old = True
            _log.error("push.too_old", contact_id=entry.contact.id, why=entry.unreadable)

    async def _set_aside(self, entry: Entry) -> None:
        now, contact_id = self.clock.wall(), entry.contact.id
        what = f"the stored contact cannot be read: {entry.unreadable}"
        note = FaultNote(what, 1, now, (self.build,), parked=True)
        if await self.store.put_back(contact_id, entry.version, None, note):
            _log.error("push.contact_unreadable", contact_id=contact_id, why=entry.unreadable)
        else:  # saved meanwhile, or so damaged that it has no version to put back
            self.hold_back(contact_id)

    def _waits_s(self, entry: Entry) -> float:
        """How long (s) it waits for the trial of another that failed at the same place."""
        place = self._places.get(entry.fault.what) if entry.fault else None
        if place is None or not place.one_fault:
            return 0.0
        wait_s = place.retry_at - self.clock.monotonic()
        if wait_s > 0:
            return wait_s
        place.retry_at = self.clock.monotonic() + place.pause_s  # it is the trial: others wait
        place.pause_s = min(2 * place.pause_s, LONGEST_PAUSE_S)
        return 0.0

    # --- after a round ---

    def unfinished_s(self, contact_id: str) -> float:
        """How long (s) a contact waits whose round left writes: longer each time, if it goes on.

        That is usual once or twice. A plan that is another one each time would cost a request and
        two saves each time, without end.
        """
        rounds = _once_more(self._unfinished, contact_id)
        if rounds <= USUAL_ROUNDS:
            return 0.0
        return growing_pause_s(rounds - USUAL_ROUNDS)

    def succeeded(self, contact_id: str, note: FaultNote | None) -> None:
        """A round of the contact ended well: its earlier failures are over."""
        for counts in (self._unsaved, self._unfinished):
            counts.pop(contact_id, None)
        if note is not None:
            self._places.pop(note.what, None)
            _log.info("fault.over", contact_id=contact_id, what=note.what, tries=note.tries)

    async def failed(
        self, contact_id: str, entry: Entry | None, error: Exception
    ) -> FaultNote | None:
        """Release the contact after a fault; the note saved with it, None if none could be.

        Args:
            contact_id: Which contact.
            entry: The contact as the round had it; None: it was not even loaded.
            error: What the round ended in.
        """
        what = str(self.faults.note("contact", error, contact_id=contact_id))
        place = self._count_at_place(what, contact_id)
        try:
            return await self._put_back(contact_id, entry, what, place)
        except StoreUnavailable as trouble:
            _log.warning("push.store_unavailable", contact_id=contact_id, reason=str(trouble))
        except Exception as trouble:  # noqa: BLE001 - a bug of the store's is contained as well
            self.faults.note("contact", trouble, contact_id=contact_id)
        self.hold_back(contact_id)
        return None

    def _count_at_place(self, what: str, contact_id: str) -> _Place:
        now = self.clock.monotonic()
        place = self._places.get(what)
        if place is None or now - place.last > PLACE_S:
            place = self._places[what] = _Place(now, now)
        place.last = now
        known = len(place.contacts)
        if known < MOST_PER_PLACE:
            place.contacts.add(contact_id)
        if known < SEVERAL <= len(place.contacts):
            place.retry_at = now + place.pause_s
            _log.error("fault.shared", what=what, why="several contacts fail at the same place")
        return place

    async def _put_back(
        self, contact_id: str, entry: Entry | None, what: str, place: _Place
    ) -> FaultNote | None:
        held, before = (entry.claim, entry.fault) if entry else ("", None)
        while True:
            if entry is not None:
                # What failed may have been saved all the same, without the note of what was before.
                note = self._noted(entry.fault or before, what, place)
                due_at = None if note.parked else self.clock.wall() + self._pause_s(note, place)
                if await self.store.put_back(contact_id, entry.version, due_at, note):
                    if note.parked:
                        self._places.pop(what, None)
                        _log.error("push.parked", contact_id=contact_id, what=what)
                    return note
            (entry,) = await self.store.load([contact_id])
            if entry.claim not in ("", held):  # another worker has claimed it by now
                self.hold_back(contact_id)
                return None
            if not entry.version:
                return None  # it was forgotten

    def _noted(self, old: FaultNote | None, what: str, place: _Place) -> FaultNote:
        now = self.clock.wall()
        tries = old.tries + 1 if old else 1
        tried = old.tried if old else ()
        if self.build not in tried:
            tried = (*tried, self.build)[-8:]
        parked = tries >= REPLAY_TRIES
        if self.patient:
            long = self.clock.monotonic() - place.since >= PARK_AFTER_S
            parked = tries >= PARK_TRIES and long and not place.one_fault
        return FaultNote(what, tries, old.since if old else now, tried, parked)

    def _pause_s(self, note: FaultNote, place: _Place) -> float:
        pause_s = growing_pause_s(note.tries)
        if place.one_fault:
            pause_s = max(pause_s, place.retry_at - self.clock.monotonic())
        return pause_s * (1 + self.clock.chance()) / 2

    def hold_back(self, contact_id: str) -> None:
        """Do not work on it for a while, though it is due; its claim lapses by itself."""
        tries = _once_more(self._unsaved, contact_id)
        pause_s = growing_pause_s(tries)
        if not self.patient and tries >= REPLAY_TRIES:
            pause_s = inf
        self._held_back[contact_id] = self.clock.monotonic() + pause_s
