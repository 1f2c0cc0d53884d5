"""Records of one second have one order, whatever way they came."""

from __future__ import annotations

import gzip

from base64 import b64encode
from collections.abc import Callable
from functools import reduce
from itertools import permutations
from typing import Any

import orjson
import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.decode.arrival import numeral
from pipelines.fact import Fact
from pipelines.kin import told


CONTACT = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
SECOND = "2026-01-02T03:06:07Z"
REDACTED = {"connect:RedactedFields": {"ValueString": "CustomerEndpoint"}}


def body(**fields: Any) -> bytes:
    known = {
        "AWSContactTraceRecordFormatVersion": "2017-03-10",
        "ContactId": CONTACT,
        "LastUpdateTimestamp": SECOND,
        "Attributes": {"disposition": "open"},
        "InstanceARN": "arn:aws:connect:eu-central-1:111122223333:instance/one",
    }
    return orjson.dumps(known | fields)


def fact(said: bytes, arrived: float | None = None, place: str = "") -> Fact:
    (found,) = decode(said, arrived=arrived, place=place)
    assert isinstance(found, Fact)
    return found


OTHER_REGION = body(InstanceARN="arn:aws:connect:eu-west-2:111122223333:instance/two")

#: What the lesser and the greater say, each with its arrival and place.
PAIRS = {
    "an attribute was added": (
        (body(), 2.0, "b"),
        (body(Attributes={"disposition": "open", "reason": "x"}), 1.0, "a"),
    ),
    "a recording was added": (
        (body(Recording=None), 2.0, "b"),
        (body(Recording={"Location": "bucket/key", "Status": "AVAILABLE"}), 1.0, "a"),
    ),
    "an attribute was changed and arrived later": (
        (body(), 1.0, "b"),
        (body(Attributes={"disposition": "solved"}), 1.001, "a"),
    ),
    "an attribute was changed and stood later": (
        (body(), None, "day.ndjson 000000000009"),
        (body(Attributes={"disposition": "solved"}), None, "day.ndjson 000000000010"),
    ),
    "something was redacted": (
        (body(Recording={"Location": "bucket/key"}), 2.0, "b"),
        (body(Attributes={}, SegmentAttributes=REDACTED), 1.0, "a"),
    ),
    "the other Region wrote it later": ((body(), 1.0, "b"), (OTHER_REGION, 2.0, "a")),
    "it came live and not from an archive": (
        (body(Attributes={"disposition": "archived"}), None, "day.ndjson 000000000001"),
        (body(), 1.0, "shardId-000000000000 1"),
    ),
    "the first has no time at all": (
        (body(LastUpdateTimestamp=None), 2.0, "b"),
        (body(), 1.0, "a"),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_of_two_records_of_one_second_the_one_wins_that_is_later_by_this(name: str) -> None:
    lesser, greater = (fact(*one) for one in PAIRS[name])
    assert greater.exceeds(lesser)
    assert not lesser.exceeds(greater)
    for order in permutations([lesser, greater, lesser]):
        assert kept(order) == greater.body


def test_a_version_of_the_previous_release_is_less_than_one_of_the_same_second() -> None:
    new = fact(body())
    old = Fact(CONTACT, "record", new.at, body(Attributes={"disposition": "z"}), new.at)
    assert new.exceeds(old)
    assert not old.exceeds(new)


def kept(facts: Any) -> bytes:
    contact = Contact(CONTACT)
    for one in facts:
        contact.observe(one)
    return contact.facts["record"].body


messages = st.builds(
    fact,
    st.sampled_from(
        [
            body(),
            body(Attributes={"disposition": "solved"}),
            body(Attributes={"disposition": "open", "reason": "x"}),
            body(Attributes={}, SegmentAttributes=REDACTED),
            body(LastUpdateTimestamp="2026-01-02T03:06:08Z"),
            OTHER_REGION,
        ]
    ),
    st.none() | st.sampled_from([1.0, 1.001, 2.0]),
    st.sampled_from(["", "day.ndjson 000000000001", "shardId-000000000000 1", "shardId-1 2"]),
)


@given(one=messages, other=messages, third=messages)
def test_the_order_of_records_is_total_and_transitive(one: Fact, other: Fact, third: Fact) -> None:
    same = (one.version, one.body) == (other.version, other.body)
    assert one.exceeds(other) + other.exceeds(one) == (not same)
    assert (one == other) == (one.body == other.body)
    assert one != other or hash(one) == hash(other)
    if one.exceeds(other) and other.exceeds(third):
        assert one.exceeds(third)


@given(facts=st.lists(messages, min_size=1, max_size=6), data=st.data())
def test_the_same_record_is_kept_in_any_order_and_repetition(
    facts: list[Fact], data: st.DataObject
) -> None:
    greatest = reduce(lambda a, b: b if b.exceeds(a) else a, facts)
    shuffled = data.draw(st.permutations([*facts, *facts[:2]]))
    assert kept(shuffled) == greatest.body


OPEN, SOLVED = body(), body(Attributes={"disposition": "solved"})


def carried(said: bytes, number: str) -> dict[str, Any]:
    """A Kinesis record of one millisecond as Lambda, Firehose and the AWS CLI hand it on."""
    return {"data": b64encode(said).decode(), "sequenceNumber": number, "at": 1772442665.5}


CARRIERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "Lambda": lambda one: {
        "eventSource": "aws:kinesis",
        "eventID": f"shardId-000000000000:{one['sequenceNumber']}",
        "kinesis": {
            "data": one["data"],
            "sequenceNumber": one["sequenceNumber"],
            "approximateArrivalTimestamp": one["at"],
        },
    },
    "get-records": lambda one: {
        "SequenceNumber": one["sequenceNumber"],
        "Data": one["data"],
        "ApproximateArrivalTimestamp": one["at"],
    },
    "EventBridge Pipes": lambda one: {
        "eventSource": "aws:kinesis",
        "eventID": f"shardId-000000000000:{one['sequenceNumber']}",
        "data": one["data"],
        "sequenceNumber": one["sequenceNumber"],
        "approximateArrivalTimestamp": one["at"],
    },
    "Firehose": lambda one: {
        "recordId": "1",
        "data": one["data"],
        "approximateArrivalTimestamp": one["at"],
        "kinesisRecordMetadata": {
            "shardId": "shardId-000000000000",
            "sequenceNumber": one["sequenceNumber"],
        },
    },
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_records_of_one_millisecond_order_by_the_sequence_numbers_that_their_carrier_gives(
    carrier: str,
) -> None:
    """As numbers, wherever they stand in the archive that they are read from."""
    wrap = CARRIERS[carrier]
    later, earlier = wrap(carried(SOLVED, "10")), wrap(carried(OPEN, "9"))
    facts = [
        fact(orjson.dumps(one), place=f"day.ndjson {number}")
        for number, one in enumerate([later, earlier])
    ]
    assert kept(facts) == kept(reversed(facts)) == fact(SOLVED).body


@pytest.mark.parametrize(
    "message",
    [OPEN + SOLVED, b"[%b,%b]" % (OPEN, SOLVED), gzip.compress(OPEN + b"\n" + SOLVED)],
    ids=["side by side", "in an array", "gzipped"],
)
def test_of_several_records_in_one_message_the_last_of_one_second_wins(message: bytes) -> None:
    assert kept(reversed(decode(message))) == kept(decode(message)) == fact(SOLVED).body


@pytest.mark.parametrize("digits", ["9", "10", "4" * 56, "5" * 56, "1" * 129])
def test_sequence_numbers_order_as_numbers_however_long_they_are(digits: str) -> None:
    assert numeral(digits) < numeral(str(int(digits) + 1)) < numeral(digits + "0")


def test_an_attribute_that_names_no_redacted_field_is_no_redaction() -> None:
    nothing = body(SegmentAttributes={"connect:RedactedFields": {"ValueString": ""}})
    fuller = body(Attributes={"disposition": "open", "reason": "x"})
    assert fact(fuller).exceeds(fact(nothing))


def test_an_equal_body_is_an_equal_fact_whatever_its_arrival() -> None:
    live, archived = fact(OPEN, 1.0, "shardId-1 2"), fact(OPEN, None, "day.ndjson 1")
    assert live == archived
    assert live.exceeds(archived)
    assert live != fact(SOLVED, 1.0, "shardId-1 2")


def test_an_extract_of_the_previous_release_is_less_than_one_of_the_same_second() -> None:
    """Whatever its digest, as it is where the whole record is kept."""
    told_of = "c0ffee00-0000-4000-8000-000000000001"
    (new,) = told(fact(body(PreviousContactId=told_of)))
    old = new._replace(version=f"{new.at} {'f' * 32}")
    assert new.exceeds(old)


@pytest.mark.parametrize("empty", [None, "", [], {}, [None, {}], {"a": {"b": ""}}])
@pytest.mark.parametrize("filled", [0, False, 0.0, "x", [0], {"a": {"b": False}}])
def test_a_value_fills_a_record_if_it_says_anything(empty: Any, filled: Any) -> None:
    assert fact(body(Field=filled)).exceeds(fact(body(Field=empty), 2.0, "b"))
