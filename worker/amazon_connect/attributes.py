"""Tells the agent's desktop by contact attributes, which desktops and flows can read.

UpdateContactAttributes merges, takes ongoing contacts, and keeps the attributes with the first
contact of a chain (Amazon Connect API reference).
"""

from __future__ import annotations

from worker.amazon_connect.protocol import Connect, Page


class AttributeScreenPop:
    """Writes the page to open into two contact attributes.

    Args:
        connect: Who takes them.
        url_attribute: Attribute that receives the URL.
        tab_attribute: Attribute that receives ``true`` (new tab) or ``false`` (embedded).
    """

    def __init__(self, connect: Connect, url_attribute: str, tab_attribute: str) -> None:
        self._connect = connect
        self._url = url_attribute
        self._tab = tab_attribute

    async def open(self, opening: Page) -> None:
        """Write the attributes; see ``worker.amazon_connect.protocol.Desktop``."""
        attributes = {self._url: opening.url, self._tab: str(opening.tab).lower()}
        await self._connect.update_attributes(
            opening.instance_id, opening.initial_contact_id, attributes
        )
