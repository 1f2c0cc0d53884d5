"""Connections are reused only while they hold no bytes that nobody asked for.

An answer that comes on an idle connection would be taken for the next request's, that one's for
the following, and so on: each request of the connection would get another one's outcome.
aiohttp looks for such bytes when a connection is given back, not when it is taken again (3.14.5).
"""

from __future__ import annotations

from typing import Any

import aiohttp


def only_clean(connector: aiohttp.TCPConnector) -> aiohttp.TCPConnector:
    """The connector, which from now on closes idle connections on which something came."""
    pooled: Any = connector
    take = pooled._get  # noqa: SLF001 - aiohttp has no other place to look at what is reused

    async def take_clean(key: Any, traces: Any) -> Any:
        while (connection := await take(key, traces)) is not None:
            if not connection.protocol.should_close:
                return connection
            connection.close()
        return None

    pooled._get = take_clean  # noqa: SLF001
    return connector
