"""Telephone numbers as people write them, made comparable.

Connect gives numbers in E.164, ``+4930901820``. What stands in Dynamics was typed by people: with
and without country code, with spaces, brackets and an extension. So one number is looked for in
several spellings, and what is found is compared digit by digit.
"""

from __future__ import annotations

import re

from collections.abc import Iterator
from dataclasses import dataclass


#: The fewest digits by which the ends of two numbers may be compared.
FEWEST_DIGITS = 6

#: The most digits there are (ITU-T E.164), and the fewest that are a number at all.
MOST_DIGITS = 15
LEAST_NUMBER = 3

#: A number without what may stand before it and without an extension (``x12``, ``;ext=12``). Before
#: an @ it is one in a SIP address only.
_NUMBER = re.compile(
    r"\s*(?:tel[.:]|(?P<sip>sips?:))?[^0-9+A-Za-z@]*(?P<written>[^A-Za-z;,#@]*)(?P<at>@?)",
    re.IGNORECASE | re.ASCII,
)

#: A trunk prefix between the country code and the rest, which nobody dials then.
_TRUNK = re.compile(r"\(\s*0\s*\)")

#: Country codes of one and of two digits (ITU-T, "List of ITU-T Recommendation E.164 assigned
#: country codes"); all others have three.
_COUNTRY_CODE = re.compile(
    r"[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3}", re.ASCII
)

#: What shows nothing, and comes along when numbers are copied from contact lists and web pages:
#: soft hyphen, zero-width characters, marks and embeddings of a writing direction.
INVISIBLE = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"

#: LIKE pattern of an extension.
EXTENSION = "[a-z;,#]%"


def visible(text: str) -> str:
    """A text without what shows nothing, at its ends and within."""
    return re.sub(f"[{INVISIBLE}]", "", text).strip()


@dataclass(frozen=True, slots=True)
class Number:
    """A telephone number.

    Attributes:
        digits: With the country code if it is ``international``, else as it was written.
        international: It was written with ``+`` or ``00``.
        country: Country code of numbers that are not; "" if that is not known.
    """

    digits: str
    international: bool
    country: str = ""

    @classmethod
    def read(cls, text: str, country: str = "") -> Number | None:
        """The number in a text; None if it is none, such as ``anonymous``."""
        match = _NUMBER.match(text)
        written = match["written"] if match and (match["sip"] or not match["at"]) else ""
        international = written.startswith(("+", "00"))
        if international:
            written = _TRUNK.sub("", written)
        digits = re.sub(r"[^0-9]", "", written)
        if international and not written.startswith("+"):
            digits = digits[2:]
        if not LEAST_NUMBER <= len(digits) <= MOST_DIGITS:
            return None
        return cls(digits, international, country)

    def readings(self) -> frozenset[str]:
        """What it can be in E.164, without the ``+``; none for a national one of no country."""
        if self.international:
            return frozenset((self.digits,))
        found = set() if self.digits.startswith("0") else {self.digits}  # the + was left out
        if self.country:  # some countries keep the 0 after the code
            found |= {self.country + self.digits, self.country + self.digits.removeprefix("0")}
        return frozenset(found)

    @property
    def code(self) -> str:
        """Its country code; "" if it is not international."""
        if self.country and self.international and self.digits.startswith(self.country):
            return self.country
        match = _COUNTRY_CODE.match(self.digits) if self.international else None
        return match.group() if match else ""

    @property
    def national(self) -> str:
        """Its digits without country code and without the 0 that is dialled before them at home."""
        return self.digits.removeprefix(self.code).removeprefix("0")

    def spellings(self, shortest: int = 0) -> list[str]:
        """How it is stored most often, without anything between the digits.

        Args:
            shortest: From so many digits on it may be stored without country code whatever its
                country; 0: only if that is the known one.
        """
        found = [self.digits] if self.digits.startswith("0") else []
        for reading in sorted(self.readings()):
            found += [f"+{reading}", f"00{reading}", reading]
            if self.country and reading.startswith(self.country):
                national = reading.removeprefix(self.country)
                found += [f"0{national.removeprefix('0')}", national]
        if self.international and 0 < shortest <= len(self.national):
            # With a trunk 0 it would be of the known country.
            found += [] if self.country else [f"0{self.national}"]
            found.append(self.national)
        return list(dict.fromkeys(found))

    def tail(self, length: int) -> str:
        """Its last digits that are the same in every spelling, at most ``length``; "" if too few.

        A national number of a known country may have fewer digits than that.
        """
        known = self.international and self.country and self.digits.startswith(self.country)
        local = self.digits.removeprefix(self.country) if known else self.digits
        found = local.lstrip("0")[-length:]
        enough = FEWEST_DIGITS if known or not self.international else length
        return found if len(found) >= enough else ""

    def same(self, other: Number) -> bool:
        """Whether the two are one number."""
        if self.readings() & other.readings():
            return True
        return not self.international and not other.international and self.digits == other.digits

    def alike(self, other: Number, length: int) -> bool:
        """Whether one ends as the other, written without a country code, does; in digits.

        A number of another country is never alike.
        """
        return any(_ends(one, two, length) for one, two in ((self, other), (other, self)))


def _ends(whole: Number, local: Number, length: int) -> bool:
    if local.international or (local.country and local.digits.startswith("0")):
        return False  # its country is known: it is the same number or another one
    end = local.digits.lstrip("0")
    return len(end) >= length and whole.digits.endswith(end)


def patterns(tail: str) -> Iterator[str]:
    """LIKE patterns, for ``endswith``, of numbers that end so, whatever is between the digits."""
    spaced = "%".join(tail)
    yield spaced
    yield f"{spaced}%{EXTENSION}"
