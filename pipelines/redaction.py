"""A redaction: what of a contact was deleted from Amazon Connect, so that Dynamics forgets it too.

DeleteContactData empties fields of a contact record and names them in the segment attribute
``connect:RedactedFields``. How it spells them is not documented: letters and digits count, whatever
their case. Of a name that nobody knows, everything without a value is taken to be redacted.
"""

from __future__ import annotations

import re

from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.decode.contact_record import REDACTED
from pipelines.names import STREAM, segment


#: Names made of others -> those others.
_MADE_OF: Mapping[str, tuple[str, ...]] = {
    "From": ("CustomerEndpoint", "SystemEndpoint"),
    "To": ("CustomerEndpoint", "SystemEndpoint", "AdditionalEmailRecipients"),
    "Cc": ("AdditionalEmailRecipients",),
    "Bcc": ("AdditionalEmailRecipients",),
    "Parties": ("CustomerEndpoint", "SystemEndpoint", "AdditionalEmailRecipients"),
    "OtherParties": ("CustomerEndpoint", "SystemEndpoint", "AdditionalEmailRecipients"),
    "Subject": ("SegmentAttributes.connect:EmailSubject", "Name", "ContactDetails"),
    "Username": ("Agent",),
    "AgentName": ("Agent",),
    # What other contacts tell goes with what they are called by: each may have the same agent, or
    # be where the customer's number was joined.
    "Initial": ("InitialContactId", "Agent", "Queue"),
    "Previous": ("PreviousContactId", "Agent", "Queue"),
    "Related": ("RelatedContactId", "Agent", "Queue"),
    "Next": ("NextContactId", "Agent", "Queue"),
    "ThirdParties": ("CustomerEndpoint", "ExternalThirdParty"),
}

#: More names than a contact record has fields are looked at as one that nobody knows.
MOST_NAMES = 1000
UNKNOWN = frozenset(("everything",))

_SEPARATORS = re.compile(r"[,;|\s\[\]\"']+")


def _folded(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


_KNOWN = tuple(map(_folded, STREAM))
_SOURCES = {_folded(made): tuple(map(_folded, of)) for made, of in _MADE_OF.items()}


def redacted(values: Mapping[str, Any]) -> frozenset[str]:
    """The names that a contact's segment attributes call redacted, folded; none: no redaction."""
    said = _texts(segment(values, REDACTED))
    names = (name for text in said for name in _SEPARATORS.split(text))
    found = frozenset(filter(None, map(_folded, names)))
    return found if len(found) <= MOST_NAMES else UNKNOWN


def _texts(value: Any) -> Iterable[str]:
    """Every text in a value, whatever its structure."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else []


def covers(names: frozenset[str], path: tuple[str, ...], *, empty: bool) -> bool:
    """Whether what was redacted may have been under a path of names.

    Args:
        names: What ``redacted`` found.
        path: The path, e.g. ``("CustomerEndpoint", "Address")``.
        empty: There is no value under it now.
    """
    whole = _folded("".join(path))
    parts = {_folded("".join(path[: end + 1])) for end in range(len(path))}
    sources = _SOURCES.get(_folded(path[0]), ())
    within = (whole, *sources) if len(path) == 1 else sources
    if parts & names or any(name.startswith(within) for name in names):
        return True
    return empty and not all(name.startswith(_KNOWN) for name in names)
