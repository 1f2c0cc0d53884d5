"""A screen pop through contact attributes, which desktops and flows can read.

UpdateContactAttributes merges, works on ongoing contacts, and stores the attributes with the
first contact of a chain (Amazon Connect API reference).
"""

from __future__ import annotations

from pipelines.outcome import Shown
from worker.amazon_connect.protocol import Connect, Page


class AttributeScreenPop:
    """Writes the page to open into two contact attributes.

    Args:
        connect: Receives them.
        url_attribute: Attribute that receives the URL.
        tab_attribute: Attribute that receives ``true`` (new tab) or ``false`` (embedded).

    Attributes:
        no_page: See ``worker.amazon_connect.protocol.ScreenPop``.
    """

    def __init__(self, connect: Connect, url_attribute: str, tab_attribute: str) -> None:
        self._connect = connect
        self._url = url_attribute
        self._tab = tab_attribute
        self.no_page = dict.fromkeys((url_attribute, tab_attribute), "")

    async def open(self, page: Page) -> Shown:
        """Write the attributes; see ``worker.amazon_connect.protocol.ScreenPop``."""
        attributes = {self._url: page.url, self._tab: str(page.tab).lower()}
        await self._connect.update_attributes(page.instance_id, page.initial_contact_id, attributes)
        return Shown()
