"""A snapshot: what follows from a contact's facts, computed once for all pipelines and plans.

Facts do not change while a contact is pushed, except for Connect's answers, which come before the
first plan; the ledger does, with every action. So what follows from facts alone is kept apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.age import long_over
from pipelines.contact import Contact
from pipelines.lifecycle import milestones_of, phase_of, signals_of
from pipelines.names import heard
from pipelines.objects import StoredObject, Which, objects, withdrawn
from pipelines.redaction import redacted
from pipelines.view import settled, values_of, values_of_kin


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a contact by its facts.

    Attributes:
        values: Its names and values, the settings' constants among them; see ``view``.
        reached: The milestones it has reached and when, see ``lifecycle.milestones``.
        objects: Its files, see ``objects``.
        long_over: It was long over when it was first heard of, see ``age``.
        redacted: Names that its record calls redacted, see ``redaction``.
        withdrawn: Milestones of whose files its record calls one deleted, and no other is there.
        settled: What names without a value are judged to be once the wait for the record is over.
        others: What it was told of the others of its chain, see ``values_of_kin``.
    """

    values: dict[str, Any]
    reached: Mapping[str, str]
    objects: list[StoredObject]
    long_over: bool
    redacted: frozenset[str] = frozenset()
    withdrawn: frozenset[str] = frozenset()
    settled: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def open(self) -> set[str]:
        """The names that get a value by that alone, in lower case."""
        return {name.lower() for name in self.settled.keys() - self.values.keys()}

    @property
    def ended(self) -> float | None:
        """When it ended (s since 1970); None if it has not, or nobody knows when."""
        return epoch(self.reached.get("ended", ""))


def snapshot(contact: Contact, constants: Mapping[str, Any], which: Which = "original") -> Snapshot:
    """The snapshot of a contact as it is now.

    Args:
        contact: The contact.
        constants: ``AppId``, ``EnvironmentUri`` from the settings.
        which: Which of its files count.
    """
    events, files = contact.events, objects(contact, which)
    told, others = heard(events), values_of_kin(contact)
    proven = signals_of(events, told, contact.record)
    reached = milestones_of(proven, files)
    values = values_of(
        contact,
        constants,
        events=events,
        told=told,
        others=others,
        phase=phase_of(proven),
        reached=reached,
    )
    return Snapshot(
        values,
        reached,
        files,
        long_over(contact, proven, reached.get("ended", "")),
        redacted(values) if contact.record is not None else frozenset(),
        withdrawn(contact) - reached.keys(),
        settled(events, values, reached) if contact.record is None else {},
        others,
    )


def epoch(second: str) -> float | None:
    """A UTC second (``YYYY-MM-DDTHH:MM:SSZ``) in seconds since 1970; None of ""."""
    return datetime.fromisoformat(second).timestamp() if second else None
