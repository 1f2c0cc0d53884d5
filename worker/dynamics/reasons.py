"""Why a gate is closed, or open on trial."""

from __future__ import annotations

import enum

from typing import Final

from worker.dynamics.errors import (
    DynamicsError,
    Forbidden,
    NotSent,
    Unauthorized,
    WrongOrganization,
)


class GateState(enum.Enum):
    """Whether requests may pass."""

    OPEN = "open"
    CLOSED = "closed"


class Reason(enum.Enum):
    """Why the gate is closed, NONE while it is open."""

    NONE = ""
    THROTTLED = "throttled"
    OUTAGE = "outage"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    ORGANIZATION = "organization"  # the state is another organization's (worker.dynamics.binding)
    DOUBT = "doubt"  # a few records get no answer: a probe, at once, shows whether others would
    SURPLUS = "surplus"  # more workers than Dynamics takes requests at a time: this one waits


#: Reasons that are part of a normal day and end by themselves.
ROUTINE: Final = frozenset((Reason.NONE, Reason.THROTTLED, Reason.DOUBT, Reason.SURPLUS))

#: Reasons that concern this worker alone; other workers never hear of them.
LOCAL: Final = frozenset((Reason.DOUBT, Reason.SURPLUS, Reason.ORGANIZATION))

#: Reasons after which a write must be answered before more than one contact's may be sent.
NEEDS_TRIAL: Final = frozenset((Reason.OUTAGE, Reason.FORBIDDEN))

#: After the other reasons a trial is needed only after so many pauses without such a proof between.
PAUSES_BEFORE_TRIAL: Final = 2


class GateClosed(NotSent):
    """The request was not sent.

    Attributes:
        reason: Why the gate is closed.
        retry_at: Time on the monotonic clock (s) before which it will not open.
    """

    def __init__(self, reason: Reason, retry_at: float) -> None:
        super().__init__(f"not sent: the gate is closed ({reason.value})")
        self.reason = reason
        self.retry_at = retry_at


def reason_of(error: DynamicsError) -> Reason:
    """Why the gate stays closed after a probe that ended with this error."""
    match error:
        case Unauthorized():
            return Reason.UNAUTHORIZED
        case Forbidden():
            return Reason.FORBIDDEN
        case WrongOrganization():
            return Reason.ORGANIZATION
        case _:
            return Reason.OUTAGE
