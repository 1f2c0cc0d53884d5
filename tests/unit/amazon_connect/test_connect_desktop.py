"""The agent's desktop, told by attributes."""

from __future__ import annotations

import pytest

from worker.amazon_connect.attributes import AttributeScreenPop
from worker.amazon_connect.errors import Busy, ConnectError
from worker.amazon_connect.memory import MemoryConnect
from worker.amazon_connect.protocol import Page


OPENING = Page("leg", "first", "instance", "https://org.test/main.aspx", tab=True)


async def test_the_page_and_how_to_open_it_go_to_the_chains_attributes() -> None:
    connect = MemoryConnect()
    await AttributeScreenPop(connect, "Url", "Tab").open(OPENING)
    assert connect.shared == {"first": {"Url": OPENING.url, "Tab": "true"}}


async def test_what_connect_does_not_take_is_said() -> None:
    def refuse(_call: str) -> None:
        raise Busy("ThrottlingException")

    with pytest.raises(ConnectError):
        await AttributeScreenPop(MemoryConnect(script=refuse), "Url", "Tab").open(OPENING)
