"""The course of a contact: how far it came, how it ended and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


#: The names made here.
NAMES = frozenset(["Phase", "Answered", "Abandoned", "DurationSeconds", "DurationMinutes"])


def course_names(
    values: Mapping[str, Any], phase: str, reached: Mapping[str, str]
) -> dict[str, Any]:
    """The names of this module.

    Args:
        values: The contact's names and values so far.
        phase: The furthest phase it has reached.
        reached: Its milestones and when they were.
    """
    names: dict[str, Any] = {
        "Phase": phase,
        "Answered": "answered" in reached,
        "Abandoned": "ended" in reached and "answered" not in reached and "Queue" in values,
    }
    start, end = values.get("InitiationTimestamp"), values.get("DisconnectTimestamp")
    if start and end:
        seconds = max(0, int((_time(end) - _time(start)).total_seconds()))
        names["DurationSeconds"] = seconds
        names["DurationMinutes"] = -(-seconds // 60)  # a begun minute counts, as on a bill
    return names


def _time(second: str) -> datetime:
    return datetime.fromisoformat(second)
