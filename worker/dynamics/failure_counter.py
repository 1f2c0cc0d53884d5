"""Counts requests that fail, and says when it is too much; ``breaker`` acts on it.

An outage is counted over what requests are about (records, queries), not over requests: one record
whose every write fails has a problem of its own. What failed while others were answered is
*suspect* from then on and counts no more until it is answered itself. If it is, what it went
through was an overload: a record that has a problem of its own is never answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from worker.dynamics.witness import Witness


#: Different subjects without an answer, with none answered between, that make an outage; so many
#: requests of fewer subjects make a doubt.
OUTAGE_AFTER: Final = 5

#: Each subject that is answered only after a request without an answer weighs 1, every other answer
#: takes some back: more than one in ten is an overload.
OVERLOAD_WEIGHT: Final = 2.0
ANSWER_RELIEF: Final = 0.1

#: Pause before the first and before the later probes (s), doubling between.
PROBE_FIRST_S: Final = 1.0
PROBE_MAX_S: Final = 60.0

#: How many subjects of either kind, failing and suspect, are remembered; one that was dropped
#: counts as if it had never failed.
MAX_REMEMBERED: Final = 10_000

#: So many answers of service protection to one subject, with others' successes between them, are
#: about that subject alone.
OWN_THROTTLES: Final = 3


class FailureCounter:
    """One worker's count of failures.

    Attributes:
        in_a_row: Requests without an answer since the last answer or probe, suspects' left out.
        pauses: How many pauses there were since a success proved that the trouble is over.
        witness: Which requests succeeded.
    """

    def __init__(self, outage_after: int, chance: Callable[[], float]) -> None:
        """An outage is of ``outage_after`` subjects; ``chance`` gives numbers from 0 to 1."""
        self.in_a_row = 0
        self.pauses = 0
        self.witness = Witness()
        self._outage_after = outage_after
        self._chance = chance
        self._weight = 0.0
        self._writes_affected = False
        self._failing: dict[str, bool] = {}  # subject -> whether it is a write
        self._suspects: dict[str, None] = {}
        self._throttles: dict[str, tuple[int, int]] = {}  # subject -> times, and the witness' count
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
        overcome = subject in self._suspects or subject in self._failing
        if subject is not None:
            self._suspects.pop(subject, None)
            self._failing.pop(subject, None)
            self._throttles.pop(subject, None)
        self.in_a_row = 0
        alone = [failing for failing, wrote in self._failing.items() if writes or not wrote]
        for failing in alone:
            del self._failing[failing]
            self._suspects[failing] = None
        while len(self._suspects) > MAX_REMEMBERED:
            del self._suspects[next(iter(self._suspects))]
        if overcome:
            self._weight += 1
        elif self._weight > 0:
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
        return True

    def is_suspect(self, subject: str) -> bool:
        """Whether a request about it got no answer while others did, and none since."""
        return subject in self._suspects

    def is_failing(self, subject: str) -> bool:
        """Whether the last request about it got no answer."""
        return subject in self._failing or subject in self._suspects

    def throttled(self, subject: str | None, *, writes: bool) -> bool:
        """Count an answer of service protection; True: it is about its subject alone."""
        if subject is None:
            return False
        times, mark = self._throttles.pop(subject, (0, 0))
        others = not times or self.witness.others_since(mark, subject, writes=writes)
        times += others
        self._throttles[subject] = (times, self.witness.count)
        while len(self._throttles) > MAX_REMEMBERED:
            del self._throttles[next(iter(self._throttles))]
        return times >= OWN_THROTTLES

    def overloaded(self) -> bool:
        """Whether too many of all requests are answered late; if so, counts from 0 again."""
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
        self._weight = -float(len(self._failing))  # what an outage did is no overload
