"""What goes wrong on the way: repeated, delayed, lost and broken messages.

Contact events are best effort, records and notifications come at least once, nothing is in order
(Administrator Guide "contact-events", "data-streaming"; S3 User Guide "notification-how-to").
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final

from worker.sandbox.traffic.histories import EVENTS, RECORDINGS, RECORDS, SentMessage
from worker.sandbox.traffic.leg import new_id


if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


_SOON_S: Final = 120.0  # how far a message can fall behind its neighbours
_LATE_S: Final = 6 * 3600.0  # how late a late one can be

_EVENT: Final = (
    b'{"version":"0","detail-type":"Amazon Connect Contact Event","source":"aws.connect",'
    b'"time":"2026-01-02T03:04:05Z","detail":'
)
_RECORD: Final = b'{"AWSContactTraceRecordFormatVersion":"2017-03-10"'

_BROKEN: Final = (
    (EVENTS, _EVENT),
    (EVENTS, _EVENT + b'{"eventType":"INITIATED","channel":"VOICE"}}'),
    (EVENTS, _EVENT + b'{"contactId":"<id>","channel":"VOICE"}}'),
    (RECORDS, _RECORD + b',"ContactId":"<id>'),
    (RECORDS, _RECORD + b',"Channel":"VOICE"}'),
    (RECORDS, b"\xff\xfe\x00\x01"),
    (RECORDINGS, b'{"Records":[{"eventSource":"aws:s3","s3":{"object":'),
    (RECORDINGS, b"not JSON"),
)


def disturb(
    sent: Iterable[SentMessage],
    rng: Random,
    *,
    duplicate: float = 0.1,
    reorder: float = 0.3,
    late: float = 0.02,
    lose_events: float = 0.0,
    lose_others: float = 0.0,
    compress: float = 1.0,
) -> list[SentMessage]:
    """The same messages, as a bad day delivers them, by time.

    Args:
        sent: Messages.
        rng: Decides which.
        duplicate: Share of messages that come twice.
        reorder: Share of messages (copies too) delayed by up to two minutes.
        late: Share delayed by up to six hours.
        lose_events: Share of contact events that never come.
        lose_others: Share of records and notifications that never come.
        compress: The factor the messages' times were made with.
    """
    disturbed = []
    for message in sent:
        if rng.random() < (lose_events if message.stream == EVENTS else lose_others):
            continue
        for _ in range(2 if rng.random() < duplicate else 1):
            delay_s = rng.random() * _SOON_S if rng.random() < reorder else 0.0
            delay_s += rng.random() * _LATE_S if rng.random() < late else 0.0
            disturbed.append(message._replace(at_s=message.at_s + delay_s * compress))
    return sorted(disturbed, key=attrgetter("at_s"))


def malformed(rng: Random, at_s: float = 0.0) -> SentMessage:
    """A message that cannot be understood: cut off, no text, or without what identifies it."""
    stream, body = rng.choice(_BROKEN)
    return SentMessage(at_s, stream, "", body.replace(b"<id>", new_id(rng).encode()))
