"""How a request to Dynamics can fail, by what the caller can do about it.

DynamicsError
├── Unavailable     no answer that counts (network, time-out, 5xx, lost answer): send it again later
│   ├── NotSent     it never left this process: nothing can have been done
│   └── Busy        429: nothing was done either; this request not before ``retry_after_s``
│       └── Throttled   service protection: that binds every request of this user
├── Unauthorized    token refused, secret expired, user disabled: an operator must act, push pauses
├── Forbidden       403: a missing privilege, of this record or of this worker
├── WrongOrganization   the state is another organization's: an operator must act, nothing is sent
└── Refused         definitive for this request; another try of the same one is useless
    ├── Missing     404: the record is not there
    ├── Exists      412 on a create: the primary key is taken
    ├── NotAs       not in this user's name; in our own it may well succeed
    └── Closed      the record is closed and refuses updates

Statuses are decided on first, codes second (Microsoft: "compose HTTP requests and handle errors").
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from worker.errors import WorkerError


class DynamicsError(WorkerError):
    """Base of all failures of a request to Dynamics.

    Attributes:
        status: HTTP status, or None without an answer.
        code: Dataverse's error code (``0x80040217``) or "".
        detail: Dataverse's message. May hold personal data: for the parked entry, never for logs.
    """

    def __init__(
        self, summary: str, *, status: int | None = None, code: str = "", detail: str = ""
    ) -> None:
        super().__init__(summary)
        self.status = status
        self.code = code
        self.detail = detail


class Unavailable(DynamicsError):
    """No answer that counts; the request may or may not have been carried out."""


class NotSent(Unavailable):
    """The request did not leave this process."""


class Busy(Unavailable):
    """429: nothing was done, and this request is not to be sent before ``retry_after_s``."""

    def __init__(
        self, summary: str, *, retry_after_s: float, code: str = "", detail: str = ""
    ) -> None:
        super().__init__(summary, status=429, code=code, detail=detail)
        self.retry_after_s = retry_after_s


class Throttled(Busy):
    """Service protection: no request of this user is to be sent before ``retry_after_s``."""


class Unauthorized(DynamicsError):
    """No token, or Dataverse refuses it (401, disabled user)."""


Access = Literal["create", "read", "write"]


class Privilege(NamedTuple):
    """What a request needs: the right to do something to the rows of a table.

    Attributes:
        table: The entity set.
        access: What is done to its rows.
    """

    table: str
    access: Access


class Forbidden(DynamicsError):
    """403: the application user lacks a privilege.

    Attributes:
        privilege: The one that the request needed first of all, if that is known.
    """

    privilege: Privilege | None = None


class WrongOrganization(DynamicsError):
    """The state holds what another organization acknowledged: nothing was sent."""


class Refused(DynamicsError):
    """Definitive: this request will never succeed as it is."""


class Missing(Refused):
    """404: no such record (or no such entity set: then ``code`` is 0x80060888 or 0x8006088a)."""


class Exists(Refused):
    """412 on a create: a record with this primary key is there already."""


class Closed(Refused):
    """The record is completed or cancelled and takes no updates."""


class NotAs(Refused):
    """The user in whose name it was sent may not, is disabled or unknown, or may not be named."""
