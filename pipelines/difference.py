"""The difference between one record as it should be and what the ledger says it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipelines.contact import UNKNOWN, RecordLedger, State
from pipelines.entity import STATE, entity, is_party_list
from pipelines.identity import note_id
from pipelines.ledger import NULL, OPEN, digest, digests
from pipelines.pipeline import Step
from pipelines.write import Kind, Write


@dataclass(slots=True)
class Desired:
    """What one record should look like.

    Attributes:
        entity: Entity set.
        key: Its key.
        creating: The step that creates it; None for a record that is not ours.
        columns: Column -> value; None for a placeholder without a value.
        held: Columns whose text still waits for a name.
        steps: The steps that have laid their columns over it.
        named: Columns beside them that steps of the pipeline name, though not for it as it is now.
    """

    entity: str
    key: str
    creating: Step | None
    columns: dict[str, Any] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)
    named: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The record's name in the ledger."""
        return f"{self.entity}({self.key})"

    @property
    def state(self) -> dict[str, Any]:
        """The columns that open or close it."""
        return {c: v for c, v in self.columns.items() if c in STATE and v is not None}

    def write(self, kind: Kind, columns: dict[str, Any]) -> Write:
        """A write to the record."""
        return Write(
            kind,
            tuple(step.path for step in self.steps),
            record=self.name,
            entity=self.entity,
            key=self.key,
            columns=columns,
            returning=tuple(sorted(self.creating.reads)) if self.creating else (),
            on_missing=(self.creating or self.steps[0]).on_missing,
            creatable=self.creating is not None,
        )


def difference(
    desired: Desired, record: RecordLedger | None, *, adopting: bool
) -> tuple[list[Write], list[Write]]:
    """What brings the record to the desired columns, and what closes it after everything else.

    Args:
        desired: The record as it should be.
        record: Its ledger; None if it has none yet.
        adopting: Do not create it: read what is there first.
    """
    known = {c: v for c, v in desired.columns.items() if v is not None}
    new = record is None
    state: State = "unsent" if desired.creating else "there"
    record = record or RecordLedger(desired.entity, desired.key, state)
    if record.state in ("unsent", "sent", "absent") and not adopting:
        plain = {c: v for c, v in known.items() if c not in STATE}
        closing = bool(desired.state) and not (new and desired.state.get("statecode") == 0)
        return [desired.write(Kind.CREATE, plain)], _closing(desired) if closing else []
    if record.state not in ("there", "doubted"):
        return [desired.write(Kind.ADOPT, known)], []
    writes = _updates(desired, record)
    reopened = any(write.kind is Kind.REOPEN for write in writes)
    differs = any(record.columns.get(c) != digest(v) for c, v in desired.state.items())
    if record.state == "doubted" and (writes or differs):
        wanted = dict.fromkeys(desired.named) | desired.columns
        wanted = {c: v for c, v in wanted.items() if v is not None or c not in STATE}
        return [desired.write(Kind.ADOPT, wanted)], []
    return writes, _closing(desired) if desired.state and (reopened or differs) else []


def _closing(desired: Desired) -> list[Write]:
    return [desired.write(Kind.CLOSE, desired.state)]


def _updates(desired: Desired, record: RecordLedger) -> list[Write]:
    """The writes that update an existing record; a closed one that refused is reopened first."""
    pending = _pending(desired, record)
    if not pending:
        return []
    state = record.columns.get("statecode", OPEN)
    closed = state != OPEN
    # Not if we closed it and it is too early by this worker's clock: then it is closed again.
    by_others = state == UNKNOWN and not desired.state
    if closed and (record.refusals > 1 or (record.refusals and by_others)):
        return [_note(desired, pending)]
    writes = []
    if closed and record.refusals:
        opened = {"statecode": 0, "statuscode": entity(desired.entity).open_status}
        writes.append(desired.write(Kind.REOPEN, opened))
    if columns := {c: v for c, v in pending.items() if not is_party_list(c)}:
        writes.append(desired.write(Kind.UPDATE, columns))
    lists = filter(is_party_list, pending)
    return writes + [desired.write(Kind.PARTIES, {c: pending[c] or []}) for c in lists]


def _pending(desired: Desired, record: RecordLedger) -> dict[str, Any]:
    """Columns whose value is not the acknowledged one; what has no value any more becomes null.

    Columns that no step names any more are left as they are.
    """
    pending = {
        column: value
        for column, value in desired.columns.items()
        if column not in STATE and record.columns.get(column, NULL) != digest(value)
    }
    for column in desired.named:
        if record.columns.get(column, NULL) != NULL:
            pending[column] = None
    return pending


def _note(desired: Desired, pending: dict[str, Any]) -> Write:
    """What a closed record will not take, as an annotation on it."""
    return Write(
        Kind.NOTE,
        tuple(step.path for step in desired.steps),
        record=desired.name,
        entity="annotations",
        key=note_id(desired.name, digest(digests(pending))),
        columns=pending,
    )
