"""Legs: what the earlier contacts of a chain must know of the later ones.

A transferred contact goes on as another contact, which names its previous and its first one.
Whoever shares something along the chain, as legs share their attributes, must know whether a later
leg is on. So a leg's beginning and end are facts about the legs before it, too.
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
_TELLING = frozenset((f"{EVENT}INITIATED", f"{EVENT}DISCONNECTED", f"{EVENT}COMPLETED", RECORD))

#: The names that they say it under.
_TOLD = ("InitiationTimestamp", "DisconnectTimestamp")


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is in a contact's chain, as far as the contact knows.

    Attributes:
        newest: Id of the newest leg there is or was.
        on: A later leg than the contact is on.
        since: UTC second at which the last later leg ended; "" if none did.
    """

    newest: str
    on: bool
    since: str


def told_to_others(fact: Fact) -> list[Fact]:
    """The facts about the legs before it that follow from a fact about a leg."""
    if fact.register not in _TELLING:
        return []
    message = said(fact.body)
    if message.get("InitiationMethod") in SIDE_LEGS:
        return []
    told = {name: message[name] for name in _TOLD if name in message}
    before = {
        str(message.get(f"{which}ContactId", "")).lower() for which in ("Initial", "Previous")
    }
    sealed = (
        seal(contact_id, LEG + fact.contact_id, fact.version, told, fact.at)
        for contact_id in sorted(before - {"", fact.contact_id})
    )
    return [replace(one, arrived=fact.arrived) for one in sealed if isinstance(one, Fact)]


def first_of_chain(names: Mapping[str, Any], contact_id: str) -> str:
    """The id of the first leg of a contact's chain: its own, unless its names say another."""
    first = names.get("InitialContactId")
    return first if isinstance(first, str) and first else contact_id


def turn(contact: Contact, began: str) -> Turn:
    """Whose turn it is in the chain of a contact that began at this UTC second."""
    legs: dict[str, dict[str, Any]] = {
        leg: orjson.loads(fact.body) for leg, fact in contact.later_legs.items()
    }
    later = {leg: _begin(said_of) for leg, said_of in legs.items() if _begin(said_of) >= began}
    newest = max(later, key=lambda leg: (later[leg], leg), default=contact.id)
    ended = [legs[leg].get("DisconnectTimestamp", "") for leg in later]
    return Turn(newest, not all(ended), max(ended, default=""))


def _begin(leg: dict[str, Any]) -> str:
    return str(leg.get("InitiationTimestamp", ""))
