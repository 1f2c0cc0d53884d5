"""What happened in a run, as far as it matters, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Story:
    """Notes lines, and breaches of the invariants among them.

    Attributes:
        time: Virtual time (s).
        breached: Called at every breach.
        breaches: What must never be, ``I3: …``.
    """

    time: Callable[[], float]
    breached: Callable[[], None]
    breaches: list[str] = field(default_factory=list)
    _lines: list[tuple[float, str, str]] = field(default_factory=list)

    def tell(self, who: str, what: str) -> None:
        """Note that something happened."""
        self._lines.append((self.time(), who, what))

    def breach(self, invariant: str, what: str) -> None:
        """Note that something happened that must not."""
        self.breaches.append(f"{invariant}: {what}")
        self.tell("checker", f"*** {invariant} *** {what}")
        self.breached()

    def __str__(self) -> str:
        return "\n".join(f"{at:10.3f}  {who:12} {what}" for at, who, what in self._lines)
