"""Labels: under what a contact is found again, without reading all the others.

=====================  =====================================================================
``day 2026-11-30``     the UTC day on which it began
``failing 403 0x8004… phonecalls``  a write that is parked: status, Dataverse's code, table
``expired``            a page for the agent, or a write-back, that came too late
``phone …``            a telephone number that it is with
``email …``            a mail address that it is with
``agent …``            the agent's user name
``record …``           a record in Dynamics that it made, or whose id a lookup found for it
=====================  =====================================================================

What stands after the last four is a keyed hash: whoever has the state and not the key cannot try
out numbers. Without a key a contact gets none of them. They are the same whatever the pipelines,
and also of a contact that no pipeline admits.
"""

from __future__ import annotations

import hmac

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Final, Literal, get_args

from pipelines.contact import Contact
from pipelines.effect import Effect
from pipelines.fact import ENRICHMENT, EVENT, RECORD, Fact
from pipelines.mail import mailboxes, recipients
from pipelines.names import RENAMED, spelt
from pipelines.odata import GUID
from pipelines.phone import Number, visible


#: Kinds of labels whose values are hashed.
Keyed = Literal["phone", "email", "agent", "record"]
KEYED: Final = frozenset(get_args(Keyed))

EXPIRED: Final = "expired"

#: Endpoints of people other than ourselves.
THEIRS: Final = ("CustomerEndpoint", "TransferredToEndpoint")

#: The names that labels come from, in lower case, and of what events have them in.
_NEEDED: Final = frozenset(
    name.lower()
    for name in (
        *THEIRS,
        "AdditionalEmailRecipients",
        "Agent",
        "InitiationTimestamp",
        *RENAMED,
        "Endpoints",
    )
)

#: Of more mail addresses the first count: Amazon Connect sends to 50.
MOST_ADDRESSES: Final = 50

#: The longest label (characters): tables have shorter names, and one may be written wrongly.
LONGEST: Final = 200

#: States of records that are, or may be, in Dynamics.
MADE: Final = frozenset(("sent", "found", "there", "doubted", "gone"))

#: Fields of a lookup's answer with ids of agents, who are found by their names.
OF_AGENTS: Final = frozenset(("systemuserid", "azureactivedirectoryobjectid"))

#: Bytes of a hash: of a thousand million values hardly two have the same.
HASH_BYTES: Final = 9


def relabel(contact: Contact, key: bytes | None) -> None:
    """Give a contact the labels that it is to have now.

    Those that it had and keeps are listed at the same time as before. Without a key, those of
    people stay what they are. One of which no message has come gets none.
    """
    if not contact.heard_of:
        return
    told = _told(contact)
    began = _began(contact, told)
    wanted = {f"day {began[:10]}"} if began else set()
    wanted |= _failing(contact)
    if any(_is_late(text) for text in contact.effects.values()):
        wanted.add(EXPIRED)
    if key is None:
        wanted |= {label for label in contact.labels if label.partition(" ")[0] in KEYED}
    else:
        theirs = chain(_people(told), _records(contact))
        wanted |= {hashed(kind, value, key) for kind, value in theirs}
    at, known = _seconds(began), contact.labels
    if wanted != known.keys():
        contact.labels = {label: known.get(label, at) for label in sorted(wanted)}


def tells(fact: Fact, key: bytes | None) -> bool:
    """Whether a fact may give a contact that has labels further ones, but for its day."""
    return key is not None and fact.register.startswith((RECORD, EVENT, ENRICHMENT))


def label_of(kind: Keyed, text: str, key: bytes) -> str | None:
    """The label of somebody or something; None if the text is nothing of the kind.

    Args:
        kind: What the text is.
        text: As people write it: ``+49 30 901820``, ``Ada <ada@example.com>``, a user name, a
            GUID, ``phonecalls(GUID)``.
        key: The index's key.
    """
    value = next(_READ[kind](text), "")
    return hashed(kind, value, key) if value else None


@lru_cache(maxsize=4096)
def hashed(kind: str, value: str, key: bytes) -> str:
    """The label of a value that is written the one way in which all are compared."""
    seal = hmac.digest(key, f"{kind} {value}".encode(errors="backslashreplace"), "sha256")
    return f"{kind} {urlsafe_b64encode(seal[:HASH_BYTES]).decode()}"


def failing(status: int | None, code: str, place: str) -> str:
    """The label of a parked write: what was answered (None, "": nothing), and to which table's."""
    table = place.partition("(")[0]
    return f"failing {status or '-'} {code or '-'} {table}"[:LONGEST]


# --- what is told ---------------------------------------------------------------------------------


def _told(contact: Contact) -> list[Mapping[str, Any]]:
    """What the contact record says; before it is there, what events and Connect's answers say."""
    if (record := contact.record) is not None:
        return [_said(record)]
    events = [_said(f) for r, f in contact.facts.items() if r.startswith(EVENT)]
    return events + [_said(fact) for fact in contact.enrichment.values()]


def _said(fact: Fact) -> Mapping[str, Any]:
    """What labels need of what a fact says: to spell all of it is most of what ingest costs."""
    return spelt({name: value for name, value in fact.data.items() if name.lower() in _NEEDED})


def _began(contact: Contact, told: Iterable[Mapping[str, Any]]) -> str:
    """When it began, as UTC text; "" if nothing says when anything was."""
    begun = (at for one in told if (at := one.get("InitiationTimestamp")))
    dated = (fact.at for fact in contact.facts.values() if fact.at)
    return min(begun, default="") or min(dated, default="")


@lru_cache(maxsize=1024)
def _seconds(at: str) -> int:
    """A UTC time in s since 1970; 0 if it is none, or earlier."""
    return max(0, int(datetime.fromisoformat(at).timestamp())) if at else 0


def _failing(contact: Contact) -> set[str]:
    parked = contact.parked.items()
    return {failing(entry.status, entry.code, place) for place, entry in parked}


def _is_late(text: str) -> bool:
    """Whether an effect came too late; of what was replayed nobody expected anything."""
    effect = Effect.read(text)
    return effect.state == "expired" and effect.outcome != "replayed"


# --- who and what ---------------------------------------------------------------------------------


def _people(told: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Keyed, str]]:
    """All that is known of people: kind and value, each as it is compared."""
    for one in told:
        for name in THEIRS:
            if (address := one.get(name, _NOTHING).get("Address")) is not None:
                yield from _endpoint(str(address))
        if (further := one.get("AdditionalEmailRecipients")) is not None:
            people = [mailbox for some in recipients(further).values() for mailbox in some]
            yield from (("email", mailbox.address) for mailbox in people[:MOST_ADDRESSES])
        if (name := one.get("Agent", _NOTHING).get("Username")) is not None:
            yield from (("agent", value) for value in _agent(str(name)))


def _records(contact: Contact) -> Iterator[tuple[Keyed, str]]:
    """The records that it made, and those whose ids lookups found: kind and value."""
    for record in contact.ledger.values():
        if record.state in MADE:
            yield from (("record", value) for value in _record(record.key))
    for lookup in contact.lookups.values():
        for name, value in (lookup.get("answer") or _NOTHING).items():
            if name not in OF_AGENTS and isinstance(value, str):
                yield from (("record", found) for found in _record(value))


_NOTHING: Final[Mapping[str, Any]] = {}


def _endpoint(address: str) -> Iterator[tuple[Keyed, str]]:
    if numbers := [*_phone(address)]:
        yield from (("phone", value) for value in numbers)
    elif "@" in address:
        yield from (("email", value) for value in islice(_email(address), MOST_ADDRESSES))


def _phone(text: str) -> Iterator[str]:
    if (number := Number.read(visible(text))) is not None:
        yield number.digits


def _email(text: str) -> Iterator[str]:
    for mailbox in mailboxes(visible(text)):
        yield mailbox.address


def _agent(text: str) -> Iterator[str]:
    if name := visible(text).casefold():
        yield name


def _record(text: str) -> Iterator[str]:
    """A record's id, also of its address in the Web API."""
    _, _, after = text.rpartition("(")
    guid = after.strip(") {}")
    if GUID.fullmatch(guid):
        yield guid.lower()


_READ: Final[Mapping[Keyed, Callable[[str], Iterator[str]]]] = {
    "phone": _phone,
    "email": _email,
    "agent": _agent,
    "record": _record,
}
