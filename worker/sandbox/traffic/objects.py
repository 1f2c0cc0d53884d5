"""What S3 holds of a contact, and the notifications about it.

Keys: Administrator Guide "example-contact-lens-output-locations" and published records
(``tests/samples/published``). Notifications: S3 User Guide "notification-content-structure",
"EventBridge integration".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from worker.sandbox.traffic import moment, people
from worker.sandbox.traffic.leg import Stored, new_id


if TYPE_CHECKING:
    from random import Random

    from worker.sandbox.traffic.leg import Leg


_TOPIC = f"arn:aws:sns:{people.REGION}:{people.ACCOUNT}:recordings"

#: Up to which draw a notification goes which way; what is left goes through SNS.
_WAYS = {"eventbridge": 0.2, "native": 0.8}

#: Kind -> key. Prefixes are an instance's own; what Contact Lens writes is at the bucket's root.
_PLACES = {
    "recording": "connect/example/CallRecordings/{day}/{id}_{minute}.wav",
    "ivr_recording": "connect/example/CallRecordings/ivr/{day}/{id}_{minute}.wav",
    "redacted_recording": "Analysis/Voice/Redacted/{day}/{id}_call_recording_redacted_{second}.wav",
    "transcript": "connect/example/ChatTranscripts/{day}/{id}_{minute}.json",
    "analysis": "Analysis/{media}/{day}/{id}_analysis_{end}.json",
    "redacted_analysis": "Analysis/{media}/Redacted/{day}/{id}_analysis_redacted_{second}.json",
}


def store(leg: Leg, kind: str, after_ms: int) -> None:
    """Put an object of this kind into the bucket, this long after the contact's end."""
    leg.stored.append(Stored(kind, key(leg, kind), leg.disconnected_ms + after_ms))


def key(leg: Leg, kind: str) -> str:
    """The object's key. Folder and name carry the moment the agent was connected.

    Raises:
        KeyError: no such kind.
    """
    at_ms = leg.initiated_ms if leg.answered_ms is None else leg.answered_ms
    minute, second = moment.key_minute(at_ms), moment.in_s(at_ms)
    return _PLACES[kind].format(
        day=moment.day_path(at_ms),
        id=leg.id,
        media=leg.channel.capitalize(),
        minute=minute,
        second=second,
        end=minute if leg.channel == "EMAIL" else second,
    )


def notification(stored: Stored, rng: Random) -> bytes:
    """What the queue receives: native, through SNS or through EventBridge."""
    way = rng.random()
    size = 2_000 + rng.getrandbits(21)
    etag = f"{rng.getrandbits(128):032x}"
    sequencer = f"00{stored.at_ms // 1000:X}{rng.getrandbits(40):010X}"
    if way < _WAYS["eventbridge"]:
        return orjson.dumps(_eventbridge(stored, size, etag, sequencer, rng))
    native = orjson.dumps(_native(stored, size, etag, sequencer))
    return native if way < _WAYS["native"] else orjson.dumps(_sns(native, stored, rng))


def _native(stored: Stored, size: int, etag: str, sequencer: str) -> dict[str, object]:
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": people.REGION,
                "eventTime": moment.in_ms(stored.at_ms),
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:AROAEXAMPLE"},
                "requestParameters": {"sourceIPAddress": "192.0.2.1"},
                "responseElements": {"x-amz-request-id": sequencer[2:], "x-amz-id-2": etag},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "recordings",
                    "bucket": {
                        "name": people.BUCKET,
                        "ownerIdentity": {"principalId": "AEXAMPLE"},
                        "arn": f"arn:aws:s3:::{people.BUCKET}",
                    },
                    "object": {
                        "key": stored.key.replace(
                            ":", "%3A"
                        ),  # form-encoded: nothing else to encode
                        "size": size,
                        "eTag": etag,
                        "sequencer": sequencer,
                    },
                },
            }
        ]
    }


def _sns(native: bytes, stored: Stored, rng: Random) -> dict[str, object]:
    return {
        "Type": "Notification",
        "MessageId": new_id(rng),
        "TopicArn": _TOPIC,
        "Subject": "Amazon S3 Notification",
        "Message": native.decode(),
        "Timestamp": moment.in_ms(stored.at_ms),
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": "https://sns.example.com/certificate.pem",
        "UnsubscribeURL": "https://sns.example.com/?Action=Unsubscribe",
    }


def _eventbridge(
    stored: Stored, size: int, etag: str, sequencer: str, rng: Random
) -> dict[str, object]:
    return {
        "version": "0",
        "id": new_id(rng),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": people.ACCOUNT,
        "time": moment.in_s(stored.at_ms),
        "region": people.REGION,
        "resources": [f"arn:aws:s3:::{people.BUCKET}"],
        "detail": {
            "version": "0",
            "bucket": {"name": people.BUCKET},
            "object": {"key": stored.key, "size": size, "etag": etag, "sequencer": sequencer},
            "request-id": sequencer[2:],
            "requester": people.ACCOUNT,
            "source-ip-address": "192.0.2.1",
            "reason": rng.choice(("PutObject", "CopyObject", "CompleteMultipartUpload")),
        },
    }
