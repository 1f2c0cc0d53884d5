"""Groups of what is set aside for one reason."""

from __future__ import annotations

import math

from dataclasses import dataclass


@dataclass(slots=True)
class Group:
    """What is set aside for one reason: how many, since when (s), and what the first one says."""

    count: int = 0
    at: float = math.inf
    first: str = ""

    def add(self, at: float, says: str) -> None:
        """Count one more."""
        self.count += 1
        if at < self.at:
            self.at, self.first = at, says
