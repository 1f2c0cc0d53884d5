"""A real Chromium, and servers for the pages it opens. Without a browser these tests fail.

The browser is the one that CHROMIUM names, one on the path, or npm's @sparticuz/chromium. It takes
seconds to start, so there is one for all tests, which therefore share its event loop: asynchronous
fixtures in this folder are made by ``pytest_asyncio.fixture(loop_scope="session")``.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from starlette.types import ASGIApp

from browsing.stage import AGENT, Stage, stage
from worker.desktop.assembly import assemble
from worker.sandbox.browser.softphone import Softphone, serve_softphone
from worker.sandbox.server import serve_plainly


ROOT: Final = Path(__file__).parents[2]
MODULES: Final = ROOT / ".venv" / "desktop" / "node_modules"

#: The library that our pages and these tests run, as npm has it.
STREAMS: Final = MODULES / "amazon-connect-streams" / "release" / "connect-streams-min.js"

NAMES: Final = ("chromium", "chromium-headless-shell", "google-chrome", "chrome")

#: As root there is no sandbox; the shell without a window starts fastest.
ARGUMENTS: Final = ("--no-sandbox", "--headless=shell")

#: How long (ms) anything on a page may take.
PATIENCE_MS: Final = 15_000

Serve = Callable[[ASGIApp], Awaitable[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let all tests of this folder run on the browser's event loop."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where the browser is."""
    return chromium()


def chromium() -> str:
    """Where the browser is; without one the test fails."""
    if named := os.environ.get("CHROMIUM"):
        return named
    for name in NAMES:
        if found := shutil.which(name):
            return found
    node = shutil.which("node")
    package = MODULES / "@sparticuz" / "chromium" / "build" / "index.js"
    if node is None or not package.exists():
        pytest.fail("no Chromium: name one by CHROMIUM, or run make desktop, which installs one")
    script = f"import chromium from '{package}'; console.log(await chromium.executablePath());"
    command = [node, "--input-type=module", "--eval", script]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """The browser, one for all tests; each has a context of its own in it."""
    async with async_playwright() as driver:
        started = await driver.chromium.launch(executable_path=chromium_path, args=list(ARGUMENTS))
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A user of the browser; dies with it."""
    opened = await browser.new_context(ignore_https_errors=True)
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A page; a script's error on it fails the test."""
    opened = await context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    assert not errors


@pytest_asyncio.fixture(loop_scope="session")
async def serve_app() -> AsyncIterator[Serve]:
    """Serves an application on a free port until the test ends; gives ``http://localhost:<port>``.

    ``127.0.0.1`` in its place is another site to the browser.
    """
    async with AsyncExitStack() as stack:

        async def served(app: ASGIApp) -> str:
            url = await stack.enter_async_context(serve_plainly(app))
            return url.replace("127.0.0.1", "localhost")

        yield served


@pytest.fixture
def softphone() -> Softphone:
    """The stand-in of the softphone, not served yet."""
    return Softphone()


@pytest_asyncio.fixture(loop_scope="session")
async def softphone_url(softphone: Softphone) -> AsyncIterator[str]:
    """Its origin, ``http://127.0.0.1:<port>``."""
    async with serve_softphone(softphone) as url:
        yield url


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, put together as ``make desktop`` does."""
    folder = tmp_path_factory.mktemp("pages") / "dist"
    assemble(MODULES, into=folder)
    return folder


@pytest_asyncio.fixture(loop_scope="session")
async def scene(dist: Path, tmp_path: Path) -> AsyncIterator[Stage]:
    """The pages with the softphone and Dynamics round them; one agent is signed in."""
    async with stage(dist, tmp_path) as staged:
        staged.softphone.sign_in(AGENT)
        yield staged
