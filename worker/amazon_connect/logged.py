"""A screen pop that opens nothing: it logs that a record is ready for the agent."""

from __future__ import annotations

import structlog

from worker.amazon_connect.protocol import Page


_log = structlog.get_logger(__name__)


class LoggedScreenPop:
    """For installations whose desktop finds the record in another way."""

    async def open(self, page: Page) -> None:
        """Log that there is something to open; the page itself may hold personal data."""
        _log.info("desktop.open", contact_id=page.contact_id, tab=page.tab)
