"""Arrival: when a message was taken in, by the clock of the stream or queue, and not by ours.

A stream, a queue or an archive of theirs has it beside the message. It bounds the time that the
message may give for itself: one dated far ahead would win over all correct ones for ever. When and
where it was taken in also orders what cannot be told apart otherwise (``contact_record``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from pipelines.decode.timestamp import normalise
from pipelines.fact import Undecodable


#: A message may be dated so far (s) after its arrival: clocks and time zones go wrong by hours.
AHEAD_S: Final = 86_400.0

AHEAD: Final = Undecodable("dated more than a day after it arrived")


# Arrivals (s since 1970) that clocks show: in 1971 and later, before they would be milliseconds.
_FIRST_S: Final = 31_536_000.0
_LAST_S: Final = 1e11

# No message arrives later (s since 1970); a time that is no number is not less either.
_LATEST_S: Final = 1e12
_MS_DIGITS: Final = 15


class Arrival(NamedTuple):
    """When and where a message was taken in, as far as is known.

    Attributes:
        at: Seconds since 1970, by the clock of the stream or queue; None: not known.
        place: Its place there, as text that orders as the places do: shard and sequence number, or
            file and number in it; "": not known, or there is no order.
    """

    at: float | None = None
    place: str = ""

    def part(self, number: int) -> Arrival:
        """The arrival of one of several parts that came together, by its number there."""
        return Arrival(self.at, f"{self.place} {number:05d}")

    @property
    def text(self) -> str:
        """Both as text that orders as they do: time first, one that is not known before all."""
        ms = round(self.at * 1000) if self.at is not None and 0 < self.at < _LATEST_S else 0
        return f"{ms:0{_MS_DIGITS}d} {self.place}".rstrip()


def numeral(digits: str) -> str:
    """A number as text that orders as numbers do, however many digits it has (fewer than 1000).

    A Kinesis sequence number has up to 129 digits, mostly 56 (Kinesis Data Streams API Reference,
    "Record").
    """
    digits = digits.lstrip("0")
    return f"{len(digits):03d}.{digits}"


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


def possible(arrived: float | None) -> float | None:
    """An arrival, if clocks go so far; else None."""
    return arrived if arrived is not None and _FIRST_S <= arrived < _LAST_S else None


def is_ahead(at: str, arrived: float) -> bool:
    """Whether a fact's time is so far ahead of its arrival that it cannot be true."""
    return at != "" and datetime.fromisoformat(at).timestamp() > arrived + AHEAD_S
