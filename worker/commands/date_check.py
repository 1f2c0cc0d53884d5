"""Times and days of bodies, held against what metadata says of their columns.

Pure, like ``body_check``. A column is a time, or by its behaviour a day (powerapps-docs
``behavior-format-date-time-attribute``); the Web API refuses one for the other.
"""

from __future__ import annotations

import re

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from pipelines.template import Template


#: What the filter ``date`` is given where it is the last one; without a pattern it gives a time.
_LAST: Final = re.compile(r"""\|\s*date\s*(?::\s*(?:'([^']*)'|"([^"]*)")[^|]*)?\}\}\s*$""")

_IS_TIME: Final = re.compile(r"timestamp\s*(\||\}\})", re.IGNORECASE)

#: A moment whose day is no month: what is taken apart wrongly is seen.
_SAMPLE: Final = datetime(2026, 3, 24, 10, 15, 30, tzinfo=UTC)


def dated(value: Template, known: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a template for a column of times or days.

    Args:
        value: The template.
        known: The column's AttributeMetadata.
    """
    if not value.whole:
        return
    found = _LAST.search(value.source)
    pattern = (found[1] or found[2] or "") if found else ""
    if pattern and "%" in pattern:
        for _ in date_text(_SAMPLE.strftime(pattern), known):
            right = "%Y-%m-%d" if _is_day(known) else "%Y-%m-%dT%H:%M:%SZ"
            holds = "days" if _is_day(known) else "times"
            yield f"date: {pattern!r} is none of the column's {holds}; write {right!r}"
    elif (
        _is_day(known)
        and not pattern
        and re.search(r"timestamp\s*(\||\}\})", value.source, re.IGNORECASE)
    ):
        yield "is a time, but the column holds days; add | date: '%Y-%m-%d'"


def date_text(text: str, known: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a text for such a column."""
    if _is_day(known):
        if not _reads(date.fromisoformat, text):
            yield f"{text!r} is no day; write one like 2026-03-04"
    elif not _reads(datetime.fromisoformat, text):
        yield f"{text!r} is no time; write one like 2026-03-04T10:15:00Z"


def _is_day(known: Mapping[str, Any]) -> bool:
    return (known.get("DateTimeBehavior") or {}).get("Value") == "DateOnly"


def _reads(read: Any, text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True
