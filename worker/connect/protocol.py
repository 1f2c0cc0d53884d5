"""The seam to the agent's desktop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Opening:
    """A Dynamics page to open for the agent who has a contact.

    Attributes:
        contact_id: The contact.
        initial_contact_id: The first contact of its chain: attributes are kept there.
        instance_id: The Connect instance's id.
        url: The page.
        tab: In a new tab, else embedded.
    """

    contact_id: str
    initial_contact_id: str
    instance_id: str
    url: str
    tab: bool


class DesktopError(Exception):
    """The agent's desktop could not be told; it is tried again while the contact is on."""


class Desktop(Protocol):
    """Tells the agent's desktop things while the contact is on."""

    async def open(self, opening: Opening) -> None:
        """Have the page opened. Doing it twice is doing it once.

        Raises:
            DesktopError: It could not be told.
        """
        ...
