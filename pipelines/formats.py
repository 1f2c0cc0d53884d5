"""Formats: how people write telephone numbers in a column, without the numbers.

Dataverse throttles queries that begin with a wildcard (powerapps-docs ``query-throttling``), so a
number is asked for exactly, in the spellings in which it may be stored. Some rows of the column
show which: ``+1 (555) 010-0200`` is reduced to ``+# (###) ###-####``, and the number that is looked
for is written the same way. A format holds no digit of anybody's number, and no text.
"""

from __future__ import annotations

import re

from collections import Counter
from collections.abc import Iterable

from pipelines.phone import FEWEST_DIGITS, INVISIBLE, MOST_DIGITS, Number


#: Ends a format behind which more may stand, such as an extension.
MORE = "*"

#: The most formats that are kept of a column; the most frequent ones.
MOST_FORMATS = 12

#: By how many digits a number may be longer or shorter than those of a format that begins with a
#: country code or a trunk 0: its last group takes them.
_STRETCH = 3

#: A number and what may follow it. What has anything else before or between its digits has none.
_WRITTEN = re.compile(
    rf"(?P<number>[0-9+()/.,\- \t\u00a0\u2010-\u2015{INVISIBLE}]*)(?P<more>[A-Za-z;#].*)?",
    re.ASCII | re.DOTALL,
)
_INTERNATIONAL = re.compile(r"[^0-9#+]*(\+|00)", re.ASCII)
_NATIONAL = re.compile(r"[^0-9#+]*0", re.ASCII)
_TRUNK = re.compile(r"\((\s*)0(\s*)\)", re.ASCII)
_GROUP = re.compile(r"#+")

#: Stands for a 0 that belongs to the format.
_ZERO = "o"


def formats(stored: Iterable[str]) -> tuple[str, ...]:
    """The formats of stored numbers, the most frequent first."""
    counts = Counter(found for text in stored if (found := format_of(text)))
    return tuple(found for found, _ in counts.most_common(MOST_FORMATS))


def format_of(stored: str) -> str:
    """The format of a stored number; "" if it has none, or is nothing but digits."""
    match = _WRITTEN.fullmatch(stored)
    written = match["number"] if match else ""
    if not FEWEST_DIGITS <= len(re.sub(r"[^0-9]", "", written)) <= MOST_DIGITS + len("000"):
        return ""
    more = MORE if match and match["more"] else ""
    if not more and re.fullmatch(r"\+?[0-9]+", written):
        return ""  # is asked for anyway
    if begin := _INTERNATIONAL.match(written):
        zeros = begin[0].count("0")
        written = _TRUNK.sub(rf"(\1{_ZERO}\2)", written)
    else:
        zeros = 1 if _NATIONAL.match(written) else 0
    written = written.replace("0", _ZERO, zeros)
    return re.sub(r"[0-9]", "#", written).replace(_ZERO, "0") + more


def written_in(form: str, number: Number, shortest: int = 0) -> str:
    """A number in a format, ``MORE`` at its end as there; "" if it cannot be written so.

    Args:
        form: The format.
        number: The number.
        shortest: See ``Number.spellings``.
    """
    ours = bool(number.country) and number.code in ("", number.country)
    local = number.national if ours or 0 < shortest <= len(number.national) else ""
    if _INTERNATIONAL.match(form):
        whole = number.digits if number.international else number.country + local
        return _filled(form, whole if number.international or ours else "", _STRETCH)
    if _NATIONAL.match(form):
        return _filled(form, local if ours or not number.country else "", _STRETCH)
    places = form.count("#")
    if places == len(number.digits) and number.international:
        return _filled(form, number.digits)
    if 0 < shortest <= places <= len(local):
        return _filled(form, local[-places:])
    return _filled(form, local)


def _filled(form: str, digits: str, stretch: int = 0) -> str:
    """The format with these digits, its last group longer or shorter by at most ``stretch``."""
    longer = len(digits) - form.count("#")
    *_, last = _GROUP.finditer(form)
    places = len(last[0]) + longer
    if not digits or abs(longer) > stretch or places < 1:
        return ""
    form = form[: last.start()] + "#" * places + form[last.end() :]
    left = iter(digits)
    return "".join(next(left) if char == "#" else char for char in form)
