"""What services do to workers: they throttle, refuse, are hard to reach or away."""

from __future__ import annotations

from typing import Final

from simulated.schedule import Schedule


#: What a worker may save in an outage until its gate closes: claims and what came of them.
SAVES_IN_OUTAGE: Final = 30

#: Share of outages that last hours, not a minute or two.
LONG: Final = 0.02


class Outages:
    """Troubles of services. Each is planned for a time; how long (s) it lasts.

    Attributes:
        lived: How long (s) Dynamics was away, and how many entries push saved meanwhile.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.lived: list[tuple[float, int]] = []
        self._schedule = schedule
        self._services = schedule.services
        self._rng = schedule.services.rng
        self._mood = schedule.services.dataverse.mood

    def store(self, at_s: float) -> float:
        """The contact store is hard to reach."""
        self._services.conduct.store_is_good = False
        return self._bad("store", at_s)

    def leases(self, at_s: float) -> float:
        """The lease table is hard to reach."""
        return self._bad("leases", at_s)

    def kinesis(self, at_s: float) -> float:
        """The stream is hard to reach."""
        return self._bad("kinesis", at_s)

    def network(self, at_s: float) -> float:
        """Dataverse is hard to reach."""
        return self._bad("dataverse", at_s)

    def throttle(self, at_s: float) -> float:
        """429 for everything."""
        for_s = self._rng.uniform(2, 60)

        def begin() -> None:
            self._mood.throttled_until = at_s + for_s

        return self._schedule.during(at_s, for_s, "dataverse throttles", begin, lambda: None)

    def away(self, at_s: float) -> float:
        """However long Dataverse is away, push saves little: nothing is claimed (I9)."""
        services, mood = self._services, self._mood
        hangs, status = self._rng.random() < 0.3, self._rng.choice((500, 503))
        hours = self._rng.random() < LONG
        for_s = self._rng.uniform(3600, 4 * 3600) if hours else self._rng.uniform(10, 150)
        pushed_before = 0

        def begin() -> None:
            nonlocal pushed_before
            mood.hangs, mood.breaks = hangs, status
            pushed_before = services.pushed

        def end() -> None:
            mood.hangs, mood.breaks = False, 0
            pushed = services.pushed - pushed_before
            self.lived.append((for_s, pushed))
            if pushed > SAVES_IN_OUTAGE * services.started:
                services.story.breach("I9", f"push saved {pushed} entries in {for_s:.0f} s")

        return self._schedule.during(at_s, for_s, "dataverse is away", begin, end)

    def forbid(self, at_s: float) -> float:
        """403 for everything."""

        def begin() -> None:
            self._mood.breaks = 403

        def end() -> None:
            self._mood.breaks = 0

        for_s = self._rng.uniform(5, 60)
        return self._schedule.during(at_s, for_s, "the role is lost", begin, end)

    def tokens(self, at_s: float) -> float:
        """Tokens are accepted no more, and new ones perhaps not to be had."""
        entra = self._rng.choice(("", "unavailable", "unauthorized"))

        def begin() -> None:
            self._mood.tokens += 1
            self._mood.entra = entra

        def end() -> None:
            self._mood.entra = ""

        what = f"tokens are withdrawn, new ones {entra or 'to be had'}"
        return self._schedule.during(at_s, self._rng.uniform(5, 90), what, begin, end)

    def reshard(self, at_s: float) -> float:
        """The stream's shards are split or merged."""
        self._schedule.at(at_s, lambda: self._services.stream.reshard(self._rng))
        return 0.0

    def _bad(self, service: str, at_s: float) -> float:
        rng, weather = self._rng, self._services.weather(service)

        def begin() -> None:
            weather.fails = rng.choice((0.0, 0.1, 0.5, 1.0))
            weather.loses = rng.choice((0.0, 0.1, 0.4)) * (1 - weather.fails)
            weather.slow = rng.choice((0.0, 0.1, 0.5))

        what = f"{service} is hard to reach"
        return self._schedule.during(at_s, rng.uniform(5, 90), what, begin, weather.clear)
