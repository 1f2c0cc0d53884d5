"""What is done to workers: killed, stopped, ambushed, told to end, confused about the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simulated.fleet import Fleet
from simulated.loop import Process
from simulated.network import Weather
from simulated.schedule import Schedule
from simulated.worker import Worker


#: A wall clock is never further ahead or behind (s): claims bear clocks that differ by 120 s.
CLOCK_S: Final = 40.0

#: Unless it is wrong by days (s), as many as this at most: contacts are kept for 30.
DAYS_S: Final = 45 * 86_400.0

#: A process that was stopped is let alone for so long (s): what it sent late it has yet to mend.
SPARED_S: Final = 150.0

#: How long a worker may take to end in order (s).
DRAIN_S: Final = 30.0

#: How long it takes until a worker that was killed is started again (s).
AWAY_S: Final = (0.1, 5.0, 60.0)

#: For how long a process is stopped (s): as long as a lease lives, less than a claim does, more.
SHORT_S: Final = (1.0, 30.0)
MIDDLE_S: Final = (30.0, 130.0)
LONG_S: Final = (280.0, 400.0)

#: How long workers are waited for (s).
AMBUSH_S: Final = (10.0, 100.0)

#: Where workers are struck, and at what share of answers.
AMBUSHES: Final = (("dataverse", 0.3), ("store", 0.03), ("leases", 0.03))

#: What is done to a worker, and for how long (s).
Strike = tuple[Callable[[Worker, float], object], float]


class Assaults:
    """Assaults on workers. Each is planned for a time; how long (s) its effect lasts."""

    def __init__(self, schedule: Schedule, fleet: Fleet) -> None:
        self._schedule = schedule
        self._services = schedule.services
        self._rng = schedule.services.rng
        self._fleet = fleet

    def kill(self, at_s: float) -> float:
        """SIGKILL, and a new process later."""
        return self._plan(at_s, (self._take_down, self._rng.choice(AWAY_S)))

    def stop(self, at_s: float) -> float:
        """SIGSTOP and SIGCONT."""
        return self._plan(at_s, (self._hold_up, self._some_s(SHORT_S, MIDDLE_S, LONG_S)))

    def terminate(self, at_s: float) -> float:
        """SIGTERM, and a new process later."""
        return self._plan(at_s, (self._end, DRAIN_S))

    def ambush(self, at_s: float) -> float:
        """For a while workers are struck just when a service has done what they asked."""
        for_s, stall_s = self._some_s(AMBUSH_S), self._some_s(SHORT_S, MIDDLE_S, LONG_S)
        strike = self._rng.choice(
            ((self._take_down, self._rng.choice(AWAY_S)), (self._hold_up, stall_s))
        )
        return self._lurk(at_s, for_s, self._rng.choice(AMBUSHES), strike)

    def cut_off(self, at_s: float) -> float:
        """Workers are killed when Dataverse has done what they asked, before they know."""
        strike = (self._take_down, self._rng.choice(AWAY_S))
        return self._lurk(at_s, self._some_s(LONG_S), ("dataverse", 0.15), strike)

    def haunt(self, at_s: float) -> float:
        """Workers are stopped on the verge of sending, for longer than a claim lasts."""
        strike = (self._hold_up, self._some_s(LONG_S))
        return self._lurk(at_s, self._some_s(AMBUSH_S), ("doorstep", 0.5), strike)

    def confuse(self, at_s: float) -> float:
        """A wall clock jumps."""

        def jump() -> None:
            host = self._rng.choice(self._fleet.hosts)
            host.ahead_s = self._rng.uniform(-CLOCK_S, CLOCK_S)
            self._services.story.tell("nemesis", f"a clock jumps to {host.ahead_s:+.0f} s")

        self._schedule.at(at_s, jump)
        return 0.0

    def days(self, at_s: float) -> float:
        """Wall clocks are days apart, and jump once more; some are never set right.

        On one machine, perhaps, nobody hears what time it is by others' clocks.
        """
        odd, story = self._services.odd, self._services.story
        for_s, forgotten = odd.uniform(*MIDDLE_S), odd.random() < 0.5

        if odd.random() < 0.4:
            odd.choice(self._fleet.hosts).deaf = True

        def jump() -> None:
            self._services.conduct.clocks_agree = False
            for host in self._fleet.hosts:
                host.ahead_s = odd.uniform(-DAYS_S, DAYS_S)
                story.tell("nemesis", f"a clock jumps to {host.ahead_s / 86_400:+.1f} days")

        def set_right() -> None:
            for host in self._fleet.hosts:
                host.ahead_s = odd.uniform(-CLOCK_S, CLOCK_S)
            story.tell("nemesis", "clocks are set right")

        self._schedule.at(at_s, jump)
        self._schedule.at(at_s + for_s, jump if forgotten else set_right)
        return for_s

    def _lurk(self, at_s: float, for_s: float, place: tuple[str, float], strike: Strike) -> float:
        network, (service, share) = self._services.network, place

        def lurk(process: Process, weather: Weather) -> None:
            if weather is self._services.weather(service) and self._rng.random() < share:
                victims = [worker for worker in self._victims() if worker.process is process]
                self._strike(victims, strike)

        self._schedule.during(
            at_s,
            for_s,
            f"an ambush is laid at {service}",
            lambda: network.ambushes.append(lurk),
            lambda: network.ambushes.remove(lurk),
        )
        return for_s + strike[1]

    def _plan(self, at_s: float, strike: Strike) -> float:
        self._schedule.at(at_s, lambda: self._strike(self._victims(), strike))
        return strike[1]

    def _strike(self, victims: list[Worker], strike: Strike) -> None:
        if victims:
            act, for_s = strike
            act(self._rng.choice(victims), for_s)

    def _take_down(self, worker: Worker, for_s: float) -> None:
        self._fleet.kill(worker)
        self._schedule.after(for_s, lambda: self._fleet.restart(worker))

    def _hold_up(self, worker: Worker, for_s: float) -> None:
        self._fleet.pause(worker)
        self._schedule.after(for_s, lambda: self._fleet.wake(worker))

    def _end(self, worker: Worker, for_s: float) -> None:
        self._fleet.terminate(worker)
        self._schedule.after(for_s, lambda: self._fleet.restart(worker))

    def _victims(self) -> list[Worker]:
        now = self._services.loop.time()
        return [
            worker
            for worker in self._fleet.running()
            if not worker.process.woken_at or now - worker.process.woken_at > SPARED_S
        ]

    def _some_s(self, *lengths: tuple[float, float]) -> float:
        return self._rng.uniform(*self._rng.choice(lengths))
