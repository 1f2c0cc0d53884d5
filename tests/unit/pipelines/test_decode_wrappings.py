"""What carries a message is taken off, whatever it is, or refused with what to do."""

from __future__ import annotations

import base64
import gzip

from typing import Any

import orjson
import pytest

from pipelines.decode import decode
from pipelines.fact import Decoded, Fact, Ignored, Undecodable


EVENT = {
    "version": "0",
    "detail-type": "Amazon Connect Contact Event",
    "source": "aws.connect",
    "time": "2026-03-02T09:00:00Z",
    "detail": {"eventType": "QUEUED", "contactId": "c-1", "initiationMethod": "INBOUND"},
}
RECORD = {
    "AWSContactTraceRecordFormatVersion": "2017-03-10",
    "ContactId": "c-1",
    "LastUpdateTimestamp": "2026-03-02T09:11:06Z",
}


def packed(body: bytes) -> str:
    return base64.b64encode(body).decode()


def plain(value: Any) -> bytes:
    return orjson.dumps(value)


def logged(value: Any) -> bytes:
    return b"2026-03-02T09:00:00.500Z " + plain(value) + b"\n"


def subscribed(value: Any) -> bytes:
    event = {"id": "1", "timestamp": 1772442000500, "message": plain(value).decode()}
    return plain({"messageType": "DATA_MESSAGE", "logGroup": "g", "logEvents": [event]})


def for_lambda(value: Any) -> bytes:
    return plain({"awslogs": {"data": packed(gzip.compress(subscribed(value)))}})


def fetched(body: bytes, at: object = "2026-03-02T09:12:00+00:00") -> dict[str, Any]:
    record = {"SequenceNumber": "49", "ApproximateArrivalTimestamp": at, "Data": packed(body)}
    return {"Records": [record], "MillisBehindLatest": 0}


def received(body: bytes) -> bytes:
    return plain({"Messages": [{"MessageId": "m", "Body": body.decode()}]})


def piped(body: bytes) -> dict[str, Any]:
    return {
        "eventSource": "aws:kinesis",
        "sequenceNumber": "49",
        "approximateArrivalTimestamp": 1772442666.5,
        "data": packed(body),
    }


def told(body: bytes) -> bytes:
    return plain({"Type": "Notification", "MessageId": "m", "Message": body.decode()})


def through_firehose(body: bytes) -> bytes:
    return plain({"deliveryStreamArn": "a", "records": [{"recordId": "1", "data": packed(body)}]})


def transformed(body: bytes) -> dict[str, Any]:
    return {"recordId": "1", "result": "Ok", "data": packed(body)}


def own(detail: Any, kind: str = "Contact") -> bytes:
    return plain({**EVENT, "source": "acme.connect", "detail-type": kind, "detail": detail})


def facts(body: bytes) -> list[tuple[str, str]]:
    return [(f.contact_id, f.register) for f in decode(body) if isinstance(f, Fact)]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(logged(EVENT), id="a line of a CloudWatch Logs export"),
        pytest.param(gzip.compress(logged(EVENT)), id="a gzipped export"),
        pytest.param(subscribed(EVENT), id="a subscription of CloudWatch Logs"),
        pytest.param(gzip.compress(subscribed(EVENT)), id="a subscription as Kinesis has it"),
        pytest.param(for_lambda(EVENT), id="a subscription as Lambda has it"),
        pytest.param(
            through_firehose(gzip.compress(subscribed(EVENT))), id="a subscription in Firehose"
        ),
        pytest.param(
            plain({"events": [{"timestamp": 1772442000500, "message": plain(EVENT).decode()}]}),
            id="aws logs filter-log-events",
        ),
        pytest.param(plain(fetched(plain(EVENT))), id="get-records"),
        pytest.param(plain(fetched(plain(EVENT), 1772442666.5)), id="get-records, time as number"),
        pytest.param(
            orjson.dumps(fetched(plain(EVENT)), option=orjson.OPT_INDENT_2), id="pretty-printed"
        ),
        pytest.param(plain(fetched(plain(EVENT))["Records"][0]), id="one record of get-records"),
        pytest.param(plain([piped(plain(EVENT))]), id="a pipe from Kinesis"),
        pytest.param(plain(piped(plain(EVENT))), id="one record of a pipe"),
        pytest.param(
            plain([{"messageId": "m", "eventSource": "aws:sqs", "body": plain(EVENT).decode()}]),
            id="a pipe from SQS",
        ),
        pytest.param(received(plain(EVENT)), id="sqs receive-message"),
        pytest.param(received(told(plain(EVENT))), id="SNS in sqs receive-message"),
        pytest.param(plain({"records": [transformed(plain(EVENT))]}), id="a Firehose answer"),
        pytest.param(plain(transformed(plain(EVENT))), id="one record of a Firehose answer"),
        pytest.param(
            plain({"requestContext": {}, "requestPayload": EVENT, "responsePayload": None}),
            id="a destination of Lambda",
        ),
        pytest.param(own(EVENT["detail"]), id="an own bus with an own source"),
        pytest.param(own(EVENT["detail"], "Amazon Connect Contact Event"), id="an own source"),
    ],
)
def test_an_event_is_read_whatever_carries_it(body: bytes) -> None:
    assert facts(body) == [("c-1", "event/QUEUED")]


@pytest.mark.parametrize(
    "body",
    [
        own(RECORD),
        own(RECORD, "Contact Record"),
        plain({**EVENT, "detail-type": "Record", "detail": RECORD}),
    ],
)
def test_a_record_in_an_envelope_is_a_record(body: bytes) -> None:
    assert facts(body) == [("c-1", "record")]


def test_several_outputs_of_a_command_in_one_file_are_all_read() -> None:
    output = orjson.dumps(fetched(plain(EVENT)), option=orjson.OPT_INDENT_2)
    assert len(facts(output + b"\n" + output)) == 2


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (own({"contactId": "c-1", "eventType": "ORDERED"}), Ignored("other event: Contact")),
        (
            plain({"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "probe"}]}),
            Ignored("CloudWatch Logs control message"),
        ),
        (plain({"Dimensions": {}, "Collections": []}), Ignored("metric row")),
        (plain({"Metric": {"Name": "CONTACTS_HANDLED"}, "Value": 3}), Ignored("metric row")),
        (plain({"StartInterval": "", "EndInterval": "", "Queue": "q"}), Ignored("metric row")),
        (
            gzip.compress(plain(EVENT))[:-9],
            Undecodable("gzip data is damaged, or longer than 8 MiB"),
        ),
        (
            gzip.compress(b" " * (9 * 1024 * 1024)),
            Undecodable("gzip data is damaged, or longer than 8 MiB"),
        ),
        (b"PK\x03\x04junk", Undecodable("zip file: unpack it first")),
        (b"Obj\x01junk", Undecodable("Avro file: convert it to JSON lines")),
    ],
)
def test_what_is_not_read_says_why(body: bytes, outcome: Decoded) -> None:
    assert decode(body) == [outcome]
