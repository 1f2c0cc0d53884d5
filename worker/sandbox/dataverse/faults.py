"""What goes wrong on purpose; which requests it befalls is a rule (``rules.py``)."""

from __future__ import annotations

import enum

from http import HTTPStatus
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from worker.sandbox.dataverse import limits
from worker.sandbox.dataverse.odata.refusals import Refusal
from worker.sandbox.dataverse.odata.wire import Reply


class Ending(enum.Enum):
    """How a request with a fault ends."""

    ANSWER = "answer"
    DROP = "drop"  # the connection is closed without an answer
    HANG = "hang"  # no answer, and the connection stays open


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class InjectedFault:
    """One thing that goes wrong.

    Attributes:
        status: HTTP status that is answered instead of the request's own; None: its own.
        code: Dataverse's error code, "" for none; None: a gateway's page, not Dataverse's error.
        message: What the error says.
        retry_after_s: The ``Retry-After`` of the answer, in whole seconds, rounded up.
        delay_s: How long the request waits before anything else.
        carried_out: Whether it is carried out; None: unless something else is answered.
        ending: How it ends.
    """

    status: Annotated[int, Field(ge=200, le=599)] | None = None
    code: str | None = None
    message: str = ""
    retry_after_s: Annotated[float, Field(ge=0)] | None = None
    delay_s: Annotated[float, Field(ge=0)] = 0.0
    carried_out: bool | None = None
    ending: Ending = Ending.ANSWER

    @property
    def acts(self) -> bool:
        """Whether the request is carried out."""
        return self.status is None if self.carried_out is None else self.carried_out

    @property
    def answer(self) -> Reply | Refusal | None:
        """What is answered instead of the request's own answer, if anything."""
        if self.status is None:
            return None
        wait = () if self.retry_after_s is None else (limits.retry_after(self.retry_after_s),)
        if self.code is not None:
            return Refusal(self.status, self.code, self.message, wait)
        text = self.message or HTTPStatus(self.status).phrase
        page = f"<html><body>{text}</body></html>".encode()
        return Reply(self.status, [("content-type", "text/html"), *wait], page)


def latency(seconds: float) -> InjectedFault:
    """A slow answer."""
    return InjectedFault(delay_s=seconds)


def gateway(status: int = 503, *, carried_out: bool = False) -> InjectedFault:
    """A 502, 503 or 504 that is not Dataverse's own; with ``carried_out`` the answer was lost."""
    return InjectedFault(status=status, carried_out=carried_out)


def dropped(*, carried_out: bool = True) -> InjectedFault:
    """The connection is closed without an answer."""
    return InjectedFault(carried_out=carried_out, ending=Ending.DROP)


def hang(*, carried_out: bool = True) -> InjectedFault:
    """No answer ever; the connection stays open until the client or the sandbox ends it."""
    return InjectedFault(carried_out=carried_out, ending=Ending.HANG)


def unexpected() -> InjectedFault:
    """UnExpected, 500."""
    return _refused(500, "0x80040216", "An unexpected error occurred.")


def deadlock() -> InjectedFault:
    """The victim of a deadlock: rolled back, safe to repeat."""
    return _refused(500, "0x80044150", "Generic SQL error. Sql Number: 1205")


def sql_timeout() -> InjectedFault:
    """A SQL time-out."""
    return _refused(500, "0x80044151", "SQL timeout expired. Sql Number: -2")


def duplicate_key(status: int = 500) -> InjectedFault:
    """SQL's own error for a key that is taken; its status is not documented."""
    return _refused(status, "0x80040237", "Cannot insert duplicate key.")


def unauthorized() -> InjectedFault:
    """401: the token is not accepted."""
    return _refused(401, "", "Unauthorized")


def forbidden() -> InjectedFault:
    """PrivilegeDenied."""
    return _refused(403, "0x80040220", "Principal user is missing a privilege.")


def throttle(retry_after_s: float, code: str = limits.TOO_MANY) -> InjectedFault:
    """429, whatever the limits are."""
    return InjectedFault(
        status=429,
        code=code,
        message="Number of requests exceeded the limit.",
        retry_after_s=max(1.0, retry_after_s),
    )


def plugin(message: str) -> InjectedFault:
    """IsvAborted: a plug-in refuses."""
    return _refused(400, "0x80040265", message)


def _refused(status: int, code: str, message: str) -> InjectedFault:
    return InjectedFault(status=status, code=code, message=message)
