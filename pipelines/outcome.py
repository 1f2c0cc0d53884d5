"""Outcomes: what carrying out an action came to. What the ledger learns of it: ``settle``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipelines.contact import Parked


@dataclass(frozen=True, slots=True)
class Done:
    """It was carried out.

    Attributes:
        answer: The answer's fields: the record as made, or what a lookup found.
    """

    answer: Mapping[str, Any] = field(default_factory=dict)
    says: ClassVar[str] = "done"


@dataclass(frozen=True, slots=True)
class Found:
    """The record that was looked at is there.

    Attributes:
        row: The record as read, with annotations.
        users: Who we are and have been: ids of application users, lower case.
        overwrite: It is treated as ours whoever made it.
    """

    row: Mapping[str, Any]
    users: frozenset[str]
    overwrite: bool = False
    says: ClassVar[str] = "found"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Dynamics refused it, and the same request will be refused again.

    Attributes:
        parked: What an operator gets to see, should it be for one: request and answer.
        reason: The refusal in words, without personal data.
    """

    parked: Parked
    reason: str = ""
    says: ClassVar[str] = "refused"


class Exists(Refusal):
    """412 on a create: a record with this primary key is there already."""

    __slots__ = ()
    says = "412 exists"


class Closed(Refusal):
    """The record is completed or cancelled and takes no updates."""

    __slots__ = ()
    says = "record is closed"


class Missing(Refusal):
    """404: no such record."""

    __slots__ = ()
    says = "404 no such record"


class NoTable(Refusal):
    """404: no such entity set."""

    __slots__ = ()
    says = "404 no such table"


class Forbidden(Refusal):
    """403, again and again, while others' writes succeed."""

    __slots__ = ()
    says = "403 forbidden"


class Unanswered(Refusal):
    """No answer that counts (none, 5xx, 429), again and again, while others get theirs."""

    __slots__ = ()
    says = "no answer, while others get theirs"


class Refused(Refusal):
    """Anything else that is definitive: a value that does not fit, a rule that is broken."""

    __slots__ = ()
    says = "refused"


@dataclass(frozen=True, slots=True)
class Shown:
    """Connect has the page for the agent's desktop.

    Attributes:
        at: When (s since 1970).
    """

    at: float | None = None
    says: ClassVar[str] = "shown"


@dataclass(frozen=True, slots=True)
class Logged:
    """Nobody is shown the page: it stands in the log alone.

    Attributes:
        at: When (s since 1970).
    """

    at: float | None = None
    says: ClassVar[str] = "logged"


@dataclass(frozen=True, slots=True)
class Delayed:
    """Connect or the desktop did not take it now; later it may.

    Attributes:
        reason: Why, without personal data.
        at: When (s since 1970).
    """

    reason: str
    at: float | None = None
    says: ClassVar[str] = "not now"


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """Connect or the desktop will not take it at all.

    Attributes:
        reason: Why, without personal data.
        at: When (s since 1970).
    """

    reason: str
    at: float | None = None
    says: ClassVar[str] = "not taken"


Outcome = Done | Found | Refusal | Shown | Logged | Delayed | Undeliverable

#: All that Dynamics can refuse an action with.
REFUSALS = (Exists, Closed, Missing, NoTable, Forbidden, Unanswered, Refused)
