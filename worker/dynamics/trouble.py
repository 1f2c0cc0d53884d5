"""Counts what goes wrong with requests, and says when it is too much. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable


#: Requests without an answer, one after the other, that make an outage.
OUTAGE_AFTER = 5

#: Contacts refused with the same code, with no successful write between, that make a lost role.
FORBIDDEN_AFTER = 3

#: Each request without an answer weighs 1, each answer takes some back: more than one in ten
#: unanswered is too many.
TOO_MUCH = 2.0
EASED = 0.1

#: Wait before the first and before the later probes (s), doubling between.
PROBE_FIRST_S = 1.0
PROBE_MAX_S = 60.0


class Trouble:
    """One gate's count of failures.

    Attributes:
        in_a_row: Requests without an answer since the last answer.
    """

    def __init__(self, outage_after: int, random: Callable[[], float]) -> None:
        """An outage is ``outage_after`` in a row; ``random`` gives numbers from 0 to 1."""
        self.in_a_row = 0
        self._outage_after = outage_after
        self._random = random
        self._weight = 0.0
        self._probes = 0
        self._forbidden: dict[str, set[str]] = {}

    @property
    def outage(self) -> bool:
        """Whether so many in a row got no answer that none will."""
        return self.in_a_row >= self._outage_after

    def answered(self) -> None:
        """Dataverse works, whatever it said."""
        self.in_a_row = 0
        self._weight = max(0.0, self._weight - EASED)

    def succeeded(self, *, writes: bool) -> None:
        """A request did what it should; ``writes``: and that proves that this user may write."""
        self.answered()
        self._probes = 0
        if writes:
            self._forbidden.clear()

    def unanswered(self) -> bool:
        """Count a request without an answer; True: there are too many among the others."""
        self.in_a_row += 1
        self._weight += 1
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

    def probe_failed(self) -> None:
        """The next probe may wait longer."""
        self._probes += 1

    def pause_s(self) -> float:
        """Wait (s) before a probe: doubling with each failed one, its upper half up to chance."""
        ceiling_s = min(PROBE_MAX_S, PROBE_FIRST_S * 2.0 ** (self._probes + 1))
        return max(PROBE_FIRST_S, ceiling_s * (1 + self._random()) / 2)

    def over(self) -> None:
        """It is open again: what was counted before says nothing any more."""
        self.in_a_row = 0
        self._weight = 0.0
