"""What goes wrong in a run: when, to whom, and for how long. Chance decides.

A run has a few kinds of trouble, not all: what hides behind one kind shows without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from simulated.fleet import Fleet
from simulated.loop import Process
from simulated.network import Weather
from simulated.worker import Services, Worker


#: A wall clock is never further ahead or behind (s): claims bear clocks that differ by 120 s.
CLOCK_S: Final = 40.0

#: A process that was stopped is let alone for so long (s): what it sent late it has yet to mend.
SPARED_S: Final = 150.0

#: Share of outages that last hours, not a minute or two.
LONG: Final = 0.02

#: What a worker may save in an outage until its gate closes: claims and what came of them.
SAVES_IN_OUTAGE: Final = 30

#: How long a worker may take to end in order (s).
DRAIN_S: Final = 30.0

#: Where workers are struck, and at what share of answers: mostly after a request of theirs.
AMBUSHES: Final = (("dataverse", 0.3), ("dataverse", 0.3), ("store", 0.03), ("leases", 0.03))

#: For how long a process is stopped (s): as long as a lease lives, less than a claim does, more.
SHORT_S: Final = (1.0, 30.0)
MIDDLE_S: Final = (30.0, 130.0)
LONG_S: Final = (280.0, 400.0)


@dataclass(slots=True)
class Nemesis:
    """Makes trouble until it is told to end.

    Attributes:
        services: What can be disturbed.
        fleet: Who can be.
        until_s: No trouble begins after this virtual time (s).
        outages: How long (s) Dynamics was away, and how many entries push saved meanwhile.
    """

    services: Services
    fleet: Fleet
    until_s: float
    outages: list[tuple[float, int]] = field(default_factory=list)

    def begin(self) -> float:
        """Plan the run's trouble; the virtual time (s) by which the last of it is over."""
        rng = self.services.rng
        kinds = [kind for kind in self._kinds() if rng.random() < 0.4]
        last_s = self.until_s
        for kind in kinds:
            for _ in range(rng.randint(1, 3)):
                at_s = rng.random() * self.until_s
                last_s = max(last_s, at_s + kind(at_s))
        return last_s

    def _kinds(self) -> Iterator[Callable[[float], float]]:
        """Plans trouble that begins at a time; how long (s) it lasts."""
        yield from (self._kill, self._stop, self._ambush, self._haunt, self._terminate)
        yield from (self._bad_store, self._bad_leases, self._bad_kinesis, self._bad_network)
        yield from (
            self._clock,
            self._throttle,
            self._outage,
            self._tokens,
            self._forbid,
            self._reshard,
        )

    def _at(self, at_s: float, act: Callable[[], object]) -> None:
        self.services.loop.outside(at_s - self.services.loop.time(), act)

    def _during(
        self,
        at_s: float,
        for_s: float,
        what: str,
        begin: Callable[[], object],
        end: Callable[[], object],
    ) -> float:
        def start() -> None:
            self.services.story.tell("nemesis", f"{what} for {for_s:.0f} s")
            begin()

        def finish() -> None:
            self.services.story.tell("nemesis", f"{what} is over")
            end()

        self._at(at_s, start)
        self._at(at_s + for_s, finish)
        return for_s

    # --- workers ---

    def _kill(self, at_s: float) -> float:
        away_s = self._absence_s()
        self._at(at_s, lambda: self._strike(self._victims(), away_s, self._take_down))
        return away_s

    def _stop(self, at_s: float) -> float:
        for_s = self._stall_s()
        self._at(at_s, lambda: self._strike(self._victims(), for_s, self._hold_up))
        return for_s

    def _ambush(self, at_s: float) -> float:
        """For a while some workers are struck just when a service has done what they asked."""
        service, share = self.services.rng.choice(AMBUSHES)
        strikes = [(self._take_down, self._absence_s()), (self._hold_up, self._stall_s())]
        return self._lurk(at_s, service, share, strikes)

    def _haunt(self, at_s: float) -> float:
        """Some workers are stopped on the verge of sending, for longer than a claim lasts."""
        return self._lurk(at_s, "doorstep", 0.5, [(self._hold_up, self._stall_s(LONG_S))])

    def _lurk(
        self,
        at_s: float,
        service: str,
        share: float,
        strikes: Sequence[tuple[Callable[[Worker, float], object], float]],
    ) -> float:
        rng, network = self.services.rng, self.services.network

        def lurk(process: Process, weather: Weather) -> None:
            if weather is self.services.weather(service) and rng.random() < share:
                act, for_s = rng.choice(strikes)
                self._strike([w for w in self._victims() if w.process is process], for_s, act)

        def begin() -> None:
            network.ambush = lurk

        def end() -> None:
            network.ambush = None

        for_s = self._during(
            at_s, rng.uniform(10, 60), f"an ambush is laid at {service}", begin, end
        )
        return for_s + max(for_s for _, for_s in strikes)

    def _strike(
        self, victims: list[Worker], for_s: float, act: Callable[[Worker, float], object]
    ) -> None:
        if victims:
            act(self.services.rng.choice(victims), for_s)

    def _take_down(self, worker: Worker, for_s: float) -> None:
        self.fleet.kill(worker)
        self._at(self.services.loop.time() + for_s, lambda: self.fleet.restart(worker))

    def _hold_up(self, worker: Worker, for_s: float) -> None:
        self.fleet.pause(worker)
        self._at(self.services.loop.time() + for_s, lambda: self.fleet.wake(worker))

    def _absence_s(self) -> float:
        return self.services.rng.choice((0.1, 5.0, 60.0))

    def _stall_s(self, *lengths: tuple[float, float]) -> float:
        rng = self.services.rng
        return rng.uniform(*rng.choice(lengths or (SHORT_S, MIDDLE_S, LONG_S)))

    def _terminate(self, at_s: float) -> float:
        def terminate(worker: Worker, for_s: float) -> None:
            self.fleet.terminate(worker)
            self._at(self.services.loop.time() + for_s, lambda: self.fleet.restart(worker))

        self._at(at_s, lambda: self._strike(self._victims(), DRAIN_S, terminate))
        return DRAIN_S

    def _victims(self) -> list[Worker]:
        now = self.services.loop.time()
        return [
            worker
            for worker in self.fleet.running()
            if not worker.process.woken_at or now - worker.process.woken_at > SPARED_S
        ]

    def _clock(self, at_s: float) -> float:
        rng = self.services.rng

        def jump() -> None:
            host = rng.choice(self.fleet.hosts)
            host.ahead_s = rng.uniform(-CLOCK_S, CLOCK_S)
            self.services.story.tell("nemesis", f"a clock jumps to {host.ahead_s:+.0f} s")

        self._at(at_s, jump)
        return 0.0

    # --- services ---

    def _bad_store(self, at_s: float) -> float:
        return self._bad("store", at_s)

    def _bad_leases(self, at_s: float) -> float:
        return self._bad("leases", at_s)

    def _bad_kinesis(self, at_s: float) -> float:
        return self._bad("kinesis", at_s)

    def _bad_network(self, at_s: float) -> float:
        return self._bad("dataverse", at_s)

    def _bad(self, service: str, at_s: float) -> float:
        rng, weather = self.services.rng, self.services.weather(service)

        def begin() -> None:
            weather.fails = rng.choice((0.0, 0.1, 0.5, 1.0))
            weather.loses = rng.choice((0.0, 0.1, 0.4)) * (1 - weather.fails)
            weather.slow = rng.choice((0.0, 0.1, 0.5))

        return self._during(
            at_s, rng.uniform(5, 90), f"{service} is hard to reach", begin, weather.clear
        )

    def _throttle(self, at_s: float) -> float:
        mood, for_s = self.services.dataverse.mood, self.services.rng.uniform(2, 60)

        def begin() -> None:
            mood.throttled_until = at_s + for_s

        return self._during(at_s, for_s, "dataverse throttles", begin, lambda: None)

    def _outage(self, at_s: float) -> float:
        """However long it is, push saves little meanwhile: nothing is claimed (I9)."""
        rng, services = self.services.rng, self.services
        mood = services.dataverse.mood
        hangs, status = rng.random() < 0.3, rng.choice((500, 503))
        for_s = rng.uniform(3600, 4 * 3600) if rng.random() < LONG else rng.uniform(10, 150)
        pushed_before = 0

        def begin() -> None:
            nonlocal pushed_before
            mood.hangs, mood.breaks = hangs, status
            pushed_before = services.pushed

        def end() -> None:
            mood.hangs, mood.breaks = False, 0
            pushed = services.pushed - pushed_before
            self.outages.append((for_s, pushed))
            if pushed > SAVES_IN_OUTAGE * services.started:
                services.story.breach("I9", f"push saved {pushed} entries in {for_s:.0f} s")

        return self._during(at_s, for_s, "dataverse is away", begin, end)

    def _forbid(self, at_s: float) -> float:
        mood = self.services.dataverse.mood

        def begin() -> None:
            mood.breaks = 403

        def end() -> None:
            mood.breaks = 0

        return self._during(at_s, self.services.rng.uniform(5, 60), "the role is lost", begin, end)

    def _tokens(self, at_s: float) -> float:
        rng, mood = self.services.rng, self.services.dataverse.mood
        entra = rng.choice(("", "unavailable", "unauthorized"))

        def begin() -> None:
            mood.tokens += 1
            mood.entra = entra

        def end() -> None:
            mood.entra = ""

        what = f"tokens are withdrawn, new ones {entra or 'to be had'}"
        return self._during(at_s, rng.uniform(5, 90), what, begin, end)

    def _reshard(self, at_s: float) -> float:
        self._at(at_s, lambda: self.services.stream.reshard(self.services.rng))
        return 0.0
