"""The vocabulary: every name of a contact event and a contact record, spelt one way.

Both streams say the same things in different spellings (``instanceArn``, ``InstanceARN``,
``agentInfo.agentArn``, ``Agent.ARN``; Connect Administrator Guide "contact-events" and
"ctr-data-model"). Pipelines see the contact record's spelling only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any

import orjson

from pipelines.decode.timestamp import normalise
from pipelines.fact import Fact


#: Structures whose members have fixed names.
ENDPOINT = "Address Type DisplayName"
MEMBERS: dict[str, frozenset[str]] = {
    name: frozenset(members.split())
    for name, members in {
        "Agent": (
            "ARN Username ConnectedToAgentTimestamp AcceptedByAgentTimestamp PreviewEndTimestamp "
            "AgentInteractionDuration CustomerHoldDuration AgentInitiatedHoldDuration "
            "LongestHoldDuration NumberOfHolds AfterContactWorkStartTimestamp "
            "AfterContactWorkEndTimestamp AfterContactWorkDuration AgentPauseDuration "
            "HierarchyGroups RoutingProfile DeviceInfo Capabilities StateTransitions ActiveRegion"
        ),
        "Queue": "ARN Name Type EnqueueTimestamp DequeueTimestamp Duration",
        "CustomerEndpoint": ENDPOINT,
        "SystemEndpoint": ENDPOINT,
        "TransferredToEndpoint": ENDPOINT,
        "Recording": "Location Status Type DeletionReason",
        "Campaign": "CampaignId",
        "DisconnectDetails": "PotentialDisconnectIssue",
        "GlobalResiliencyMetadata": "ActiveRegion OriginRegion TrafficDistributionGroupId",
    }.items()
}

#: Structures a pipeline may look into freely: their members are the users' or AWS's to name.
FREE = frozenset(
    [
        "Attributes",
        "Tags",
        "SegmentAttributes",
        "References",
        "ContactDetails",
        "Customer",
        "ChatMetrics",
        "ContactEvaluations",
        "ContactLens",
        "CustomerVoiceActivity",
        "ExternalThirdParty",
        "MediaStreams",
        "OutboundStrategy",
        "QualityMetrics",
        "RoutingCriteria",
        "TaskTemplateInfo",
        "VoiceIdResult",
        "WisdomInfo",
        "Recordings",
        "AdditionalEmailRecipients",
    ]
)

#: Plain values of the contact record.
PLAIN = frozenset(
    [
        "AWSAccountId",
        "AWSContactTraceRecordFormatVersion",
        "AgentConnectionAttempts",
        "AnsweringMachineDetectionStatus",
        "Channel",
        "ConnectedToSystemTimestamp",
        "ContactAssociationId",
        "ContactId",
        "CustomerId",
        "DisconnectReason",
        "DisconnectTimestamp",
        "InitialContactId",
        "InitiationMethod",
        "InitiationTimestamp",
        "InstanceARN",
        "LastPausedTimestamp",
        "LastResumedTimestamp",
        "LastUpdateTimestamp",
        "NextContactId",
        "PreviousContactId",
        "RelatedContactId",
        "ScheduledTimestamp",
        "TotalPauseCount",
        "TotalPauseDurationInSeconds",
        "TransferCompletedTimestamp",
    ]
)

#: Names the contact record never has: only contact events have them.
EVENT_ONLY = frozenset(
    ["RingStartTimestamp", "GreetingStartTimestamp", "GreetingEndTimestamp", "UpdatedProperties"]
)

#: Names that contact events have and contact records are not known to repeat.
EVENTS_ALONE = frozenset(["Queue.Type", "Agent.ActiveRegion"])

#: Structures that contact records have, but often without what the events said in them: that stays.
FILLED = frozenset(["ContactDetails"])

#: Names that only DescribeContact has (API reference "Contact"): Connect is asked for them.
DESCRIBED_ONLY = frozenset(
    [
        "Cases",
        "Description",
        "Name",
        "NextContacts",
        "QueuePriority",
        "QueueTimeAdjustmentSeconds",
    ]
)

#: Names whose values are never structures; what comes as one is ignored.
SINGLE = PLAIN | frozenset(["ARN", "Username", "Name", "Address", "Location", "CampaignId"])

#: Every name of both streams.
STREAM = PLAIN | FREE | EVENT_ONLY | DESCRIBED_ONLY | frozenset(MEMBERS)

#: What a bare structure stands for: ``{{CustomerEndpoint}}`` is its address.
SCALARS = {
    "CustomerEndpoint": "Address",
    "SystemEndpoint": "Address",
    "TransferredToEndpoint": "Address",
    "Agent": "Username",
    "Queue": "Name",
    "Recording": "Location",
    "Campaign": "CampaignId",
}

#: Members of a segment attribute, one of which holds its value (API reference
#: "SegmentAttributeValue"), in lower case: ``SegmentAttributes.connect:Subtype`` is its text.
TYPED = frozenset(
    ["valuestring", "valueinteger", "valueboolean", "valuearn", "valuelist", "valuemap"]
)

#: Other spellings of a structure (events) and of its members, in lower case.
RENAMED = {"agentinfo": "Agent", "queueinfo": "Queue"}
RENAMED_MEMBERS = {
    "Agent": {"agentarn": "ARN"},
    "Queue": {"queuearn": "ARN", "queuetype": "Type"},
}

#: Values that come as ``Voice`` or ``VOICE``.
ENUMS = frozenset(
    ["Channel", "InitiationMethod", "DisconnectReason", "AnsweringMachineDetectionStatus"]
)

_TOP = {name.lower(): name for name in STREAM} | RENAMED
_INNER = {
    name: {member.lower(): member for member in members} | RENAMED_MEMBERS.get(name, {})
    for name, members in MEMBERS.items()
}


@lru_cache(maxsize=1024)
def said(body: bytes) -> Mapping[str, Any]:
    """What a fact's body says, as ``spelt``. It is read once, whoever asks: do not change it."""
    return spelt(orjson.loads(body))


def spelt(message: dict[str, Any]) -> dict[str, Any]:
    """The message in the vocabulary's spelling, without what is null, empty or unset.

    Timestamps lose their milliseconds, so that both streams say the same second; Dataverse keeps
    no more than that.
    """
    known: dict[str, Any] = {}
    for key, given in message.items():
        name, read = _spelling(key)
        if name == "Endpoints":  # events keep their one endpoint inside
            if isinstance(given, dict):
                known.update(spelt(given))
            continue
        value = read(given)
        if value or (value is not None and type(value) is not dict):
            known[name] = value
    return known


def heard(events: Iterable[Fact]) -> dict[str, Any]:
    """What events say together: later ones over earlier ones, member by member in structures.

    Args:
        events: The events, oldest first.
    """
    known: dict[str, Any] = {}
    merged: dict[str, dict[str, Any]] = {}  # structures that are nobody else's, by name
    for fact in events:
        for name, value in said(fact.body).items():
            if type(value) is not dict or type(before := known.get(name)) is not dict:
                known[name] = value
            elif before is merged.get(name):
                before.update(value)
            else:
                known[name] = merged[name] = {**before, **value}
    return known


# --- how a name is spelt, and its value read ------------------------------------------------------

#: Reads a value; None: it is null, empty or unset.
_Read = Callable[[Any], Any]


@lru_cache(maxsize=1024)
def _spelling(key: str) -> tuple[str, _Read]:
    """The vocabulary's name for a message's, and what reads its value."""
    name = _TOP.get(key.lower(), key[:1].upper() + key[1:])
    return name, partial(_members, name) if name in MEMBERS else _reader(name)


@lru_cache(maxsize=1024)
def _member_spelling(structure: str, key: str) -> tuple[str, _Read]:
    """The same for a member of a structure."""
    name = _INNER[structure].get(key.lower(), key[:1].upper() + key[1:])
    return name, _reader(name)


def _members(structure: str, value: Any) -> Any:
    if not isinstance(value, dict):
        # Some producers send the bare value for the structure (Service Cloud Voice fixtures).
        scalar = SCALARS.get(structure)
        return {scalar: value} if scalar and isinstance(value, str) and value else None
    known = {}
    for key, given in value.items():
        name, read = _member_spelling(structure, key)
        if (inner := read(given)) is not None:
            known[name] = inner
    return known


def _reader(name: str) -> _Read:
    if name == "Attributes":
        return _attributes
    if name.endswith("Timestamp"):
        return second
    if name in ENUMS:
        return _enum
    return _single if name in SINGLE else _any


def _attributes(value: Any) -> dict[str, Any]:
    # A redaction leaves nulls behind.
    known = value if isinstance(value, dict) else {}
    return {key: inner for key, inner in known.items() if inner is not None}


def _enum(value: Any) -> str | None:
    return (value.upper() or None) if isinstance(value, str) else None


def _single(value: Any) -> Any:
    return None if value == "" or isinstance(value, (dict, list)) else value


def _any(value: Any) -> Any:
    return None if value == "" else value


def second(value: Any) -> str | None:
    """A timestamp as ``YYYY-MM-DDTHH:MM:SSZ``; None if it is unset or no timestamp."""
    return _second(value) if isinstance(value, str) else _to_second(value)


def _to_second(value: Any) -> str | None:
    text = normalise(value)
    return f"{text[:19]}Z" if text else None


#: Messages of one contact repeat its times.
_second = lru_cache(maxsize=1024)(_to_second)


def member(values: Mapping[str, Any], structure: str, name: str) -> Any:
    """A structure's member whatever the case of its name; None without one."""
    inner = values.get(structure)
    if not isinstance(inner, dict):
        return None
    return inner[name] if name in inner else _folded(inner).get(name.lower())


def segment(values: Mapping[str, Any], name: str) -> Any:
    """A segment attribute whatever the case of its name: its text, or what else it is; or None.

    Args:
        values: The contact's names and values.
        name: The attribute's, in lower case.
    """
    value = _folded(values.get("SegmentAttributes")).get(name)
    text = _folded(value).get("valuestring")
    return text if isinstance(text, str) else value


def _folded(structure: Any) -> dict[str, Any]:
    return {k.lower(): v for k, v in structure.items()} if isinstance(structure, dict) else {}
