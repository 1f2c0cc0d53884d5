"""Arrival: when a message was taken in, by the clock of the stream or queue, and not by ours.

A stream, a queue or an archive of theirs has it beside the message. It bounds the time that the
message may give for itself: one dated far ahead would win over all correct ones for ever.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pipelines.decode.timestamp import normalise
from pipelines.fact import Fact, Undecodable


#: A message may be dated so far (s) after its arrival: clocks and time zones go wrong by hours.
AHEAD_S: Final = 86_400.0

AHEAD: Final = Undecodable("dated more than a day after it arrived")


def seconds(moment: object) -> float | None:
    """A moment in seconds since 1970; None if it is none.

    Args:
        moment: ISO text, or seconds or milliseconds since 1970, as a number or (SQS) as text.
    """
    if isinstance(moment, str) and moment.isascii() and moment.isdecimal():
        moment = float(moment)
    text = normalise(moment)
    return datetime.fromisoformat(text).timestamp() if text else None


def told_in(payload: dict[str, Any]) -> float | None:
    """When a payload's own envelope says that it was sent: EventBridge's ``time``, or S3's."""
    return seconds(payload.get("time" if "detail-type" in payload else "eventTime"))


def dated(fact: Fact, arrived: float | None) -> Fact | Undecodable:
    """The fact with its arrival, unless it is dated so far ahead of it that it cannot be true."""
    latest = "" if arrived is None else normalise(arrived + AHEAD_S)
    if not latest:
        return fact
    if fact.at > latest:
        return AHEAD
    return Fact(fact.contact_id, fact.register, fact.version, fact.body, fact.at, arrived)
