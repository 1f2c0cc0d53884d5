"""One form for all times: ``YYYY-MM-DDTHH:MM:SS.mmmZ``, which orders as text.

Contact events carry milliseconds, contact records whole seconds, other producers offsets or
epoch numbers. Amazon Connect writes 1970 for "not set" (Administrator Guide, "contact-events").
"""

from __future__ import annotations

import re

from datetime import UTC, datetime


#: Times below this are "not set": 1970, or the year 1 of other systems.
_FIRST = "1971"

#: Epoch numbers from here on are milliseconds: 3 March 1973 in those, the year 5138 in seconds.
_MILLISECONDS_FROM = 1e11

# The two usual shapes. Days 29 to 31 are left to the calendar below.
_USUAL = re.compile(
    r"20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3})?Z",
    re.ASCII,
).fullmatch
_USUAL_LENGTH = len("2026-01-02T03:04:05.678Z")

# What is left to the library: it would take bare dates and week numbers too.
_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*", re.ASCII).fullmatch


def normalise(value: object) -> str:
    """A time as UTC text with milliseconds, or "" when it is none or means "not set".

    Args:
        value: ISO text with or without fraction and offset (none: UTC), or seconds or
            milliseconds since 1970 as a number. Anything else is no time.
    """
    if isinstance(value, str):
        if _USUAL(value):
            return value if len(value) == _USUAL_LENGTH else f"{value[:-1]}.000Z"
        return _from_text(value.strip())
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _from_number(value)
    return ""


def _from_text(value: str) -> str:
    if not _ISO(value):
        return ""
    try:
        moment = datetime.fromisoformat(value.upper())
        return _text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):  # no such day, or outside the calendar in UTC
        return ""


def _from_number(value: float) -> str:
    try:
        seconds = value / 1000 if value >= _MILLISECONDS_FROM else value
        return _text(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):  # not a number, or outside the calendar
        return ""


def _text(moment: datetime) -> str:
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return text if text >= _FIRST else ""
