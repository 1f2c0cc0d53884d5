"""What services do to workers: they throttle, refuse, are hard to reach or away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simulated.schedule import Schedule


#: What a worker may save in an outage until its gate closes: claims and what came of them.
SAVES_IN_OUTAGE: Final = 30

#: Share of outages that last hours, not a minute or two.
LONG: Final = 0.02

#: What a worker may save, or send, in a partial outage: at first, and once in so many seconds.
COST: Final = 40
COST_EVERY_S: Final = 15.0

#: What somebody else than Dataverse says.
UNTRUE: Final = (b"", b"{}", b'{"status": "maintenance"}', b"<html>Please sign in</html>")

Act = Callable[[], None]


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
        self._odd = schedule.services.odd
        self._several = schedule.services.several
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

    def throttle_user(self, at_s: float) -> float:
        """429 for all that one application user sends."""
        user, for_s = self._user(), self._several.uniform(2, 120)
        throttled = self._mood.throttled_users

        def begin() -> None:
            throttled[user] = at_s + for_s

        what = f"dataverse throttles {user[-2:]}"
        return self._schedule.during(at_s, for_s, what, begin, lambda: None)

    def keep_user_out(self, at_s: float) -> float:
        """One application user's secret has expired; its tokens are accepted no more."""
        user, mood = self._user(), self._mood

        def begin() -> None:
            mood.tokens += 1
            mood.users_out.add(user)

        for_s = self._several.choice((20.0, 100.0, 400.0))
        what = f"entra lets {user[-2:]} in no more"
        return self._schedule.during(at_s, for_s, what, begin, lambda: mood.users_out.discard(user))

    def _user(self) -> str:
        return self._several.choice(self._services.users)

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
            most: float = SAVES_IN_OUTAGE * services.started
            if (
                services.dataverse.faults.rules
            ):  # what is refused for ever goes on being tried, should others end it
                most += for_s / COST_EVERY_S
            if pushed > most:
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

    def read_only(self, at_s: float) -> float:
        """Writes are answered 503 and all else is fine; what that costs is bounded (I9)."""

        def begin() -> None:
            self._mood.read_only = True

        def end() -> None:
            self._mood.read_only = False

        for_s = self._odd.choice((60.0, 600.0, 3600.0))
        what = "dataverse refuses to write"
        return self._schedule.during(at_s, for_s, what, *self._bounded(for_s, begin, end))

    def hurry(self, at_s: float) -> float:
        """429 for everything, and ``Retry-After: 0``; what that costs is bounded (I9)."""
        for_s = self._odd.uniform(10, 200)

        def begin() -> None:
            self._mood.throttled_until, self._mood.retry_at_once = at_s + for_s, True

        def end() -> None:
            self._mood.throttled_until, self._mood.retry_at_once = 0.0, False

        what = "dataverse throttles, to be asked again at once"
        return self._schedule.during(at_s, for_s, what, *self._bounded(for_s, begin, end))

    def untrue(self, at_s: float) -> float:
        """A proxy says 200 to everything, with a body of its own."""
        body = self._odd.choice(UNTRUE)

        def begin() -> None:
            self._mood.untrue = body

        def end() -> None:
            self._mood.untrue = None

        for_s = self._odd.uniform(5, 100)
        return self._schedule.during(at_s, for_s, f"200 and {body!r} for all", begin, end)

    def indexes(self, at_s: float) -> float:
        """The store's indexes are seconds late."""
        late_s, indexes = self._odd.uniform(0.5, 20), self._services.indexes
        what = f"indexes are {late_s:.1f} s late"
        return self._schedule.during(
            at_s,
            self._odd.uniform(20, 200),
            what,
            lambda: indexes.delay(late_s),
            lambda: indexes.delay(0.0),
        )

    def _bounded(self, for_s: float, begin: Act, end: Act) -> tuple[Act, Act]:
        """The beginning and end of a partial outage, and what it may cost."""
        services, dataverse = self._services, self._services.dataverse
        before = (0, 0)

        def start() -> None:
            nonlocal before
            before = services.pushed, dataverse.asked
            begin()

        def finish() -> None:
            end()
            saves, requests = services.pushed - before[0], dataverse.asked - before[1]
            most = services.started * (COST + for_s / COST_EVERY_S)
            for what, count in (("saves", saves), ("requests", requests)):
                if count > most:
                    services.story.breach("I9", f"{count} {what} in {for_s:.0f} s, partly out")

        return start, finish

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
