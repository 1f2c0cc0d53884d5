"""A rehearsal: what a dry run would write, by step and, as far as there is room, one by one.

Of a record that Dynamics has acknowledged the plan holds only the columns that differ from what it
acknowledged: these are the differences. Columns go by name; values may be people's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.action import Action, Change, Verb
from pipelines.contact import Contact


#: How many writes are listed one by one; all are counted.
MOST_LISTED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Write:
    """One write that would be done.

    Attributes:
        contact: The contact's id.
        what: ``create``, ``update``, ``parties``, ``close`` and so on.
        steps: The steps it comes from, as ``pipeline/step``.
        record: The record's address.
        columns: What is written, by name.
        values: The same with values, if asked for.
    """

    contact: str
    what: str
    steps: tuple[str, ...]
    record: str
    columns: tuple[str, ...]
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Rehearsed:
    """What a dry run would write.

    Attributes:
        by_step: Step -> what is done -> how many writes; one that several steps share counts at
            each of them.
        changed_columns: Step -> column -> in how many records that are there it would change.
        changes: The first ``MOST_LISTED`` writes.
        left_out: How many more there are.
    """

    by_step: dict[str, dict[str, int]] = field(default_factory=dict)
    changed_columns: dict[str, dict[str, int]] = field(default_factory=dict)
    changes: list[Write] = field(default_factory=list)
    left_out: int = 0


@dataclass(slots=True)
class Rehearsal:
    """Collects what would be written.

    Attributes:
        values: Whether values are kept too.
        found: So far.
    """

    values: bool = False
    found: Rehearsed = field(default_factory=Rehearsed)
    _made: set[str] = field(default_factory=set)

    def note(self, contact: Contact, action: Action) -> None:
        """Note an action that was taken as carried out."""
        if not isinstance(action, Change) or action.verb is Verb.ADOPT:
            return
        made = action.verb is Verb.CREATE or action.record in self._made
        if action.verb is Verb.CREATE:
            self._made.add(action.record)
        for step in action.steps:
            _count(self.found.by_step, step, action.kind)
            for column in () if made else action.columns:
                _count(self.found.changed_columns, step, column)
        if len(self.found.changes) == MOST_LISTED:
            self.found.left_out += 1
            return
        columns, values = tuple(action.columns), action.columns if self.values else {}
        self.found.changes.append(
            Write(contact.id, action.kind, action.steps, action.record, columns, dict(values))
        )


def _count(counts: dict[str, dict[str, int]], step: str, name: str) -> None:
    of_step = counts.setdefault(step, {})
    of_step[name] = of_step.get(name, 0) + 1
