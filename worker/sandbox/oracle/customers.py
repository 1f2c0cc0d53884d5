"""Which of the invented customers Dynamics knows, and how their numbers stand there.

Five of eight are known once, their numbers as people type them; one is known twice, as a couple
that shares a telephone; two are not known.
"""

from __future__ import annotations

import uuid

from collections.abc import Callable, Iterable
from typing import Any, Final
from zlib import crc32

from worker.sandbox.dataverse.app import Dataverse
from worker.sandbox.dataverse.schema.customers import CONTACT
from worker.sandbox.traffic.people import AGENTS, Customer


#: How a number that Connect writes as ``+49155501234567`` is stored.
_TYPED: Final[tuple[Callable[[str], str], ...]] = (
    lambda number: number,
    lambda number: f"00{number[1:]}",
    lambda number: f"{number[:3]} (0) {number[3:7]} {number[7:]}",
    lambda number: f"{number[:3]} {number[3:7]}-{number[7:]}",
    lambda number: f"{number[:5]}/{number[5:]} ext. 12",
)

_SHARED: Final = len(_TYPED)
_UNKNOWN: Final = 2


def rows(who: Customer) -> list[dict[str, Any]]:
    """The contacts that a customer's number and address belong to: none, one or two."""
    place = crc32(who.number.encode()) % (_SHARED + 1 + _UNKNOWN)
    if place > _SHARED:
        return []
    if place < _SHARED:
        return [_row(who, who.contact_id, who.name, _TYPED[place](who.number))]
    other = str(uuid.uuid5(uuid.UUID(who.contact_id), "other"))
    partner = f"Kim {who.name.partition(' ')[2]}"
    return [
        _row(who, who.contact_id, who.name, _TYPED[0](who.number)),
        _row(who, other, partner, _TYPED[3](who.number)),
    ]


def match(who: Customer) -> dict[str, Any] | None:
    """The one contact that a customer is, if Dynamics knows exactly one."""
    found = rows(who)
    return found[0] if len(found) == 1 else None


def _row(who: Customer, contact_id: str, name: str, number: str) -> dict[str, Any]:
    first, _, last = name.partition(" ")
    return {
        "contactid": contact_id,
        "firstname": first,
        "lastname": last,
        "telephone1": number,
        "emailaddress1": who.email,
    }


def employ(dataverse: Dataverse) -> None:
    """Make the agents users of Dynamics."""
    for agent in AGENTS:
        first, _, last = agent.username.title().partition(".")
        dataverse.put(
            "systemusers",
            {
                "systemuserid": agent.user_id,
                "firstname": first,
                "lastname": last,
                "domainname": f"{agent.username}@example.com",
                "isdisabled": False,
            },
        )


def introduce(dataverse: Dataverse, customers: Iterable[Customer]) -> None:
    """Make the customers contacts of Dynamics, those that it knows and that are not there yet."""
    for row in (row for who in customers for row in rows(who)):
        if dataverse.records.get(CONTACT, row["contactid"]) is None:
            dataverse.put("contacts", row)
