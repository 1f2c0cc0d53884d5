"""Why a gate is closed, or open on trial."""

from __future__ import annotations

import enum

from typing import Final

from worker.dynamics.errors import DynamicsError, Forbidden, NotSent, Unauthorized


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
    DOUBT = "doubt"  # a few records get no answer: a probe, at once, says whose trouble it is
    SURPLUS = "surplus"  # more workers than Dynamics takes requests at a time: this one waits


#: Reasons that end by themselves, as part of a usual day.
USUAL: Final = frozenset((Reason.NONE, Reason.THROTTLED, Reason.DOUBT, Reason.SURPLUS))

#: Reasons that are this worker's alone.
OWN: Final = frozenset((Reason.DOUBT, Reason.SURPLUS))

#: Reasons after which a write must be answered before more than one contact's may be sent; after
#: the others only when there were so many pauses without such a proof between.
TRIED: Final = frozenset((Reason.OUTAGE, Reason.FORBIDDEN))
AGAIN: Final = 2


class GateClosed(NotSent):
    """The request was not sent.

    Attributes:
        reason: Why the gate is closed.
        retry_at: Time on the gate's clock (s) before which it will not open.
    """

    def __init__(self, reason: Reason, retry_at: float) -> None:
        super().__init__(f"not sent: the gate is closed ({reason.value})")
        self.reason = reason
        self.retry_at = retry_at


def reason_of(error: DynamicsError) -> Reason:
    """Why a probe that ends so keeps it closed."""
    match error:
        case Unauthorized():
            return Reason.UNAUTHORIZED
        case Forbidden():
            return Reason.FORBIDDEN
        case _:
            return Reason.OUTAGE
