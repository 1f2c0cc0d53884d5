"""What befalls contacts: bugs of ours, rows that cannot be read.

Some of it lasts until somebody mends it. Until then the contact waits or is parked, and all the
others are written; afterwards it comes right as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Final

from simulated.bugs import BACKGROUND, ERRORS, MUTE, PLACES, Bug
from simulated.loop import PROCESS
from simulated.schedule import Schedule


#: How long a bug is there that goes away by itself (s).
AWHILE_S: Final = (5.0, 150.0)

#: How long after a fault its claim may still be held (s).
LET_GO_S: Final = 60.0

#: How often a bug may strike one contact at first, and once in so many seconds.
STRIKES: Final = 60
STRIKES_EVERY_S: Final = 100.0


class Afflictions:
    """Befall contacts. Each is planned for a time; how long (s) it lasts, if not until mended.

    Attributes:
        lasting: Contacts with what must be mended.
        alone: A bug befalls one contact alone.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.lasting: set[str] = set()
        self.alone = False
        self._schedule = schedule
        self._services = schedule.services
        self._rng = schedule.services.odd
        self._services.bugs.struck = self._watch_claim

    def once(self, at_s: float) -> float:
        """A call raises, once."""
        bug = self._bug(1)
        self._schedule.at(at_s, lambda: self._services.bugs.live.append(bug))
        return 0.0

    def awhile(self, at_s: float) -> float:
        """Calls raise for a while: one contact's, or everybody's."""
        return self._pass_by(at_s, self._bug(inf, alone=self._rng.random() < 0.5))

    def background(self, at_s: float) -> float:
        """Calls raise for a while that are no contact's."""
        bug = self._bug(self._rng.choice((1, 5, inf)), BACKGROUND, alone=False)
        self._services.conduct.store_is_good = False  # as far as the notice goes
        return self._pass_by(at_s, bug)

    def always(self, at_s: float) -> float:
        """Calls raise until the bug is mended: one contact's, a few contacts', or everybody's."""
        bug = self._bug(inf, alone=self._rng.random() < 0.7)
        if bug.contacts is not None and self._rng.random() < 0.3:
            others = self._rng.choices(self._contacts, k=2)
            bug.contacts = {*bug.contacts, *others}
        self.alone = bug.contacts is not None and len(bug.contacts) == 1

        def begin() -> None:
            self._services.bugs.live.append(bug)
            self.lasting.update(self._contacts if bug.contacts is None else bug.contacts)

        self._schedule.at(at_s, begin)
        return 0.0

    def damage(self, at_s: float) -> float:
        """A row is damaged."""
        return self._spoil(at_s, newer=False)

    def newer(self, at_s: float) -> float:
        """A row is written by a newer release."""
        return self._spoil(at_s, newer=True)

    def extra(self, at_s: float) -> float:
        """A row has a field that this release does not know."""
        self._schedule.at(at_s, lambda: self._services.rows.extend(self._rng))
        return 0.0

    def unsettled(self) -> str:
        """What is not as it should be of a contact that waits to be mended; "" if all is."""
        rows = self._services.store._rows
        for contact_id in sorted(self.lasting & rows.keys()):
            row, spoilt = rows[contact_id], contact_id in self._services.rows.spoilt
            if row.claimed_until > self._services.wall() and not spoilt:
                return f"{contact_id} is claimed"
            parks = self._parks(contact_id) and not self._services.particular
            if row.due_at is not None and parks and not spoilt:
                return f"{contact_id} is not parked: {row.fault}"
        return ""

    def mend(self) -> None:
        """Nothing of it lasts any longer."""
        self._services.story.tell("somebody", "mends everything")
        self._expect_patience()
        self._services.bugs.live.clear()
        self._services.rows.restore()
        self.lasting.clear()

    def _parks(self, contact_id: str) -> bool:
        """Whether what befell a contact is its alone, and can be noted."""
        return self.alone and any(
            bug.left == inf and bug.contacts == {contact_id} and not bug.places & MUTE
            for bug in self._services.bugs.live
        )

    def _expect_patience(self) -> None:
        """What cannot be done is tried ever more rarely (I9)."""
        services = self._services
        mute = any(bug.places & MUTE for bug in services.bugs.live)
        for contact_id, at in services.bugs.strikes.items():
            most = STRIKES + (at[-1] - at[0]) / STRIKES_EVERY_S
            if contact_id and len(at) > most * (services.started if mute else 1):
                told = f"{len(at)} faults of {contact_id} in {at[-1] - at[0]:.0f} s"
                services.story.breach("I9", told)

    def _watch_claim(self, contact_id: str) -> None:
        """A bug raised in a contact's round: see that its claim is let go of."""
        services, process = self._services, PROCESS.get()
        token = services.conduct.held(process, contact_id)
        began_s = services.loop.time()
        mute = any(bug.places & MUTE for bug in services.bugs.live)

        def look() -> None:
            assert process is not None
            spared = process.dead or process.stopped or process.woken_at >= began_s
            held = services.conduct.held(process, contact_id) == token
            if held and not spared and not mute and services.conduct.store_is_good:
                services.story.breach("claim", f"{process.name} still holds {contact_id}")

        if token:
            self._schedule.after(LET_GO_S, look)

    @property
    def _contacts(self) -> list[str]:
        return sorted(self._services.conduct.contacts.values())

    def _bug(self, left: float, places: Iterable[str] = PLACES, *, alone: bool = True) -> Bug:
        rng = self._rng
        chosen = frozenset(rng.sample(list(places), rng.choice((1, 1, 2))))
        contacts = {rng.choice(self._contacts)} if alone else None
        return Bug(chosen, rng.choice(ERRORS), contacts, rng.random() < 0.5, left)

    def _pass_by(self, at_s: float, bug: Bug) -> float:
        live = self._services.bugs.live

        def end() -> None:
            if bug in live:
                live.remove(bug)

        for_s, whose = self._rng.uniform(*AWHILE_S), "all" if bug.contacts is None else "one"
        what = f"a bug in {' and '.join(sorted(bug.places))} of {whose}"
        return self._schedule.during(at_s, for_s, what, lambda: live.append(bug), end)

    def _spoil(self, at_s: float, *, newer: bool) -> float:
        def begin() -> None:
            contact_id = self._services.rows.spoil(self._rng, newer=newer)
            if contact_id:
                self.lasting.add(contact_id)

        self._schedule.at(at_s, begin)
        return 0.0
