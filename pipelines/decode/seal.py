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
    if not isinstance(contact_id, str):
        return NO_ID
    if not _ID(contact_id):
        contact_id = contact_id.strip().lower()
        if not _ID(contact_id):
            return NO_ID
    wrapped: Any = data
    for _ in range(_ROOM):
        wrapped = [wrapped]
    try:
        body = orjson.dumps(wrapped, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # it reads deeper nesting (1024) than it writes (254)
        return TOO_DEEP
    return Fact(contact_id, register, version, body[_ROOM:-_ROOM], at)
