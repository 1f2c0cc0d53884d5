"""The notice that the workers of one application user keep in their store.

It holds no times, since clocks differ and jump. A pause is told as the seconds that were left when
it was written; whoever reads it counts them on its own monotonic clock from then on, and so is
late by as long as the notice lay there, never early.
"""

from __future__ import annotations

import math

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from worker.dynamics.classify import RETRY_AFTER_MAX_S
from worker.dynamics.reasons import OWN, Reason
from worker.errors import WorkerError


#: The form that is written; a later release's other forms have higher numbers.
FORM = 1

#: Most that a number may be: what counts turns and beats never gets there.
MOST = 2**53


class NoticeError(WorkerError):
    """What lies there is no notice that this release can read.

    Attributes:
        newer: Whether a later release wrote it; if not, it is damaged.
    """

    def __init__(self, *, newer: bool) -> None:
        super().__init__("written by a newer release" if newer else "not a notice")
        self.newer = newer


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told.

    Attributes:
        turn: Raised whenever the gate closes, closes for longer, or opens.
        reason: Why it is closed for all; NONE: it is open.
        cause: The words of the error behind it.
        retry_s: How long (s) it stays closed, counted from the writing.
        owner: The worker that probes.
        hint: The last ``x-ms-dop-hint`` of any worker; 0: none yet.
        beats: A number for each worker, raised now and then while it lives.
    """

    turn: int = 0
    reason: Reason = Reason.NONE
    cause: str = ""
    retry_s: float = 0.0
    owner: str = ""
    hint: int = 0
    beats: Mapping[str, int] = field(default_factory=dict)

    def to_text(self) -> str:
        """As it lies in the store."""
        told = {"form": FORM, **asdict(self), "reason": self.reason.value}
        return orjson.dumps(told).decode()

    @classmethod
    def from_text(cls, text: str | None) -> Notice:
        """Read back; of nothing an empty one. Fields that are not known do not count.

        Raises:
            NoticeError: It is damaged, or a newer release's.
        """
        try:
            told = orjson.loads(text or "{}")
        except orjson.JSONDecodeError:
            raise NoticeError(newer=False) from None
        if not isinstance(told, dict):
            raise NoticeError(newer=False)
        if _count(told.get("form", FORM)) > FORM:
            raise NoticeError(newer=True)
        beats = told.get("beats", {})
        if not isinstance(beats, dict):
            raise NoticeError(newer=False)
        return cls(
            turn=_count(told.get("turn", 0)),
            reason=_reason(told.get("reason", "")),
            cause=_text(told.get("cause", "")),
            retry_s=_pause(told.get("retry_s", 0.0)),
            owner=_text(told.get("owner", "")),
            hint=_count(told.get("hint", 0)),
            beats={worker: _count(number) for worker, number in beats.items()},
        )


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST:
        raise NoticeError(newer=False)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise NoticeError(newer=False)
    return value


def _reason(value: Any) -> Reason:
    for reason in Reason:
        if value == reason.value and reason not in OWN:
            return reason
    raise NoticeError(newer=False)


def _pause(value: Any) -> float:
    """A pause (s), which is never longer than the longest Retry-After that is obeyed."""
    if type(value) not in {int, float} or not math.isfinite(value) or value < 0:
        raise NoticeError(newer=False)
    return min(float(value), RETRY_AFTER_MAX_S)
