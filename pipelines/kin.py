"""Kin: what the contacts of one chain tell one another.

A contact that is transferred, called back, queued again or joined by a third party goes on as
another contact, which names its initial, its previous or a related one. Each must know a little of
the other: whether a later leg is in progress, in which direction the call went, who had it. So an
extract of what is said of a contact is a fact of the contacts that it names, and of those that
name it. As facts they are kept whichever contact came first, and planning stays a function of one
contact's facts.

An extract has a register of its own for each register that it is taken from: what is read of it
follows the same rules as what is read of the contact itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from pipelines.contact import Contact
from pipelines.decode.seal import identified
from pipelines.fact import EVENT, KIN, LEG, RECORD, Fact
from pipelines.names import RENAMED, spelt


#: The registers that extracts are taken from.
_TOLD: Final = (
    *(
        f"{EVENT}{kind}"
        for kind in ("INITIATED", "QUEUED", "CONNECTED_TO_AGENT", "DISCONNECTED", "COMPLETED")
    ),
    RECORD,
)
_TELLING: Final = frozenset(_TOLD)

_NONE: Final[Mapping[str, Contact]] = {}

#: How a contact names others.
NAMED_BY: Final = {
    "Initial": "InitialContactId",
    "Previous": "PreviousContactId",
    "Related": "RelatedContactId",
}

#: Before each id of a contact that a body has, in lower case.
_ID_IS: Final = b'contactid":"'

#: What is told.
_PLAIN: Final = (
    *NAMED_BY.values(),
    "Channel",
    "ConnectedToSystemTimestamp",
    "DisconnectReason",
    "DisconnectTimestamp",
    "InitiationMethod",
    "InitiationTimestamp",
    "InstanceARN",
)

#: Structures of which these members are told, in lower case.
_MEMBERS: Final = {
    "Agent": frozenset(("arn", "username", "connectedtoagenttimestamp")),
    "Queue": frozenset(("arn", "name", "enqueuetimestamp")),
    "SegmentAttributes": frozenset(("connect:direction", "connect:subtype")),
}

#: The method of a third party that an agent joins: who it was is told as well.
THIRD_PARTY: Final = "EXTERNAL_OUTBOUND"
_ENDPOINT: Final = frozenset(("address",))

#: The names of all that, in lower case, and of what events have it in.
_HEARD: Final = frozenset(
    name.lower() for name in (*_PLAIN, *_MEMBERS, "CustomerEndpoint", *RENAMED, "Endpoints")
)

#: Register of the times that the release before this one told of a later leg.
_EARLIER_RELEASE: Final = f"{EVENT}LEG"


def told(fact: Fact, known: Mapping[str, Contact] = _NONE) -> list[Fact]:
    """What a fact about a contact tells the contacts that it names.

    Args:
        fact: What came.
        known: Contacts by id, as they are stored: what these have is not told them again.
    """
    if fact.register not in _TELLING or not _may_name_others(fact):
        return []
    named, _ = _heard(fact.body)
    return list(_addressed(fact, sorted(named - {fact.contact_id}), known))


def _may_name_others(fact: Fact) -> bool:
    """Whether a fact may name other contacts. Most do not, and need not be parsed to know."""
    itself = f'{fact.contact_id}"'.encode()
    _, *ids = fact.body.lower().split(_ID_IS)
    return not all(one.startswith(itself) for one in ids)


def answers(
    contact: Contact, came: Iterable[Fact], known: Mapping[str, Contact] = _NONE
) -> list[Fact]:
    """What a contact tells those that name it, when these facts have come to it.

    Who has just told of itself is told everything, the others what has come. It does not matter
    whether that changed anything: who folds a message that was folded before, and may have died
    after it, tells the same again; the greatest fact of each register counts.

    Args:
        contact: The contact with all its facts.
        came: Those of them that a batch had, of its own and of those that name it.
        known: See ``told``.
    """
    told_by = [register for register in contact.facts if register.startswith(KIN)]
    if not told_by:
        return []
    registers = {fact.register for fact in came}
    own = [contact.facts[register] for register in _TOLD if register in contact.facts]
    news = [fact for fact in own if fact.register in registers]
    asking = {_kin(register)[0] for register in registers if register.startswith(KIN)}
    said_to: dict[str, list[Fact]] = {}
    for register in told_by:
        contact_id = _kin(register)[0]
        wanted = own if contact_id in asking else news
        if (
            wanted
            and contact_id not in said_to
            and _names(contact.facts[register].body, contact.id)
        ):
            said_to[contact_id] = wanted
    return [
        one
        for to, facts in said_to.items()
        for fact in facts
        for one in _addressed(fact, [to], known)
    ]


def _names(extract: bytes, contact_id: str) -> bool:
    """Whether an extract names this contact. Most that do not need not be parsed to know."""
    if extract.isascii() and contact_id.encode() not in extract.lower():
        return False
    return contact_id in _heard(extract)[0]


def kin(contact: Contact) -> dict[str, Contact]:
    """The contacts of its chain that a contact knows of, each with what was told of it."""
    known: dict[str, Contact] = {}
    for register, fact in contact.facts.items():
        if register.startswith(KIN):
            contact_id, source = _kin(register)
        elif register.startswith(LEG):
            contact_id, source = register.removeprefix(LEG), _EARLIER_RELEASE
            body = orjson.dumps({**fact.data, "InitialContactId": contact.id})
            fact = fact._replace(body=body)  # noqa: PLW2901 - in the form of this release
        else:
            continue
        if contact_id not in known:
            known[contact_id] = Contact(contact_id)
        told_ = Fact(contact_id, source, fact.version, fact.body, fact.at)
        known[contact_id].facts[source] = told_
    return known


def _kin(register: str) -> tuple[str, str]:
    """Of whom a register has an extract, and from which register of theirs."""
    contact_id, _, source = register.removeprefix(KIN).partition("/")
    return contact_id, source


def _addressed(fact: Fact, named: Iterable[str], known: Mapping[str, Contact]) -> Iterator[Fact]:
    """A fact's extract for those of these contacts that are not known to have it."""
    register = f"{KIN}{fact.contact_id}/{fact.register}"
    # Two messages of one time must order as they do where the whole of them is kept.
    version = f"{fact.version} {fact.digest}"
    for contact_id in filter(None, map(identified, named)):  # others are no ids
        contact = known.get(contact_id)
        has = contact.facts.get(register) if contact else None
        if has is None or has.version < version:
            yield Fact(contact_id, register, version, _heard(fact.body)[1], fact.at)


@lru_cache(maxsize=4096)
def _heard(body: bytes) -> tuple[frozenset[str], bytes]:
    """The contacts that a fact's body names, and its extract. Only what these need is spelt."""
    message = spelt({k: v for k, v in orjson.loads(body).items() if k.lower() in _HEARD})
    return _named(message), orjson.dumps(_extract(message), option=orjson.OPT_SORT_KEYS)


def _extract(message: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: message[name] for name in _PLAIN if name in message}
    for name, wanted in _MEMBERS.items():
        _take(found, message, name, wanted)
    if message.get("InitiationMethod") == THIRD_PARTY:
        _take(found, message, "CustomerEndpoint", _ENDPOINT)
    return found


def _take(
    found: dict[str, Any], message: Mapping[str, Any], name: str, wanted: frozenset[str]
) -> None:
    """Add these members of a structure, if it has any."""
    if isinstance(structure := message.get(name), dict):
        kept = {k: v for k, v in structure.items() if k.lower() in wanted and v is not None}
        if kept:
            found[name] = kept


def _named(message: Mapping[str, Any]) -> frozenset[str]:
    """The contacts that a message names."""
    ids = (message.get(name) for name in NAMED_BY.values())
    return frozenset(one.strip().lower() for one in ids if isinstance(one, str)) - {""}
