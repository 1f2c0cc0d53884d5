"""What a contact's facts say of people, and whether its history repeats any of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from pipelines.contact import Contact


#: Names whose values are of people, whatever lies below them.
PERSONAL: Final = frozenset(
    ("address", "username", "name", "displayname", "attributes", "subject", "customerid")
)

#: A value that is shorter says nothing of anybody, and may stand anywhere.
SHORTEST: Final = 4


def values_of_people(contact: Contact) -> set[str]:
    """Numbers, addresses, names and attributes that the contact's facts hold, in lower case."""
    said = (orjson.loads(fact.body) for fact in contact.facts.values())
    return {text.lower() for one in said for text in _texts(one) if len(text) >= SHORTEST}


def _texts(value: Any, *, personal: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _texts(member, personal=personal or name.lower() in PERSONAL)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member, personal=personal)
    elif personal and isinstance(value, str):
        yield value


def repeated(contact: Contact) -> set[str]:
    """The values of people that the contact's history holds; there must be none."""
    history = orjson.dumps(contact.history).decode().lower()
    return {value for value in values_of_people(contact) if value in history}
