"""The last step of every decoder: check the identity, hash the data, make the fact."""

from __future__ import annotations

import re

from hashlib import blake2b
from typing import Any

import orjson

from pipelines.fact import Fact, Undecodable


#: Bytes of the digest that breaks ties between equal versions.
DIGEST_BYTES = 16

NO_ID = Undecodable("contact id missing or of unknown form")
TOO_DEEP = Undecodable("nested too deeply")

# UUIDs in practice, 1 to 256 characters by schema (Administrator Guide, "contact-events").
_ID = re.compile(r"[a-z0-9_-]{1,256}").fullmatch


def seal(
    contact_id: object, register: str, version: str, data: dict[str, Any], at: str
) -> Fact | Undecodable:
    """The fact about this contact, or why there is none. Arguments as ``Fact``'s attributes."""
    if not isinstance(contact_id, str):
        return NO_ID
    if not _ID(contact_id):
        contact_id = contact_id.strip().lower()
        if not _ID(contact_id):
            return NO_ID
    try:
        canonical = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # it reads deeper nesting (1024) than it writes (254)
        return TOO_DEEP
    digest = blake2b(canonical, digest_size=DIGEST_BYTES).hexdigest()
    return Fact(contact_id, register, version, digest, data, at)
