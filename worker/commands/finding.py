"""Findings of a check: what is in order, what to know, and what to mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


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
