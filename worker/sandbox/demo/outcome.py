"""What a demonstration came to."""

from __future__ import annotations

import math

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.sandbox.oracle.verdict import Expected, Records


#: Messages of a scenario that no decoder understands.
MALFORMED = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was made, how fast, and what is wrong with it.

    Attributes:
        records: What Dynamics holds.
        expected: The records there should be, in the order their contacts were played.
        differences: Where the two differ.
        log: The worker's log lines.
        quarantined: Why messages were quarantined.
        parked: Contacts with parked writes.
        rested: Whether everything had arrived and come to rest in time.
        exit_status: The worker's, after SIGTERM.
        requests: Web API requests made.
        asked: Connect's calls, by how often they were made.
        throttled: How many of them were too many.
        written_back: The attributes written back, by chain of contacts.
        lookups: How many lookups had which status.
        verified: What ``connect-dynamics verify`` says of the worker's state, as its JSON.
        seconds: How long all took.
    """

    records: Records
    expected: Sequence[Expected]
    differences: Sequence[str]
    log: Sequence[dict[str, Any]]
    quarantined: Sequence[str]
    parked: int
    rested: bool
    exit_status: int
    requests: int
    asked: Mapping[str, int]
    throttled: int
    written_back: Sequence[Mapping[str, str]]
    lookups: Mapping[str, int]
    verified: Mapping[str, Any]
    seconds: float

    @property
    def latencies_s(self) -> list[float]:
        """How long (s) contacts were due until Dynamics matched them, ascending."""
        return sorted(line["latency_s"] for line in self.log if line["event"] == "push.done")

    @property
    def shown_s(self) -> list[float]:
        """How long (s) after agents had answered Connect had the page for them, ascending."""
        return self._seconds("desktop.shown")

    @property
    def written_s(self) -> list[float]:
        """How long (s) after contacts had begun Connect had their first attributes, ascending."""
        return self._seconds("push.written_back")

    def _seconds(self, event: str) -> list[float]:
        lines = (line for line in self.log if line["event"] == event)
        return sorted(line["seconds"] for line in lines if line["seconds"] is not None)

    def expired(self, *, pages: bool) -> Counter[str]:
        """Why pages, or write-backs, came too late, and how often."""
        lines = (line for line in self.log if line["event"] == "push.expired")
        return Counter(
            line["outcome"] for line in lines if line["step"].endswith("/writeback") is not pages
        )

    def count(self, event: str) -> int:
        """How often the worker logged an event."""
        return sum(line["event"] == event for line in self.log)

    def problems(self) -> Iterator[str]:
        """What is not as it should be; nothing if all is right."""
        if not self.rested:
            yield "the worker did not come to rest in time"
        if self.exit_status:
            yield f"the worker's exit status is {self.exit_status}, should be 0"
        if len(self.quarantined) != MALFORMED:
            yield f"{len(self.quarantined)} messages are quarantined, should be {MALFORMED}"
        if self.parked:
            yield f"{self.parked} contacts have parked writes, should be none"
        for line in self.verified["lines"]:
            yield f"verify finds {line['record']} {line['finding']} {', '.join(line['columns'])}"
        yield from self.differences


def percentile(ascending: Sequence[float], share: float) -> float:
    """The smallest value that this share (0 to 1) of all does not exceed; 0.0 of none."""
    if not ascending:
        return 0.0
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]
