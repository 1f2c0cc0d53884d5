"""Expectation: the records that the facts of a contact call for, whatever Dynamics holds.

The plan is asked as if nothing had been acknowledged yet; what it would write is what should be
there. The ledger says only what was chosen before (keys) and what must not be made again.
"""

from __future__ import annotations

import enum

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipelines.action import Change, Verb
from pipelines.contact import Contact, RecordLedger
from pipelines.entity import entity
from pipelines.ledger import digest
from pipelines.link import rivals
from pipelines.row import actor, current, same


@dataclass(slots=True)
class Expected:
    """A record as it should be.

    Attributes:
        contact_id: The contact that it is about.
        record: Its address, ``phonecalls(<key>)``.
        columns: Column -> value; those without a value are not expected to have one.
        ours: A step of ours creates it.
        look: The change that reads it (``Verb.ADOPT``).
        known: What the ledger has of it; None: nothing.
    """

    contact_id: str
    record: str
    columns: dict[str, Any]
    ours: bool
    look: Change
    known: RecordLedger | None = None


class Finding(enum.Enum):
    """How a record stands to what was expected."""

    RIGHT = "right"
    MISSING = "missing"  # it is not there, and nothing says that it ever was
    DELETED = "deleted"  # it was there once, as the state knows
    DIFFERENT = "different"
    EDITED = "edited"  # by a person, while the facts are unchanged: no failure


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of comparing a record.

    Attributes:
        finding: In a word.
        columns: Those that differ, by name.
    """

    finding: Finding
    columns: tuple[str, ...] = ()


@dataclass(slots=True)
class Expectation:
    """What one contact's facts call for, collected from what the plan would write.

    Attributes:
        contact: The contact as it is kept.
        records: Address -> record, in the order in which they would be made.
    """

    contact: Contact
    records: dict[str, Expected] = field(default_factory=dict)

    def add(self, change: Change) -> None:
        """Take in what a change would bring about."""
        if change.verb is Verb.NOTE:
            return
        known = self.records.get(change.record)
        if known is None:
            look = replace(change, verb=Verb.ADOPT, returning=())
            ledger = self.contact.ledger.get(change.record)
            known = Expected(self.contact.id, change.record, {}, change.creatable, look, ledger)
            self.records[change.record] = known
        for column, value in change.columns.items():
            for other in rivals(column, known.columns):
                del known.columns[other]
            known.columns[column] = value
        known.look = replace(known.look, columns=dict(known.columns))


def unwritten(contact: Contact) -> Contact:
    """A contact with the same facts and answers of which nothing is acknowledged.

    The keys that were chosen are kept, and what somebody deleted or let go of stays so.
    """
    ledger = {
        name: RecordLedger(known.entity, known.key, _as_unwritten(known), by=known.by)
        for name, known in contact.ledger.items()
        if known.by or known.state == "gone"
    }
    return Contact(
        contact.id,
        dict(contact.facts),
        ledger,
        {step: dict(answer) for step, answer in contact.lookups.items()},
        arrived=contact.arrived,
        replayed=True,
    )


def _as_unwritten(known: RecordLedger) -> Any:
    return "gone" if known.state == "gone" else "unsent"


def given_up(contact: Contact) -> list[RecordLedger]:
    """The records of ours that are not made again: deleted in Dynamics, or let go of here."""
    return [known for known in contact.ledger.values() if known.by and known.state == "gone"]


def compare(expected: Expected, row: Mapping[str, Any] | None, users: frozenset[str]) -> Compared:
    """Compare a record with what is there.

    Args:
        expected: The record as it should be.
        row: The record as it was read, with annotations; None: it is not there.
        users: Who we are and have been: ids of application users, lower case.
    """
    if row is None:
        was_there = expected.known is not None and expected.known.state in ("there", "doubted")
        return Compared(Finding.DELETED if was_there else Finding.MISSING)
    table = entity(expected.record.partition("(")[0])
    differing = [
        column
        for column, value in expected.columns.items()
        if not table.fixes(column) and not _is_right(column, value, current(row, column))
    ]
    if not differing:
        return Compared(Finding.RIGHT)
    by_person = actor(row, "modified") not in users
    edited = by_person and all(_is_settled(expected, column) for column in differing)
    return Compared(Finding.EDITED if edited else Finding.DIFFERENT, tuple(differing))


def _is_right(column: str, value: Any, actual: Any) -> bool:
    if value in (None, []):
        return actual in (None, [], "")
    return same(column, value, actual)


def _is_settled(expected: Expected, column: str) -> bool:
    """Whether nothing is owed for a column, as far as is known."""
    known = expected.known
    return known is None or known.columns.get(column) == digest(expected.columns[column])
