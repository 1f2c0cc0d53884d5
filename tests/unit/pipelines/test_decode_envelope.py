"""Wrappings and batches: each part has an outcome of its own, whatever it came through."""

from __future__ import annotations

import base64
import gzip

from typing import Any

import orjson
import pytest

from pipelines.decode import decode
from pipelines.fact import Fact, Ignored, Undecodable


def event(contact_id: str = "c-1") -> dict[str, Any]:
    return {"eventType": "INITIATED", "contactId": contact_id, "note": 'braces } { and "quotes"'}


def text(value: Any) -> str:
    return orjson.dumps(value).decode()


def in_kinesis(value: Any) -> dict[str, Any]:
    return {"Records": [{"kinesis": {"data": base64.b64encode(orjson.dumps(value)).decode()}}]}


def in_sqs(value: Any) -> dict[str, Any]:
    return {"Records": [{"eventSource": "aws:sqs", "body": text(value)}]}


def in_sns(value: Any) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "m", "Message": text(value)}


def in_sns_for_lambda(value: Any) -> dict[str, Any]:
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text(value)}}]}


def in_array(value: Any) -> list[Any]:
    return [value]


WRAPPINGS = [in_kinesis, in_sqs, in_sns, in_sns_for_lambda, in_array]


def contacts(body: bytes) -> list[str]:
    return [part.contact_id for part in decode(body) if isinstance(part, Fact)]


@pytest.mark.parametrize("wrap", WRAPPINGS)
def test_a_wrapping_changes_nothing(wrap: Any) -> None:
    assert decode(orjson.dumps(wrap(event()))) == decode(orjson.dumps(event()))


@pytest.mark.parametrize("inner", WRAPPINGS)
@pytest.mark.parametrize("outer", WRAPPINGS)
def test_wrappings_may_be_wrapped(outer: Any, inner: Any) -> None:
    assert decode(orjson.dumps(outer(inner(event())))) == decode(orjson.dumps(event()))


@pytest.mark.parametrize("wrap", [in_sqs, in_sns, in_array])
def test_an_endless_wrapping_goes_to_quarantine(wrap: Any) -> None:
    value: Any = event()
    for _ in range(9):
        value = wrap(value)
    assert decode(orjson.dumps(value)) == [Undecodable("wrapped too deeply")]


@pytest.mark.parametrize("separator", ["", "\n", "\r\n", " ", ","])
def test_objects_side_by_side_are_parts(separator: str) -> None:
    body = separator.join(text(event(f"c-{number}")) for number in range(3))
    assert contacts(body.encode()) == ["c-0", "c-1", "c-2"]


def test_a_broken_part_leaves_the_others_alone() -> None:
    body = f'{text(event("a"))}{{"eventType":"X"\n{text(event("b"))}'
    first, broken, last = decode(body.encode())
    assert broken == Undecodable("not JSON")
    assert isinstance(first, Fact)
    assert isinstance(last, Fact)


def test_a_byte_order_mark_is_tolerated() -> None:
    assert contacts(b"\xef\xbb\xbf" + orjson.dumps(event())) == ["c-1"]


@pytest.mark.parametrize("body", [b"", b"   \n", b"\xef\xbb\xbf"])
def test_an_empty_message_goes_to_quarantine(body: bytes) -> None:
    assert decode(body) == [Undecodable("empty message")]


@pytest.mark.parametrize("body", [b"[]", b'{"Records":[]}'])
def test_an_empty_batch_is_ignored(body: bytes) -> None:
    assert decode(body) == [Ignored("batch of no records")]


@pytest.mark.parametrize(
    "body",
    [b"5", b"null", b'"text"', b"true", b'{"Records":5}', b'{"Type":"Notification"}', b"[null]"],
)
def test_what_is_no_object_goes_to_quarantine(body: bytes) -> None:
    assert decode(body) == [Undecodable("not a JSON object")]


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        b'{"eventType":"INITIATED","contactId":"c"',
        b'{"eventType":"INITIATED","contactId":"\xff"}',
        b'{"eventType":"INITIATED","contactId":"c","x":"\\ud800"}',
        b'{"eventType":"INITIATED","contactId":"c","x":NaN}',
        b'{"eventType":"INITIATED","contactId":"c","x":1e999}',
        b'{"eventType":"INITIATED","contactId":"c",}',
        b'{"a":' * 5000,
        b"\x00\x01\x02",
    ],
)
def test_broken_json_goes_to_quarantine(body: bytes) -> None:
    assert set(decode(body)) == {Undecodable("not JSON")}


def test_compressed_bytes_are_read() -> None:
    assert decode(gzip.compress(orjson.dumps(event()))) == decode(orjson.dumps(event()))


def test_integers_of_any_size_are_read() -> None:
    body = b'{"eventType":"INITIATED","contactId":"c","x":123456789012345678901234567890}'
    assert contacts(body) == ["c"]


def test_of_a_repeated_name_the_last_counts() -> None:
    assert contacts(b'{"eventType":"INITIATED","contactId":"a","contactId":"b"}') == ["b"]


def test_aggregated_records_go_to_quarantine() -> None:
    body = b"\xf3\x89\x9a\xc2" + orjson.dumps(event())
    assert decode(body) == [Undecodable("aggregated (KPL) record")]


@pytest.mark.parametrize("data", [None, 5, "???", "é", "e30"])
def test_record_data_that_is_not_base64_goes_to_quarantine(data: object) -> None:
    body = orjson.dumps({"Records": [{"kinesis": {"data": data}}]})
    assert decode(body) == [Undecodable("record data is not base64")]


def test_objects_side_by_side_may_be_wrapped() -> None:
    message = text(event("a")) + text(event("b"))
    assert contacts(orjson.dumps({"Type": "Notification", "Message": message})) == ["a", "b"]
