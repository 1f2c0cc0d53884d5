"""What a verification found, as data: people and scripts read it in whatever form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from pipelines.expectation import Finding


#: In place of a finding: the worker has not come to it yet.
OWED: Final = "owed"

#: One of our users made it, and no contact calls for it.
UNEXPECTED: Final = "unexpected"

#: It could not be found out what is to be expected.
UNSURE: Final = "unsure"

#: What is no failure: a person edited it while the facts are unchanged, or it is not due yet.
FINE: Final = frozenset((Finding.RIGHT.value, Finding.EDITED.value, OWED))


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which records were made: UTC, the end excluded; "": open."""

    since: str = ""
    until: str = ""


#: Any time.
ALWAYS: Final = Period()


@dataclass(frozen=True, slots=True)
class Line:
    """A record that is not as it should be, without a value of it.

    Attributes:
        finding: See ``Finding``, ``OWED``, ``UNEXPECTED`` and ``UNSURE``.
        record: Its address; of what is unsure, the step.
        contact_id: The contact that calls for it; "" of what is unexpected.
        columns: Those that differ.
        why: More about it.
    """

    finding: str
    record: str
    contact_id: str = ""
    columns: tuple[str, ...] = ()
    why: str = ""

    def __str__(self) -> str:
        """It in one line."""
        of = f" of contact {self.contact_id}" if self.contact_id else ""
        more = ", ".join([*self.columns, *([self.why] if self.why else [])])
        return f"{self.finding} {self.record}{of}{f': {more}' if more else ''}"


@dataclass(slots=True)
class Verified:
    """What a verification found.

    Attributes:
        target: The environment that was asked.
        state: Where the facts came from.
        contacts: Contacts looked at.
        expected: Records that their facts call for.
        period: In which time unexpected records were looked for; None: they were not, as some of
            the contacts only were looked at.
        counts: How many are ``right``, ``missing`` and so on.
        lines: All that are not right, in order.
    """

    target: str
    state: str
    contacts: int = 0
    expected: int = 0
    period: Period | None = None
    counts: Counter[str] = field(default_factory=Counter)
    lines: list[Line] = field(default_factory=list)

    def add(self, line: Line) -> None:
        """Count a record that is not right, and list it."""
        self.counts[line.finding] += 1
        self.lines.append(line)

    @property
    def clean(self) -> bool:
        """Whether nothing failed: what a person edited or deleted on purpose does not."""
        return not self.counts.keys() - FINE

    def document(self) -> dict[str, Any]:
        """It as a JSON object; infra/operate.md says what is in it."""
        return {
            "target": self.target,
            "state": self.state,
            "contacts": self.contacts,
            "expected": self.expected,
            "period": self.period and asdict(self.period),
            "counts": dict(sorted(self.counts.items())),
            "lines": [asdict(line) for line in self.lines],
            "clean": self.clean,
        }

    def texts(self) -> Iterator[str]:
        """It in lines: what was compared, how many of which, and each that is not right."""
        right = self.counts[Finding.RIGHT.value]
        yield f"verified {self.state} against {self.target}"
        yield f"{self.contacts:,} contacts: {right:,} of {self.expected:,} records are right"
        for finding, count in sorted(self.counts.items()):
            if finding != Finding.RIGHT.value:
                yield f"{count:>9,} {finding}"
        yield self._sought()
        yield from map(str, self.lines)

    def _sought(self) -> str:
        if self.period is None:
            return "a sample: records that no contact calls for were not looked for"
        since, until = self.period.since or "the beginning", self.period.until or "now"
        return f"records that no contact calls for were looked for from {since} to {until}"
