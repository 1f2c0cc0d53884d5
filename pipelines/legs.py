"""Legs: what a contact's names say of the other contacts of its chain.

A contact that is transferred or queued again goes on as another contact, which names its previous
and its initial one. Legs share their attributes along the chain, so each must know whether a later
one is in progress; and people want to see where a conversation came from and where it went.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.conversation import no_conversation
from pipelines.kin import NAMED_BY, THIRD_PARTY


#: Names of other contacts: the one this was transferred from, the first of its chain, the one it
#: answers or belongs to, and the one it went on as.
RELATIVES: Final = frozenset((*NAMED_BY, "Next"))

#: The names made here.
NAMES: Final = RELATIVES | {"ThirdParties"}

#: What is shown of another contact, beside its id.
SHOWN: Final = ("Agent", "Channel", "InitiationMethod", "Queue")

#: Names and values of contacts, by their ids.
Others = Mapping[str, Mapping[str, Any]]


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


def first_of_chain(names: Mapping[str, Any], contact_id: str) -> str:
    """The id of the first leg of a contact's chain: its own, unless its names say another."""
    first = names.get("InitialContactId")
    return first if isinstance(first, str) and first else contact_id


def chain_of(contact_id: str, began: str, others: Others) -> Chain:
    """The later legs in the chain of a contact that began at this UTC second."""
    later = {
        leg: names
        for leg, names in others.items()
        if contact_id in (_id(names, "InitialContactId"), _id(names, "PreviousContactId"))
        and _begin(names) >= began
        and not no_conversation(names)
    }
    newest = max(later, key=lambda leg: (_begin(later[leg]), leg), default=contact_id)
    ended = [str(names.get("DisconnectTimestamp", "")) for names in later.values()]
    return Chain(newest, not all(ended), max(ended, default=""))


def leg_names(contact_id: str, values: Mapping[str, Any], others: Others) -> dict[str, Any]:
    """The names of this module for a contact with these values that knows of these others."""
    ids = {name: _id(values, member) for name, member in NAMED_BY.items()}
    ids["Next"] = _next(contact_id, values, others)
    found: dict[str, Any] = {
        name: {"ContactId": other, **_shown(others.get(other, {}))}
        for name, other in ids.items()
        if other not in ("", contact_id)
    }
    if joined := _third_parties(contact_id, others):
        found["ThirdParties"] = joined
    return found


def _shown(names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: names[name] for name in SHOWN if name in names}


def _next(contact_id: str, values: Mapping[str, Any], others: Others) -> str:
    """The conversation that a contact went on as: the one its record names, or the earliest."""
    following = {
        leg: _begin(names)
        for leg, names in others.items()
        if _id(names, "PreviousContactId") == contact_id and not no_conversation(names)
    }
    named = _id(values, "NextContactId")
    if named in following:
        return named
    return min(following, key=lambda leg: (following[leg], leg), default="")


def _third_parties(contact_id: str, others: Others) -> str:
    """Whom agents brought into a contact, in the order in which they were."""
    joined = sorted(
        (_begin(names), str(names.get("CustomerEndpoint", {}).get("Address") or ""))
        for names in others.values()
        if names.get("InitiationMethod") == THIRD_PARTY
        and _id(names, "PreviousContactId") == contact_id
    )
    return ", ".join(dict.fromkeys(address for _, address in joined if address))


def _id(names: Mapping[str, Any], member: str) -> str:
    """A contact's id in the spelling that facts have, "" if there is none."""
    value = names.get(member)
    return value.strip().lower() if isinstance(value, str) else ""


def _begin(names: Mapping[str, Any]) -> str:
    return str(names.get("InitiationTimestamp", ""))
