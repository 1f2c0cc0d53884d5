"""The files Amazon Connect stored for a contact: recordings, transcripts, analyses.

They are known from S3 notifications and, should one be lost or missing from an archive, from the
contact record's own ``Recordings`` (Connect Administrator Guide "ctr-data-model": ``Location`` is
``bucket/key``, unencoded). What the record says is deleted does not count, whoever told of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote

from pipelines.contact import Contact
from pipelines.decode.stored_object import kind_of
from pipelines.names import said


#: Kind -> milestone; in the order in which the first of several is chosen.
KINDS = {
    "recording": "recording",
    "redacted_recording": "recording",
    "ivr_recording": "recording",
    "transcript": "transcript",
    "analysis": "analysis",
    "redacted_analysis": "analysis",
    "screen_recording": "screen_recording",
    "attachment": "attachment",
    "email_message": "email_message",
    "evaluation": "evaluation",
}

#: Kinds with what people said or wrote as they did: Contact Lens makes redacted files beside them.
UNREDACTED = frozenset(("recording", "ivr_recording", "transcript", "analysis", "email_message"))

#: Which files count: those that the contact's own record says, originals, or redacted ones only.
Which = Literal["auto", "original", "redacted"]

#: ``MediaStreamType`` of the record's ``Recordings``, ``Type`` of its ``Recording`` -> kind.
_MEDIA = {"AUDIO": "recording", "VIDEO": "screen_recording", "CHAT": "transcript"}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One file. ``at`` is the time of the notification or contact record (UTC) or ``""``."""

    kind: str
    bucket: str
    key: str
    region: str
    at: str

    @property
    def milestone(self) -> str:
        """The milestone it reaches: recording, transcript or analysis."""
        return KINDS[self.kind]

    @property
    def uri(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def url(self) -> str:
        """The https URL (S3 User Guide "VirtualHosting"); it needs the reader's permission."""
        return _url(self.bucket, self.key, self.region)


@lru_cache(maxsize=1024)
def _url(bucket: str, key: str, region: str) -> str:
    host = "s3" + (f".{region}" if region else "") + ".amazonaws.com"
    if region.startswith("cn-"):
        host += ".cn"
    path = quote(key, safe="/-_.~")
    # A dot in the bucket's name does not fit S3's wildcard certificate.
    return f"https://{host}/{bucket}/{path}" if "." in bucket else f"https://{bucket}.{host}/{path}"


def objects(contact: Contact, which: Which = "original") -> list[StoredObject]:
    """The contact's files, by kind and key, each once.

    Args:
        contact: The contact.
        which: Which files count. With ``auto`` no original does before the contact record has
            come: only it can say that Contact Lens redacts, and what has been sent stays in
            Dynamics' audit history.
    """
    found = {(o.bucket, o.key): o for o in _recorded(contact)}
    for fact in contact.objects:
        d = fact.data
        found[d["bucket"], d["key"]] = StoredObject(
            d["kind"], d["bucket"], d["key"], d.get("region") or "", fact.at
        )
    gone = _deleted(contact)
    redacted = which == "redacted" or (which == "auto" and is_redacting(contact))
    order = list(KINDS)
    return sorted(
        (
            o
            for o in found.values()
            if (o.bucket, o.key) not in gone and not (redacted and o.kind in UNREDACTED)
        ),
        key=lambda o: (order.index(o.kind), o.key, o.bucket),
    )


def is_redacting(contact: Contact) -> bool:
    """Whether the contact record says that Contact Lens redacts, or has not come yet."""
    if contact.record is None:
        return True
    return _redacts(said(contact.record.body).get("ContactLens"))


def _redacts(settings: Any) -> bool:
    """Whether a ``RedactionConfiguration`` anywhere inside is on (its path is not documented)."""
    if isinstance(settings, list):
        return any(map(_redacts, settings))
    if not isinstance(settings, dict):
        return False
    for name, value in settings.items():
        if str(name).lower() == "redactionconfiguration" and isinstance(value, dict):
            values = {str(n).lower(): str(v).lower() for n, v in value.items()}
            behaviour, policy = values.get("behavior", ""), values.get("policy", "")
            on = behaviour.startswith("enable") or behaviour == "true"
            if on or (not behaviour and policy.startswith("redacted")):
                return True
        elif _redacts(value):
            return True
    return False


def withdrawn(contact: Contact) -> frozenset[str]:
    """The milestones of which the contact record says that a file was deleted."""
    kinds = [_kind(entry, _place(entry)[1]) for entry in _entries(contact) if _is_deleted(entry)]
    return frozenset(KINDS[kind] for kind in kinds)


def _entries(contact: Contact) -> list[dict[str, Any]]:
    """The entries of the record's ``Recording`` and ``Recordings``, their names in lower case."""
    if contact.record is None:
        return []
    record = said(contact.record.body)
    entries = record.get("Recordings")
    listed: list[Any] = list(entries) if isinstance(entries, list) else []
    return [
        {str(name).lower(): value for name, value in entry.items()}
        for entry in (record.get("Recording"), *listed)
        if isinstance(entry, dict)
    ]


def _is_deleted(entry: Mapping[str, Any]) -> bool:
    status = str(entry.get("status") or "").upper()
    return status == "DELETED" or (not status and bool(entry.get("deletionreason")))


def _is_in_s3(entry: Mapping[str, Any]) -> bool:
    storage = entry.get("storagetype")
    return storage is None or str(storage).upper().removeprefix("AMAZON").strip(" _") == "S3"


def _place(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Bucket and key, each "" if the entry has none."""
    location = entry.get("location")
    if not isinstance(location, str) or location.startswith("arn:"):
        return "", ""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key


def _kind(entry: Mapping[str, Any], key: str) -> str:
    """What a file of the record is: its name says it, or else its type."""
    recognised = kind_of(key)
    if recognised is not None:
        return recognised[0]
    media = str(entry.get("mediastreamtype") or entry.get("type")).upper()
    if media == "AUDIO" and str(entry.get("participanttype")).upper() == "IVR":
        return "ivr_recording"
    return _MEDIA.get(media, "recording")


def _recorded(contact: Contact) -> list[StoredObject]:
    """The files that the record tells of."""
    if contact.record is None:
        return []
    region, at = _region(said(contact.record.body)), contact.record.at
    placed = [(entry, *_place(entry)) for entry in _entries(contact) if _is_in_s3(entry)]
    return [
        StoredObject(_kind(entry, key), bucket, key, region, at)
        for entry, bucket, key in placed
        if bucket and key
    ]


def _deleted(contact: Contact) -> set[tuple[str, str]]:
    """Bucket and key of the files that the record says are deleted.

    Without a location it may be any file of the kind: all are, but for those listed as available.
    """
    entries = _entries(contact)
    gone = {_place(entry) for entry in entries if _is_deleted(entry)}
    if ("", "") not in gone:
        return gone
    there = {_place(entry) for entry in entries if not _is_deleted(entry)}
    unplaced = {KINDS[_kind(e, "")] for e in entries if _is_deleted(e) and not _place(e)[1]}
    told = [(f.data["bucket"], f.data["key"], f.data["kind"]) for f in contact.objects]
    return gone | {(b, k) for b, k, kind in told if KINDS[kind] in unplaced} - there


def _region(record: Mapping[str, Any]) -> str:
    parts = str(record.get("InstanceARN", "")).split(":")
    return parts[3] if len(parts) > 3 else ""  # noqa: PLR2004 - arn:partition:service:region:…
