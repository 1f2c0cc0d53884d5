"""Contact records (Administrator Guide "ctr-data-model").

One compact JSON object with every top-level key there is, null where it does not apply, times in
whole seconds. Its names are the ones a pipeline prefers, so checkers compare with it most.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import orjson

from worker.sandbox.traffic import mails, moment, people
from worker.sandbox.traffic.events import endpoint


if TYPE_CHECKING:
    from worker.sandbox.traffic.leg import Leg


_KEYS: Final = (
    "AWSAccountId",
    "AWSContactTraceRecordFormatVersion",
    "AdditionalEmailRecipients",
    "Agent",
    "AgentConnectionAttempts",
    "AnsweringMachineDetectionStatus",
    "Attributes",
    "Campaign",
    "Channel",
    "ChatMetrics",
    "ConnectedToSystemTimestamp",
    "ContactAssociationId",
    "ContactDetails",
    "ContactEvaluations",
    "ContactId",
    "ContactLens",
    "Customer",
    "CustomerEndpoint",
    "CustomerId",
    "CustomerVoiceActivity",
    "DisconnectDetails",
    "DisconnectReason",
    "DisconnectTimestamp",
    "ExternalThirdParty",
    "GlobalResiliencyMetadata",
    "InitialContactId",
    "InitiationMethod",
    "InitiationTimestamp",
    "InstanceARN",
    "LastPausedTimestamp",
    "LastResumedTimestamp",
    "LastUpdateTimestamp",
    "MediaStreams",
    "NextContactId",
    "OutboundStrategy",
    "PreviousContactId",
    "QualityMetrics",
    "Queue",
    "Recording",
    "Recordings",
    "References",
    "RelatedContactId",
    "RoutingCriteria",
    "ScheduledTimestamp",
    "SegmentAttributes",
    "SystemEndpoint",
    "Tags",
    "TaskTemplateInfo",
    "TotalPauseCount",
    "TotalPauseDurationInSeconds",
    "TransferCompletedTimestamp",
    "TransferredToEndpoint",
    "VoiceIdResult",
    "WisdomInfo",
)

#: What all records share; later keys fill it in, its order stays.
_BLANK: Final[dict[str, Any]] = {
    **dict.fromkeys(_KEYS),
    "AWSAccountId": people.ACCOUNT,
    "AWSContactTraceRecordFormatVersion": "2017-03-10",
    "InstanceARN": people.INSTANCE_ARN,
    "ContactDetails": {},
    "ContactEvaluations": {},
    "References": [],
}

_SUBTYPES: Final = {
    "VOICE": {"connect:Subtype": {"ValueString": "connect:Telephony"}},
    "CHAT": {"connect:Subtype": {"ValueString": "connect:Chat"}},
    "TASK": {"connect:Subtype": {"ValueString": "connect:Task"}},
    "EMAIL": {"connect:Subtype": {"ValueString": "connect:Email"}},
}
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_MEDIA: Final = {"VOICE": [{"Type": "AUDIO"}], "CHAT": [{"Type": "CHAT"}]}
_DEVICE: Final = {
    "PlatformName": "Windows",
    "PlatformVersion": "11",
    "OperatingSystem": "Windows",
}


def record(
    leg: Leg,
    updated_ms: int,
    attributes: Mapping[str, str] = _NOTHING,
    changes: Mapping[str, Any] = _NOTHING,
) -> bytes:
    """The record of a finished leg as of ``updated_ms``, some attributes and members changed."""
    return orjson.dumps(
        {
            **_BLANK,
            **_identity(leg),
            **_times(leg),
            **_customer(leg),
            **_pauses(leg),
            **_recording(leg),
            "Agent": _agent(leg),
            "AgentConnectionAttempts": leg.attempts,
            "AnsweringMachineDetectionStatus": leg.amd,
            "Attributes": {**leg.attributes, **attributes},
            "Campaign": {"CampaignId": leg.campaign_id} if leg.campaign_id else None,
            "Channel": leg.channel,
            "DisconnectDetails": {"PotentialDisconnectIssue": None},
            "DisconnectReason": leg.reason,
            "InitiationMethod": leg.method,
            "LastUpdateTimestamp": moment.in_s(updated_ms),
            "MediaStreams": _MEDIA.get(leg.channel, []),
            "Queue": _queue(leg),
            "SegmentAttributes": segment(leg),
            "AdditionalEmailRecipients": further_recipients(leg),
            "TransferredToEndpoint": leg.transferred_to,
            **changes,
        }
    )


def _optional(at_ms: int | None) -> str | None:
    return None if at_ms is None else moment.in_s(at_ms)


def _seconds(begin_ms: int, end_ms: int) -> int:
    """Whole seconds between two times as the record shows them."""
    return end_ms // 1000 - begin_ms // 1000


def _identity(leg: Leg) -> dict[str, Any]:
    return {
        "ContactId": leg.id,
        "InitialContactId": leg.initial_id,
        "PreviousContactId": leg.previous_id,
        "NextContactId": leg.next_id,
        "RelatedContactId": leg.related_id,
        "ContactAssociationId": leg.related_id or leg.initial_id or leg.id,
    }


def _times(leg: Leg) -> dict[str, Any]:
    return {
        "InitiationTimestamp": moment.in_s(leg.initiated_ms),
        "ConnectedToSystemTimestamp": _optional(leg.system_ms),
        "DisconnectTimestamp": moment.in_s(leg.disconnected_ms),
        "ScheduledTimestamp": _optional(leg.scheduled_ms),
        "TransferCompletedTimestamp": _optional(leg.transferred_ms),
    }


def _customer(leg: Leg) -> dict[str, Any]:
    """Endpoints and tags; chats and tasks have no endpoints in real records."""
    tags = {"aws:connect:instanceId": people.INSTANCE_ID, "crm-account": leg.customer.account}
    if leg.line is None:
        return {"Tags": tags}
    address = mails.address(leg) if leg.channel == "EMAIL" else leg.customer.number
    return {
        "Tags": {**tags, "aws:connect:systemEndpoint": leg.line},
        "CustomerEndpoint": _endpoint(leg.channel, address),
        "SystemEndpoint": _endpoint(leg.channel, leg.line),
        "QualityMetrics": {"Agent": {"Audio": {"QualityScore": 4.3, "PotentialQualityIssues": []}}}
        if leg.answered and leg.channel == "VOICE"
        else None,
    }


def segment(leg: Leg) -> dict[str, Any]:
    """The segment attributes: what kind of contact it is and, of a mail, the subject."""
    about = mails.subject(leg) if leg.channel == "EMAIL" else None
    subject = {"connect:EmailSubject": about} if about else {}
    named = {name: {"ValueString": value} for name, value in (subject | leg.segments).items()}
    return _SUBTYPES[leg.channel] | named


def further_recipients(leg: Leg) -> dict[str, Any] | None:
    """Who else gets a mail."""
    if leg.channel != "EMAIL" or not mails.copied(leg):
        return None
    name, address = mails.COLLEAGUE
    return {"ToList": [], "CcList": [{"Address": address, "DisplayName": name}]}


def _endpoint(channel: str, address: str) -> dict[str, str]:
    return {name.capitalize(): value for name, value in endpoint(channel, address).items()}


def _pauses(leg: Leg) -> dict[str, Any]:
    if not leg.pauses_ms:
        return {}
    return {
        "LastPausedTimestamp": moment.in_s(leg.pauses_ms[-1][0]),
        "LastResumedTimestamp": moment.in_s(leg.pauses_ms[-1][1]),
        "TotalPauseCount": len(leg.pauses_ms),
        "TotalPauseDurationInSeconds": sum(_seconds(*pause) for pause in leg.pauses_ms),
    }


def _agent(leg: Leg) -> dict[str, Any] | None:
    """The agent, also of an outbound call that nobody answered."""
    if leg.agent is None:
        return None
    connected = leg.disconnected_ms if leg.answered_ms is None else leg.answered_ms
    begin, end = leg.after_work_ms or (None, None)
    return {
        "ARN": leg.agent.arn,
        "AcceptedByAgentTimestamp": None,
        "AfterContactWorkDuration": _seconds(begin, end) if begin and end else 0,
        "AfterContactWorkEndTimestamp": _optional(end),
        "AfterContactWorkStartTimestamp": _optional(begin),
        "AgentInitiatedHoldDuration": leg.hold_ms // 1000,
        "AgentInteractionDuration": _seconds(connected, leg.disconnected_ms) - leg.hold_ms // 1000,
        "AgentPauseDuration": None,
        "Capabilities": None,
        "ConnectedToAgentTimestamp": _optional(leg.answered_ms),
        "CustomerHoldDuration": leg.hold_ms // 1000,
        "DeviceInfo": _DEVICE,
        "HierarchyGroups": leg.agent.team,
        "LongestHoldDuration": leg.hold_ms // 1000,
        "NumberOfHolds": 1 if leg.hold_ms else 0,
        "PreviewEndTimestamp": None,
        "RoutingProfile": leg.agent.profile,
        "StateTransitions": None,
        "Username": leg.agent.username,
    }


def _queue(leg: Leg) -> dict[str, Any] | None:
    """The queue; an outbound call's has a name but nobody waited in it."""
    if leg.queue is None:
        return None
    left = leg.disconnected_ms if leg.answered_ms is None else leg.answered_ms
    waited = None if leg.queued_ms is None else _seconds(leg.queued_ms, left)
    return {
        "ARN": leg.queue.arn,
        "DequeueTimestamp": _optional(None if leg.queued_ms is None else left),
        "Duration": waited,
        "EnqueueTimestamp": _optional(leg.queued_ms),
        "Name": leg.queue.name,
    }


def _recording(leg: Leg) -> dict[str, Any]:
    """Where the recording will be, known before it is there; sometimes the record leaves it out.

    Both keys can be null although there is a recording (amazon-connect-salesforce-scv #87).
    """
    chat = leg.channel == "CHAT"
    key = leg.key_of("transcript" if chat else "recording")
    by = "ALL"
    if key is None:
        key, by = leg.key_of("ivr_recording"), "IVR"
    if key is None or not leg.record_names_recording:
        return {}
    place = {
        "DeletionReason": None,
        "Location": f"{people.BUCKET}/{key}",
        "Status": "AVAILABLE",
    }
    more = {
        "FragmentStartNumber": None,
        "FragmentStopNumber": None,
        "MediaStreamType": "CHAT" if chat else "AUDIO",
        "ParticipantType": None if chat else by,
        "StartTimestamp": None,
        "StopTimestamp": None,
        "StorageType": "S3",
    }
    return {
        "Recording": {**place, "Type": "CHAT" if chat else "AUDIO"},
        "Recordings": [{**place, **more}],
    }
