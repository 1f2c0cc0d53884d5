"""What is not for us is recognised, whatever stream it strays onto."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipelines.decode import decode
from pipelines.fact import Ignored, Undecodable


CONTACT = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b", "RequestId": "r"}
SEGMENTS = {"Version": "1.0.0", "InstanceId": "i", "AccountId": "a", "ContactId": CONTACT}

PAYLOADS: list[tuple[Any, str]] = [
    ({"EventType": "LOGIN", "AgentARN": "arn", "InstanceARN": "arn"}, "agent event"),
    ({"EventType": "STATE_CHANGE", "CurrentAgentSnapshot": {}}, "agent event"),
    ({"EventType": "HEART_BEAT", "AgentARN": "arn", "CurrentAgentSnapshot": {}}, "agent event"),
    ({"MetricResults": [], "DataSnapshotTime": 1}, "metric snapshot"),
    ({"MetricResults": []}, "metric snapshot"),
    ({"DataSnapshotTime": 1}, "metric snapshot"),
    ({"namespace": "AWS/Connect", "metric_name": "CallsPerInterval", "value": {}}, "metric row"),
    ({"Name": "ContactFlowEvent", "Details": {}}, "contact flow payload"),
    (TEST_EVENT, "S3 test event"),
    ({"Type": "Notification", "Message": orjson.dumps(TEST_EVENT).decode()}, "S3 test event"),
    ({"Type": "SubscriptionConfirmation", "Message": "m"}, "SNS subscription message"),
    ({"Type": "UnsubscribeConfirmation", "Message": "m"}, "SNS subscription message"),
    (SEGMENTS | {"EventType": "STARTED", "LanguageCode": "en-US"}, "Contact Lens segments"),
    (SEGMENTS | {"EventType": "COMPLETED", "LanguageCode": "en-US"}, "Contact Lens segments"),
    (SEGMENTS | {"StreamingEventType": "COMPLETED"}, "Contact Lens segments"),
    ({"ContactId": CONTACT, "EventType": "SEGMENTS", "Segments": []}, "Contact Lens segments"),
    ({"JobStatus": "COMPLETED", "Transcript": []}, "Contact Lens analysis file"),
    ({"ConversationCharacteristics": {}, "ContactId": CONTACT}, "Contact Lens analysis file"),
    ({"ContactId": CONTACT, "Participants": [], "Transcript": []}, "chat transcript file"),
]

DETAIL_TYPES = [
    "Contact Lens Analysis State Change",
    "Contact Lens Post Call Rules Matched",
    "Contact Lens Realtime Rules Matched",
    "Contact Lens Chat Rules Matched",
    "Contact Lens Email Rules Matched",
    "Metrics Rules Matched",
    "Amazon Connect Rules Action Execution Failed",
    "Contact Lens Evaluation Submitted",
    "Screen Recording Status Changed",
]


@pytest.mark.parametrize(("payload", "reason"), PAYLOADS)
def test_strays_are_ignored_with_a_reason(payload: Any, reason: str) -> None:
    assert decode(orjson.dumps(payload)) == [Ignored(reason)]


def envelope(kind: Any, source: Any = "aws.connect") -> bytes:
    detail = {"contactId": CONTACT, "eventType": "INITIATED"}
    return orjson.dumps({"source": source, "detail-type": kind, "detail": detail})


@pytest.mark.parametrize("kind", DETAIL_TYPES)
def test_other_events_of_amazon_connect_are_ignored_by_name(kind: str) -> None:
    assert decode(envelope(kind)) == [Ignored(f"other event: {kind}")]


def test_events_of_other_sources_are_ignored() -> None:
    body = envelope("VoiceId Session Action", "aws.voiceid")
    assert decode(body) == [Ignored("other event: VoiceId Session Action")]


@pytest.mark.parametrize("kind", ["+4930123456", "x" * 61, "a/b", "", None, 5, ["a"], {}])
def test_names_of_unknown_shape_are_not_repeated(kind: object) -> None:
    assert decode(envelope(kind)) == [Ignored("other event")]


@pytest.mark.parametrize("source", [None, 5, [], {}])
def test_sources_of_the_wrong_type_are_other_sources(source: object) -> None:
    assert decode(envelope("Amazon Connect Contact Event", source)) == [
        Ignored("other event: Amazon Connect Contact Event")
    ]


@pytest.mark.parametrize("payload", [{}, {"hello": "world"}, {"Event": 1}])
def test_everything_else_goes_to_quarantine(payload: Any) -> None:
    assert decode(orjson.dumps(payload)) == [Undecodable("no contact identity")]
