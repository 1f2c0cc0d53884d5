"""Indexes of the store that are seconds late, as those of DynamoDB are; rows never are."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Final

from worker.stores.memory import MemoryStore


#: Methods that ask an index.
ASKED: Final = frozenset(("due", "next_due", "ahead", "parked"))


@dataclass(slots=True)
class Indexes:
    """What the store's indexes show.

    Attributes:
        store: What they are of.
        time: Virtual time (s).
        late_s: By how much they are behind.
    """

    store: MemoryStore
    time: Callable[[], float]
    late_s: float = 0.0
    _past: list[tuple[float, MemoryStore]] = field(default_factory=list)

    def delay(self, late_s: float) -> None:
        """Be late from now on; 0: no more."""
        self.late_s = late_s
        self._past.clear()
        self.written()

    def written(self) -> None:
        """The store was written to."""
        if self.late_s:
            then = copy(self.store)
            then._rows, then._owed = dict(self.store._rows), dict(self.store._owed)
            self._past.append((self.time(), then))

    def shown(self) -> MemoryStore:
        """The store as the indexes know it."""
        until = self.time() - self.late_s
        while len(self._past) > 1 and self._past[1][0] <= until:
            del self._past[0]
        return self._past[0][1] if self.late_s else self.store
