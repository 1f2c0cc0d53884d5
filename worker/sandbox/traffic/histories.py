"""Histories: everything Connect sends about a contact, or about a day of contacts, in order.

Three streams, as the worker reads them: contact events and contact records come through Kinesis,
recordings (any stored object) through SQS.
"""

from __future__ import annotations

import heapq
import math

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, count
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from worker.sandbox.traffic import moment, objects, pace
from worker.sandbox.traffic.events import events
from worker.sandbox.traffic.kinds import KINDS
from worker.sandbox.traffic.records import record


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.sandbox.traffic.leg import Leg


EVENTS: Final = "contact-events"
RECORDS: Final = "contact-records"
RECORDINGS: Final = "recordings"

#: The day, unless another is asked for.
START: Final = datetime(2026, 1, 2, tzinfo=UTC)

#: Share of contacts whose attributes change after their record was written, e.g. by a survey.
_SURVEYED: Final = 0.2

_EVENT_DELAY_MS: Final = 300  # from a moment to its event
_NOTICE_DELAY_MS: Final = 900  # from an object to its notification


class SentMessage(NamedTuple):
    """One message, as it leaves Connect or S3.

    Attributes:
        at_s: Seconds after the scenario's start.
        stream: ``contact-events``, ``contact-records`` or ``recordings``.
        contact_id: The contact it is about; "" if it is about none.
        body: The bytes.
    """

    at_s: float
    stream: str
    contact_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class History:
    """What happened, and what was sent about it.

    Attributes:
        kind: One of ``KINDS``.
        contacts: The legs, first to last: ids, channel, ``outgoing``, ``answered``, ``stored``, …
        sent: The messages, in the order Connect would send them.
    """

    kind: str
    contacts: list[Leg]
    sent: list[SentMessage]

    def parsed(self, stream: str, contact_id: str | None = None) -> list[dict[str, Any]]:
        """The JSON bodies sent on a stream, of one contact or of all, in order."""
        return [
            orjson.loads(message.body)
            for message in self.sent
            if message.stream == stream and contact_id in {None, message.contact_id}
        ]


def history(
    kind: str,
    rng: Random,
    start: datetime = START,
    compress: float = 1.0,
    within_s: float = math.inf,
) -> History:
    """Tell one contact of this kind, beginning at ``start``.

    Args:
        kind: One of ``KINDS``. A midnight call begins late on the day of ``start``.
        rng: Decides everything else.
        start: An aware time: when the first leg begins.
        compress: Factor on the times of sending; the timestamps inside stay true.
        within_s: So brief (s) is what happens on it, timestamps and all; see ``pace``.

    Raises:
        KeyError: no such kind.
    """
    legs = KINDS[kind].tell(rng, moment.of(start))
    if within_s < math.inf:
        pace.hasten(legs, int(within_s * 1000))
    sent = sorted(_messages(legs, rng), key=_when)
    return History(kind, legs, [m._replace(at_s=m.at_s * compress) for m in sent])


def day(
    seed: int,
    contacts: int,
    *,
    start: datetime = START,
    span_s: float = 86_400,
    compress: float = 1.0,
    met: Callable[[Leg], object] = lambda _leg: None,
) -> Iterator[SentMessage]:
    """Tell this many contacts, evenly spread over ``span_s``, in the order of sending.

    Every kind comes once if there are contacts enough, the others by how common they are. Only
    the contacts going on at one time are in memory. The midnight call is sent in its turn like
    the others, so a short span stays short although its timestamps are of the night. ``met`` is
    told of each leg before any message about it.
    """
    rng = Random(seed)
    start_ms = moment.of(start)
    order = count()  # decides between messages of one moment
    waiting: list[tuple[float, int, SentMessage]] = []
    for number, kind in enumerate(_mix(rng, contacts)):
        begin_s = span_s * (number + rng.random()) / contacts
        yield from _due(waiting, begin_s, compress)
        legs = KINDS[kind].tell(rng, start_ms + int(begin_s * 1000))
        for leg in legs:
            met(leg)
        for message in _messages(legs, rng):
            heapq.heappush(waiting, (begin_s + message.at_s, next(order), message))
    yield from _due(waiting, math.inf, compress)


def _due(
    waiting: list[tuple[float, int, SentMessage]], until_s: float, compress: float
) -> Iterator[SentMessage]:
    """Take what is to be sent until then."""
    while waiting and waiting[0][0] <= until_s:
        at_s, _, message = heapq.heappop(waiting)
        yield SentMessage(at_s * compress, message.stream, message.contact_id, message.body)


def _mix(rng: Random, contacts: int) -> Iterator[str]:
    """Kinds for this many contacts."""
    kinds = list(KINDS)
    once = kinds if contacts >= len(kinds) else []
    yield from once
    cumulative = list(accumulate(kind.weight for kind in KINDS.values()))
    for _ in range(contacts - len(once)):
        yield rng.choices(kinds, cum_weights=cumulative)[0]


def _when(message: SentMessage) -> float:
    return message.at_s


def _messages(legs: list[Leg], rng: Random) -> Iterator[SentMessage]:
    """All messages about these legs, at seconds after the first one's begin, not yet in order."""
    begin_ms = legs[0].initiated_ms
    for leg in legs:
        for at_ms, stream, body in _told(leg, rng):
            yield SentMessage((at_ms - begin_ms) / 1000, stream, leg.id, body)


def _told(leg: Leg, rng: Random) -> Iterator[tuple[int, str, bytes]]:
    """Events as they happen, a record a minute after the end, objects when S3 has them."""
    record_ms = max(leg.disconnected_ms + 55_000, leg.ended_ms + 5_000) + rng.getrandbits(14)
    if rng.random() < _SURVEYED and not leg.resent:
        answer_ms = record_ms + 20_000 + rng.getrandbits(18)
        leg.survey = (answer_ms, {"surveyScore": rng.choice("12345")})
    for at_ms, body in events(leg, rng):
        yield at_ms + _EVENT_DELAY_MS, EVENTS, body
    later = {name for again in leg.resent for name in again.attributes}
    first = {name: value for name, value in leg.attributes.items() if name not in later}
    yield record_ms, RECORDS, record(leg, record_ms - 2_000, changes={"Attributes": first})
    if leg.survey is not None:
        at_ms, changes = leg.survey
        yield at_ms + 30_000, RECORDS, record(leg, at_ms, changes)
    for again in leg.resent:
        sent_ms = max(again.at_ms, record_ms + 1_000)
        updated_ms = max(again.updated_ms, record_ms - 2_000)
        yield sent_ms, RECORDS, record(leg, updated_ms, again.attributes, again.changes)
    for stored in leg.stored:
        yield stored.at_ms + _NOTICE_DELAY_MS, RECORDINGS, objects.notification(stored, rng)
