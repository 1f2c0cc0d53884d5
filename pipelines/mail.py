"""Mail: the subject of a contact, and who it is from and to, as addresses and as parties.

Mail addresses come bare or with a name, ``Ada Sample <ada@customer.example>``, and sometimes
several in one text (RFC 5322). They are parsed by Python's own ``email.utils``. Pipelines see the
bare address, in small letters: that is what Dynamics has, and what customers are looked up by.
"""

from __future__ import annotations

import email.utils
import re

from collections.abc import Iterable, Iterator, Mapping
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from functools import lru_cache, partial
from itertools import islice
from typing import Any, NamedTuple

from pipelines.names import member, segment
from pipelines.text import cut, sound, units


#: The names made here.
NAMES = frozenset(["Subject", "From", "To", "Cc", "Bcc", "Parties", "OtherParties"])

#: Endpoints that can be mail addresses.
ENDPOINTS = ("CustomerEndpoint", "SystemEndpoint", "TransferredToEndpoint")

#: The segment attribute that has a mail's subject (Administrator Guide "segment attributes").
_SUBJECT = "connect:emailsubject"

#: A party's role in an activity (Dataverse ``participationtypemask``).
_ROLES = {"From": 1, "To": 2, "Cc": 3, "Bcc": 4}

#: Greatest lengths of a party's columns ``addressused`` and ``unresolvedpartyname``.
_LONGEST_ADDRESS, _LONGEST_NAME = 320, 200

#: Of more further recipients of one role the first are told. Amazon Connect sends to 50.
MOST_RECIPIENTS = 500

#: A longer text, or one with more comments and groups, holds no addresses; parsing nests with each.
_LONGEST_TEXT, _MOST_NESTED = 20_000, 50

_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_SEMICOLON = re.compile(r'("(?:[^"\\]|\\.)*"?)|;')
_NAME = re.compile(r'(?<![^,<>"()])([^,<>"()]++)<')

#: An address between characters that no address has, in a text that is written wrongly.
_STRAY = re.compile(r"""(?<![^\s<>,;"'()])[^\s<>,;"'()@]+@[^\s<>,;"'()@]+(?!@)""")


class Mailbox(NamedTuple):
    """An address and the name written beside it, or ""."""

    address: str
    name: str = ""


@lru_cache(maxsize=1024)
def mailboxes(text: str) -> tuple[Mailbox, ...]:
    """The mail addresses in a text, in their order, each once; none if it has none."""
    if len(text) > _LONGEST_TEXT or text.count("(") + text.count(":") > _MOST_NESTED:
        return ()
    written = _SEMICOLON.sub(lambda found: found[1] or ",", " ".join(text.split()))
    found: dict[str, Mailbox] = {}
    before: list[str] = []  # parts of a name that has commas and no quotes
    for name, address in _parsed([_NAME.sub(_quoted, written)]):
        if bare := _valid(address):
            called = _decoded(", ".join([*before, name] if name else ())).strip("'\" ")
            found.setdefault(bare, Mailbox(bare, "" if called.lower() == bare else called))
            before = []
        else:
            before += [address] if address and "@" not in address else []
    if not found and len(stray := _STRAY.findall(written)) == 1 and (bare := _valid(stray[0])):
        return (Mailbox(bare),)
    return tuple(found.values())


def bare(text: str) -> str:
    """The first address in a text; the text itself if it is nothing else, or has none."""
    found = mailboxes(text)
    return found[0].address if found and found[0].address != text.lower() else text


# Newer releases of Python refuse by default what is not written by the book.
_parsed = (
    partial(email.utils.getaddresses, strict=False)
    if getattr(email.utils, "supports_strict_parsing", False)
    else email.utils.getaddresses
)


def _valid(address: str) -> str:
    """The address as Dynamics has it, or "" if it is none."""
    bare = address.strip("'").lower()
    return bare if _ADDRESS.fullmatch(bare) and units(bare) <= _LONGEST_ADDRESS else ""


def _quoted(name: re.Match[str]) -> str:
    """A name before an address, in quotes: it may have an @ or brackets in it."""
    return ' "{}" <'.format(text.replace("\\", "")) if (text := name[1].strip()) else name[0]


def _decoded(name: str) -> str:
    """A name as people read it (RFC 2047)."""
    if "=?" not in name:
        return name
    try:
        return str(make_header(decode_header(name)))
    except (HeaderParseError, LookupError, ValueError):
        return name


def mail_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The names of this module, and the endpoints with bare addresses.

    Args:
        values: The contact's names and values so far, the direction among them.
    """
    mail = values.get("Channel") == "EMAIL"
    ends = {name: _end(values.get(name), mail=mail) for name in ENDPOINTS}
    outgoing = values.get("Outbound") is True
    customer, system, _ = ends.values()
    sender, receiver = (system, customer) if outgoing else (customer, system)
    further = recipients(values.get("AdditionalEmailRecipients"))
    people = {"From": sender[:1], "To": receiver + further["to"]}
    people |= {"Cc": further["cc"], "Bcc": further["bcc"]}
    names: dict[str, Any] = {
        name: "; ".join(dict.fromkeys(one.address for one in some)) for name, some in people.items()
    }
    names["Subject"] = _subject(values)
    names["Parties"] = _parties(people)
    bound = {one.address for one in (*customer[:1], *sender[:1])}
    names["OtherParties"] = [one for one in names["Parties"] if one["addressused"] not in bound]
    bare = {name: _bare(values[name], end) for name, end in ends.items() if end}
    return {name: value for name, value in names.items() if value} | bare


def _subject(values: Mapping[str, Any]) -> str:
    """The mail's subject; of another contact its name."""
    said = (segment(values, _SUBJECT), values.get("Name"), member(values, "ContactDetails", "Name"))
    return next(filter(None, map(_text, said)), "")


def _text(value: Any) -> str:
    return " ".join(sound(value).split()) if isinstance(value, str) else ""


def _end(endpoint: Any, *, mail: bool) -> list[Mailbox]:
    """Who is at an endpoint; of a mail several can be."""
    if not isinstance(endpoint, Mapping):
        return []
    address, name = _text(endpoint.get("Address")), _text(endpoint.get("DisplayName"))
    found = list(mailboxes(address)) if mail or endpoint.get("Type") == "EMAIL_ADDRESS" else []
    first = found[0] if found else Mailbox(address)
    return [first._replace(name=name or first.name), *found[1:]] if address else []


def _bare(endpoint: Mapping[str, Any], end: list[Mailbox]) -> dict[str, Any]:
    known = {"Address": end[0].address, "DisplayName": end[0].name}
    return {**endpoint, **{member: value for member, value in known.items() if value}}


def recipients(further: Any) -> dict[str, list[Mailbox]]:
    """Further recipients by role, however the lists are called: ``CcList``, ``CcAddresses``."""
    found: dict[str, list[Mailbox]] = {"to": [], "cc": [], "bcc": []}
    for name, listed in further.items() if isinstance(further, Mapping) else ():
        for role, people in found.items():
            if name.lower().startswith(role):
                people.extend(islice(_listed(listed), MOST_RECIPIENTS))
    return found


def _listed(listed: Any) -> Iterator[Mailbox]:
    for one in listed if isinstance(listed, list) else [listed]:
        values = one if isinstance(one, Mapping) else {"Address": one}
        members = {str(name).lower(): value for name, value in values.items()}
        address = next((v for name, v in members.items() if name.endswith("address")), None)
        called = _text(members.get("displayname") or members.get("name"))
        for mailbox in mailboxes(_text(address)):
            yield mailbox._replace(name=called or mailbox.name)


def _parties(people: Mapping[str, Iterable[Mailbox]]) -> list[dict[str, Any]]:
    """Everybody as a party of an activity that Dynamics has no record of."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for name, some in people.items():
        for one in some:
            party = {"participationtypemask": _ROLES[name], "addressused": one.address}
            if one.name:
                party["unresolvedpartyname"] = cut(one.name, _LONGEST_NAME)
            if units(one.address) <= _LONGEST_ADDRESS:
                found.setdefault((_ROLES[name], one.address), party)
    return list(found.values())
