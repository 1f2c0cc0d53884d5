"""A fact: one thing that is known about one contact.

Every message becomes facts. A fact belongs to a *register*, and of each register a contact keeps
the greatest fact only, so merging commutes and repeats do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


#: Registers: ``record``, ``event/<EVENTTYPE>``, ``object/<bucket>/<key>``.
RECORD = "record"
EVENT = "event/"
OBJECT = "object/"


@dataclass(frozen=True, slots=True)
class Fact:
    """One message about one contact.

    Attributes:
        contact_id: The contact's id in lower case.
        register: Where the fact is kept: ``record``, ``event/<EVENTTYPE>`` or
            ``object/<bucket>/<key>``.
        version: What orders the facts of one register, compared as text: a UTC time
            ``YYYY-MM-DDTHH:MM:SS.mmmZ`` or an S3 sequencer padded with zeros.
        digest: Hash of ``data``'s canonical bytes (hex); breaks ties between equal versions.
        data: JSON object in the message's own spelling. Names are decided when it is read.
        at: The UTC time the message tells of itself (same form), for waits and archive time.
    """

    contact_id: str
    register: str
    version: str
    digest: str
    data: dict[str, Any]
    at: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that is understood and not for us, with the reason (no personal data in it)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A message, or part of one, that cannot be understood: to quarantine with its bytes."""

    reason: str


#: What one message, or one part of it, turns out to be.
Decoded = Fact | Ignored | Undecodable
