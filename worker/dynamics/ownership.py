"""Ownership: a record whose owner Dynamics refuses is written all the same, without that owner.

A record can be given only to a user who may read it and is enabled, by a user who may assign
(powerapps-docs ``developer/data-platform/security-sharing-assigning``). Which of these is amiss,
codes do not say reliably; that the same request goes through without the owner does.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from pipelines.entity import OWNER
from worker.dynamics.errors import (
    Closed,
    DynamicsError,
    Exists,
    Forbidden,
    Missing,
    NotAs,
    Refused,
    Unauthorized,
)
from worker.dynamics.protocol import Answer, Dynamics, Request


_log = structlog.get_logger(__name__)

_FORBIDDEN = 403


async def send_owned(dynamics: Dynamics, request: Request, *, timeout_s: float) -> Answer:
    """Send a change of a record; if it is refused, without the owner that it names.

    Raises:
        DynamicsError: It is refused for another reason, or not answered.
    """
    try:
        return await dynamics.send(request, timeout_s=timeout_s)
    except (Refused, Forbidden, Unauthorized) as error:
        body = request.body or {}
        if OWNER not in body or not _may_be_the_owner_s(request, error):
            raise
        rest = replace(request, body={c: v for c, v in body.items() if c != OWNER})
        answer = (
            Answer(204, {}, {}) if not rest.body else await dynamics.send(rest, timeout_s=timeout_s)
        )
        _log.warning("dynamics.owner_refused", code=error.code, status=error.status)
        return answer


def _may_be_the_owner_s(request: Request, error: DynamicsError) -> bool:
    if isinstance(error, Missing):
        return "If-Match" not in request.headers  # of an update, it is the record that is not there
    if isinstance(error, Unauthorized):
        return error.status == _FORBIDDEN
    return not isinstance(error, Exists | Closed | NotAs)
