"""Findings of a check: what is in order, what to know, and what to mend."""

from __future__ import annotations

import re

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


#: Where in a pipeline's file a finding is, as ``pipelines.source`` writes it.
_PLACE: Final = re.compile(r"(.+?): .* (\(line \d+, column \d+\))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: an error if ``wrong``, in order if ``fine``, else a warning."""

    text: str
    wrong: bool = True
    fine: bool = False

    @property
    def severity(self) -> str:
        """``error``, ``note`` or ``ok``."""
        return "ok" if self.fine else "error" if self.wrong else "note"


def good(text: str) -> Finding:
    """Something that is in order."""
    return Finding(text, wrong=False, fine=True)


def note(text: str) -> Finding:
    """Something that works, or cannot be told, and that one should know."""
    return Finding(text, wrong=False)


def each_once(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without those that were told before."""
    return list(dict.fromkeys(findings))


def each_place_once(offline: Iterable[Finding], online: Iterable[Finding]) -> list[Finding]:
    """All findings, each once; without those online of whose place in a file offline ones tell."""
    first = list(offline)
    told = {_place(one) for one in first if one.wrong} - {None}
    later = (one for one in online if not one.wrong or _place(one) not in told)
    return each_once([*first, *later])


def _place(finding: Finding) -> tuple[str, ...] | None:
    found = _PLACE.fullmatch(finding.text)
    return found.groups() if found else None
