"""Positions as leases hold them, and their order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import total_ordering
from typing import Final

from worker.sources.positions import SHARD_END


TRIM_HORIZON: Final = "TRIM_HORIZON"
LATEST: Final = "LATEST"
AT_TIMESTAMP: Final = "AT_TIMESTAMP"

# KCL's order (retrieval/kpl/ExtendedSequenceNumber.java): these, sequence numbers, SHARD_END.
_BEFORE_NUMBERS: Final = {AT_TIMESTAMP: -3, TRIM_HORIZON: -2, LATEST: -1}


@total_ordering
@dataclass(frozen=True, slots=True)
class Position:
    """How far a shard has been processed. Ordered as integers: as text, 10 would come before 9.

    Attributes:
        at: A sequence number up to which all is processed; ``SHARD_END``; or, if nothing is yet,
            where to begin: ``TRIM_HORIZON``, ``LATEST`` or ``AT_TIMESTAMP``.
        sub: Of a record aggregated by the Kinesis Producer Library, the last part processed.
    """

    at: str
    sub: int = 0

    @property
    def sequence(self) -> int | None:
        """The sequence number, if it is one."""
        return int(self.at) if self.at.isdecimal() else None

    @property
    def untouched(self) -> bool:
        """Whether nothing of the shard has been processed yet."""
        return self.at in _BEFORE_NUMBERS

    def __lt__(self, other: Position) -> bool:
        return self._rank() < other._rank()

    def _rank(self) -> tuple[bool, int, int]:
        if self.at == SHARD_END:
            return True, 0, 0
        number = _BEFORE_NUMBERS.get(self.at)
        return False, int(self.at) if number is None else number, self.sub


END: Final = Position(SHARD_END)
