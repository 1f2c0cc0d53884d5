"""How long agents wait in a real browser: from ring to notification, from connect to open record.

The worker is a process of its own on embedded streams, beside the sandbox's Dynamics, the
softphone's stand-in and our pages in a Chromium; each with an attribute change seen at once, and
with the softphone's poll of 30 s. Figures are aims: to miss one is no failure.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from math import inf
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

from playwright.async_api import BrowserContext, Frame, async_playwright
from playwright.async_api import TimeoutError as PlaywrightTimeout

from browsing.desk import desk
from browsing.stage import AGENT, Stage, _Pages
from browsing.workspace import workspace
from tests.benchmarks.figure import Bar, Figure
from tests.browser.conftest import ARGUMENTS, MODULES, chromium
from twins.backlog import p95
from worker.definitions import find
from worker.desktop.assembly import assemble
from worker.desktop.configuration import Choices, configuration
from worker.desktop.headers import Sites
from worker.desktop.server import serving
from worker.sandbox.amazon.connect_api import AmazonConnect
from worker.sandbox.amazon.moto_server import embedded_aws
from worker.sandbox.browser.dynamics import Dynamics
from worker.sandbox.browser.exchange import Exchange
from worker.sandbox.browser.softphone import Softphone, serve_softphone
from worker.sandbox.children import child
from worker.sandbox.command import settings
from worker.sandbox.dataverse.app import create_dataverse
from worker.sandbox.demo.stage import COMMAND
from worker.sandbox.oracle.callers import known
from worker.sandbox.oracle.customers import employ, introduce
from worker.sandbox.server import serve, serve_plainly
from worker.sandbox.traffic import SentMessage
from worker.settings import Settings


#: Customer Service takes ten sessions at once, and nobody closes one.
CALLS: Final = 8

#: How long the agent lets it ring at least and, for the customer's name, at most (s), and how long
#: anything else may take.
ANSWERS_AFTER_S: Final = 1.5
RINGS_AT_MOST_S: Final = 5.0
LIMIT_S: Final = 60.0

#: The softphone's poll, by which a change of attributes alone is seen (s).
POLLS_S: Final = (0.0, 30.0)

AIMED_P95_S: Final = 1.0


@dataclass(slots=True)
class Waits:
    """Seconds, one of each call.

    Attributes:
        toast: From the ring to the notification.
        named: From the ring until the notification names the customer; infinite: not in time.
        opened: From the connection to the opened record; 0 if it was opened on the answer.
    """

    toast: list[float] = field(default_factory=list)
    named: list[float] = field(default_factory=list)
    opened: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Centre:
    """A contact centre that goes on, with everything round the pages."""

    scene: Stage
    exchange: Exchange


async def until(holds: Callable[[], Any]) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: It does not in ``LIMIT_S``.
    """
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.02)


@asynccontextmanager
async def centre(folder: Path) -> AsyncIterator[Centre]:
    """Everything, while the block runs; all files are in the folder."""
    softphone, dataverse, amazon = Softphone(), create_dataverse(), AmazonConnect()
    employ(dataverse)
    dynamics, ca, log = Dynamics(dataverse), folder / "ca.pem", folder / "worker.log"
    assemble(MODULES, into=folder / "dist")
    async with (
        embedded_aws() as cloud,
        serve(dynamics, ca_path=ca) as url,
        serve_plainly(amazon.app) as connect_url,
        serve_softphone(softphone) as phone_url,
    ):
        told = Settings(environment_url=url, ccp_url=f"{phone_url}/ccp-v2/")
        config = configuration(told, [find("timeline")], Choices()).content
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CONNECT_"))},
            **cloud.environment,
            **settings(url, ca),
            "AWS_ENDPOINT_URL_CONNECT": connect_url,
            "CONNECT_DYNAMICS_CONNECT_SHARE": "1",
            "CONNECT_DYNAMICS_STATE": f"sqlite:{folder / 'state.sqlite'}",
            "CONNECT_DYNAMICS_METRICS": "127.0.0.1:0",
            "CONNECT_DYNAMICS_PIPELINES": "timeline",
            "CONNECT_DYNAMICS_OPEN_BY": "attributes",
        }

        async def send(message: SentMessage) -> None:
            await cloud.put([message])

        with log.open("wb") as file:
            async with (
                child([str(COMMAND), "run"], environment, stderr=file),
                serving(_Pages(folder / "dist", config), Sites.of(config), "127.0.0.1", 0) as port,
            ):
                await until(lambda: "service.started" in log.read_text("utf-8"))
                scene = Stage(
                    softphone, dynamics, phone_url, url, f"http://localhost:{port}", config
                )
                exchange = Exchange(
                    softphone,
                    amazon,
                    send,
                    lambda who: introduce(dataverse, [who]),
                    rng=Random(11),
                )
                running = asyncio.create_task(exchange.run())
                try:
                    yield Centre(scene, exchange)
                finally:
                    running.cancel()
    dataverse.close()


async def agent_page(at: Centre, context: BrowserContext) -> Frame:
    """The agent page, signed in and with its tab open; the frame that has the marks."""
    return (await desk(at.scene, context)).page.main_frame


async def customer_service(at: Centre, context: BrowserContext) -> Frame:
    """Customer Service with our panel, signed in; the frame that has the marks."""
    page = (await workspace(at.scene, context)).page
    (panel,) = [frame for frame in page.frames if "/cif.html" in frame.url]
    return panel


async def mark(frame: Frame, name: str, contact_id: str) -> float:
    """When (ms since the page was loaded) something was marked; waits until it is."""
    found = await frame.wait_for_function(
        "name => performance.getEntriesByName(name)[0]?.startTime",
        arg=f"connect-dynamics:{name}:{contact_id}",
        timeout=LIMIT_S * 1000,
        polling=20,
    )
    return float(await found.json_value())


async def measure(at: Centre, frame: Frame, poll_s: float, *, toasts: bool, calls: int) -> Waits:
    """Let an agent take so many calls."""
    phone, waits = at.scene.softphone, Waits()
    phone.poll_s = poll_s
    for _ in range(calls):
        who = known(at.exchange.rng)
        leg = at.exchange.call(who, AGENT)
        await until(lambda: phone.contacts(AGENT))
        rang_at = time.monotonic()
        if toasts:
            rang = await mark(frame, "ring", leg.id)
            waits.toast.append((await mark(frame, "toast", leg.id) - rang) / 1000)
            named = frame.page.locator("[data-toast]", has_text=who.name)
            try:
                await named.wait_for(timeout=RINGS_AT_MOST_S * 1000)
                waits.named.append(time.monotonic() - rang_at)
            except PlaywrightTimeout:
                waits.named.append(inf)  # she answers without it
        await asyncio.sleep(max(0.0, rang_at + ANSWERS_AFTER_S - time.monotonic()))
        phone.accept(AGENT, leg.id)
        connected = await mark(frame, "connected", leg.id)
        opened = await mark(frame, "opened", leg.id)
        waits.opened.append(max(0.0, opened - connected) / 1000)
        phone.hang_up(AGENT, leg.id)
        phone.clear(AGENT, leg.id)
        await until(lambda: not phone.contacts(AGENT))
    return waits


def _said(seconds: float) -> str:
    return "not while it rang" if seconds == inf else f"{seconds:.3f} s"


def figures(found: dict[tuple[str, float], Waits]) -> Iterator[Figure]:
    """All that was measured."""
    for (host, poll_s), waits in found.items():
        seen = f"every {poll_s:.0f} s" if poll_s else "at once"
        rows = (
            ("ring to toast", waits.toast),
            ("ring to the customer's name", waits.named),
            ("connect to open record", waits.opened),
        )
        for name, times in rows:
            if times:
                found_s = {"p50": median(times), "p95": p95(times)}
                bars = tuple(
                    Bar(of, _said(wait), None if wait == inf else wait)
                    for of, wait in found_s.items()
                )
                asked, met = "", None
                if not poll_s:
                    asked, met = f"<= {AIMED_P95_S} s", p95(times) <= AIMED_P95_S
                group = f"{host}, attributes are seen {seen}"
                yield Figure(name, "", asked, met, aim=True, bars=bars, group=group)


HOSTS: Final[dict[str, tuple[Callable[[Centre, BrowserContext], Awaitable[Frame]], bool]]] = {
    "agent page": (agent_page, False),
    "Customer Service": (customer_service, True),
}


async def bench(calls: int) -> dict[tuple[str, float], Waits]:
    """Both hosts, with and without the poll."""
    found: dict[tuple[str, float], Waits] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with centre(Path(folder)) as at, async_playwright() as driver:
            browser = await driver.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
            for (host, (open_host, toasts)), poll_s in product(HOSTS.items(), POLLS_S):
                context = await browser.new_context(ignore_https_errors=True)
                frame = await open_host(at, context)
                found[host, poll_s] = await measure(at, frame, poll_s, toasts=toasts, calls=calls)
                await context.close()
            await browser.close()
    return found
