"""How long agents wait while a backlog is worked off: with and without regard to who waits.

In real time: the real push, gate and SQLite store, against a Dynamics in this process that takes
its time and protects itself.
"""

from __future__ import annotations

import asyncio
import tempfile

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.benchmarks.figure import Bar, Figure
from twins.backlog import Backlog, p95
from worker.stores.sqlite import SqliteStore


#: What is due at the start, and what was sent in the minutes before: little is left of the budget.
DUE = 10_000
SPENT = 5_700

CALLS_PER_S = 1.5
SECONDS = 30.0

#: What is asked for.
MOST_P95_S = 2.0
LEAST_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen of one worker.

    Attributes:
        opened: From each answer until the page's attribute was written (s).
        written: From each call's beginning until its attributes were (s).
        share: The backlog's part of all requests.
        sent: How many requests there were.
    """

    opened: list[float]
    written: list[float]
    share: float
    sent: int


async def measure(folder: Path, *, agents_first: bool, due: int, seconds: float) -> Measured:
    """Let a worker run on a backlog of so many contacts while calls come."""
    store = SqliteStore(folder / f"{agents_first}.db")
    try:
        site = Backlog(store=store, agents_first=agents_first)
        await site.lay_up(due)
        site.way.spend(SPENT)
        await site.run(seconds, CALLS_PER_S)
    finally:
        await store.close()
    backlog, live = site.sent_for(backlog=True), site.sent_for(backlog=False)
    return Measured(site.until_open, site.until_written, backlog / (backlog + live), backlog + live)


def figures(before: Measured, after: Measured) -> Iterator[Figure]:
    """Both, side by side."""
    named = (("in the order they came", before), ("agents first", after))
    for name, what in (("answer to attribute", "opened"), ("beginning to attributes", "written")):
        for kind, of in (("p50", median), ("p95", p95)):
            waits = [(label, of(getattr(found, what))) for label, found in named]
            bars = tuple(Bar(label, f"{wait:.3f} s", wait) for label, wait in waits)
            if (what, kind) == ("opened", "p95"):
                met = waits[-1][1] <= MOST_P95_S
                yield Figure(f"{name}, {kind}", "", f"<= {MOST_P95_S} s", met, bars=bars)
            else:
                yield Figure(f"{name}, {kind}", bars=bars)
    bars = tuple(Bar(label, f"{found.share:.1%} of {found.sent}") for label, found in named)
    met = after.share >= LEAST_SHARE
    yield Figure("requests for the backlog", "", f">= {LEAST_SHARE:.0%}", met, bars=bars)


def measured(due: int = DUE, seconds: float = SECONDS) -> tuple[Measured, Measured]:
    """Without and with regard to who waits."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = (
            asyncio.run(measure(Path(folder), agents_first=first, due=due, seconds=seconds))
            for first in (False, True)
        )
    return before, after
