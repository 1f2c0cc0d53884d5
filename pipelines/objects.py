"""The files Amazon Connect stored for a contact: recordings, transcripts, analyses.

They are known from S3 notifications and, should one be lost or missing from an archive, from the
contact record's own ``Recordings`` (Connect Administrator Guide "ctr-data-model": ``Location`` is
``bucket/key``, unencoded).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
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
}


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


def objects(contact: Contact) -> list[StoredObject]:
    """The contact's files, by kind and key, each once."""
    found = dict(_recorded(contact))
    for fact in contact.objects:
        d = fact.data
        found[d["bucket"], d["key"]] = StoredObject(
            d["kind"], d["bucket"], d["key"], d.get("region") or "", fact.at
        )
    order = list(KINDS)
    return sorted(found.values(), key=lambda o: (order.index(o.kind), o.key, o.bucket))


def _recorded(contact: Contact) -> dict[tuple[str, str], StoredObject]:
    if contact.record is None:
        return {}
    record = said(contact.record.body)
    entries = record.get("Recordings")
    listed: list[Any] = list(entries) if isinstance(entries, list) else []
    found = {}
    for entry in [record.get("Recording"), *listed]:
        if thing := _location(entry, _region(record), contact.record.at):
            found[thing.bucket, thing.key] = thing
    return found


def _location(entry: Any, region: str, at: str) -> StoredObject | None:
    if not isinstance(entry, dict):
        return None
    values = {str(name).lower(): value for name, value in entry.items()}
    location = values.get("location")
    if values.get("storagetype") not in (None, "S3") or values.get("status") == "DELETED":
        return None
    if not isinstance(location, str):
        return None
    bucket, _, key = location.partition("/")
    recognised = kind_of(key)
    if not bucket or recognised is None:
        return None
    return StoredObject(recognised[0], bucket, key, region, at)


def _region(record: Mapping[str, Any]) -> str:
    parts = str(record.get("InstanceARN", "")).split(":")
    return parts[3] if len(parts) > 3 else ""  # noqa: PLR2004 - arn:partition:service:region:…
