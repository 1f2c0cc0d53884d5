"""The in-memory twins of Connect and of the agent's desktop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipelines.outcome import Shown
from worker.amazon_connect.errors import ConnectRefused
from worker.amazon_connect.protocol import Page


T = TypeVar("T")


@dataclass(slots=True)
class MemoryConnect:
    """A Connect that knows only what it is given; all instances share it.

    Attributes:
        contacts: Contact id -> what DescribeContact answers.
        shared: First contact id -> the chain's attributes.
        agents: Agent id -> user name.
        queues: Queue id -> name.
        script: Called with the name of each call before it is carried out; may raise.
        calls: (call, id it is about), in order.
    """

    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    shared: dict[str, dict[str, str]] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)
    queues: dict[str, str] = field(default_factory=dict)
    script: Callable[[str], object] = lambda _call: None
    calls: list[tuple[str, str]] = field(default_factory=list)

    async def contact(self, instance_id: str, contact_id: str) -> Mapping[str, Any]:
        """See ``Connect.contact``."""
        del instance_id
        self._note("DescribeContact", contact_id)
        return _known(self.contacts, contact_id)

    async def attributes(self, instance_id: str, initial_contact_id: str) -> Mapping[str, str]:
        """See ``Connect.attributes``."""
        del instance_id
        self._note("GetContactAttributes", initial_contact_id)
        return dict(self.shared.get(initial_contact_id, {}))

    async def agent(self, instance_id: str, agent_id: str) -> str:
        """See ``Connect.agent``."""
        del instance_id
        self._note("DescribeUser", agent_id)
        return _known(self.agents, agent_id)

    async def queue(self, instance_id: str, queue_id: str) -> str:
        """See ``Connect.queue``."""
        del instance_id
        self._note("DescribeQueue", queue_id)
        return _known(self.queues, queue_id)

    async def update_attributes(
        self, instance_id: str, initial_contact_id: str, attributes: Mapping[str, str]
    ) -> None:
        """See ``Connect.update_attributes``."""
        del instance_id
        self._note("UpdateContactAttributes", initial_contact_id)
        self.shared.setdefault(initial_contact_id, {}).update(attributes)

    def _note(self, call: str, about: str) -> None:
        self.calls.append((call, about))
        self.script(call)


def _known(things: Mapping[str, T], thing: str) -> T:
    if thing not in things:
        raise ConnectRefused("ResourceNotFoundException")
    return things[thing]


class MemoryScreenPop:
    """Keeps the page last opened for each contact.

    Attributes:
        no_page: Attributes of a chain's new leg, see ``ScreenPop``.
        opened: Contact id -> the page.
    """

    def __init__(self) -> None:
        self.no_page: Mapping[str, str] = {}
        self.opened: dict[str, Page] = {}

    async def open(self, page: Page) -> Shown:
        """Remember it."""
        self.opened[page.contact_id] = page
        return Shown()
