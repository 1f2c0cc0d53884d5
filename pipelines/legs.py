"""Legs: what the earlier contacts of a chain must know of the later ones.

A transferred contact goes on as another contact, which names its previous and its first one.
Legs share their attributes along the chain, so each must know whether a later one is in progress:
a leg's beginning and end are facts of the legs before it, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from pipelines.contact import Contact
from pipelines.decode.seal import seal
from pipelines.fact import EVENT, LEG, RECORD, Fact
from pipelines.names import said


#: Legs that are no conversation of their own. They get no record unless ``when`` names
#: InitiationMethod: the disconnect flow after a call, a supervisor listening in.
SIDE_LEGS = frozenset(("DISCONNECT", "MONITOR"))

#: Registers that say when a leg began or ended.
_LEG_REGISTERS = frozenset(
    (f"{EVENT}INITIATED", f"{EVENT}DISCONNECTED", f"{EVENT}COMPLETED", RECORD)
)

#: The names of those times.
_LEG_TIMES = ("InitiationTimestamp", "DisconnectTimestamp")


@dataclass(frozen=True, slots=True)
class Chain:
    """The later legs of a contact's chain, as far as the contact knows.

    Attributes:
        newest: Id of the newest leg there is or was.
        later_on: A later leg than the contact is in progress.
        ended: UTC second at which the last later leg ended; "" if none did.
    """

    newest: str
    later_on: bool
    ended: str


def facts_of_earlier_legs(fact: Fact) -> list[Fact]:
    """The facts of the legs before it that follow from a fact about a leg."""
    if fact.register not in _LEG_REGISTERS:
        return []
    message = said(fact.body)
    if message.get("InitiationMethod") in SIDE_LEGS:
        return []
    times = {name: message[name] for name in _LEG_TIMES if name in message}
    before = {
        str(message.get(f"{which}ContactId", "")).lower() for which in ("Initial", "Previous")
    }
    sealed = (
        seal(contact_id, LEG + fact.contact_id, fact.version, times, fact.at)
        for contact_id in sorted(before - {"", fact.contact_id})
    )
    return [replace(one, arrived=fact.arrived) for one in sealed if isinstance(one, Fact)]


def first_of_chain(names: Mapping[str, Any], contact_id: str) -> str:
    """The id of the first leg of a contact's chain: its own, unless its names say another."""
    first = names.get("InitialContactId")
    return first if isinstance(first, str) and first else contact_id


def chain_of(contact: Contact, began: str) -> Chain:
    """The later legs in the chain of a contact that began at this UTC second."""
    legs: dict[str, dict[str, Any]] = {
        leg: orjson.loads(fact.body) for leg, fact in contact.later_legs.items()
    }
    later = {leg: _begin(said_of) for leg, said_of in legs.items() if _begin(said_of) >= began}
    newest = max(later, key=lambda leg: (later[leg], leg), default=contact.id)
    ended = [legs[leg].get("DisconnectTimestamp", "") for leg in later]
    return Chain(newest, not all(ended), max(ended, default=""))


def _begin(leg: dict[str, Any]) -> str:
    return str(leg.get("InitiationTimestamp", ""))
