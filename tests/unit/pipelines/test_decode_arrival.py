"""Arrival: what carries a message says when it took it in, and that bounds how it may be dated."""

from __future__ import annotations

import base64

from typing import Any

import orjson
import pytest

from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.decode.arrival import AHEAD, AHEAD_S
from pipelines.fact import Fact
from pipelines.kin import told


AT = 1_767_323_045.678  # 2026-01-02T03:04:05.678Z
ISO = "2026-01-02T03:04:05.678Z"

RECORD = {
    "AWSContactTraceRecordFormatVersion": "2017-03-10",
    "ContactId": "c-1",
    "PreviousContactId": "c-0",
    "LastUpdateTimestamp": "2026-01-02T03:04:00Z",
}


def encoded(value: Any) -> str:
    return base64.b64encode(orjson.dumps(value)).decode()


def text(value: Any) -> str:
    return orjson.dumps(value).decode()


#: What carries a record and says when it took it in.
CARRIERS: dict[str, dict[str, Any]] = {
    "Lambda, of Kinesis": {
        "Records": [{"kinesis": {"data": encoded(RECORD), "approximateArrivalTimestamp": AT}}]
    },
    "aws kinesis get-records": {
        "Records": [
            {
                "SequenceNumber": "1",
                "ApproximateArrivalTimestamp": "2026-01-02T04:04:05.678000+01:00",
                "Data": encoded(RECORD),
                "PartitionKey": "p",
            }
        ],
        "MillisBehindLatest": 0,
    },
    "aws kinesis get-records, first version": {
        "Records": [
            {"SequenceNumber": "1", "ApproximateArrivalTimestamp": AT, "Data": encoded(RECORD)}
        ]
    },
    "Firehose": {
        "deliveryStreamArn": "arn:aws:firehose:eu-central-1:111122223333:deliverystream/d",
        "records": [
            {"recordId": "1", "approximateArrivalTimestamp": AT * 1000, "data": encoded(RECORD)}
        ],
    },
    "Lambda, of SQS": {
        "Records": [
            {
                "eventSource": "aws:sqs",
                "body": text(RECORD),
                "attributes": {"SentTimestamp": "1767323045678"},
            }
        ]
    },
    "Lambda, of SNS": {"Records": [{"Sns": {"Message": text(RECORD), "Timestamp": ISO}}]},
    "SNS": {"Type": "Notification", "Message": text(RECORD), "Timestamp": ISO},
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_carries_a_message_says_when_it_arrived(carrier: str) -> None:
    for arrived in (None, AT + 86_400):  # the first to take it in counts
        (fact,) = decode(orjson.dumps(CARRIERS[carrier]), arrived=arrived)
        assert isinstance(fact, Fact)
        assert fact.arrived == AT


def spoilt(value: Any, odd: Any) -> Any:
    """The same with something odd in each place where a carrier says when."""
    if isinstance(value, list):
        return [spoilt(one, odd) for one in value]
    if not isinstance(value, dict):
        return value
    return {k: odd if k.endswith("Timestamp") else spoilt(v, odd) for k, v in value.items()}


@pytest.mark.parametrize("odd", [None, "", "yesterday", [], {}, True, "9" * 400, -1, 1e300])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_carrier_that_does_not_say_or_says_junk_leaves_it_to_what_is_around_it(
    carrier: str, odd: Any
) -> None:
    junk = orjson.dumps(spoilt(CARRIERS[carrier], odd))
    (fact,) = decode(junk, arrived=AT + 1)
    assert isinstance(fact, Fact)
    assert fact.arrived == AT + 1


def test_an_envelope_says_it_where_nothing_around_it_does() -> None:
    detail = {"eventType": "INITIATED", "contactId": "c-1"}
    envelope = {"detail-type": "Amazon Connect Contact Event", "source": "aws.connect", "time": ISO}
    event = orjson.dumps({**envelope, "detail": detail})
    key = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe_20260102T03:00_UTC.wav"
    stored = {"bucket": {"name": "b"}, "object": {"key": key}}
    native = orjson.dumps({"eventName": "ObjectCreated:Put", "eventTime": ISO, "s3": stored})
    for body in (event, native):
        (alone,), (within,) = decode(body), decode(body, arrived=AT + 1)
        assert isinstance(alone, Fact)
        assert isinstance(within, Fact)
        assert (alone.arrived, within.arrived) == (AT, AT + 1)


def test_a_message_that_does_not_say_when_it_arrived_is_not_judged() -> None:
    (fact,) = decode(orjson.dumps({**RECORD, "LastUpdateTimestamp": "9999-01-01T00:00:00Z"}))
    assert isinstance(fact, Fact)
    assert fact.arrived is None


@pytest.mark.parametrize("arrived", [float("nan"), float("inf"), -1e300, 1e300, -1.0])
def test_an_arrival_that_is_no_time_is_nobodys_word(arrived: float) -> None:
    (fact,) = decode(orjson.dumps(RECORD), arrived=arrived)
    assert isinstance(fact, Fact)
    assert fact.arrived is None


def test_a_message_may_be_dated_a_day_after_its_arrival_and_no_more() -> None:
    arrived = 1_767_323_040.0 - AHEAD_S  # a day before the record's own time
    (fact,) = decode(orjson.dumps(RECORD), arrived=arrived)
    assert isinstance(fact, Fact)
    assert decode(orjson.dumps(RECORD), arrived=arrived - 0.001) == [AHEAD]


def test_what_a_contact_was_told_of_another_does_not_say_when_it_was_heard_of_itself() -> None:
    (fact,) = decode(orjson.dumps({**RECORD, "InitiationTimestamp": ISO}), arrived=AT)
    assert isinstance(fact, Fact)
    (extract,) = told(fact)
    earlier, other = Contact("c-0"), Contact("c-0")
    assert earlier.observe(extract)
    assert (earlier.heard_of, earlier.arrived) == (False, None)
    (own,) = decode(orjson.dumps({**RECORD, "ContactId": "c-0"}), arrived=AT + 5)
    assert isinstance(own, Fact)
    other.observe(own)
    earlier.learn(other)
    other.observe(extract)
    assert (earlier.arrived, other.arrived) == (AT + 5, AT + 5)
