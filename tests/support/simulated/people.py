"""People: they edit and delete phone calls in Dynamics; an operator retries what is parked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pipelines.contact import UNKNOWN, Parked
from simulated.network import at_once
from simulated.worker import Services
from worker.clock import Clock
from worker.engine.ingest import Ingest
from worker.operations.quarantine import retry_quarantined


#: Columns whose facts never change once they are known.
LASTING: Final = ("directioncode", "category")

BY_HAND: Final = "by hand"


@dataclass(slots=True)
class People:
    """Changes records by hand, but never one that is being written just then.

    Attributes:
        services: Where the records are.
        edited: Key and column of what somebody edited.
        tried_again: Whether what is parked is to be tried again.
    """

    services: Services
    edited: set[tuple[str, str]] = field(default_factory=set)
    tried_again: Callable[[str, Parked], bool] = lambda _place, _parked: True

    def interfere(self) -> None:
        """Edit or delete a record, if there is one."""
        rng = self.services.rng
        memory = self.services.dataverse.memory
        calls = [key for _, key in sorted(memory.records) if key in self.services.conduct.calls]
        settled = [key for key in calls if self._settled(key)]
        if not settled:
            return
        key, conduct = rng.choice(settled), self.services.conduct
        deletes = rng.random() < 0.5
        if conduct.may_yet(key, create=deletes):
            return  # what is sent only after the person came undoes what that person did
        if deletes:
            self.services.story.tell("somebody", f"deletes {key[:8]}")
            conduct.deleted.add(key)
            memory.delete("phonecalls", key)
            return
        column = rng.choice(LASTING)
        if self._acknowledged(key, column):
            self.services.story.tell("somebody", f"edits {column} of {key[:8]}")
            self.edited.add((key, column))
            memory.edit("phonecalls", key, **{column: BY_HAND})

    def retry_parked(self) -> None:
        """Have everything tried again that is not parked for a deleted record's sake.

        What was parked for a bug of ours waits until that is mended.
        """
        store, conduct = self.services.store, self.services.conduct
        gone = {conduct.contacts[key] for key in conduct.deleted}
        for entry in at_once(store.load(at_once(store.parked("", 1000)))):
            if entry.fault or entry.unreadable or entry.contact.id in gone:
                continue
            parked = entry.contact.parked.items()
            places = [place for place, one in parked if self.tried_again(place, one)]
            for place in places:
                del entry.contact.parked[place]
            if places:
                entry.due_at = self.services.wall()
                at_once(store.save([entry]))

    def retry_faults(self) -> None:
        """Have tried again what a bug of ours kept from being done."""
        store, now = self.services.store, self.services.wall()
        self.services.story.tell("somebody", "has it tried again")
        for entry in at_once(store.load(at_once(store.parked("", 1000)))):
            if entry.fault and entry.fault.parked:  # of another, a worker may have it in hand
                at_once(store.put_back(entry.contact.id, entry.version, now, None))

    def retry_quarantined(self) -> None:
        """Have taken in what a bug of ours, or a row that nobody could read, kept out."""
        store = self.services.store
        for item in at_once(store.quarantined("", 10_000)):
            at_once(retry_quarantined(store, Ingest(store, clock=Clock(self.services.wall)), item))
        for entry in at_once(store.load(at_once(store.ids("", 1000)))):
            self.services.safekeeping.saved(entry)

    def _settled(self, key: str) -> bool:
        """Whether nobody is writing to it, nor owes it the repetition of a write."""
        conduct = self.services.conduct
        if any(sent.key == key for sent in conduct.going):
            return False
        contact_id = conduct.contacts[key]
        (entry,) = at_once(self.services.store.load([contact_id]))
        contact = entry.contact
        record = contact.ledger.get(f"phonecalls({key})")
        return (
            not entry.claim
            and not contact.intent
            and record is not None
            and record.state == "there"
            and UNKNOWN not in record.columns.values()
        )

    def _acknowledged(self, key: str, column: str) -> bool:
        (entry,) = at_once(self.services.store.load([self.services.conduct.contacts[key]]))
        return column in entry.contact.ledger[f"phonecalls({key})"].columns
