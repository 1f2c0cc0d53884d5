"""The agent's desktop, told by attributes."""

from __future__ import annotations

import pytest

from structlog.testing import capture_logs

from pipelines.outcome import Logged, Shown
from worker.amazon_connect.attributes import AttributeScreenPop
from worker.amazon_connect.errors import Busy, ConnectError
from worker.amazon_connect.logged import LoggedScreenPop
from worker.amazon_connect.memory import MemoryConnect
from worker.amazon_connect.protocol import Page


OPENING = Page("leg", "first", "instance", "https://org.test/main.aspx", tab=True)


async def test_the_page_and_how_to_open_it_go_to_the_chains_attributes() -> None:
    connect = MemoryConnect()
    assert await AttributeScreenPop(connect, "Url", "Tab").open(OPENING) == Shown()
    assert connect.shared == {"first": {"Url": OPENING.url, "Tab": "true"}}


async def test_what_connect_does_not_take_is_said() -> None:
    def refuse(_call: str) -> None:
        raise Busy("ThrottlingException")

    with pytest.raises(ConnectError):
        await AttributeScreenPop(MemoryConnect(script=refuse), "Url", "Tab").open(OPENING)


async def test_the_log_says_that_a_page_is_logged_and_not_what_it_is() -> None:
    with capture_logs() as lines:
        assert await LoggedScreenPop().open(OPENING) == Logged()
    (line,) = lines
    assert line == {
        "event": "desktop.logged",
        "log_level": "info",
        "contact_id": "leg",
        "tab": True,
    }


def test_a_new_leg_has_no_page_when_both_attributes_are_empty() -> None:
    desktop = AttributeScreenPop(MemoryConnect(), "Url", "Tab")
    assert desktop.no_page == {"Url": "", "Tab": ""}
