"""Tells the agent's desktop by contact attributes, which desktops and flows can read.

UpdateContactAttributes merges, takes ongoing contacts, and keeps the attributes with the first
contact of a chain (Amazon Connect API reference).
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from worker.connect.protocol import DesktopError, Opening


class AttributeDesktop:
    """Writes the page to open into two contact attributes.

    Args:
        connect: An aiobotocore client for Amazon Connect.
        url_attribute: Attribute that receives the URL.
        tab_attribute: Attribute that receives ``true`` (new tab) or ``false`` (embedded).
    """

    def __init__(self, connect: Any, url_attribute: str, tab_attribute: str) -> None:
        self._connect = connect
        self._url = url_attribute
        self._tab = tab_attribute

    async def open(self, opening: Opening) -> None:
        """Write the attributes; see ``worker.connect.protocol.Desktop``."""
        try:
            await self._connect.update_contact_attributes(
                InitialContactId=opening.initial_contact_id,
                InstanceId=opening.instance_id,
                Attributes={self._url: opening.url, self._tab: str(opening.tab).lower()},
            )
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "?")
            raise DesktopError(f"UpdateContactAttributes answered {code}") from error
        except BotoCoreError as error:
            raise DesktopError(f"UpdateContactAttributes: {type(error).__name__}") from error
