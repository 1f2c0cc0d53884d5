"""Moments (milliseconds since 1970, UTC) in the spellings Connect and S3 use."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


#: "Not set" in a contact event (Administrator Guide, "contact-events", sample).
UNSET = "1970-01-01T00:00:00.001Z"


@lru_cache(maxsize=4096)  # many timestamps share their minute
def _minute(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:")


@lru_cache(maxsize=256)  # the messages about one contact repeat its timestamps
def in_ms(ms: int) -> str:
    """``2026-01-02T03:04:05.678Z``, as contact events and native S3 notifications have it."""
    minute, rest = divmod(ms, 60_000)
    return f"{_minute(minute)}{rest // 1000:02}.{rest % 1000:03}Z"


@lru_cache(maxsize=256)
def in_s(ms: int) -> str:
    """``2026-01-02T03:04:05Z``, as contact records and EventBridge envelopes have it."""
    minute, rest = divmod(ms, 60_000)
    return f"{_minute(minute)}{rest // 1000:02}Z"


def day_path(ms: int) -> str:
    """``2026/01/02``, the folders of an object key."""
    return _minute(ms // 60_000)[:10].replace("-", "/")


def key_minute(ms: int) -> str:
    """``20260102T03:04_UTC``, the end of a recording's name."""
    return f"{_minute(ms // 60_000)[:16].replace('-', '')}_UTC"


def of(when: datetime) -> int:
    """The moment of an aware datetime."""
    return int(when.timestamp() * 1000)
