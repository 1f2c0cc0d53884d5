"""Messages about calls, as Amazon Connect and S3 send them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from twins.loop import iso, wall


@dataclass(frozen=True)
class Call:
    """Messages about one call that began at 03:00:00 and ended at 03:04:05, sent now."""

    id: str = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"

    def event(self, kind: str, **detail: Any) -> bytes:
        said: dict[str, Any] = {
            "eventType": kind,
            "contactId": self.id,
            "channel": "VOICE",
            "initiationMethod": "INBOUND",
            "initiationTimestamp": "2026-01-02T03:00:00.000Z",
            **detail,
        }
        envelope = {"detail-type": "Amazon Connect Contact Event", "source": "aws.connect"}
        return orjson.dumps({**envelope, "time": iso(wall()), "detail": said})

    def begun(self, **detail: Any) -> bytes:
        return self.event("INITIATED", **detail)

    def answered(self, at: str = "2026-01-02T03:00:10.000Z", **detail: Any) -> bytes:
        agent = {"agentArn": "arn:agent", "connectedToAgentTimestamp": at}
        return self.event("CONNECTED_TO_AGENT", agentInfo=agent, **detail)

    def ended(self, **detail: Any) -> bytes:
        return self.event("DISCONNECTED", disconnectTimestamp="2026-01-02T03:04:05.000Z", **detail)

    def record(self, **fields: Any) -> bytes:
        """The contact record, without the fields that are ``...``."""
        said: dict[str, Any] = {
            "AWSContactTraceRecordFormatVersion": "2017-03-10",
            "ContactId": self.id,
            "Channel": "VOICE",
            "InitiationMethod": "INBOUND",
            "InitiationTimestamp": "2026-01-02T03:00:00Z",
            "DisconnectTimestamp": "2026-01-02T03:04:05Z",
            "LastUpdateTimestamp": "2026-01-02T03:05:00Z",
            "CustomerEndpoint": {"Address": "+15550100200", "Type": "TELEPHONE_NUMBER"},
            **fields,
        }
        return orjson.dumps({name: value for name, value in said.items() if value is not ...})

    def stored(self, name: str, sequencer: str = "0A") -> bytes:
        """S3 tells of an object whose key ends in the contact's id and ``name``."""
        key = f"connect/acme/2026/01/02/{self.id}_{name}"
        detail = {
            "bucket": {"name": "recordings"},
            "object": {"key": key, "sequencer": sequencer, "etag": sequencer},
        }
        envelope = {"detail-type": "Object Created", "source": "aws.s3", "region": "eu-central-1"}
        return orjson.dumps({**envelope, "time": iso(wall()), "detail": detail})

    def recorded(self, sequencer: str = "0A") -> bytes:
        return self.stored("20260102T03:00_UTC.wav", sequencer)


def calls(number: int) -> list[Call]:
    """So many calls."""
    return [Call(f"00000000-0000-4000-8000-{n:012}") for n in range(number)]
