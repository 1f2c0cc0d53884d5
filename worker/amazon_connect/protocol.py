"""The seams to Amazon Connect and to the agent's desktop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pipelines.outcome import Logged, Shown
from worker.amazon_connect.errors import ConnectError


class Connect(Protocol):
    """Answers questions about contacts before their records arrive, and stores attributes.

    Ids are the last parts of ARNs. Every method may raise ``Busy`` or ``ConnectRefused``.
    """

    async def contact(self, instance_id: str, contact_id: str) -> Mapping[str, Any]:
        """DescribeContact's answer: its ``Contact`` member, or part of it."""
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
        """Merge attributes into those of a chain. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """A Dynamics page to open for the agent who has a contact.

    Attributes:
        contact_id: The contact.
        initial_contact_id: The first contact of its chain, which holds the attributes.
        instance_id: The Connect instance's id.
        url: The page.
        tab: Open it in a new tab, else embedded.
    """

    contact_id: str
    initial_contact_id: str
    instance_id: str
    url: str
    tab: bool


class ScreenPopError(ConnectError):
    """The agent's desktop could not be reached; retried while the contact is active."""


class ScreenPop(Protocol):
    """Opens pages on the agent's desktop while the contact is active."""

    @property
    def no_page(self) -> Mapping[str, str]:
        """Contact attributes that say that there is no page (yet) for a new leg of a chain."""
        ...

    async def open(self, page: Page) -> Shown | Logged:
        """Have the page opened, or say that it is logged only. Idempotent.

        Raises:
            ConnectError: The desktop could not be reached.
        """
        ...
