"""Suspects: what is tried without an answer that counts, and whose fault that is.

No answer, or a 5xx, may be Dynamics' fault or the record's. It counts against the record only if
another record's request succeeded since its previous try: a *witness*
(``worker.dynamics.witness``). If there was none, the last acknowledged change is sent again to find
out (``worker.engine.write_probe``). Without either, nobody's count moves. What is counted is kept
with the contact, so that a restart does not begin anew; when to try again is known in memory only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pipelines.action import Change, Reading, Verb
from pipelines.contact import Contact
from worker.clock import Clock
from worker.dynamics.witness import Witness
from worker.engine.write_probe import WriteProbe


#: How many suspects, and how many contacts that have some, are remembered.
MOST_REMEMBERED: Final = 10_000

#: What is to wait for no longer than this (s) need not wait: due times are by another clock.
NEARLY_S: Final = 0.5


@dataclass(slots=True)
class _Try:
    """The last try of a suspect.

    Attributes:
        mark: The witness' count at that time.
        number: How many there were.
        retry_at: When (monotonic, s) it is tried again.
    """

    mark: int
    number: int = 0
    retry_at: float = 0.0


@dataclass(slots=True)
class Suspects:
    """Records and questions that got no answer when they were last tried.

    Attributes:
        witness: Which requests succeeded.
        probe: Finds out whether writes are answered.
        clock: Time.
        all_counted: How many tries have counted against anything.
    """

    witness: Witness
    probe: WriteProbe
    clock: Clock
    all_counted: int = 0
    _tries: dict[tuple[str, str], _Try] = field(default_factory=dict)
    _contacts: dict[str, None] = field(default_factory=dict)
    _dropped: int | None = None

    def __contains__(self, contact_id: object) -> bool:
        """Whether a contact has a suspect, as far as is remembered."""
        return contact_id in self._contacts

    def __len__(self) -> int:
        """How many contacts have."""
        return len(self._contacts)

    def pass_over(self, contact_id: str) -> None:
        """On trial, try others first: a request of it has failed."""
        self._contacts[contact_id] = None
        while len(self._contacts) > MOST_REMEMBERED:
            del self._contacts[next(iter(self._contacts))]

    async def failed(self, contact: Contact, action: Reading | Change) -> bool:
        """Note a try without an answer that counts; whether it counts against the action."""
        key = _key(action)
        last = self._last(contact, key)
        contact.failures.setdefault(key, 0)
        self.pass_over(contact.id)
        self.probe.distrust(action.place)
        counts = last is not None and self._has_witness(last.mark, action)
        if last is not None and not counts:
            counts = await self.probe.is_answered()
        number = last.number + 1 if last else 1
        self._tries.pop((contact.id, key), None)
        self._tries[contact.id, key] = _Try(self.witness.count, number)
        self._forget()
        contact.failures[key] += counts
        self.all_counted += counts
        return counts

    @staticmethod
    def counted(contact: Contact, action: Reading | Change) -> int:
        """How many tries count against an action."""
        return contact.failures.get(_key(action), 0)

    def tries(self, contact: Contact, action: Reading | Change) -> int:
        """How many tries of this process there were, as far as is remembered."""
        last = self._tries.get((contact.id, _key(action)))
        return last.number if last else 1

    def put_off(self, contact: Contact, action: Change, for_s: float) -> None:
        """Do not try it again for so long (s)."""
        if (last := self._tries.get((contact.id, _key(action)))) is not None:
            last.retry_at = self.clock.monotonic() + for_s

    def waits_s(self, contact: Contact, place: str) -> float:
        """How long (s) what is about this place is put off; 0.0: it is not."""
        now = self.clock.monotonic()
        waits = [
            last.retry_at - now
            for key in contact.failures
            if key.partition(" ")[2] == place
            and (last := self._tries.get((contact.id, key))) is not None
        ]
        longest = max(waits, default=0.0)
        return longest if longest > NEARLY_S else 0.0

    def settled(self, contact: Contact, action: Reading | Change) -> None:
        """The action had a definitive outcome, or is parked."""
        contact.failures.pop(_key(action), None)
        self._tries.pop((contact.id, _key(action)), None)

    def over(self, contact: Contact) -> None:
        """Nothing is left to be done for the contact."""
        for key in contact.failures:
            self._tries.pop((contact.id, key), None)
        contact.failures.clear()
        self._contacts.pop(contact.id, None)

    def _last(self, contact: Contact, key: str) -> _Try | None:
        """Its previous try; one that was dropped was before all that are remembered."""
        last = self._tries.get((contact.id, key))
        if last is None and key in contact.failures and self._dropped is not None:
            return _Try(self._dropped, contact.failures[key])
        return last

    def _has_witness(self, mark: int, action: Reading | Change) -> bool:
        writes = isinstance(action, Change) and action.verb is not Verb.ADOPT
        return self.witness.others_since(mark, action.place, writes=writes)

    def _forget(self) -> None:
        while len(self._tries) > MOST_REMEMBERED:
            dropped = self._tries.pop(next(iter(self._tries)))
            self._dropped = max(self._dropped or 0, dropped.mark)


def _key(action: Reading | Change) -> str:
    """What is counted: a change that succeeds says nothing about another of the same record."""
    return f"{action.kind} {action.place}"
