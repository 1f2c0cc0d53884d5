"""Refusals: errors of Dynamics as outcomes of actions, when no further try is made."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines import outcome
from pipelines.action import Change, Reading
from pipelines.contact import Parked
from pipelines.outcome import Refusal
from worker.dynamics.errors import (
    Busy,
    Closed,
    DynamicsError,
    Exists,
    Forbidden,
    Missing,
    Refused,
    Unavailable,
)
from worker.dynamics.protocol import Request


#: Codes of a 404 that means the entity set, not the record (powerapps-docs
#: ``org-service/web-service-error-codes``).
NO_SUCH_SET = frozenset(("0x80060888", "0x8006088a"))

_REFUSALS: Mapping[type[DynamicsError], type[Refusal]] = {
    Exists: outcome.Exists,
    Closed: outcome.Closed,
    Missing: outcome.Missing,
    Refused: outcome.Refused,
    Forbidden: outcome.Forbidden,
    Unavailable: outcome.Unanswered,
    Busy: outcome.Unanswered,
}


def refusal(action: Reading | Change, request: Request, error: DynamicsError, at: float) -> Refusal:
    """An error as an outcome; one without an answer says that there was none.

    Args:
        action: What was to be done.
        request: What was sent.
        error: What came of it.
        at: When, by the wall clock (s).
    """
    kind = _REFUSALS[type(error)]
    if isinstance(error, Missing) and error.code.lower() in NO_SUCH_SET:
        kind = outcome.NoTable
    unanswered = kind is outcome.Unanswered
    parked = Parked(
        steps=list(action.steps),
        at=at,
        status=error.status,
        code=error.code,
        request={"method": request.method, "path": request.path, "body": request.body},
        answer=error.detail or (str(error) if unanswered else ""),
        unanswered=unanswered,
    )
    return kind(parked, str(error))
