"""What goes wrong in a run: chance decides what, when, to whom, and for how long.

A run has a few kinds of trouble, not all: what hides behind one kind shows without it.
"""

from __future__ import annotations

from typing import Final

from simulated.afflictions import Afflictions
from simulated.assaults import Assaults
from simulated.contents import Contents
from simulated.fleet import Fleet
from simulated.outages import Outages
from simulated.schedule import Schedule
from simulated.worker import Services


#: Each kind of trouble is part of so many runs, and then comes up to so many times.
SHARE: Final = 0.4
TIMES: Final = 3

#: Share of runs without anything that nobody imagined, and of the others that have each kind.
FAMILIAR: Final = 0.5
ODD_SHARE: Final = 0.25


class Nemesis:
    """Makes trouble.

    Attributes:
        outages: The troubles of services.
        afflictions: What befalls contacts.
        contents: What goes wrong by what requests are about.
        afflicted: Something happens that nobody imagined.
        mends: Something will have to be mended.
    """

    def __init__(self, services: Services, fleet: Fleet) -> None:
        schedule = Schedule(services)
        self.outages = Outages(schedule)
        self.afflictions = Afflictions(schedule)
        self.contents = Contents(schedule)
        self._assaults = Assaults(schedule, fleet)
        self._rng = services.rng
        self._odd = services.odd
        self.afflicted = self._odd.random() >= FAMILIAR
        self.mends = self.afflicted or services.particular
        self._services = services

    def begin(self, until_s: float) -> float:
        """Plan trouble that begins before ``until_s``; the virtual time (s) it is all over by."""
        over_s = until_s
        a, o = self._assaults, self.outages
        for kind in (
            *(a.kill, a.stop, a.terminate, a.confuse, a.ambush, a.cut_off, a.haunt),
            *(o.store, o.leases, o.kinesis, o.network, o.throttle),
            *(o.away, o.forbid, o.tokens, o.reshard),
        ):
            if self._rng.random() < SHARE:
                for _ in range(self._rng.randint(1, TIMES)):
                    at_s = self._rng.random() * until_s
                    over_s = max(over_s, at_s + kind(at_s))
        over_s = self._begin_odd(until_s, over_s)
        over_s = self._begin_particular(until_s, over_s)
        return self._begin_users(until_s, over_s)

    def _begin_odd(self, until_s: float, over_s: float) -> float:
        if not self.afflicted:
            return over_s
        a, o, f = self._assaults, self.outages, self.afflictions
        for kind in (
            *(f.once, f.awhile, f.always, f.background, f.damage, f.newer, f.extra),
            *(o.read_only, o.hurry, o.untrue, o.indexes, a.days),
        ):
            if self._odd.random() < ODD_SHARE:
                over_s = max(over_s, (at_s := self._odd.random() * until_s) + kind(at_s))
        return over_s

    def _begin_particular(self, until_s: float, over_s: float) -> float:
        if not self._services.particular:
            return over_s
        c, chance = self.contents, self._services.content
        for kind in (c.poison, c.doubt, c.forbid, c.throttle_queries):
            if chance.random() < SHARE:
                for _ in range(chance.randint(1, TIMES)):
                    over_s = max(over_s, (at_s := chance.random() * until_s) + kind(at_s))
        return over_s

    def _begin_users(self, until_s: float, over_s: float) -> float:
        if len(self._services.users) == 1:
            return over_s
        o, chance = self.outages, self._services.several
        for kind in (o.throttle_user, o.keep_user_out):
            if chance.random() < SHARE:
                for _ in range(chance.randint(1, TIMES)):
                    over_s = max(over_s, (at_s := chance.random() * until_s) + kind(at_s))
        return over_s
