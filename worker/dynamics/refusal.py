"""Refusals: definitive errors of Dynamics as outcomes of actions."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines import outcome
from pipelines.action import Change, Reading
from pipelines.contact import Parked
from pipelines.outcome import Refusal
from worker.dynamics.errors import Closed, DynamicsError, Exists, Forbidden, Missing, Refused
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
}


def refusal(action: Reading | Change, request: Request, error: DynamicsError, at: float) -> Refusal:
    """A definitive error as an outcome.

    Args:
        action: What was to be done.
        request: What was sent.
        error: What came of it.
        at: When, by the wall clock (s).
    """
    kind = _REFUSALS[type(error)]
    if isinstance(error, Missing) and error.code.lower() in NO_SUCH_SET:
        kind = outcome.NoTable
    parked = Parked(
        steps=list(action.steps),
        at=at,
        status=error.status,
        code=error.code,
        request={"method": request.method, "path": request.path, "body": request.body},
        answer=error.detail,
    )
    return kind(parked, str(error))
