"""What amazon-connect-streams asks the softphone to do (its enum ``ClientMethods``)."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.browser.agents import STATES
from worker.sandbox.browser.contacts import OVER
from worker.sandbox.traffic import people


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.sandbox.browser.softphone import Softphone


#: E.164, which is all that the outbound call takes.
_NUMBER: Final = re.compile(r"\+[1-9]\d{6,14}")

#: Asked for all the time, and of no consequence here.
_WITHOUT_EFFECT: Final = frozenset(
    (
        "sendClientLogs",
        "sendSoftphoneCallReport",
        "sendSoftphoneCallMetrics",
        "sendDigits",
        "conferenceConnections",
        "notifyContactIssue",
        "updateAgentConfiguration",
        "muteParticipant",
        "unmuteParticipant",
    )
)


class RefusedError(Exception):
    """Its text is the error that the library's failure callback gets."""


def answer(softphone: Softphone, agent: str, method: str, params: Mapping[str, Any]) -> Any:
    """Do what is asked; what the success callback gets.

    Raises:
        RefusedError: It cannot be done.
    """
    if method in softphone.refusals:
        raise RefusedError(softphone.refusals[method])
    if method in _WITHOUT_EFFECT:
        return {}
    act = _ACTS.get(method)
    if act is None:
        raise RefusedError(f"UnknownOperationException: {method}")
    try:
        return act(softphone, agent, params) or {}
    except KeyError as error:
        raise RefusedError(f"ContactNotFoundException: {error}") from error


def _accept(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> None:
    softphone.accept(agent, params["contactId"])


def _reject(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> None:
    softphone.reject(agent, params["contactId"])


def _clear(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> None:
    """Close a contact; one that goes on is ended first, which completing does too."""
    contact_id = params["contactId"]
    contact = next((c for c in softphone.contacts(agent) if c.id == contact_id), None)
    if contact is not None and contact.state not in OVER:
        softphone.hang_up(agent, contact_id)
    softphone.clear(agent, contact_id)


def _end(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> None:
    softphone.hang_up(agent, params["contactId"])


def _dial(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> None:
    endpoint = params.get("endpoint") or {}
    number = endpoint.get("phoneNumber") or ""
    if not _NUMBER.fullmatch(number):
        raise RefusedError("BadEndpointException")
    softphone.dial(agent, number)


def _choose(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> None:
    state = (params.get("state") or {}).get("name")
    if state not in STATES:
        raise RefusedError("InvalidStateException")
    softphone.choose(agent, state)


def _hold(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> None:
    softphone.hold(agent, params["contactId"])


def _resume(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> None:
    softphone.hold(agent, params["contactId"], held=False)


def _pause(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> None:
    softphone.pause(agent, params["contactId"])


def _take_up(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> None:
    softphone.pause(agent, params["contactId"], paused=False)


def _supervise(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> None:
    if params.get("targetMonitorMode") == "BARGE":
        softphone.barge(agent, params["contactId"])


def _transfer(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> None:
    endpoint = params.get("endpoint") or {}
    softphone.transfer(agent, params["contactId"], endpoint.get("name") or "")


def _endpoints(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The quick connects: all colleagues."""
    del softphone, params
    colleagues = [colleague for colleague in people.AGENTS if colleague.username != agent]
    return {
        "endpoints": [
            {"endpointARN": one.arn, "type": "agent", "name": one.username} for one in colleagues
        ]
    }


def _snapshot(softphone: Softphone, agent: str, params: Mapping[str, Any]) -> dict[str, Any]:
    del params
    return {"snapshot": softphone.update(agent)["snapshot"]}


_ACTS: Final[dict[str, Callable[[Softphone, str, Mapping[str, Any]], Any]]] = {
    "acceptContact": _accept,
    "rejectContact": _reject,
    "clearContact": _clear,
    "completeContact": _clear,
    "destroyConnection": _end,
    "createOutboundContact": _dial,
    "putAgentState": _choose,
    "holdConnection": _hold,
    "resumeConnection": _resume,
    "pauseContact": _pause,
    "resumeContact": _take_up,
    "updateMonitorParticipantState": _supervise,
    "createAdditionalConnection": _transfer,
    "addNewConnection": _transfer,
    "transferContact": _transfer,
    "getEndpoints": _endpoints,
    "getAgentSnapshot": _snapshot,
}
