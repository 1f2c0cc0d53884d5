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


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(received(told(plain(EVENT))), id="SNS in receive-message"),
        pytest.param(
            gzip.compress(plain(transformed(gzip.compress(subscribed(EVENT)))) + b"\n"),
            id="a subscription in Firehose in an archive",
        ),
        pytest.param(plain(fetched(told(plain(EVENT)))), id="SNS in get-records"),
        pytest.param(
            plain(
                {
                    "Records": [
                        {"eventSource": "aws:sqs", "body": plain([piped(plain(EVENT))]).decode()}
                    ]
                }
            ),
            id="a pipe's list in SQS in Lambda",
        ),
        pytest.param(plain([piped(told(plain(EVENT)))]), id="SNS in a pipe"),
        pytest.param(logged(fetched(plain(EVENT))), id="get-records in an export"),
        pytest.param(
            plain({"Records": [{"Sns": {"Message": received(plain(EVENT)).decode()}}]}),
            id="receive-message in SNS",
        ),
    ],
)
def test_an_event_is_read_in_wrappings_of_wrappings(body: bytes) -> None:
    assert facts(body) == [("c-1", "event/QUEUED")]


TIME = b"2026-03-02T09:00:00.500Z"


@pytest.mark.parametrize(
    "line",
    [
        TIME + b" " + plain({**EVENT, "account": "}{"}),
        TIME + b"\t6bc2\tINFO\t" + plain({**EVENT, "account": "}{"}),
        b"2026-03-02T09:00:00+00:00 stream " + plain(EVENT),
        TIME + b" [INFO]\t2026-03-02T09:00:00.500Z\t6bc2\t" + plain(EVENT),
        TIME + b" " + orjson.dumps(EVENT, option=orjson.OPT_INDENT_2),
    ],
)
def test_the_json_in_a_line_of_a_log_is_read_and_lines_without_are_ignored(line: bytes) -> None:
    words = [b"START RequestId: 1 Version: 2", b"REPORT {a} }{ b", b"Traceback:\n  File {x}"]
    texts = [TIME + b" " + text + b"\n" for text in words]
    outcomes = decode(b"".join([*texts, line, b"\n", *texts]))
    assert [outcome for outcome in outcomes if not isinstance(outcome, Fact)] == [
        Ignored("log line without JSON")
    ] * 6
    assert len(outcomes) == 7


def test_a_line_of_a_log_with_damaged_json_is_kept() -> None:
    assert decode(TIME + b" " + plain(EVENT)[:-9]) == [Undecodable("not JSON")]


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ("START RequestId: 1", Ignored("log line without JSON")),
        ('[INFO] {"cut": ', Undecodable("not JSON")),
        ("", Ignored("log line without JSON")),
    ],
)
def test_a_subscription_to_a_log_of_words_is_ignored(message: str, outcome: Decoded) -> None:
    event = {"id": "1", "timestamp": 1772442000500, "message": message}
    assert decode(plain({"messageType": "DATA_MESSAGE", "logEvents": [event]})) == [outcome]


def test_a_subscription_reads_json_after_a_loggers_words() -> None:
    event = {"id": "1", "timestamp": 1, "message": "[INFO]\t1\t" + plain(EVENT).decode()}
    assert facts(plain({"messageType": "DATA_MESSAGE", "logEvents": [event]})) == [
        ("c-1", "event/QUEUED")
    ]


REFUSED = Undecodable(
    "CSV file: replay the contact records themselves, from the stream's archive in S3"
)


@pytest.mark.parametrize(
    "body",
    [
        b"Contact ID,Channel,Queue\nc-1,VOICE,Sales\nc-2,VOICE,Sales\n" * 3,
        b'\xef\xbb\xbf"Contact ID","Channel","Queue"\r\n"c-1","VOICE","a, b"\r\n',
        b'Agent;Contacts handled;Attributes\nm;3;"{""a"": ""b""}"\n',
        b"Agent\tContacts\tTime\nm\t3\t00:10:00\n",
    ],
)
def test_a_table_is_refused_once_with_what_to_do(body: bytes) -> None:
    assert decode(body) == [REFUSED]


@pytest.mark.parametrize("words", [b"one, two, three\n", b"hello\nworld\n", b"a,b,c\n1,2,3\n"])
def test_lines_before_json_do_not_make_it_a_table(words: bytes) -> None:
    assert facts(words + plain(EVENT)) == [("c-1", "event/QUEUED")]


def destined(asked: Any, answered: Any) -> bytes:
    return plain({"requestContext": {}, "requestPayload": asked, "responsePayload": answered})


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ({"bucket": "b"}, EVENT),
        (None, [EVENT]),
        ({}, transformed(plain(EVENT))),
        (EVENT, {"statusCode": 200}),
        (EVENT, EVENT),
    ],
)
def test_of_a_lambda_destination_the_answer_counts_if_the_request_holds_nothing(
    asked: Any, answered: Any
) -> None:
    assert facts(destined(asked, answered)) == [("c-1", "event/QUEUED")]


STRIPPED = Undecodable(
    "part of a contact event: if its rule's target transforms the input, set it to Matched event"
)


@pytest.mark.parametrize(
    "left",
    [
        {"contactId": "c-1"},
        {"contact": "c-1", "eventType": "QUEUED"},
        {"detail-type": "Amazon Connect Contact Event", "detail": {"eventType": "QUEUED"}},
        {"detail": {}, "detailType": "Amazon Connect Contact Event"},
    ],
)
def test_what_an_input_transformer_left_is_refused_with_what_to_do(left: dict[str, Any]) -> None:
    assert decode(plain(left)) == [STRIPPED]


@pytest.mark.parametrize("left", [EVENT["detail"], {"detail": EVENT["detail"]}])
def test_an_event_that_a_transformer_left_whole_is_read(left: Any) -> None:
    assert facts(plain(left)) == [("c-1", "event/QUEUED")]


def test_gzip_data_is_bounded_over_all_records_of_a_message() -> None:
    bomb = transformed(gzip.compress(b" " * (8 * 1024 * 1024)))
    outcomes = decode(plain({"records": [bomb] * 12}))
    assert outcomes[:8] == [Undecodable("empty message")] * 8
    assert outcomes[8:] == [Undecodable("gzip data of more than 64 MiB in one message")] * 4
