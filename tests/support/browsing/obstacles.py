"""What stands in the way of a page: slow or empty answers, windows that are not opened."""

from __future__ import annotations

import asyncio

from typing import Final

from playwright.async_api import BrowserContext, Route


#: A browser that lets no window be opened, but by a click.
BLOCKED: Final = (
    "const real = window.open; let blocked = true;"
    "addEventListener('click', () => { blocked = false; }, true);"
    "window.open = (...given) => (blocked ? null : real.apply(window, given));"
)


async def held(context: BrowserContext, pattern: str) -> asyncio.Event:
    """Answers to requests wait until the event is set."""
    go = asyncio.Event()

    async def wait(route: Route) -> None:
        await go.wait()
        await route.continue_()

    await context.route(pattern, wait)
    return go


async def nothing(route: Route) -> None:
    """The softphone answers with an empty page, as it does to who is not signed in."""
    await route.fulfill(body="")
