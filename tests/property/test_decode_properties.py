"""What holds for decoding whatever comes in."""

from __future__ import annotations

import base64
import gzip
import json

from random import Random
from typing import Any

import orjson

from hypothesis import given
from hypothesis import strategies as st

from pipelines.decode import decode
from pipelines.decode.split import Piece, Splitter
from pipelines.decode.timestamp import normalise
from pipelines.fact import Fact, Ignored, Undecodable


# Names that decoding looks at, so that invented payloads come near to real ones.
NAMES = (
    "Records", "Type", "Message", "Event", "Name", "Sns", "kinesis", "data", "body", "eventSource",
    "detail-type", "source", "time", "region", "detail", "eventType", "contactId", "ContactId",
    "contactid", "queueInfo", "agentInfo", "initiationTimestamp", "connectedToAgentTimestamp",
    "enqueueTimestamp", "disconnectTimestamp", "AWSContactTraceRecordFormatVersion",
    "LastUpdateTimestamp", "s3", "bucket", "object", "name", "key", "sequencer", "eTag", "size",
    "eventName", "eventTime", "awsRegion",
)  # fmt: skip
VALUES = (
    "aws.connect", "aws.s3", "Amazon Connect Contact Event", "Object Created", "INITIATED",
    "QUEUED", "Notification", "aws:sqs", "ObjectCreated:Put", "2026-01-02T03:04:05.678Z", "1970",
    "ContactFlowEvent", "s3:TestEvent", "e30=", "{}", '{"Records":[]}', "0A1B",
    "x/5ca32fbd-8f92-46af-92a5-6b0f970f0efe_20260102T03:04_UTC.wav",
)  # fmt: skip

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(VALUES)
)
names = st.sampled_from(NAMES) | st.text(max_size=5)
payloads = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=25,
)
objects = st.dictionaries(names, payloads, max_size=6)
contact_objects = st.builds(
    lambda data, extra: {**data, **extra},
    objects,
    st.fixed_dictionaries({"contactId": st.just("c"), "eventType": st.sampled_from(VALUES)})
    | st.fixed_dictionaries({"ContactId": st.just("c"), "LastUpdateTimestamp": scalars}),
)


def text_of(value: Any) -> bytes:
    return json.dumps(value).encode()  # also NaN, lone surrogates and huge integers


@given(st.binary(max_size=300), st.sampled_from([None, frozenset({"b"})]))
def test_bytes_never_raise_and_always_have_an_outcome(
    body: bytes, buckets: frozenset[str] | None
) -> None:
    outcomes = decode(body, buckets)
    assert outcomes
    assert all(isinstance(outcome, Fact | Ignored | Undecodable) for outcome in outcomes)


@given(payloads | contact_objects, st.data())
def test_json_never_raises_whole_cut_wrapped_or_packed(value: Any, data: st.DataObject) -> None:
    body = text_of(value)
    bodies = [
        body,
        body + body,
        body[: data.draw(st.integers(0, len(body)))],
        text_of({"Type": "Notification", "Message": body.decode()}),
        text_of({"Records": [{"kinesis": {"data": base64.b64encode(body).decode()}}, value]}),
        gzip.compress(body),
    ]
    assert all(decode(each) for each in bodies)


@given(st.binary(max_size=5), st.integers(1, 3000), st.sampled_from([b"[", b'{"a":', b'{"a":[']))
def test_nesting_however_deep_never_raises(tail: bytes, depth: int, opening: bytes) -> None:
    assert decode(b'{"contactId":"c","eventType":"X","deep":' + opening * depth + tail)


def shuffled(value: Any, random: Random) -> Any:
    if isinstance(value, dict):
        entries = [(name, shuffled(inner, random)) for name, inner in value.items()]
        random.shuffle(entries)
        return dict(entries)
    return [shuffled(inner, random) for inner in value] if isinstance(value, list) else value


@given(contact_objects | objects, st.randoms(use_true_random=False))
def test_the_order_of_names_makes_no_difference(value: dict[str, Any], random: Random) -> None:
    assert decode(text_of(value)) == decode(text_of(shuffled(value, random)))


@given(payloads | contact_objects)
def test_reasons_repeat_nothing_of_the_message(value: Any) -> None:
    secret = "secret+4930123456"
    body = text_of(
        [value, {"Name": secret, secret: value, "source": secret, "detail-type": secret}]
    )
    reasons = [part.reason for part in decode(body) if not isinstance(part, Fact)]
    assert not any("secret" in reason for reason in reasons)


@given(st.datetimes() | st.floats() | st.integers() | st.text(max_size=30))
def test_times_are_empty_or_of_the_one_form_and_stay_so(value: object) -> None:
    text = normalise(value if isinstance(value, int | float | str) else str(value))
    assert not text or (len(text) == 24 and text >= "1971")
    assert normalise(text) == text


values = st.dictionaries(st.text('ab{}[]",:\\\n', max_size=5), payloads, max_size=4)


@given(
    st.lists(values, max_size=5),
    st.sampled_from(["\n", "\r\n", "", " "]),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
    st.integers(1, 60),
)
def test_values_are_split_apart_however_they_stand_and_are_handed_over(
    found: list[Any], separator: str, indent: int | None, array: bool, size: int
) -> None:
    printed = [json.dumps(value, indent=indent) for value in found]
    text = json.dumps(found, indent=indent) if array else separator.join(printed)
    body = text.encode()
    splitter = Splitter()
    pieces: list[Piece] = []
    for start in range(0, len(body), size):
        pieces += splitter.feed(body[start : start + size])
    pieces += splitter.finish()
    joined = b"[" + b",".join(piece.body for piece in pieces) + b"]"
    assert repr(json.loads(joined)) == repr(json.loads(json.dumps(found)))
    if separator != " " or array:
        assert len(pieces) == len(found)


@given(st.binary(max_size=200), st.integers(1, 20))
def test_splitting_loses_nothing_but_space_commas_and_brackets_around(
    body: bytes, size: int
) -> None:
    splitter = Splitter()
    pieces: list[Piece] = []
    for start in range(0, len(body), size):
        pieces += splitter.feed(body[start : start + size])
    pieces += splitter.finish()
    kept = b"".join(piece.body for piece in pieces)
    around = b" \t\n\r\x0b\x0c,[]\xef\xbb\xbf"
    assert kept.translate(None, around) == body.translate(None, around)


def test_integers_beyond_64_bits_are_facts_too() -> None:
    (fact,) = decode(b'{"contactId":"c","eventType":"X","n":%d}' % 10**300)
    assert isinstance(fact, Fact)
    assert orjson.dumps(fact.data)
