"""Messages on our streams and queues that are not for us: recognised, counted, ignored."""

from __future__ import annotations

import re

from typing import Any

from pipelines.fact import Ignored, Undecodable


UNKNOWN = Undecodable("no contact identity")

#: What a rule's input transformer leaves of an event.
STRIPPED = Undecodable(
    "part of a contact event: if its rule's target transforms the input, set it to Matched event"
)

OTHER_EVENT = "other event"

# Names (lower case) that together identify a payload, and what it is. First match counts.
_BY_NAMES = (
    # The agent event stream (Administrator Guide, "agent-event-stream-model").
    ({"agentarn", "eventtype"}, Ignored("agent event")),
    ({"currentagentsnapshot"}, Ignored("agent event")),
    # Real-time Contact Lens streams have contact id and event types STARTED, SEGMENTS, COMPLETED,
    # FAILED, and an InstanceId where contact events have an instance ARN (Administrator Guide,
    # "real-time-contact-analysis-segment-streams-data-model", for chat "chat-real-time-…").
    ({"contactid", "instanceid", "eventtype"}, Ignored("Contact Lens segments")),
    ({"contactid", "instanceid", "streamingeventtype"}, Ignored("Contact Lens segments")),
    ({"contactid", "segments"}, Ignored("Contact Lens segments")),
    # Files that an object notification names, not the notification itself.
    ({"conversationcharacteristics"}, Ignored("Contact Lens analysis file")),
    ({"jobstatus", "transcript"}, Ignored("Contact Lens analysis file")),
    ({"participants", "transcript"}, Ignored("chat transcript file")),
    # Answers of GetCurrentMetricData and GetMetricData put on a stream.
    ({"metricresults"}, Ignored("metric snapshot")),
    ({"datasnapshottime"}, Ignored("metric snapshot")),
    # Rows of those, one a line, and of historical metrics reports.
    ({"collections", "dimensions"}, Ignored("metric row")),
    ({"metric", "value"}, Ignored("metric row")),
    ({"startinterval", "endinterval"}, Ignored("metric row")),
    # A CloudWatch metric stream (CloudWatch User Guide, "metric streams, JSON format").
    ({"metric_name", "namespace"}, Ignored("metric row")),
)

# A field whose value alone identifies a payload.
_BY_VALUE = (
    ("Event", "s3:TestEvent", Ignored("S3 test event")),
    ("Name", "ContactFlowEvent", Ignored("contact flow payload")),
    ("messageType", "CONTROL_MESSAGE", Ignored("CloudWatch Logs control message")),
    ("Type", "SubscriptionConfirmation", Ignored("SNS subscription message")),
    ("Type", "UnsubscribeConfirmation", Ignored("SNS subscription message")),
)

# Names (lower case) of contact events and of their envelopes.
_OF_EVENTS = frozenset({"contactid", "eventtype", "initiationmethod", "detail-type", "detailtype"})

# Detail types of this shape are safe to be shown.
_PLAIN = re.compile(r"[A-Za-z ]{1,60}").fullmatch


def reason(data: dict[str, Any], names: frozenset[str]) -> Ignored | None:
    """Why a payload with these names (lower case) is ignored; None if it is not known."""
    for name, value, ignored in _BY_VALUE:
        if data.get(name) == value:
            return ignored
    for required, ignored in _BY_NAMES:
        if required <= names:
            return ignored
    return None


def unknown(names: frozenset[str]) -> Undecodable:
    """Why a payload with these names (lower case) is of no use."""
    return UNKNOWN if names.isdisjoint(_OF_EVENTS) else STRIPPED


def other_event(envelope: dict[str, Any]) -> Ignored:
    """Why an EventBridge event that is no contact event and not from S3 is ignored."""
    kind = envelope["detail-type"]
    plain = isinstance(kind, str) and _PLAIN(kind)
    return Ignored(f"{OTHER_EVENT}: {kind}" if plain else OTHER_EVENT)
