"""What goes wrong by what requests are about: a record, a table, a kind of query.

Some of it lasts until somebody mends it. A record that is never taken is parked, it alone, and
holds nobody up; what a missing privilege forbids waits, and comes by itself once that is given; a
lookup that Dataverse throttles is done without.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from pipelines.contact import Parked
from simulated.dynamics import shown
from simulated.network import at_once
from simulated.schedule import Schedule
from twins.dynamics import USER_ID
from worker.dynamics.classify import kind_of
from worker.dynamics.errors import Refused
from worker.sandbox.dataverse import faults
from worker.sandbox.dataverse.faults import InjectedFault
from worker.sandbox.dataverse.limits import TOO_LONG
from worker.sandbox.dataverse.rules import Rule
from worker.sandbox.oracle.verdict import Expected, differences


#: How a record is not taken.
POISONS: Final = (
    faults.unexpected(),
    InjectedFault(status=500, code="0x80040265", message="ISV code"),
    InjectedFault(status=503, code=""),
    faults.gateway(503),
    InjectedFault(status=400, code="0x80044151"),
    faults.dropped(carried_out=False),
    faults.hang(carried_out=False),
    faults.throttle(3),
    faults.throttle(2, TOO_LONG),
    InjectedFault(status=429, code="", retry_after_s=3),
)

#: The same, but it is carried out each time.
DOUBTS: Final = (
    InjectedFault(status=500, code="", carried_out=True),
    faults.gateway(502, carried_out=True),
    faults.dropped(),
    faults.hang(),
)

#: What may be forbidden.
FORBIDDEN: Final = (
    ("annotations", "create"),
    ("phonecalls", "update"),
    ("phonecalls", "create"),
    ("contacts", "read"),
)

#: Query throttling: its codes, and the statuses they have been seen with.
THROTTLED_QUERIES: Final = ("0x80048644", "0x80048544", "0x80048573")
THROTTLED_AS: Final = (400, 429, 503)

#: For how long something is wrong that passes by itself (s).
AWHILE_S: Final = (5.0, 400.0)

#: How often one record may go wrong at first, and once in so many seconds.
SPOILT: Final = 80
SPOILT_EVERY_S: Final = 20.0


class Contents:
    """Faults by content. Each is planned for a time; how long (s) it lasts, if not until mended.

    Attributes:
        poisoned: Keys of records that were not taken, for a while or until it is mended.
        waits: Contacts wait until something is mended that no record of theirs has caused.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.poisoned: set[str] = set()
        self.waits = False
        self._mended = False
        self._schedule = schedule
        self._services = schedule.services
        self._rng = schedule.services.content
        self._forbidden: set[str] = set()  # tables
        self._began_s: dict[str, float] = {}

    def poison(self, at_s: float) -> float:
        """A record is not taken."""
        return self._spoil_record(at_s, self._rng.choice(POISONS))

    def doubt(self, at_s: float) -> float:
        """A record is written and no answer says so."""
        return self._spoil_record(at_s, self._rng.choice(DOUBTS))

    def forbid(self, at_s: float) -> float:
        """The role lacks one privilege."""
        table, action = self._rng.choice(FORBIDDEN)
        passes = self._rng.random() < 0.5
        if not passes:
            self._forbidden.add(table)
            self.waits = True
        where = {"table": table, "action": action}
        return self._plan(at_s, faults.forbidden(), where, passes=passes)

    def throttle_queries(self, at_s: float) -> float:
        """Queries with a leading wildcard are throttled."""
        status, code = self._rng.choice(THROTTLED_AS), self._rng.choice(THROTTLED_QUERIES)
        retry_after_s = 5.0 if status == 429 else None
        fault = InjectedFault(status=status, code=code, retry_after_s=retry_after_s)
        passes = self._rng.random() < 0.5
        return self._plan(at_s, fault, {"query": "endswith"}, passes=passes)

    def mend(self) -> None:
        """Nothing of it lasts any longer."""
        self._expect_patience()
        self._services.dataverse.faults.clear()
        self._forbidden.clear()
        self.waits, self._mended = False, True

    @property
    def hopeless(self) -> bool:
        """Whether no record is sound: then nothing tells poison from an outage."""
        return not self._mended and not any(map(self._is_sound, self._services.conduct.created))

    def _is_sound(self, key: str) -> bool:
        """Whether a record is taken, and the worker may write it to find out whether others are.

        One that a person was the last to change it may not.
        """
        if key in self.poisoned or key in self._services.conduct.deleted:
            return False
        memory = self._services.dataverse.memory
        found = (record for (_, one), record in memory.records.items() if one == key)
        return any(record.get("_modifiedby_value") == USER_ID for record in found)

    @property
    def waiting(self) -> set[str]:
        """Contacts that are not done before something is mended."""
        contacts = self._services.conduct.contacts
        if self.waits:
            return set(contacts.values())
        return {contacts[key] for key in self.poisoned} if self.hopeless else set()

    def unsettled(
        self,
        wanted: Sequence[Expected],
        records: dict[str, list[dict[str, Any]]],
        but: Collection[str],
    ) -> str:
        """What is not as it should be before anything is mended, some contacts left out."""
        conduct = self._services.conduct
        conduct, parked = self._services.conduct, dict(self._parked())
        for place, refusal in parked.items():
            if not self.may_be_parked(place, refusal):
                return f"{place} is parked: {refusal.status} {refusal.code}"
        if at_once(self._services.store.quarantined("", 1)):
            return ""  # not everything that was told has been taken in
        for one in wanted:
            excused = self._forbidden & {one.entity_set, "phonecalls"}
            if conduct.contacts[one.key] in but or excused or self._hangs_on_poison(one.key):
                continue
            rows = [row for row in records.get(one.entity_set, []) if one.key in row.values()]
            is_parked = one.key in self.poisoned and (
                self.hopeless or any(one.key in place for place in parked)
            )
            for difference in differences([one], {one.entity_set: rows}):
                if not is_parked:
                    return f"not written, and not parked: {difference}"
        return ""

    def may_be_parked(self, place: str, one: Parked) -> bool:
        """Whether an operator has to look at it: not what an outage or a role has held up."""
        kind = kind_of(one.status or 0, one.code, one.answer, creates=False)
        return issubclass(kind, Refused) or any(key in place for key in self.poisoned)

    def _hangs_on_poison(self, key: str) -> bool:
        """Whether it is about a record that is not taken."""
        contacts, calls = self._services.conduct.contacts, self._services.conduct.calls
        others = (other for other in self.poisoned if other in calls and other != key)
        return any(contacts[other] == contacts[key] for other in others)

    def _parked(self) -> Iterator[tuple[str, Parked]]:
        store = self._services.store
        for entry in at_once(store.load(sorted(store._rows))):
            if not entry.unreadable:
                yield from entry.contact.parked.items()

    def _spoil_record(self, at_s: float, fault: InjectedFault) -> float:
        key = self._rng.choice(sorted(self._services.conduct.contacts))
        where = {"record": key, "action": self._rng.choice((None, "write", "write", "update"))}
        self.poisoned.add(key)
        self._began_s.setdefault(key, at_s)
        return self._plan(at_s, fault, where, passes=self._rng.random() < 0.5)

    def _plan(
        self, at_s: float, fault: InjectedFault, where: dict[str, Any], *, passes: bool
    ) -> float:
        """Have it begin, and end unless somebody has to mend it."""
        live, rules = self._services.dataverse.faults, list[Rule]()
        what = f"{shown(fault)} for {' '.join(str(v)[:11] for v in where.values() if v)}"

        def begin() -> None:
            rules.append(live.always(fault, **where))

        def end() -> None:
            live.remove(rules.pop())

        if passes:
            for_s = self._rng.uniform(*AWHILE_S)
            return self._schedule.during(at_s, for_s, what, begin, end)
        self._schedule.at(at_s, begin)
        self._schedule.at(at_s, lambda: self._services.story.tell("dataverse", f"{what}, always"))
        return 0.0

    def _expect_patience(self) -> None:
        """What is not taken is tried ever more rarely (I9)."""
        now = self._services.loop.time()
        for key, began_s in self._began_s.items():
            count = self._services.dataverse.spoilt[key]
            if count > self._services.started * SPOILT + (now - began_s) / SPOILT_EVERY_S:
                self._services.story.breach("I9", f"{key} went wrong {count} times")
