"""Impersonation: changes made in a user's name, and in our own where that may not be.

A header names the user: ``MSCRMCallerID`` a systemuserid, ``CallerObjectId`` Entra's object id.
The record is then created by that user on behalf of ours, with the privileges that both have
(powerapps-docs ``webapi/impersonate-another-user-web-api``). How an unknown or disabled user is
refused is not documented, so whatever a refusal says of users counts; that the same request goes
through in our own name is what shows it was the user's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from pipelines.caller import Caller
from pipelines.odata import GUID
from worker.clock import Clock
from worker.dynamics.errors import DynamicsError, NotAs
from worker.dynamics.protocol import Answer, Request


SYSTEM_USER_ID: Final = "MSCRMCallerID"
ENTRA_OBJECT_ID: Final = "CallerObjectId"

#: The privilege that impersonation needs.
PRIVILEGE: Final = "prvActOnBehalfOfAnotherUser"

#: For how long (s) a user who was refused is not tried again.
PAUSE_S: Final = 900.0

#: How many refused users are remembered; beyond, the oldest is forgotten and tried again.
MOST_REFUSED: Final = 10_000

#: Everybody: the privilege is missing.
EVERYBODY: Final = Caller("")

_CODES: Final = frozenset(
    {
        "0x80040220",  # PrivilegeDenied
        "0x80048306",  # unManagedIdsAccessDenied
        "0x80040225",  # the user is disabled or in no business unit
        "0x80041d1f",  # the user id is invalid
        "0x80042f09",  # the user has no role
        "0x80072560",  # not a member of the organization
    }
)
_FORBIDDEN: Final = 403
_UNAUTHORIZED: Final = 401

_log = structlog.get_logger(__name__)

Send = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Refusals:
    """The users in whose name nothing can be written at the moment.

    Attributes:
        clock: Its monotonic clock says when one is tried again.
        until: User -> that time (s); ``EVERYBODY`` if our own privilege is missing.
    """

    clock: Clock = field(default_factory=Clock)
    until: dict[Caller, float] = field(default_factory=dict)

    def holds(self, caller: Caller) -> bool:
        """Whether to do without this user for now."""
        now = self.clock.monotonic()
        return any(self.until.get(one, now) > now for one in (caller, EVERYBODY))

    def note(self, caller: Caller, error: NotAs) -> None:
        """Remember one who was refused; told the first time, until they are accepted again."""
        refused = EVERYBODY if PRIVILEGE.lower() in error.detail.lower() else caller
        if refused not in self.until:
            _log.warning(
                "dynamics.caller_refused",
                status=error.status,
                code=error.code,
                user=_shown(refused),
            )
        self.until.pop(refused, None)
        while len(self.until) >= MOST_REFUSED:
            del self.until[next(iter(self.until))]
        self.until[refused] = self.clock.monotonic() + PAUSE_S

    def accepted(self, caller: Caller) -> None:
        """Forget that they were refused."""
        if self.until.pop(caller, None) or self.until.pop(EVERYBODY, None):
            _log.info("dynamics.caller_accepted")


def _shown(caller: Caller) -> str:
    """The user in a log line: their id, never what stands in its place."""
    if caller == EVERYBODY:
        return "anybody"
    return caller.id if GUID.fullmatch(caller.id) else "not an id"


def in_name_of(request: Request, caller: Caller | None) -> Request:
    """The request in a user's name; as it is if the id is none."""
    if caller is None or not GUID.fullmatch(caller.id):
        return request
    header = ENTRA_OBJECT_ID if caller.entra else SYSTEM_USER_ID
    return replace(request, headers={**request.headers, header: caller.id})


def caller_of(headers: Mapping[str, str]) -> str:
    """The id of the user in whose name a request is made; "" in our own."""
    named = (SYSTEM_USER_ID.lower(), ENTRA_OBJECT_ID.lower())
    return next((value for name, value in headers.items() if name.lower() in named), "")


def in_own_name(request: Request) -> Request:
    """The request without a caller."""
    named = (SYSTEM_USER_ID.lower(), ENTRA_OBJECT_ID.lower())
    headers = {name: value for name, value in request.headers.items() if name.lower() not in named}
    return replace(request, headers=headers)


def of_caller(request: Request, error: DynamicsError) -> DynamicsError:
    """The error of a request as it is, or ``NotAs`` if it is about the user it is made in name of.

    Such a refusal says nothing of our own user, so it closes no gate and parks nothing.
    """
    caller = caller_of(request.headers)
    if not caller or not is_about(caller, error.status, error.code, error.detail):
        return error
    return NotAs(str(error), status=error.status, code=error.code, detail=error.detail)


def is_about(caller: str, status: int | None, code: str, detail: str) -> bool:
    """Whether an answer refuses the user in whose name was asked.

    A 401 is the token's unless its code is about users.
    """
    if status is None or not 400 <= status < 500:  # noqa: PLR2004 - HTTP
        return False
    named = caller.lower() in detail.lower() and "user" in detail.lower()
    return code in _CODES or (status != _UNAUTHORIZED and (status == _FORBIDDEN or named))


async def send_as(
    request: Request, caller: Caller | None, refusals: Refusals, send: Send
) -> Answer:
    """Send a change in a user's name, or in our own if that is refused.

    Args:
        request: With or without its caller.
        caller: In whose name; None: in our own.
        refusals: Who was refused lately, and need not be tried.
        send: Sends it.

    Raises:
        DynamicsError: It is refused in our own name as well, or not answered.
    """
    own = in_own_name(request)
    if caller is None or refusals.holds(caller):
        return await send(own)
    named = in_name_of(own, caller)
    if named == own:
        refusals.note(caller, NotAs("no id"))
        return await send(own)
    try:
        answer = await send(named)
    except NotAs as error:
        answer = await send(own)  # if this is refused too, it was not the user's fault
        refusals.note(caller, error)
        return answer
    refusals.accepted(caller)
    return answer
