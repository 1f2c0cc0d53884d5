"""Contact events, in the EventBridge envelope (Administrator Guide "contact-events").

An event shows what was known at its moment: fields fill up from INITIATED to COMPLETED. Agents and
queues are ARNs only, the customer's number and the contact's attributes are never in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from worker.sandbox.traffic import moment, people
from worker.sandbox.traffic.leg import new_id


if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from worker.sandbox.traffic.leg import Leg


#: The name of a task that its story gives none.
UNNAMED: Final = "Call the customer back"

#: Calls of these kinds send CONNECTED_TO_SYSTEM; the published inbound and API calls have none.
_CALLS_TELLING_SYSTEM: Final = frozenset({"OUTBOUND", "CALLBACK", "EXTERNAL_OUTBOUND"})

#: These ways of beginning have no system endpoint (same page, "endpoints").
_WITHOUT_ENDPOINT: Final = frozenset({"CALLBACK", "MONITOR", "QUEUE_TRANSFER"})


def events(leg: Leg, rng: Random) -> Iterator[tuple[int, bytes]]:
    """Each event of the leg with its moment, in order."""
    for kind, at_ms in _course(leg):
        yield at_ms, event(leg, kind, at_ms, rng)


def event(leg: Leg, kind: str, at_ms: int, rng: Random) -> bytes:
    """The event of this kind, for a leg that may go on: one that is not over ends in the future."""
    detail = {"eventType": kind, **_constant(leg), **_so_far(leg, kind, at_ms)}
    return orjson.dumps(_envelope(leg, detail, at_ms, rng))


def updated(leg: Leg, at_ms: int, rng: Random) -> bytes:
    """The event for attributes written to a leg that is on."""
    changed = {"updatedProperties": ["UserDefinedAttributes"]}
    detail = {"eventType": "CONTACT_DATA_UPDATED", **_constant(leg), **changed}
    return orjson.dumps(_envelope(leg, detail, at_ms, rng))


def _course(leg: Leg) -> list[tuple[str, int]]:
    course = [("INITIATED", leg.initiated_ms)]
    if leg.system_ms is not None and _tells_system(leg):
        course.append(("CONNECTED_TO_SYSTEM", leg.system_ms))
    if leg.queued_ms is not None:
        course.append(("QUEUED", leg.queued_ms))
    if leg.answered_ms is not None:
        course.append(("CONNECTED_TO_AGENT", leg.answered_ms))
    for paused, resumed in leg.pauses_ms:
        course += [("PAUSED", paused), ("RESUMED", resumed)]
    course.append(("DISCONNECTED", leg.disconnected_ms))
    if leg.completes:
        course.append(("COMPLETED", leg.ended_ms))
    if leg.survey is not None:
        course.append(("CONTACT_DATA_UPDATED", leg.survey[0]))
    return sorted(course, key=_when)


def _when(step: tuple[str, int]) -> int:
    return step[1]


def _tells_system(leg: Leg) -> bool:
    return leg.channel != "VOICE" or leg.method in _CALLS_TELLING_SYSTEM


def _envelope(leg: Leg, detail: dict[str, Any], at_ms: int, rng: Random) -> dict[str, Any]:
    return {
        "version": "0",
        "id": new_id(rng),
        "detail-type": "Amazon Connect Contact Event",
        "source": "aws.connect",
        "account": people.ACCOUNT,
        "time": moment.in_s(at_ms),
        "region": people.REGION,
        "resources": [people.INSTANCE_ARN, f"{people.INSTANCE_ARN}/contact/{leg.id}"],
        "detail": detail,
    }


def _constant(leg: Leg) -> dict[str, Any]:
    """What every event of the leg says."""
    tags = {"aws:connect:instanceId": people.INSTANCE_ID, "crm-account": leg.customer.account}
    detail: dict[str, Any] = {
        "contactId": leg.id,
        "channel": leg.channel,
        "instanceArn": people.INSTANCE_ARN,
        "initiationMethod": leg.method,
        "initiationTimestamp": moment.in_ms(leg.initiated_ms),
        "tags": tags,
    }
    links = {
        "initialContactId": leg.initial_id,
        "previousContactId": leg.previous_id,
        "relatedContactId": leg.related_id,
    }
    detail |= {name: linked for name, linked in links.items() if linked}
    if leg.line:
        tags["aws:connect:systemEndpoint"] = leg.line
        if leg.method not in _WITHOUT_ENDPOINT:
            detail["endpoints"] = {"systemEndpoint": endpoint(leg.channel, leg.line)}
    if leg.segments:
        segments = {name: {"valueString": value} for name, value in leg.segments.items()}
        detail["segmentAttributes"] = segments
    if leg.campaign_id:
        detail["campaign"] = {"campaignId": leg.campaign_id}
    if leg.channel == "TASK":
        detail["contactDetails"] = {"name": leg.name or UNNAMED}
        scheduled = leg.scheduled_ms
        detail["scheduledTimestamp"] = (
            moment.UNSET if scheduled is None else moment.in_ms(scheduled)
        )
    return detail


def endpoint(channel: str, address: str) -> dict[str, str]:
    """An endpoint as events have it; records capitalise the names."""
    kind = "EMAIL_ADDRESS" if channel == "EMAIL" else "TELEPHONE_NUMBER"
    return {"address": address, "type": kind}


def _so_far(leg: Leg, kind: str, at_ms: int) -> dict[str, Any]:
    """What has become known by this moment."""
    known: dict[str, Any] = {}
    if leg.system_ms is not None and leg.system_ms <= at_ms:
        known["connectedToSystemTimestamp"] = moment.in_ms(leg.system_ms)
    if leg.queued_ms is not None and leg.queued_ms <= at_ms and leg.queue is not None:
        known["queueInfo"] = {
            "queueArn": leg.queue.arn,
            "queueType": leg.queue.type,
            "enqueueTimestamp": moment.in_ms(leg.queued_ms),
        }
    if leg.answered_ms is not None and leg.answered_ms <= at_ms and leg.agent is not None:
        known["agentInfo"] = _agent(leg, leg.agent, leg.answered_ms, at_ms)
    if leg.disconnected_ms <= at_ms:
        known |= _disconnected(leg)
    elif leg.channel != "VOICE":
        known["disconnectTimestamp"] = moment.UNSET
    if leg.amd is not None and kind != "INITIATED":
        known["answeringMachineDetectionStatus"] = leg.amd
    if kind == "CONTACT_DATA_UPDATED":
        known["updatedProperties"] = ["UserDefinedAttributes"]
    return known


def _disconnected(leg: Leg) -> dict[str, Any]:
    known: dict[str, Any] = {"disconnectTimestamp": moment.in_ms(leg.disconnected_ms)}
    if leg.campaign_id and not leg.answered:
        known["disconnectReason"] = leg.reason
    return known


def _agent(leg: Leg, agent: people.Agent, answered_ms: int, at_ms: int) -> dict[str, Any]:
    info: dict[str, Any] = {
        "agentArn": agent.arn,
        "connectedToAgentTimestamp": moment.in_ms(answered_ms),
        "hierarchyGroups": {"level1": {"arn": agent.team["Level1"]["ARN"]}},
    }
    if leg.channel != "VOICE":
        info["previewEndTimestamp"] = moment.UNSET
    if leg.disconnected_ms <= at_ms:
        info["agentInitiatedHoldDuration"] = leg.hold_ms // 1000
    if leg.after_work_ms and leg.after_work_ms[1] <= at_ms:
        begin, end = leg.after_work_ms
        info["afterContactWorkStartTimestamp"] = moment.in_ms(begin)
        info["afterContactWorkEndTimestamp"] = moment.in_ms(end)
        info["afterContactWorkDuration"] = end // 1000 - begin // 1000
    return info
