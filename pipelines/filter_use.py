"""Use of filters: arguments that no value can make good."""

from __future__ import annotations

import re

from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from pipelines.source import meant
from pipelines.template import arguments_of


_PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_FILTER: Final = re.compile(r"""\|\s*(\w+)(?:\s*:\s*((?:'[^']*'|"[^"]*"|[^|'"%}])*))?""")
_ARGUMENT: Final = re.compile(r"""\s*((?:'[^']*'|"[^"]*"|[^,'"])+)\s*(?:,|$)""")
_TEXT: Final = re.compile(r"""'([^']*)'|"([^"]*)\"""")

#: Patterns of .NET, Java and spreadsheets, and strftime's for the same; longer ones first.
_PATTERNS: Final = (
    *(("yyyy", "%Y"), ("YYYY", "%Y"), ("MMMM", "%B"), ("MMM", "%b"), ("dddd", "%A"), ("ddd", "%a")),
    *(("yy", "%y"), ("MM", "%m"), ("dd", "%d"), ("DD", "%d"), ("HH", "%H"), ("hh", "%I")),
    *(("mm", "%M"), ("ss", "%S"), ("tt", "%p")),
)
_LETTERS: Final = re.compile("|".join(one for one, _ in _PATTERNS))

#: Most arguments that a filter takes of ours, by name, where they have a form.
_DIGITS: Final = frozenset(("fit", "truncate", "truncatewords"))


def misused(source: str) -> Iterator[tuple[str, int]]:
    """What is wrong with filters of a template, and where in it.

    Args:
        source: The template's text; it has been compiled, so each filter is there.
    """
    for placeholder in _PLACEHOLDER.finditer(source):
        for found in _FILTER.finditer(source, placeholder.start(), placeholder.end() - 2):
            arguments = [one.strip() for one in _ARGUMENT.findall(found[2] or "")]
            if text := _wrong(found[1], [one for one in arguments if one]):
                yield text, found.start(1)


def _wrong(name: str, arguments: list[str]) -> str:
    placed = [one for one in arguments if not re.match(r"\w+\s*[:=]", one)]
    least, most = arguments_of(name)
    if len(placed) < least:
        return f"{name} needs {_count(least)}: {name}: …"
    if most is not None and len(placed) > most:
        return f"{name} takes {_count(most)}, not {len(placed)}"
    texts = [found[1] or found[2] or "" if (found := _TEXT.fullmatch(one)) else None
             for one in placed]  # fmt: skip
    if name == "date":
        return _wrong_date(texts)
    if name in _DIGITS and texts and texts[0] is not None and not texts[0].isdigit():
        return f"{name}: {texts[0]!r} is no number of characters"
    return ""


def _wrong_date(texts: list[str | None]) -> str:
    pattern = texts[0] if texts else None
    if pattern is not None and "%" not in pattern:
        right = _LETTERS.sub(lambda found: dict(_PATTERNS)[found[0]], pattern)
        right = right if "%" in right else "%Y-%m-%d"
        return f"date: {pattern!r} is sent as it is: patterns have percent signs; write {right!r}"
    zone = texts[1] if len(texts) > 1 else None
    if zone is not None and not _is_zone(zone):
        near = meant(zone, available_timezones())
        return f"date: there is no time zone {zone!r}{near or '; write one like Europe/Berlin'}"
    return ""


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return False
    return True


def _count(number: int) -> str:
    return {0: "no argument", 1: "one argument"}.get(number, f"{number} arguments")
