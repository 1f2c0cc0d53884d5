"""What a replay did, as one JSON object or as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

from worker.commands.rehearsal import Rehearsed
from worker.terminal import shown


#: How many of the writes that a dry run would do are listed as text; JSON has more.
LISTED_AS_TEXT: Final = 20


@dataclass(slots=True)
class Report:
    """What a replay did, to which target, from which state.

    ``organization`` is the one whose acknowledgements the state holds; ``bound``: since this run.
    ``seconds`` is wall-clock time, ``ignored`` counts by reason, ``quarantined_examples`` has the
    origin of one message for each reason. ``unfinished`` contacts are still due: Dynamics did not
    answer for so long that it gave up. ``kept`` is a state of this run alone that stays, because
    something is in it that somebody has to look at. ``would``: what a dry run would write.
    """

    target: str = ""
    state: str = ""
    organization: str = ""
    bound: bool = False
    events: int = 0
    contacts: int = 0
    ignored: int = 0
    quarantined: int = 0
    parked: int = 0
    writes: int = 0
    requests: int = 0
    seconds: float = 0.0
    lookups: int = 0
    dry_run: bool = False
    ignored_by_reason: dict[str, int] = field(default_factory=dict)
    quarantined_by_reason: dict[str, int] = field(default_factory=dict)
    quarantined_examples: dict[str, str] = field(default_factory=dict)
    unfinished: int = 0
    kept: str = ""
    would: Rehearsed | None = None

    def to_json(self) -> bytes:
        """The report as one JSON object."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2)

    @property
    def clean(self) -> bool:
        """Whether nothing was parked, quarantined or left undone."""
        return not self.parked and not self.quarantined and not self.unfinished

    @property
    def used(self) -> int:
        """How many of the events say something about a contact."""
        return self.events - self.ignored - self.quarantined

    def texts(self) -> Iterator[str]:
        """The report as lines, target and state first."""
        rows = [*self._rows()]
        wide = max(len(name) for name, _ in rows)
        yield from (shown(f"{name:<{wide}}  {value}") for name, value in rows)
        if self.would is not None:
            yield from self._would(self.would)

    def _rows(self) -> Iterator[tuple[str, str]]:
        nothing = " (dry run: nothing was sent)" if self.dry_run else ""
        yield "target", f"{self.target}{nothing}"
        yield "state", self.state or "of this run alone"
        if self.state and self.organization:
            since = " (bound to it by this run)" if self.bound else ""
            yield "organization", f"{self.organization}{since}"
        for name in ("events", "contacts", "ignored", "quarantined", "parked"):
            yield name, f"{getattr(self, name):,}"
        for reason, count in self.ignored_by_reason.items():
            yield f"  ignored: {reason}", f"{count:,}"
        for reason, count in self.quarantined_by_reason.items():
            example = self.quarantined_examples.get(reason, "")
            yield f"  quarantined: {reason}", f"{count:,}, such as {example}"
        if self.unfinished:
            yield "unfinished: Dynamics gave no answer", f"{self.unfinished:,}"
        yield "writes", f"{self.writes:,}"
        yield "requests", f"{self.requests:,}"
        yield "seconds", f"{self.seconds:.1f}"

    def _would(self, would: Rehearsed) -> Iterator[str]:
        if would.by_step:
            yield "by step; one write serves several, and counts with each:"
        for step, kinds in would.by_step.items():
            counts = ", ".join(f"{count:,} x {kind}" for kind, count in kinds.items())
            yield shown(f"{step} would {counts}")
            if columns := would.changed_columns.get(step):
                which = ", ".join(f"{name} ({count:,})" for name, count in columns.items())
                yield shown(f"  of records that are there: {which}")
        for change in would.changes[:LISTED_AS_TEXT]:
            yield shown(f"  {change.contact} {change.what} {change.record}: {_columns(change)}")
        more = would.left_out + max(0, len(would.changes) - LISTED_AS_TEXT)
        if more:
            yield f"  and {more:,} more; --report json lists {len(would.changes):,} of all"

    def next_steps(self) -> Iterator[str]:
        """What becomes of what was set aside, and what to do about it; nothing if all is well."""
        if not self.used:
            yield self._nothing_of_use()
        if self.clean:
            return
        if self.dry_run:
            yield "a dry run keeps nothing: what cannot be used is still in the sources"
            return
        state = self.kept or self.state
        if state == "memory":
            yield "the state was in memory: what was set aside is gone; name sqlite:PATH to keep it"
            return
        if self.kept:
            yield (
                f"because of what was set aside, the state of this run is kept, personal data and"
                f" all: {self.kept}; remove it when you are done"
            )
        if self.quarantined:
            yield f"quarantined, byte for byte: connect-dynamics quarantine list --state {state}"
        if self.parked:
            yield f"parked: connect-dynamics parked list --state {state}"
        if self.unfinished:
            yield f"unfinished: the same command with --state {state} goes on from there"

    def _nothing_of_use(self) -> str:
        """What to say of a replay that found nothing about a contact: what it found instead."""
        found = {"ignored": self.ignored_by_reason, "quarantined": self.quarantined_by_reason}
        why = "; ".join(
            f"{fate} were " + ", ".join(f"{count} x {reason}" for reason, count in by.items())
            for fate, by in found.items()
            if by
        )
        return f"nothing in these sources is of use; {why or 'there were no messages at all'}"


def _columns(change: Any) -> str:
    if not change.values:
        return ", ".join(change.columns)
    return ", ".join(f"{name} = {value!r}" for name, value in change.values.items())
