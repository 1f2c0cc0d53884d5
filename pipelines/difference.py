"""The difference between one record as it should be and what the ledger says it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.action import Change, Verb
from pipelines.caller import Caller
from pipelines.contact import UNKNOWN, RecordLedger, State
from pipelines.entity import PARTITION, STATE, entity, is_party_list
from pipelines.ledger import NULL, OPEN, digest
from pipelines.link import lookup_of, one_each, rivals
from pipelines.step import CreateStep, RecordStep
from pipelines.view import Names


@dataclass(slots=True)
class Desired:
    """What one record should look like.

    Attributes:
        entity: Entity set.
        key: Its key.
        creating: The step that creates it; None for a record that is not ours.
        columns: Column -> value; None for a placeholder without a value. Of the names of one lookup
            there is one.
        held: Columns whose text still waits for a value.
        steps: The steps that have laid their columns over it.
        named: Columns beside them that steps of the pipeline name, though not for it as it is now.
        forced: Columns that held what was redacted since: theirs is written whoever changed them.
        probing: It is only emptied if it is there, and never made.
        replaced: Links that have a value, and a later one of the same lookup as well.
        callers: Column -> in whose name the step writes that set it, where it is not our own; the
            latest step's last. "": the creating step's.
    """

    entity: str
    key: str
    creating: CreateStep | None
    columns: dict[str, Any] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    steps: list[RecordStep] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    forced: set[str] = field(default_factory=set)
    probing: bool = False
    replaced: set[str] = field(default_factory=set)
    callers: dict[str, Caller] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The record's name in the ledger."""
        return f"{self.entity}({self.key})"

    @property
    def state(self) -> dict[str, Any]:
        """The columns that open or close it."""
        return {c: v for c, v in self.columns.items() if c in STATE and v is not None}

    def lay(self, column: str, value: Any, caller: Caller | None = None) -> None:
        """Lay a step's value over the column; a link over the others of its lookup."""
        self.held.discard(column)
        for other in rivals(column, self.columns):
            self.callers.pop(other, None)
            if self.columns.pop(other) is not None:
                self.replaced.add(other)
        self.replaced.discard(column)
        self.columns[column] = value
        self.callers.pop(column, None)
        if caller:
            self.callers[column] = caller

    def empty(self, column: str) -> None:
        """Have no value in a column that nothing else has given one."""
        others = rivals(column, self.columns)
        if column not in self.columns and all(self.columns[other] is None for other in others):
            for other in others:
                del self.columns[other]
            self.columns[column] = None

    def called_by(self, step: RecordStep, names: Names) -> Caller | None:
        """In whose name a step writes; noted if it is the one that creates the record."""
        caller = step.as_.caller(names) if step.as_ else None
        if caller and isinstance(step, CreateStep):
            self.callers[""] = caller
        return caller

    def change(self, verb: Verb, columns: dict[str, Any]) -> Change:
        """A change of the record."""
        table = (self.creating or self.steps[0]).table
        return Change(
            verb,
            tuple(step.path for step in self.steps),
            self.name,
            columns,
            returning=tuple(sorted(self.creating.reads)) if self.creating else (),
            on_missing=(self.creating or self.steps[0]).on_missing,
            creatable=self.creating is not None,
            forced=frozenset(self.forced) if verb in (Verb.CREATE, Verb.ADOPT) else frozenset(),
            caller=self._caller(verb, columns),
            key_column=table.key if table.stated else "",
            partition=str(self.columns.get(PARTITION) or "") if self.creating else "",
        )

    def _caller(self, verb: Verb, columns: Mapping[str, Any]) -> Caller | None:
        """In whose name: of a create the creating step's, else the last step's of those it is of.

        A request has one caller, and what is read before a change is read in our own name.
        """
        if verb is Verb.CREATE:
            return self.callers.get("")
        if verb is Verb.ADOPT:
            return None
        latest_first = reversed(self.callers.items())
        return next((caller for column, caller in latest_first if column in columns), None)


def difference(
    desired: Desired, record: RecordLedger | None, *, adopting: bool
) -> tuple[list[Change], list[Change]]:
    """What brings the record to the desired columns, and what closes it after everything else.

    Args:
        desired: The record as it should be.
        record: Its ledger; None if it has none yet.
        adopting: Do not create it: read what is there first.
    """
    columns = desired.columns
    known = {c: v for c, v in columns.items() if v is not None or c in desired.forced}
    new = record is None
    state: State = "unsent" if desired.creating else "there"
    record = record or RecordLedger(desired.entity, desired.key, state)
    if record.state in ("unsent", "sent", "absent") and not adopting:
        plain = {c: v for c, v in known.items() if c not in STATE and v is not None}
        closing = bool(desired.state) and not (new and desired.state.get("statecode") == 0)
        return [desired.change(Verb.CREATE, plain)], _closing(desired) if closing else []
    if record.state not in ("there", "doubted"):
        return [desired.change(Verb.ADOPT, known)], []
    changes = _updates(desired, record)
    reopened = any(change.verb is Verb.REOPEN for change in changes)
    differs = any(record.columns.get(c) != digest(v) for c, v in desired.state.items())
    if record.state == "doubted" and (changes or differs):
        wanted = one_each(desired.columns | dict.fromkeys(desired.named))
        wanted = {c: v for c, v in wanted.items() if v is not None or c not in STATE}
        return [desired.change(Verb.ADOPT, wanted)], []
    return changes, _closing(desired) if desired.state and (reopened or differs) else []


def _closing(desired: Desired) -> list[Change]:
    return [desired.change(Verb.CLOSE, desired.state)]


def _updates(desired: Desired, record: RecordLedger) -> list[Change]:
    """What updates an existing record; a closed one that refused is reopened first."""
    pending = _pending(desired, record)
    if not pending:
        return []
    state = record.columns.get("statecode", OPEN)
    closed = state != OPEN
    # Not if we closed it and this worker's clock is too early to plan that: it is closed again.
    by_others = state == UNKNOWN and not desired.state
    if closed and (record.refusals > 1 or (record.refusals and by_others)):
        return [desired.change(Verb.NOTE, pending)]
    changes = []
    if closed and record.refusals:
        opened = {"statecode": 0, "statuscode": entity(desired.entity).open_status}
        changes.append(desired.change(Verb.REOPEN, opened))
    if columns := {c: v for c, v in pending.items() if not is_party_list(c)}:
        changes.append(desired.change(Verb.UPDATE, columns))
    lists = filter(is_party_list, pending)
    return changes + [desired.change(Verb.PARTIES, {c: pending[c] or []}) for c in lists]


def _pending(desired: Desired, record: RecordLedger) -> dict[str, Any]:
    """Columns whose value is not the acknowledged one; what has no value any more becomes null.

    Columns that no step names any more are left as they are, as are those that only a create sets.
    """
    table = entity(desired.entity)
    pending: dict[str, Any] = {}
    for column, value in (dict.fromkeys(desired.named) | desired.columns).items():
        forced = column in desired.forced and column not in record.columns
        differs = record.columns.get(column, NULL) != digest(value)
        if lookup_of(column):
            pending |= _pending_link(column, value, desired, record, forced=forced)
        elif column not in STATE and not table.fixes(column) and (differs or forced):
            pending[column] = value
    return pending


def _pending_link(
    column: str, value: Any, desired: Desired, record: RecordLedger, *, forced: bool
) -> dict[str, Any]:
    """How a lookup comes to its value: by one name, whatever others the ledger has it under."""
    names = (column, *rivals(column, record.columns))
    filled = [name for name in names if record.columns.get(name, NULL) != NULL]
    if value is not None:
        as_wanted = filled == [column] and record.columns[column] == digest(value)
        return {} if as_wanted else {column: value}
    if any(desired.columns[name] is not None for name in rivals(column, desired.columns)):
        return {}
    # It is emptied by the name that it was filled by.
    acknowledged = [name for name in filled if record.columns[name] != UNKNOWN]
    if filled:
        return {(acknowledged or filled)[0]: None}
    return {column: None} if forced else {}
