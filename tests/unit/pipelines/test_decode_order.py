"""Records of one second have one order, whatever way they came."""

from __future__ import annotations

from functools import reduce
from itertools import permutations
from typing import Any

import orjson
import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.fact import Fact


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
    assert one.exceeds(other) + other.exceeds(one) == (one != other)
    if one.exceeds(other) and other.exceeds(third):
        assert one.exceeds(third)


@given(facts=st.lists(messages, min_size=1, max_size=6), data=st.data())
def test_the_same_record_is_kept_in_any_order_and_repetition(
    facts: list[Fact], data: st.DataObject
) -> None:
    greatest = reduce(lambda a, b: b if b.exceeds(a) else a, facts)
    shuffled = data.draw(st.permutations([*facts, *facts[:2]]))
    assert kept(shuffled) == greatest.body
