"""Text as Dataverse holds it: which characters, how long, and where it may be cut.

Dataverse passes every value through XML 1.0 and refuses a whole request for one character that XML
cannot hold (code 0x80040278). Lengths of its columns are of .NET strings: UTF-16 code units, of
which an emoji has two or more.

What people see as one character may be several of Unicode's (Unicode Standard Annex 29, "grapheme
clusters"): a letter with its accents, a flag, a family joined of four people, a Hangul syllable. A
cut never falls inside one. The rules here are those of the annex or stricter, so ``unicodedata`` is
all they need: where the annex allows a cut after a rare sign, this may cut before it.
"""

from __future__ import annotations

import re

from typing import Final
from unicodedata import category, combining


#: What is not in XML 1.0's ``Char`` (https://www.w3.org/TR/xml/#charsets), surrogates apart.
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

#: The last character of one UTF-16 unit.
_BASIC: Final = "\uffff"
_BEYOND: Final = re.compile("[\U00010000-\U0010ffff]")

_JOINER: Final = "\u200d"

#: What belongs to the character before it, beside all marks: joiner and non-joiner, signs of Thai
#: and Lao, half-width sound marks, skin tones, and the tags that flags of regions are spelt with.
_TRAILING: Final = re.compile(
    "[\u200c\u200d\u0e33\u0eb3\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)
#: What belongs to the character after it.
_LEADING: Final = re.compile(
    "[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd\U000111c2\U000111c3"
    "\U000113d1\U0001193f\U00011941\U00011a3a\U00011a84-\U00011a89\U00011d46\U00011f02]"
)
_REGIONAL: Final = re.compile("[\U0001f1e6-\U0001f1ff]")

#: Hangul jamo: leading consonants, vowels, trailing consonants; and whole syllables.
_HANGUL_L: Final = "\u1100-\u115f\ua960-\ua97c"
_HANGUL_V: Final = "\u1160-\u11a7\ud7b0-\ud7c6"
_HANGUL_T: Final = "\u11a8-\u11ff\ud7cb-\ud7fb"
_HANGUL: Final = re.compile(
    f"[{_HANGUL_L}][{_HANGUL_L}{_HANGUL_V}\uac00-\ud7a3]"
    f"|[\uac00-\ud7a3{_HANGUL_V}{_HANGUL_T}][{_HANGUL_V}{_HANGUL_T}]"
)

#: The combining class of signs that join two consonants of an Indic script into one.
_VIRAMA: Final = 9


def sound(text: str) -> str:
    """Text that UTF-8 and XML 1.0 can hold.

    Control characters but tab and line ends, U+FFFE and U+FFFF are left out; half a surrogate pair
    becomes U+FFFD, two halves their character.
    """
    if text.isprintable():  # none of these is; most texts are
        return str(text)
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _NO_XML.sub("", text)


def units(text: str) -> int:
    """How many UTF-16 code units a text has: its length in Dataverse."""
    if text.isascii():
        return len(text)
    return len(text) + len(_BEYOND.findall(text))


def cut(text: str, most: int, ending: str = "") -> str:
    """The text, or as much of its beginning as fits with an ending after it.

    Args:
        text: The text, ``sound``.
        most: The most UTF-16 units of the result.
        ending: What stands where it was cut. If it does not fit either, there is nothing.
    """
    if 2 * len(text) <= most or units(text) <= most:
        return text
    room = most - units(ending)
    if room < 0:
        return ""
    end = _fitting(text, room)
    while end > 0 and _is_inside(text, end):
        end -= 1
    return text[:end] + ending


def _fitting(text: str, most: int) -> int:
    """How many of a longer text's first characters have no more units than these."""
    if not _BEYOND.search(text, 0, most):
        return most
    end = taken = 0
    for character in text:
        taken += 1 if character <= _BASIC else 2
        if taken > most:
            break
        end += 1
    return end


def _is_inside(text: str, at: int) -> bool:
    """Whether a cut before the character at this index, not the first, would part what is one."""
    before, after = text[at - 1], text[at]
    if before.isascii() and after.isascii():
        return before == "\r" and after == "\n"
    if category(before) == "Cc":
        return False
    return (
        _is_trailing(after)
        or before == _JOINER
        or _LEADING.match(before) is not None
        or _HANGUL.match(before + after) is not None
        or _is_inside_flag(text, at)
        or _is_conjunct(text, at)
    )


def _is_trailing(character: str) -> bool:
    return category(character).startswith("M") or _TRAILING.match(character) is not None


def _is_inside_flag(text: str, at: int) -> bool:
    """Whether an odd number of regional indicators stands before another: a flag has two."""
    if not _REGIONAL.match(text[at]):
        return False
    start = at
    while start and _REGIONAL.match(text[start - 1]):
        start -= 1
    return (at - start) % 2 == 1


def _is_conjunct(text: str, at: int) -> bool:
    """Whether a letter stands after a sign that joins it to the letter before."""
    if not category(text[at]).startswith("L"):
        return False
    while at and _is_trailing(text[at - 1]):
        at -= 1
        if combining(text[at]) == _VIRAMA:
            return True
    return False
