"""Pace: a story told in less time than it would take, so that it can be played as it happens.

The longer a part of it is, the more it is shortened: brief parts stay as they are, and none becomes
so brief that what belongs between two moments has no time any more.
"""

from __future__ import annotations

import math

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from worker.sandbox.traffic.leg import Leg


#: So long (ms) a conversation, or a part of it, lasts at least, if it did before.
LEAST_TALK_MS: Final = 2_000

#: A leg's moments, as far as they are single ones.
_MOMENTS: Final = (
    "initiated_ms",
    "system_ms",
    "began_ms",
    "scheduled_ms",
    "queued_ms",
    "answered_ms",
    "transferred_ms",
    "disconnected_ms",
    "now_ms",
)


def hasten(legs: Iterable[Leg], within_ms: int) -> None:
    """Move the moments of a story's legs together, so that the last leg ends within this time.

    It may be exceeded for conversations, each of which keeps ``LEAST_TALK_MS``.
    What comes after a leg's end (files, records sent again) stays as long after it.
    """
    legs = list(legs)
    moments = sorted({at for leg in legs for at in _moments(leg)})
    talks = [(leg.answered_ms, leg.disconnected_ms) for leg in legs if leg.answered_ms]
    told = _told(moments, talks, within_ms)
    for leg in legs:
        _move(leg, told)


def _moments(leg: Leg) -> Iterator[int]:
    """Every moment up to the end of what the agent does."""
    yield from (at for name in _MOMENTS if (at := getattr(leg, name)))
    for pair in (*leg.pauses_ms, *filter(None, [leg.after_work_ms])):
        yield from pair


def _told(moments: list[int], talks: list[tuple[int, int]], within_ms: int) -> Callable[[int], int]:
    """Moment -> the moment in its place; each gap gets a share of the time by its square root."""
    gaps = [after - before for before, after in pairwise(moments)]
    share = within_ms / max(1.0, sum(map(math.sqrt, gaps)))
    places, at = {moments[0]: moments[0]}, float(moments[0])
    for moment, gap in zip(moments[1:], gaps, strict=True):
        talking = any(begin < moment <= end for begin, end in talks)
        at += min(gap, max(share * math.sqrt(gap), LEAST_TALK_MS if talking else 0))
        places[moment] = round(at)
    return places.__getitem__


def _move(leg: Leg, told: Callable[[int], int]) -> None:
    earlier = leg.disconnected_ms - told(leg.disconnected_ms)
    leg.stored = [replace(one, at_ms=one.at_ms - earlier) for one in leg.stored]
    leg.resent = [
        replace(one, at_ms=one.at_ms - earlier, updated_ms=one.updated_ms - earlier)
        for one in leg.resent
    ]
    leg.pauses_ms = [(told(begin), told(end)) for begin, end in leg.pauses_ms]
    if leg.after_work_ms is not None:
        leg.after_work_ms = told(leg.after_work_ms[0]), told(leg.after_work_ms[1])
    for name in _MOMENTS:
        if at := getattr(leg, name):
            setattr(leg, name, told(at))
    if leg.answered_ms is not None:
        leg.hold_ms = min(leg.hold_ms, (leg.disconnected_ms - leg.answered_ms) // 2)
