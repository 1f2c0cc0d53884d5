"""Plans contacts, with the pipelines that are loaded and under the terms that apply now."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from math import inf

from pipelines.contact import Contact
from pipelines.pipeline import Pipeline
from pipelines.plan import Plan, Terms, plan
from pipelines.snapshot import Snapshot, snapshot
from worker.clock import Clock


@dataclass(slots=True)
class Planner:
    """Plans contacts.

    Attributes:
        pipelines: What to send.
        terms: Under which terms. What the store remembers of the pipelines is read once it can be
            reached and may be corrected later, so they change while others use the planner.
        clock: Time.
        waits_over: Plan as if every wait were over: in a replay the archive's time counts.
    """

    pipelines: Iterable[Pipeline]
    terms: Terms
    clock: Clock = field(default_factory=Clock)
    waits_over: bool = False

    def snapshot(self, contact: Contact) -> Snapshot:
        """What follows from the contact's facts."""
        return snapshot(contact, self.terms.constants, self.terms.files)

    def plan(
        self, contact: Contact, seen: Snapshot | None = None, put_off: Container[str] = ()
    ) -> Plan:
        """What is still to be done for a contact now, see ``pipelines.plan``."""
        now = inf if self.waits_over else self.clock.wall()
        return plan(contact, self.pipelines, now, self.terms, seen, put_off=put_off)
