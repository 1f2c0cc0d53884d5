"""Counts what goes wrong with requests, and says when it is too much. Decides nothing.

An outage is counted over what requests are about (records, questions), not over requests: one
record whose every write fails is that record's trouble. What failed while others were answered is
*suspect* from then on and counts no more until it is answered itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final


#: Different subjects without an answer, with none answered between, that make an outage; so many
#: requests of fewer make a doubt.
OUTAGE_AFTER: Final = 5

#: Contacts refused with the same code, with no successful write between, that make a lost role.
FORBIDDEN_AFTER: Final = 3

#: Each request without an answer weighs 1, each answer takes some back: more than one in ten
#: unanswered is too many.
TOO_MUCH: Final = 2.0
EASED: Final = 0.1

#: Wait before the first and before the later looks whether it is over (s), doubling between.
PROBE_FIRST_S: Final = 1.0
PROBE_MAX_S: Final = 60.0

#: How many suspects, and how many to be, are remembered; who is forgotten counts as new.
MOST_SUSPECTS: Final = 10_000


class FailureCounter:
    """One gate's count of failures.

    Attributes:
        in_a_row: Requests without an answer since the last answer or probe, suspects' left out.
        pauses: How many pauses there were since a success proved that it is over.
    """

    def __init__(self, outage_after: int, random: Callable[[], float]) -> None:
        """An outage is of ``outage_after`` subjects; ``random`` gives numbers from 0 to 1."""
        self.in_a_row = 0
        self.pauses = 0
        self._outage_after = outage_after
        self._random = random
        self._weight = 0.0
        self._of_writes = False
        self._failing: dict[str, bool] = {}  # and whether it is a write
        self._suspects: dict[str, None] = {}
        self._anonymous = 0
        self._forbidden: dict[str, set[str]] = {}

    @property
    def outage(self) -> bool:
        """Whether so many different requests got no answer that none will."""
        return len(self._failing) >= self._outage_after

    @property
    def doubt(self) -> bool:
        """Whether it may be one, of which there are too few subjects to tell."""
        return self.in_a_row >= self._outage_after

    def answered(self, subject: str | None, *, writes: bool) -> bool:
        """Count an answer, whatever it said; True: it proves that what was amiss is over.

        That reads are answered says nothing about writes that are not.
        """
        if subject is not None:
            self._suspects.pop(subject, None)
            self._failing.pop(subject, None)
        self.in_a_row = 0
        witnessed = [one for one, wrote in self._failing.items() if writes or not wrote]
        for one in witnessed:
            del self._failing[one]
            self._suspects[one] = None
        while len(self._suspects) > MOST_SUSPECTS:
            del self._suspects[next(iter(self._suspects))]
        self._weight = max(0.0, self._weight - EASED)
        if self._of_writes and not writes:
            return False
        self._of_writes = False
        self.pauses = 0
        return True

    def may_write(self) -> None:
        """A write succeeded, so this user has its role."""
        self._forbidden.clear()

    def noticed(self, *, writes: bool) -> None:
        """Something is amiss, with writes or with reads alone."""
        self._of_writes = self._of_writes or writes

    def unanswered(self, subject: str | None, *, writes: bool) -> bool:
        """Count a request without an answer; False: it is its subject's trouble alone."""
        if subject is None:
            self._anonymous += 1
            subject = f"\0{self._anonymous}"
        if subject in self._suspects:
            return False
        self.in_a_row += 1
        if len(self._failing) < MOST_SUSPECTS:
            self._failing[subject] = writes
        self.noticed(writes=writes)
        self._weight += 1
        return True

    def too_many(self) -> bool:
        """Whether there are too many without an answer among the others; counts from 0 again."""
        if self._weight < TOO_MUCH:
            return False
        self._weight = 0.0
        return True

    def forbidden(self, contact_id: str, code: str) -> bool:
        """Count a 403; True: so many contacts cannot all be at fault."""
        contacts = self._forbidden.setdefault(code, set())
        if len(contacts) < FORBIDDEN_AFTER:
            contacts.add(contact_id)
        return len(contacts) == FORBIDDEN_AFTER

    def pause_s(self) -> float:
        """The next pause (s): twice the last one, its upper half up to chance."""
        return max(PROBE_FIRST_S, self._longer(2 * PROBE_FIRST_S) * (1 + self._random()) / 2)

    def floor_s(self) -> float:
        """The least that the next pause (s) is to be, whatever is asked for."""
        return self._longer(PROBE_FIRST_S)

    def _longer(self, first_s: float) -> float:
        self.pauses += 1
        return float(min(PROBE_MAX_S, first_s * 2 ** (self.pauses - 1)))

    def over(self) -> None:
        """It is open again: how many failed before says nothing any more."""
        self.in_a_row = 0
        self._weight = 0.0
