"""Stored objects: which keys are Amazon Connect's, and how the three paths encode them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import orjson
import pytest

from pipelines.decode import decode
from pipelines.decode.stored_object import kind_of
from pipelines.fact import Fact, Ignored, Undecodable


CONTACT = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
KEY = f"connect/acme/CallRecordings/2026/01/02/{CONTACT}_20260102T03:04_UTC.wav"

KEYS = [
    (KEY, "recording"),
    (f"{CONTACT}_20260102T03:04_UTC.wav", "recording"),
    (f"my own/folder/2026/01/02/{CONTACT.upper()}_20260102T03:04_UTC.WAV", "recording"),
    (
        f"connect/acme/ivr/2026/01/02/{CONTACT}_20260102T03:04_UTC.wav",
        "ivr_recording",
    ),
    (f"ivr/2026/01/02/{CONTACT}_20260102T03:04_UTC.wav", "ivr_recording"),
    (f"ivr/calls/2026/01/02/{CONTACT}_20260102T03:04_UTC.wav", "recording"),
    (f"x/ChatTranscripts/2026/01/02/{CONTACT}_20260102T03:04_UTC.json", "transcript"),
    (f"Analysis/Voice/2026/01/02/{CONTACT}_analysis_2026-01-02T03:04:05Z.json", "analysis"),
    (f"Analysis/Voice/ivr/2026/01/02/{CONTACT}_analysis_2026-01-02T03:04:05Z.json", "analysis"),
    (f"Analysis/Chat/2026/01/02/{CONTACT}_analysis_2026-01-02T03:04:05Z.json", "analysis"),
    (f"Analysis/Email/2026/01/02/{CONTACT}_analysis_20260102T03:04_UTC.json", "analysis"),
    (
        f"Analysis/Voice/Redacted/2026/01/02/{CONTACT}_analysis_redacted_2026-01-02T03:04:05Z.json",
        "redacted_analysis",
    ),
    (
        f"Analysis/Chat/Redacted/2026/01/02/{CONTACT}_analysis_redacted_2026-01-02T03:04:05Z.json",
        "redacted_analysis",
    ),
    (
        f"Analysis/Email/Redacted/2026/01/02/{CONTACT}_analysis_redacted_20260102T03:04_UTC.json",
        "redacted_analysis",
    ),
    (
        f"Analysis/Voice/Redacted/{CONTACT}_call_recording_redacted_2026-01-02T03:04:05Z.wav",
        "redacted_recording",
    ),
]

KEYS += [
    (f"Attachments/chat/2026/01/02/{CONTACT}_{CONTACT}_20260102T03:04_UTC.png", "attachment"),
    (f"x/attachments/{CONTACT}_20260102T03:04_UTC.json", "attachment"),
    (f"connect/acme/EmailMessages/2026/01/02/{CONTACT}_20260102T03:04_UTC.json", "email_message"),
    (f"EmailMessages/{CONTACT}.eml", "email_message"),
    (
        f"connect/acme/ScreenRecordings/2026/01/02/{CONTACT}_20260102T03:04_UTC.wav",
        "screen_recording",
    ),
    (f"{CONTACT}_20260102T03:04_UTC.mp4", "screen_recording"),
    (f"x/Evaluations/2026/01/02/{CONTACT}/form.json", "evaluation"),
]

FOREIGN_KEYS = [
    "IMG_m7fzo3.jpg",
    "test.pdf",
    "",
    "connect/acme/CallRecordings/2026/01/02/",
    f"{KEY}.backup",
    f"{CONTACT}/file.wav",
    "Attachments/chat/2026/01/02/invoice.png",
    f"Attachments/{CONTACT}/",
    f"EmailMessages/{CONTACT}_1.eml.backup",
    f"{CONTACT}_analysis_2026-01-02T03:04:05Z.wav",
    f"{CONTACT}_notes.json",
    f"{KEY}/",
    f"{KEY}\n",
]


def native(key: str = quote_plus(KEY, safe="/"), **fields: Any) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-01-02T03:10:11.123Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": "recordings"},
            "object": {"key": key, "size": 7, "eTag": "e1", "sequencer": "0a1B"},
        },
        **fields,
    }


def bridged(key: str = KEY, **fields: Any) -> bytes:
    return orjson.dumps(
        {
            "version": "0",
            "source": "aws.s3",
            "detail-type": "Object Created",
            "time": "2026-01-02T03:10:11Z",
            "region": "eu-central-1",
            "detail": {
                "bucket": {"name": "recordings"},
                "object": {"key": key, "size": 7, "etag": "e1", "sequencer": "0a1B"},
                "reason": "CopyObject",
            },
            **fields,
        }
    )


def batch(*records: Any) -> bytes:
    return orjson.dumps({"Records": records})


def only(body: bytes) -> Fact:
    (fact,) = decode(body)
    assert isinstance(fact, Fact)
    return fact


@pytest.mark.parametrize(("key", "kind"), KEYS)
def test_the_tail_of_a_key_tells_kind_and_contact(key: str, kind: str) -> None:
    assert kind_of(key) == (kind, CONTACT)


@pytest.mark.parametrize("key", FOREIGN_KEYS)
def test_other_keys_are_not_amazon_connects(key: str) -> None:
    assert kind_of(key) is None


@pytest.mark.parametrize("key", [key for key in FOREIGN_KEYS if key])
def test_objects_that_are_not_amazon_connects_are_ignored(key: str) -> None:
    assert decode(bridged(key)) == [Ignored("object that is not Amazon Connect's")]


def test_an_object_is_a_fact_in_a_register_of_its_own() -> None:
    fact = only(bridged())
    assert (fact.contact_id, fact.register) == (CONTACT, f"object/recordings/{KEY}")
    assert (fact.version, fact.at) == ("0A1B".zfill(64), "2026-01-02T03:10:11.000Z")
    assert fact.data == {
        "bucket": "recordings",
        "key": KEY,
        "region": "eu-central-1",
        "size": 7,
        "etag": "e1",
        "kind": "recording",
    }


def test_native_and_bridged_notifications_tell_the_same() -> None:
    ours, theirs = only(batch(native())), only(bridged())
    assert (ours.register, ours.version, ours.digest) == (
        theirs.register,
        theirs.version,
        theirs.digest,
    )


@pytest.mark.parametrize(
    ("encoded", "plain"),
    [
        (KEY.replace(":", "%3A"), KEY),
        (KEY.replace("/", "%2F"), KEY),
        (f"my+calls/{KEY}", f"my calls/{KEY}"),
        (f"a%2Bb%25/{KEY}", f"a+b%/{KEY}"),
        (f"a%40b/{KEY}", f"a@b/{KEY}"),
        (f"caf%C3%A9/{KEY}", f"café/{KEY}"),
    ],
)
def test_keys_of_native_notifications_are_decoded_once(encoded: str, plain: str) -> None:
    assert only(batch(native(encoded))).data["key"] == plain


@pytest.mark.parametrize("key", [KEY, f"a+b/{KEY}", f"100%/{KEY}", f"a%3Ab/{KEY}"])
def test_keys_of_bridged_notifications_are_taken_as_they_are(key: str) -> None:
    assert only(bridged(key)).data["key"] == key


@pytest.mark.parametrize(
    ("sequencer", "version"),
    [
        ("00643717F9F8B85354", "00643717F9F8B85354".zfill(64)),
        ("643717f9f8b85354", "643717F9F8B85354".zfill(64)),
        ("f" * 64, "F" * 64),
        ("f" * 65, ""),
        ("object-sequencer", ""),
        ("", ""),
        (None, ""),
        (12, ""),
    ],
)
def test_sequencers_are_padded_so_that_they_compare_as_text(
    sequencer: object, version: str
) -> None:
    record = native()
    record["s3"]["object"]["sequencer"] = sequencer
    assert only(batch(record)).version == version


@pytest.mark.parametrize(
    "name",
    ["ObjectCreated:Put", "s3:ObjectCreated:Post", "ObjectCreated:CompleteMultipartUpload"],
)
def test_however_an_object_was_created_it_counts(name: str) -> None:
    assert only(batch(native(eventName=name))).data["kind"] == "recording"


@pytest.mark.parametrize("name", ["ObjectRemoved:Delete", "ObjectRestore:Post"])
def test_native_events_that_create_nothing_are_ignored(name: object) -> None:
    assert decode(batch(native(eventName=name))) == [Ignored("S3 event that creates no object")]


@pytest.mark.parametrize("name", [None, "", 5, [[]]])
def test_a_native_event_without_a_name_says_so(name: object) -> None:
    assert decode(batch(native(eventName=name))) == [Undecodable("S3 event without its name")]


@pytest.mark.parametrize("kind", ["Object Deleted", "Object ACL Updated", None, []])
def test_bridged_events_that_create_nothing_are_ignored(kind: object) -> None:
    fields: dict[str, Any] = {"detail-type": kind}
    assert decode(bridged(**fields)) == [Ignored("S3 event that creates no object")]


def test_other_buckets_are_ignored_if_ours_are_named() -> None:
    assert decode(bridged(), frozenset({"others"})) == [Ignored("object in another bucket")]
    (fact,) = decode(bridged(), frozenset({"recordings"}))
    assert isinstance(fact, Fact)


def test_each_record_of_a_batch_has_an_outcome_of_its_own() -> None:
    body = batch(native(), native("test.pdf"), native(s3={}), native(s3="x"))
    assert decode(body)[1:] == [
        Ignored("object that is not Amazon Connect's"),
        Undecodable("S3 event without bucket or key"),
        Undecodable("S3 event without bucket or key"),
    ]


def test_size_region_and_etag_of_the_wrong_type_are_unknown() -> None:
    record = native(awsRegion=5)
    record["s3"]["object"] |= {"size": True, "eTag": {}}
    data = only(batch(record)).data
    assert (data["region"], data["size"], data["etag"]) == (None, None, None)
