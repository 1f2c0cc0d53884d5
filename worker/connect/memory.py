"""The in-memory twin of the agent's desktop: remembers what was opened."""

from __future__ import annotations

from worker.connect.protocol import Opening


class MemoryDesktop:
    """Keeps every opening, latest per contact."""

    def __init__(self) -> None:
        self.opened: dict[str, Opening] = {}

    async def open(self, opening: Opening) -> None:
        """Remember it."""
        self.opened[opening.contact_id] = opening
