"""Label values that stay few, short and free of personal data, wherever they came from."""

from __future__ import annotations

import re

from typing import Final


#: How many different values one label may take; each of them is a series, kept for ever.
FEW: Final = 64

#: What stands for a value that is one too many, or not of a code's form.
OTHER: Final = "other"

_CODE = re.compile(r"[A-Za-z][\w.]{0,79}").fullmatch


def short(stream: str) -> str:
    """A stream's name, also if it is given as an ARN, which tells of accounts."""
    return stream.rpartition("/")[2]


def kind_of(reason: str) -> str:
    """The fixed part of a reason; after a colon it may quote a message."""
    return reason.partition(":")[0]


def status_class(status: int | None) -> str:
    """``2xx`` to ``5xx``, or ``none`` where no answer came."""
    return "none" if status is None else f"{status // 100}xx"


class Codes:
    """The error codes seen so far: those AWS answers are not ours to list beforehand."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def label(self, code: str) -> str:
        """The code, or ``other``."""
        if code not in self._seen:
            if len(self._seen) >= FEW or not _CODE(code):
                return OTHER
            self._seen.add(code)
        return code
