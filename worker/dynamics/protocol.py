"""The interface to Dynamics: one request in, one answer out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """A Web API request.

    Attributes:
        method: GET, POST, PATCH or PUT.
        path: Relative to ``…/api/data/v9.2/``, already percent-encoded, query included.
        headers: In addition to those sent on every call (``If-Match``, ``Prefer``, …).
        body: JSON object, or None.
        record: Of a POST of a record: the address that it will have.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    record: str = ""


#: Asks which user we are: the one request that needs no privilege.
WHO_AM_I = Request("GET", "WhoAmI")


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer (2xx). ``body`` is the parsed JSON object, {} without one."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]


class Dynamics(Protocol):
    """Sends requests as one application user."""

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        """Send, repeating ambiguous outcomes while time is left.

        Raises:
            DynamicsError: one of ``worker.dynamics.errors``.
        """
        ...

    async def user_id(self) -> str:
        """Our application user's systemuserid (``WhoAmI``), lower case, asked for once."""
        ...
