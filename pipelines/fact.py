"""A fact: one thing that is known about one contact.

Every message becomes facts. A fact belongs to a *register*, and of each register a contact keeps
the greatest fact only, so merging commutes and repeats do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson


#: Registers: ``record``, ``event/<EVENTTYPE>``, ``object/<bucket>/<key>``,
#: ``file/<bucket>/<key>`` (kinds of files that older releases do not know),
#: ``enrichment/<kind>`` (what Connect answered when asked), ``kin/<contact id>/<register>`` (an
#: extract of a fact about another contact of the same chain, see ``pipelines.kin``) and
#: ``leg/<contact id>`` (the same in states of earlier releases: times of a later leg).
RECORD = "record"
EVENT = "event/"
OBJECT = "object/"
FILE = "file/"
ENRICHMENT = "enrichment/"
KIN = "kin/"
LEG = "leg/"

#: Bytes of the digest that breaks ties between equal versions.
DIGEST_BYTES = 16


#: In a version, before what says when and where the message arrived.
ARRIVED = " @"


class Fact(NamedTuple):
    """One message about one contact.

    Two are equal if they say the same, whatever way they came: arrival and place order them only.

    Attributes:
        contact_id: The contact's id in lower case.
        register: Where the fact is kept, see ``RECORD`` and its like.
        version: What orders the facts of one register, compared as text: a UTC time
            ``YYYY-MM-DDTHH:MM:SS.mmmZ`` or an S3 sequencer padded with zeros; of a contact record
            a time and more (``pipelines.decode.contact_record``). Not a time to read: ``at``.
        body: ``data`` as canonical JSON (names in order, no line breaks): what is stored.
        at: The UTC time the message gives for itself (same form), for waits and archive time.
        arrived: When (s since 1970) the stream or queue received the message, by its clock; None:
            not known. It is no part of what the fact says, and is not stored with it.
    """

    contact_id: str
    register: str
    version: str
    body: bytes
    at: str
    arrived: float | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fact):
            return NotImplemented
        return self._said == other._said

    def __ne__(self, other: object) -> bool:  # else a tuple's own
        return not self == other

    def __hash__(self) -> int:
        return hash(self._said)

    @property
    def _said(self) -> tuple[str, str, str, bytes, str]:
        """What it says, without when and where it came."""
        version = self.version.partition(ARRIVED)[0]
        return self.contact_id, self.register, version, self.body, self.at

    @property
    def data(self) -> dict[str, Any]:
        """The message in its own spelling, parsed each time. Names are decided when it is read."""
        data: dict[str, Any] = orjson.loads(self.body)
        return data

    @property
    def digest(self) -> str:
        """Hash of the body (hex), made only when versions are equal: it breaks the tie."""
        return blake2b(self.body, digest_size=DIGEST_BYTES).hexdigest()

    def exceeds(self, other: Fact) -> bool:
        """Whether this is the greater fact of one register, to the last difference."""
        if self.version != other.version:
            return self.version > other.version
        if self.body != other.body:
            return self.digest > other.digest
        return self.at > other.at


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
