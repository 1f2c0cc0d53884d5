"""Keeps label values few, short and free of personal data, whatever their source."""

from __future__ import annotations

import re

from typing import Final


#: Most different values of one label; each is a time series, which is never removed.
MAX_VALUES: Final = 64

#: Replaces a value beyond that number, or one that does not look like a code.
OTHER: Final = "other"

_CODE = re.compile(r"[A-Za-z][\w.]{0,79}").fullmatch


def short(stream: str) -> str:
    """A stream's name, without the account that an ARN would show."""
    return stream.rpartition("/")[2]


def kind_of(reason: str) -> str:
    """The fixed part of a reason; what follows a colon may quote a message."""
    return reason.partition(":")[0]


def status_class(status: int | None) -> str:
    """``2xx`` to ``5xx``, or ``none`` where no answer came."""
    return "none" if status is None else f"{status // 100}xx"


class Codes:
    """The error codes seen so far; AWS's codes cannot be listed beforehand."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def label(self, code: str) -> str:
        """The code, or ``other``."""
        if code not in self._seen:
            if len(self._seen) >= MAX_VALUES or not _CODE(code):
                return OTHER
            self._seen.add(code)
        return code
