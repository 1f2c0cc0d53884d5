"""Records that Dynamics does not take while it burns: whose they are, and what may come of them.

Such a record is parked after a quarter of an hour at most, or written when the fire is over.
"""

from __future__ import annotations

import re

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from worker.sandbox.dataverse.faults import InjectedFault
from worker.sandbox.dataverse.rules import InjectedFaults, Rule
from worker.sandbox.oracle.verdict import expected
from worker.sandbox.traffic import Leg


#: What the ids begin with of records whose creates are answered with a plug-in's error.
_POISON: Final = re.compile("0[0-2]")

_FAULT: Final = InjectedFault(status=500, code="0x80040265", message="ISV code")


@dataclass(frozen=True, slots=True)
class Poisoned:
    """What poison keeps out of Dynamics.

    Attributes:
        keys: Records that are not taken and the notes on them, by contact.
    """

    keys: Mapping[str, frozenset[str]]

    def kept_out(self, set_aside: Collection[str]) -> set[str]:
        """The records that need not be there, as their contacts are set aside."""
        return {key for contact in set_aside for key in self.keys.get(contact, ())}

    def stuck(self, set_aside: Collection[str]) -> Iterator[str]:
        """Who is set aside without a reason, one line each."""
        for contact_id in sorted(set(set_aside) - self.keys.keys()):
            yield f"{contact_id} is set aside"


def poison(faults: InjectedFaults) -> Rule:
    """Have Dynamics not take some records, until the rule is removed."""
    return faults.always(_FAULT, record=f"{_POISON.pattern}.*", action="create")


def poisoned_in(legs: Sequence[Leg]) -> Poisoned:
    """What poison keeps out of what these contacts should have."""
    found = {}
    for leg in legs:
        wanted = expected([leg])
        never = {one.key for one in wanted if _POISON.match(one.key)}
        notes = {one.key for one in wanted if one.columns.get("_objectid_value") in never}
        if never:
            found[leg.id] = frozenset(never | notes)
    return Poisoned(found)
