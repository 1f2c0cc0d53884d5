"""Counts requests that fail, and says when it is too much; ``breaker`` acts on it.

An outage is counted over what requests are about (records, queries), not over requests: one record
whose every write fails has a problem of its own. What failed while others were answered is
*suspect* from then on and counts no more until it is answered itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final


#: Different subjects without an answer, with none answered between, that make an outage; so many
#: requests of fewer subjects make a doubt.
OUTAGE_AFTER: Final = 5

#: Each request without an answer weighs 1, each answer takes some back: more than one in ten
#: unanswered is an overload.
OVERLOAD_WEIGHT: Final = 2.0
ANSWER_RELIEF: Final = 0.1

#: Pause before the first and before the later probes (s), doubling between.
PROBE_FIRST_S: Final = 1.0
PROBE_MAX_S: Final = 60.0

#: How many subjects of either kind, failing and suspect, are remembered; one that was dropped
#: counts as if it had never failed.
MAX_REMEMBERED: Final = 10_000


class FailureCounter:
    """One worker's count of failures.

    Attributes:
        in_a_row: Requests without an answer since the last answer or probe, suspects' left out.
        pauses: How many pauses there were since a success proved that the trouble is over.
    """

    def __init__(self, outage_after: int, chance: Callable[[], float]) -> None:
        """An outage is of ``outage_after`` subjects; ``chance`` gives numbers from 0 to 1."""
        self.in_a_row = 0
        self.pauses = 0
        self._outage_after = outage_after
        self._chance = chance
        self._weight = 0.0
        self._writes_affected = False
        self._failing: dict[str, bool] = {}  # subject -> whether it is a write
        self._suspects: dict[str, None] = {}
        self._anonymous = 0

    @property
    def outage(self) -> bool:
        """Whether so many different requests got no answer that none will."""
        return len(self._failing) >= self._outage_after

    @property
    def doubt(self) -> bool:
        """Whether it may be an outage, with too few subjects to be sure."""
        return self.in_a_row >= self._outage_after

    def answered(self, subject: str | None, *, writes: bool) -> bool:
        """Count an answer, whatever it said; True: it proves that the trouble is over.

        That reads are answered says nothing about writes that are not.
        """
        if subject is not None:
            self._suspects.pop(subject, None)
            self._failing.pop(subject, None)
        self.in_a_row = 0
        alone = [failing for failing, wrote in self._failing.items() if writes or not wrote]
        for failing in alone:
            del self._failing[failing]
            self._suspects[failing] = None
        while len(self._suspects) > MAX_REMEMBERED:
            del self._suspects[next(iter(self._suspects))]
        self._weight = max(0.0, self._weight - ANSWER_RELIEF)
        if self._writes_affected and not writes:
            return False
        self._writes_affected = False
        self.pauses = 0
        return True

    def note_trouble(self, *, writes: bool) -> None:
        """Note that there is trouble, with writes or with reads alone."""
        self._writes_affected = self._writes_affected or writes

    def unanswered(self, subject: str | None, *, writes: bool) -> bool:
        """Count a request without an answer; False: its subject has a problem of its own."""
        if subject is None:
            self._anonymous += 1
            subject = f"\0{self._anonymous}"
        if subject in self._suspects:
            return False
        self.in_a_row += 1
        if len(self._failing) < MAX_REMEMBERED:
            self._failing[subject] = writes
        self.note_trouble(writes=writes)
        self._weight += 1
        return True

    def overloaded(self) -> bool:
        """Whether too many of all requests get no answer; if so, counts from 0 again."""
        if self._weight < OVERLOAD_WEIGHT:
            return False
        self._weight = 0.0
        return True

    def next_pause_s(self) -> float:
        """Count one more pause; how long it is (s): twice the last one, its upper half random."""
        return max(PROBE_FIRST_S, self._doubled(2 * PROBE_FIRST_S) * (1 + self._chance()) / 2)

    def next_least_pause_s(self) -> float:
        """Count one more pause; how long it is at least (s), whatever Retry-After says."""
        return self._doubled(PROBE_FIRST_S)

    def _doubled(self, first_s: float) -> float:
        self.pauses += 1
        return float(min(PROBE_MAX_S, first_s * 2 ** (self.pauses - 1)))

    def reopened(self) -> None:
        """The gate is open again: how many failed before says nothing any more."""
        self.in_a_row = 0
        self._weight = 0.0
