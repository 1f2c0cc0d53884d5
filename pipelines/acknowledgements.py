"""Giving up what a Dynamics has acknowledged: the contact is for another one from now on."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.contact import Contact
from pipelines.ledger import ATTRIBUTES


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What was given up of a contact.

    Attributes:
        records: How many records' acknowledgements.
        answers: How many answers of lookups.
        parked: How many parked writes; they are to be tried.
    """

    records: int = 0
    answers: int = 0
    parked: int = 0

    def __bool__(self) -> bool:
        """Whether it was anything."""
        return bool(self.records or self.answers or self.parked)


def has_records(contact: Contact) -> bool:
    """Whether it has any record in Dynamics, or may have."""
    return any(record.entity != ATTRIBUTES for record in contact.ledger.values())


def give_up_acknowledgements(contact: Contact) -> GivenUp:
    """Forget what Dynamics has acknowledged, answered and refused, and what was about to be sent.

    What Connect has acknowledged and what came of pages and write-backs stays: that has happened,
    whichever Dynamics it was about. Facts stay.
    """
    ours = {n: record for n, record in contact.ledger.items() if record.entity == ATTRIBUTES}
    given_up = GivenUp(len(contact.ledger) - len(ours), len(contact.lookups), len(contact.parked))
    contact.ledger = ours
    contact.lookups = {}
    contact.parked = {}
    contact.failures = {}
    contact.intent = {}
    contact.tries = 0
    return given_up
