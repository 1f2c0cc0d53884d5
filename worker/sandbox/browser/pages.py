"""The open pages of agents' softphones, and when each is told how things stand."""

from __future__ import annotations

import asyncio

from collections import defaultdict
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable


Page = asyncio.Queue[dict[str, Any] | None]


class Pages:
    """All pages, by agent.

    Args:
        update: What an agent's pages are to show.
        clock: Wall-clock time (s).

    Attributes:
        poll_s: How long a change may stay unseen that no page is told of at once; 0: not at all.
    """

    def __init__(
        self, update: Callable[[str], dict[str, Any]], clock: Callable[[], float], poll_s: float
    ) -> None:
        self.poll_s = poll_s
        self._update = update
        self._clock = clock
        self._pages: dict[str, list[Page]] = defaultdict(list)
        self._polls: dict[str, asyncio.TimerHandle] = {}
        self._published_at: dict[str, float] = {}

    def open(self, agent: str) -> Page:
        """A page begins to listen. It gets the state of now, which all others see too."""
        page: Page = asyncio.Queue()
        self._pages[agent].append(page)
        self.publish(agent)
        self._count(agent)
        return page

    def close(self, agent: str, page: Page) -> None:
        """A page is gone."""
        self._pages[agent].remove(page)
        self._count(agent)

    def publish(self, agent: str) -> None:
        """Show the agent's pages how everything stands."""
        if pending := self._polls.pop(agent, None):
            pending.cancel()
        self._published_at[agent] = self._clock()
        self.tell(agent, self._update(agent))

    def publish_at_poll(self, agent: str) -> None:
        """The same when the softphone would ask next."""
        if self.poll_s == 0:
            self.publish(agent)
        elif agent not in self._polls:
            wait_s = self._published_at[agent] + self.poll_s - self._clock()
            later = asyncio.get_running_loop().call_later
            self._polls[agent] = later(max(0.0, wait_s), self.publish, agent)

    def tell(self, agent: str, message: dict[str, Any]) -> None:
        """Send a message to all pages of the agent."""
        for page in self._pages[agent]:
            page.put_nowait(message)

    def release(self) -> None:
        """End all pages' streams, so that a server can end."""
        for timer in self._polls.values():
            timer.cancel()
        self._polls.clear()
        for page in (page for pages in self._pages.values() for page in pages):
            page.put_nowait(None)

    def _count(self, agent: str) -> None:
        """Tell all pages how many there are, as the softphone's worker does."""
        count = {"length": len(self._pages[agent])}
        self.tell(agent, {"kind": "broadcast", "event": "update_connected_ccps", "data": count})
