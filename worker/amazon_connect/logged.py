"""A screen pop that shows nothing: it logs that a record is ready for the agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog

from pipelines.outcome import Logged
from worker.amazon_connect.protocol import Page


_log = structlog.get_logger(__name__)


class LoggedScreenPop:
    """For installations whose desktop finds the record in another way.

    Attributes:
        no_page: See ``worker.amazon_connect.protocol.ScreenPop``: nothing has to be cleared.
    """

    no_page: Final[Mapping[str, str]] = {}

    async def open(self, page: Page) -> Logged:
        """Log that there is something to show; the page itself may hold personal data."""
        _log.info("desktop.logged", contact_id=page.contact_id, tab=page.tab)
        return Logged()
