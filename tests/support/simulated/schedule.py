"""When something is done to the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulated.worker import Services


@dataclass(frozen=True, slots=True)
class Schedule:
    """Has things happen at virtual times (s)."""

    services: Services

    def at(self, at_s: float, act: Callable[[], object]) -> None:
        """Have something done at a time."""
        self.services.loop.outside(at_s - self.services.loop.time(), act)

    def after(self, for_s: float, act: Callable[[], object]) -> None:
        """Have something done so much later."""
        self.services.loop.outside(for_s, act)

    def during(
        self,
        at_s: float,
        for_s: float,
        what: str,
        begin: Callable[[], object],
        end: Callable[[], object],
    ) -> float:
        """Have something begin and end, and told; how long (s) it lasts."""

        def start() -> None:
            self.services.story.tell("nemesis", f"{what} for {for_s:.0f} s")
            begin()

        def finish() -> None:
            self.services.story.tell("nemesis", f"{what} is over")
            end()

        self.at(at_s, start)
        self.at(at_s + for_s, finish)
        return for_s
