"""The files stored for a contact, as S3 or the contact record tells of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.objects import KINDS, StoredObject, objects


Told = Callable[..., Contact]
Makes = Callable[..., Fact]

CONTACT = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
NAME = f"{CONTACT}_20260102T03:00_UTC.wav"


def thing(**changes: Any) -> StoredObject:
    return StoredObject(
        **{
            "kind": "recording",
            "bucket": "recordings",
            "key": f"a/{NAME}",
            "region": "eu-central-1",
            "at": "",
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "https://recordings.s3.eu-central-1.amazonaws.com/a/"),
        ({"region": "cn-north-1"}, "https://recordings.s3.cn-north-1.amazonaws.com.cn/a/"),
        ({"region": ""}, "https://recordings.s3.amazonaws.com/a/"),
        ({"bucket": "rec.acme.com"}, "https://s3.eu-central-1.amazonaws.com/rec.acme.com/a/"),
        ({"bucket": "rec.acme.com", "region": ""}, "https://s3.amazonaws.com/rec.acme.com/a/"),
    ],
)
def test_an_objects_url_fits_region_and_bucket(changes: dict[str, str], url: str) -> None:
    assert thing(**changes).url == url + NAME.replace(":", "%3A")


def test_a_url_is_encoded_and_a_uri_is_not() -> None:
    odd = thing(key="a b/c+d%/ü.wav")
    assert odd.url.endswith("/a%20b/c%2Bd%25/%C3%BC.wav")
    assert odd.uri == "s3://recordings/a b/c+d%/ü.wav"


@pytest.mark.parametrize(("kind", "milestone"), KINDS.items())
def test_every_kind_reaches_a_milestone(kind: str, milestone: str) -> None:
    assert thing(kind=kind).milestone == milestone


def test_s3_tells_of_a_recording(stored: Makes, told: Told) -> None:
    (found,) = objects(told(stored(f"a/{NAME}")))
    assert found == thing(at="2026-01-02T03:06:00.000Z")


def test_without_a_region_told_it_is_unknown(stored: Makes, told: Told) -> None:
    (found,) = objects(told(stored(region=None)))
    assert found.region == ""


def test_objects_are_ordered_by_kind_and_key(stored: Makes, told: Told) -> None:
    keys = [
        f"a/{NAME}",
        f"b/{NAME}",
        f"Redacted/{CONTACT}_call_recording_redacted_2026-01-02T03:00:00Z.wav",
        f"ivr/2026/01/02/{NAME}",
        f"a/{CONTACT}_20260102T03:00_UTC.json",
        f"a/{CONTACT}_analysis_2026-01-02T03:00:00Z.json",
        f"a/{CONTACT}_analysis_redacted_2026-01-02T03:00:00Z.json",
        f"ScreenRecordings/{NAME}",
        f"Attachments/{CONTACT}_invoice.pdf",
        f"EmailMessages/{CONTACT}_20260102T03:00_UTC.json",
        f"Evaluations/{CONTACT}/1.json",
    ]
    found = objects(told(*(stored(key) for key in reversed(keys))))
    assert [one.key for one in found] == keys
    assert [one.kind for one in found] == ["recording", *KINDS]


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "StorageType": "S3",
        "Location": f"recordings/a/{NAME}",
        "MediaStreamType": "AUDIO",
        "Status": "AVAILABLE",
    } | changes


def test_the_contact_record_tells_of_objects_too(record: Makes, told: Told) -> None:
    (found,) = objects(told(record(Recordings=[entry()])))
    assert found == thing(at="2026-01-02T03:05:30.000Z")


def test_a_records_single_recording_counts_for_itself(record: Makes, told: Told) -> None:
    alone = {"Location": f"recordings/a/{NAME}", "Status": None, "Type": "AUDIO"}
    assert [o.key for o in objects(told(record(Recording=alone)))] == [f"a/{NAME}"]


def test_a_file_told_of_three_times_is_one_and_s3_knows_best(
    record: Makes, stored: Makes, told: Told
) -> None:
    twice = record(Recording=entry(), Recordings=[entry()], InstanceARN="arn:aws:connect:us-west-2")
    assert [o.region for o in objects(told(twice))] == ["us-west-2"]
    assert [o.region for o in objects(told(twice, stored(f"a/{NAME}")))] == ["eu-central-1"]


@pytest.mark.parametrize(
    "useless",
    [
        entry(Status="DELETED", Location=f"recordings/b/{NAME}"),
        entry(StorageType="KINESIS_VIDEO_STREAM"),
        entry(Location="arn:aws:kinesisvideo:eu-central-1:1:stream/x/1"),
        entry(Location=f"/a/{NAME}"),
        entry(Location=None),
        "text",
        None,
    ],
)
def test_what_is_no_file_of_ours_is_passed_over(useless: Any, record: Makes, told: Told) -> None:
    assert objects(told(record(Recordings=[useless, entry()]))) == objects(
        told(record(Recordings=[entry()]))
    )


def test_a_deleted_recording_in_another_case_is_passed_over(record: Makes, told: Told) -> None:
    gone = {name.lower(): value for name, value in entry(Status="DELETED").items()}
    assert objects(told(record(recordings=[gone]))) == []


@pytest.mark.parametrize("listed", [None, {}, "text", 7])
def test_a_list_that_is_none_holds_nothing(listed: Any, record: Makes, told: Told) -> None:
    assert objects(told(record(Recordings=listed))) == []


def test_a_record_without_instance_knows_no_region(record: Makes, told: Told) -> None:
    (found,) = objects(told(record(Recordings=[entry()], InstanceARN=None)))
    assert found.region == ""


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"MediaStreamType": "AUDIO"}, "recording"),
        ({"MediaStreamType": "audio", "ParticipantType": "IVR"}, "ivr_recording"),
        ({"MediaStreamType": "VIDEO"}, "screen_recording"),
        ({"MediaStreamType": "CHAT"}, "transcript"),
        ({"MediaStreamType": None}, "recording"),
    ],
)
@pytest.mark.parametrize("storage", ["S3", "Amazon S3", "AMAZON_S3", "s3", None])
def test_a_file_that_the_record_names_counts_whatever_it_is_called(
    fields: dict[str, Any], kind: str, storage: str | None, record: Makes, told: Told
) -> None:
    named = entry(StorageType=storage, Location="recordings/ours/call 17.bin", **fields)
    (found,) = objects(told(record(Recordings=[named])))
    assert (found.kind, found.key) == (kind, "ours/call 17.bin")


@pytest.mark.parametrize("name", ["Recording", "Recordings"])
@pytest.mark.parametrize(
    "gone",
    [
        {"Status": "DELETED"},
        {"Status": "Deleted", "DeletionReason": "asked for"},
        {"Status": "deleted", "Location": None},
        {"Status": None, "DeletionReason": "asked for", "Location": None},
    ],
)
@pytest.mark.parametrize("first", ["record", "file"])
def test_a_deleted_file_is_gone_whoever_told_of_it_and_whenever(
    name: str, gone: dict[str, Any], first: str, *, record: Makes, stored: Makes, told: Told
) -> None:
    said = entry(**gone)
    facts = [record(**{name: [said] if name == "Recordings" else said}), stored(f"a/{NAME}")]
    assert objects(told(*(facts if first == "record" else reversed(facts)))) == []


def test_a_file_that_is_there_stays_beside_a_deleted_one_without_location(
    record: Makes, stored: Makes, told: Told
) -> None:
    listed = [entry(Status="DELETED", Location=None), entry()]
    found = objects(told(record(Recordings=listed), stored(f"a/{NAME}"), stored(f"b/{NAME}")))
    assert [one.key for one in found] == [f"a/{NAME}"]


REDACTED = f"Analysis/Voice/Redacted/{CONTACT}_analysis_redacted_2026-01-02T03:00:00Z.json"
ORIGINAL = f"Analysis/Voice/{CONTACT}_analysis_2026-01-02T03:00:00Z.json"


def lens(**configuration: str) -> dict[str, Any]:
    inner = {"RedactionConfiguration": configuration}
    return {"ContactLens": {"ConversationalAnalytics": {"Configuration": inner}}}


@pytest.mark.parametrize(
    ("fields", "which", "kinds"),
    [
        (lens(Behavior="Enable", Policy="RedactedAndOriginal"), "auto", ["redacted_analysis"]),
        (lens(Policy="RedactedOnly"), "auto", ["redacted_analysis"]),
        (lens(Behavior="Disable", Policy="None"), "auto", ["analysis", "redacted_analysis"]),
        ({}, "auto", ["analysis", "redacted_analysis"]),
        ({}, "redacted", ["redacted_analysis"]),
        (lens(Behavior="Enable"), "original", ["analysis", "redacted_analysis"]),
        (None, "auto", ["redacted_analysis"]),
        (None, "original", ["analysis", "redacted_analysis"]),
    ],
)
def test_originals_count_unless_record_or_setting_ask_for_redacted_files(
    fields: dict[str, Any] | None,
    which: Any,
    kinds: list[str],
    *,
    record: Makes,
    stored: Makes,
    told: Told,
) -> None:
    facts = [stored(REDACTED), stored(ORIGINAL)]
    contact = told(*facts if fields is None else [*facts, record(**fields)])
    assert [one.kind for one in objects(contact, which)] == kinds
