"""The notice that the workers of one application user share through their store.

It holds no times, since clocks differ and jump. A pause is written as the seconds that were left at
that moment; a worker that reads it counts them on its own monotonic clock from then on, and so is
late by as long as the notice lay there, never early.
"""

from __future__ import annotations

import math

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from worker.dynamics.classify import RETRY_AFTER_MAX_S
from worker.dynamics.reasons import LOCAL, Reason
from worker.errors import WorkerError


#: The form that is written; a later release's other forms have higher numbers.
FORM = 1

#: The highest number that is believed: versions and heartbeats never get there.
MAX_NUMBER = 2**53


class NoticeError(WorkerError):
    """The text is no notice that this release can read.

    Attributes:
        newer: Whether a later release wrote it; if not, it is damaged.
    """

    def __init__(self, *, newer: bool) -> None:
        super().__init__("written by a newer release" if newer else "not a notice")
        self.newer = newer


@dataclass(frozen=True, slots=True)
class Notice:
    """What the workers share.

    Attributes:
        version: Raised whenever the gate closes, closes for longer, or opens.
        reason: Why it is closed for all; NONE: it is open.
        cause: The text of the error behind it.
        retry_s: How long (s) it stays closed, counted from the writing.
        prober: The worker that probes.
        hint: The last ``x-ms-dop-hint`` of any worker; 0: none yet.
        heartbeats: A number for each worker, raised now and then while it is alive.
    """

    version: int = 0
    reason: Reason = Reason.NONE
    cause: str = ""
    retry_s: float = 0.0
    prober: str = ""
    hint: int = 0
    heartbeats: Mapping[str, int] = field(default_factory=dict)

    def to_text(self) -> str:
        """As it is stored: JSON."""
        stored = {
            "form": FORM,
            "turn": self.version,
            "reason": self.reason.value,
            "cause": self.cause,
            "retry_s": self.retry_s,
            "owner": self.prober,
            "hint": self.hint,
            "beats": dict(self.heartbeats),
        }
        return orjson.dumps(stored).decode()

    @classmethod
    def from_text(cls, text: str | None) -> Notice:
        """Read what is stored; without a text an empty one. Unknown fields are ignored.

        Raises:
            NoticeError: It is damaged, or a newer release's.
        """
        try:
            stored = orjson.loads(text or "{}")
        except orjson.JSONDecodeError:
            raise NoticeError(newer=False) from None
        if not isinstance(stored, dict):
            raise NoticeError(newer=False)
        if _count(stored.get("form", FORM)) > FORM:
            raise NoticeError(newer=True)
        heartbeats = stored.get("beats", {})
        if not isinstance(heartbeats, dict):
            raise NoticeError(newer=False)
        return cls(
            version=_count(stored.get("turn", 0)),
            reason=_reason(stored.get("reason", "")),
            cause=_text(stored.get("cause", "")),
            retry_s=_pause(stored.get("retry_s", 0.0)),
            prober=_text(stored.get("owner", "")),
            hint=_count(stored.get("hint", 0)),
            heartbeats={worker: _count(number) for worker, number in heartbeats.items()},
        )


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise NoticeError(newer=False)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise NoticeError(newer=False)
    return value


def _reason(value: Any) -> Reason:
    for reason in Reason:
        if value == reason.value and reason not in LOCAL:
            return reason
    raise NoticeError(newer=False)


def _pause(value: Any) -> float:
    """A pause (s), never longer than the longest Retry-After that is obeyed."""
    if type(value) not in {int, float} or not math.isfinite(value) or value < 0:
        raise NoticeError(newer=False)
    return min(float(value), RETRY_AFTER_MAX_S)
