"""The notice that the workers of one application user keep in their store.

It holds no times, since clocks differ and jump. A pause is told as the seconds that were left when
it was written; whoever reads it counts them on its own monotonic clock from then on, and so is
late by as long as the notice lay there, never early.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import orjson

from worker.dynamics.gate import Reason


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told.

    Attributes:
        turn: Raised whenever the gate closes, closes for longer, or opens.
        reason: Why it is closed for all; NONE: it is open.
        cause: The words of the error behind it.
        retry_s: How long (s) it stays closed, counted from the writing.
        owner: The worker that probes.
        hint: The last ``x-ms-dop-hint`` of any worker; 0: none yet.
        beats: A number for each worker, raised now and then while it lives.
    """

    turn: int = 0
    reason: Reason = Reason.NONE
    cause: str = ""
    retry_s: float = 0.0
    owner: str = ""
    hint: int = 0
    beats: Mapping[str, int] = field(default_factory=dict)

    def to_text(self) -> str:
        """As it lies in the store."""
        return orjson.dumps({**asdict(self), "reason": self.reason.value}).decode()

    @classmethod
    def from_text(cls, text: str | None) -> Notice:
        """Read back; nothing, and what another release wrote in another form, is an empty one."""
        try:
            told = orjson.loads(text or "{}")
            return cls(**{**told, "reason": Reason(told.get("reason", ""))})
        except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError):
            return cls()
