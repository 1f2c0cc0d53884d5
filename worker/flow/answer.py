"""Answers a flow: flat, in time, and whatever happens."""

from __future__ import annotations

import asyncio
import time

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from pipelines.lookup import status
from worker.dynamics.errors import DynamicsError
from worker.flow import activity, customers, note
from worker.flow.asked import Asked, read
from worker.flow.errors import Declined
from worker.flow.session import FlowSession


#: An answer has all of them: a flow may not cope with a name that is missing.
NAMES = (
    "LookupStatus",
    "outcome",
    "reason",
    "entity",
    "contactid",
    "fullname",
    "accountid",
    "activityid",
    "annotationid",
)

_log = structlog.get_logger(__name__)


async def _add(asked: Asked, session: FlowSession) -> dict[str, Any]:
    if asked.entity == note.ANNOTATION.logical:
        return await note.add(asked, session)
    return await activity.add(asked, session)


#: ``ms_operation`` -> what it does.
OPERATIONS: Mapping[str, Callable[[Asked, FlowSession], Awaitable[dict[str, Any]]]] = {
    "lookup": customers.look_up,
    "addnote": _add,
}


async def answer(event: Any, session: FlowSession, within_s: float) -> dict[str, str]:
    """What a flow gets: strings by name, no others (``ResponseType`` STRING_MAP).

    A flow goes on whatever happens here: what is not available is ``NoMatch``, with a ``reason``
    for whoever reads the flow's log.

    Args:
        event: What Amazon Connect gives the Lambda.
        session: Where to ask.
        within_s: How long it may take (s).
    """
    began = time.monotonic()
    asked: Asked | None = None
    try:
        asked = read(event)
        async with asyncio.timeout(within_s):
            found = await _carry_out(asked, session)
    except TimeoutError:
        found = degraded("Dynamics did not answer in time")
    except (Declined, DynamicsError) as error:
        found = degraded(str(error))
    _log.info(
        "flow.answered",
        contact_id=asked.contact.id if asked else "",
        operation=asked.operation if asked and asked.operation in OPERATIONS else "",
        outcome=found.get("outcome"),
        reason=found.get("reason"),
        took_s=round(time.monotonic() - began, 3),
    )
    return flat(found)


async def _carry_out(asked: Asked, session: FlowSession) -> dict[str, Any]:
    operation = OPERATIONS.get(asked.operation)
    if operation is None:
        raise Declined(f"ms_operation is one of {', '.join(OPERATIONS)}")
    await session.open()
    return await operation(asked, session)


def degraded(reason: str) -> dict[str, Any]:
    """The answer when there is nothing to answer."""
    return {**status("NoMatch"), "reason": reason}


def flat(found: Mapping[str, Any]) -> dict[str, str]:
    """The answer as strings; what has no value is empty."""
    return {name: str(found.get(name) or "") for name in NAMES}
