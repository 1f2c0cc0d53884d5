"""Records that Dynamics never takes: whose they are, and that they alone are set aside."""

from __future__ import annotations

import re

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from worker.sandbox.dataverse.faults import InjectedFault
from worker.sandbox.dataverse.rules import InjectedFaults
from worker.sandbox.oracle.verdict import expected
from worker.sandbox.traffic import Leg


#: What the ids begin with of records whose creates are answered with a plug-in's error, always.
_POISON: Final = re.compile("0[0-2]")

_FAULT: Final = InjectedFault(status=500, code="0x80040265", message="ISV code")


@dataclass(frozen=True, slots=True)
class Poisoned:
    """What poison keeps out of Dynamics.

    Attributes:
        contacts: Contacts with a record that is never taken.
        keys: Those records, and the notes on them.
    """

    contacts: frozenset[str]
    keys: frozenset[str]


def poison(faults: InjectedFaults) -> None:
    """Have Dynamics never take some records, from now on."""
    faults.always(_FAULT, record=f"{_POISON.pattern}.*", action="create")


def poisoned_in(legs: Sequence[Leg]) -> Poisoned:
    """What poison keeps out of what these contacts should have."""
    contacts, keys = set[str](), set[str]()
    for leg in legs:
        wanted = expected([leg])
        never = {one.key for one in wanted if _POISON.match(one.key)}
        if not never:
            continue
        contacts.add(leg.id)
        noted = {one.key for one in wanted if one.columns.get("_objectid_value") in never}
        keys |= never | noted
    return Poisoned(frozenset(contacts), frozenset(keys))


def stuck(set_aside: Collection[str], poisoned: Collection[str]) -> Iterator[str]:
    """What is wrong with who is set aside, one line each."""
    for contact_id in sorted(set(set_aside) - set(poisoned)):
        yield f"{contact_id} is set aside"
    for contact_id in sorted(set(poisoned) - set(set_aside)):
        yield f"{contact_id} is not set aside, though Dynamics never takes a record of it"
