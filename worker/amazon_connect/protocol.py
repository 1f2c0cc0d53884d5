"""The seams to Amazon Connect and to the agent's desktop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from worker.amazon_connect.errors import ConnectError


class Connect(Protocol):
    """Answers questions about contacts while their records have not come, and takes attributes.

    Ids are the last parts of ARNs. Every method raises a ``ConnectError``: ``Busy`` or ``Refused``.
    """

    async def contact(self, instance_id: str, contact_id: str) -> Mapping[str, Any]:
        """What DescribeContact says of a contact: its ``Contact`` member, or part of it."""
        ...

    async def attributes(self, instance_id: str, initial_contact_id: str) -> Mapping[str, str]:
        """The attributes that a chain of contacts shares, by its first contact's id."""
        ...

    async def agent(self, instance_id: str, agent_id: str) -> str:
        """An agent's user name."""
        ...

    async def queue(self, instance_id: str, queue_id: str) -> str:
        """A queue's name."""
        ...

    async def update_attributes(
        self, instance_id: str, initial_contact_id: str, attributes: Mapping[str, str]
    ) -> None:
        """Merge attributes into those of a chain. Doing it twice is doing it once."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
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


class ScreenPopError(ConnectError):
    """The agent's desktop could not be told; it is tried again while the contact is on."""


class ScreenPop(Protocol):
    """Tells the agent's desktop things while the contact is on."""

    async def open(self, opening: Page) -> None:
        """Have the page opened. Doing it twice is doing it once.

        Raises:
            ConnectError: It could not be told.
        """
        ...
