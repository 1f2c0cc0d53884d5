"""The last step of every decoder: check the identity, put the data into canonical form."""

from __future__ import annotations

import re

from typing import Any

import orjson

from pipelines.fact import Fact, Undecodable


NO_ID = Undecodable("contact id missing or of unknown form")
TOO_DEEP = Undecodable("nested too deeply")

# How much deeper than the message what we keep of it may lie, e.g. in a parked request.
_ROOM = 32

# UUIDs in practice, 1 to 256 characters by schema (Administrator Guide, "contact-events").
_ID = re.compile(r"[a-z0-9_-]{1,256}").fullmatch


def seal(
    contact_id: object, register: str, version: str, data: dict[str, Any], at: str
) -> Fact | Undecodable:
    """The fact about this contact, or why there is none. Arguments as ``Fact``'s members."""
    known = identified(contact_id)
    if known is None:
        return NO_ID
    try:
        body = orjson.dumps(_eight(_eight(_eight(_eight(data)))), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # it reads deeper nesting (1024) than it writes (254)
        return TOO_DEEP
    return Fact(known, register, version, body[_ROOM:-_ROOM], at)


def identified(contact_id: object) -> str | None:
    """A contact's id as facts have it; None: it is none."""
    if not isinstance(contact_id, str):
        return None
    if _ID(contact_id):
        return contact_id
    contact_id = contact_id.strip().lower()
    return contact_id if _ID(contact_id) else None


def _eight(data: Any) -> Any:
    """Eight levels around it, written out: a loop takes longer than what it is for."""
    return [[[[[[[[data]]]]]]]]
