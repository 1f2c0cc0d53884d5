"""Stored objects: S3's notification that a recording, transcript or analysis is there.

Keys are form-encoded in native notifications and as they are in EventBridge events (S3 User
Guide, "notification-content-structure", "EventNotifications"). What an object is, is read off the
tail of its key: prefixes are set per instance (Connect Administrator Guide,
"example-contact-lens-output-locations"). Attachments, messages, screens and evaluations are told by
a folder of the key, named after Connect's storage types; that layout is not documented.
"""

from __future__ import annotations

import re

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from pipelines.decode.seal import seal
from pipelines.decode.spelling import field
from pipelines.decode.timestamp import normalise
from pipelines.fact import FILE, OBJECT, Decoded, Ignored, Undecodable


SOURCE = "aws.s3"

NOT_CREATED = Ignored("S3 event that creates no object")
OTHER_BUCKET = Ignored("object in another bucket")
FOREIGN_KEY = Ignored("object that is not Amazon Connect's")
NO_OBJECT = Undecodable("S3 event without bucket or key")
NO_NAME = Undecodable("S3 event without its name")

#: Hexadecimal digits a sequencer is padded to, so that sequencers of one key compare as text.
SEQUENCER_DIGITS = 64

_SEQUENCER = re.compile(rf"[0-9A-Fa-f]{{1,{SEQUENCER_DIGITS}}}").fullmatch

_NAME = re.compile(
    r"(?P<contact>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})_"
    r"(?:(?P<what>analysis|analysis_redacted|call_recording_redacted)_\d[^/]*"
    r"|\d{8}T\d\d:\d\d(?::\d\d)?_UTC)"
    r"\.(?P<type>wav|json|mp4|webm)",
    re.ASCII | re.IGNORECASE,
).fullmatch

_IN_IVR_FOLDER = re.compile(r"(?:^|/)ivr/\d{4}/\d\d/\d\d/[^/]*$", re.ASCII | re.IGNORECASE).search

#: A folder anywhere in the key, in lower case -> the kind of everything below it.
FOLDERS = {
    "attachments": "attachment",
    "emailmessages": "email_message",
    "email-messages": "email_message",
    "screenrecordings": "screen_recording",
    "screen-recordings": "screen_recording",
    "evaluations": "evaluation",
    "contactevaluations": "evaluation",
}

#: Kinds that older releases do not know, and would not survive among those they do.
_NEWER = frozenset(FOLDERS.values())

#: The contact's id at the beginning of the name of a file in such a folder, or a folder's name.
_LED_BY_ID = re.compile(
    r"([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?:$|[^0-9a-f-])", re.ASCII | re.IGNORECASE
).match

_KINDS = {
    (None, "wav"): "recording",
    (None, "mp4"): "screen_recording",
    (None, "webm"): "screen_recording",
    (None, "json"): "transcript",
    ("call_recording_redacted", "wav"): "redacted_recording",
    ("analysis", "json"): "analysis",
    ("analysis_redacted", "json"): "redacted_analysis",
}


def kind_of(key: str) -> tuple[str, str] | None:
    """What the object under a (decoded) key is, and the id of its contact in lower case.

    The kind is one of ``pipelines.objects.KINDS``; None: not an object of Amazon Connect.
    """
    if (kind := _by_folder(key)) is not None:
        *folders, last = key.split("/")
        led = [_LED_BY_ID(part) for part in (last, *reversed(folders)) if part]
        found = next((match for match in led if match), None)
        is_file = last != "" and not last.endswith(".backup")
        return (kind, found[1].lower()) if found and is_file else None
    name = _NAME(key.rpartition("/")[2])
    if name is None:
        return None
    what = name["what"]
    kind = _KINDS.get((what and what.lower(), name["type"].lower()))
    if kind == "recording" and _IN_IVR_FOLDER(key):
        kind = "ivr_recording"
    return (kind, name["contact"].lower()) if kind else None


def _by_folder(key: str) -> str | None:
    """The kind that a folder of the key says."""
    folders = key.lower().split("/")[:-1]
    return next((FOLDERS[folder] for folder in folders if folder in FOLDERS), None)


def from_envelope(envelope: dict[str, Any], buckets: frozenset[str] | None) -> Decoded:
    """The fact in an EventBridge event: the key is not encoded, a ``+`` in it is a plus."""
    if envelope["detail-type"] != "Object Created":
        return NOT_CREATED
    region, time = envelope.get("region"), envelope.get("time")
    return _read(envelope.get("detail"), str, region, time, buckets)


def from_notification(record: dict[str, Any], buckets: frozenset[str] | None) -> Decoded:
    """The fact in one entry of a native notification: the key is form-encoded."""
    name = record.get("eventName")
    if not (isinstance(name, str) and name):
        return NO_NAME
    if not (name.removeprefix("s3:").startswith("ObjectCreated:")):
        return NOT_CREATED
    region, time = record.get("awsRegion"), record.get("eventTime")
    return _read(record["s3"], _form_decoded, region, time, buckets)


def _read(
    part: Any, unquote: Callable[[str], str], region: Any, time: Any, buckets: frozenset[str] | None
) -> Decoded:
    """The fact in what both forms share: ``bucket`` and ``object``."""
    bucket, stored = _objects(part, "bucket", "object")
    name, key = bucket.get("name"), stored.get("key")
    if not (isinstance(name, str) and name and isinstance(key, str) and key):
        return NO_OBJECT
    if buckets is not None and name not in buckets:
        return OTHER_BUCKET
    key = unquote(key)
    found = kind_of(key)
    if found is None:
        return FOREIGN_KEY
    kind, contact_id = found
    data = {
        "bucket": name,
        "key": key,
        "region": region if isinstance(region, str) else None,
        "size": stored.get("size") if type(stored.get("size")) is int else None,
        "etag": etag if isinstance(etag := field(stored, "eTag"), str) else None,
        "kind": kind,
    }
    version = _sequencer(stored.get("sequencer"))
    register = FILE if kind in _NEWER else OBJECT
    return seal(contact_id, f"{register}{name}/{key}", version, data, normalise(time))


def _objects(part: Any, *names: str) -> list[dict[str, Any]]:
    """The objects under these names, {} where there is none."""
    values = [part.get(name) if isinstance(part, dict) else None for name in names]
    return [value if isinstance(value, dict) else {} for value in values]


def _form_decoded(key: str) -> str:
    # As ``unquote_plus``, which takes four times as long: it looks for text beyond ASCII first.
    return unquote_to_bytes(key.replace("+", " ")).decode(errors="replace")


def _sequencer(value: Any) -> str:
    usable = isinstance(value, str) and _SEQUENCER(value)
    return value.upper().zfill(SEQUENCER_DIGITS) if usable else ""
