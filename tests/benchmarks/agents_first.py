"""How long agents wait while a backlog is worked off: with and without regard to who waits.

``make bench`` runs it, in real time: the real push, gate and SQLite store, against a Dynamics in
this process that takes its time and protects itself. Exit status 1: a figure asked for is missed.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile

from dataclasses import dataclass
from pathlib import Path
from statistics import median

import structlog

from rich.console import Console
from rich.table import Table

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


def met(found: Measured) -> bool:
    """Whether the figures asked for are."""
    return p95(found.opened) <= MOST_P95_S and found.share >= LEAST_SHARE


def report(before: Measured, after: Measured) -> Table:
    """Both, side by side."""
    table = Table(title=f"{DUE:,} due, {CALLS_PER_S} calls a second", title_justify="left")
    for column in ("", "in the order they came", "agents first", "asked for"):
        table.add_column(column)
    for name, what in (("answer to attribute", "opened"), ("beginning to attributes", "written")):
        for kind, of in (("median", median), ("p95", p95)):
            asked = f"<= {MOST_P95_S} s" if (what, kind) == ("opened", "p95") else ""
            row = [f"{of(getattr(found, what)):.3f} s" for found in (before, after)]
            table.add_row(f"{name}, {kind}", *row, asked)
    shares = [f"{found.share:.1%} of {found.sent}" for found in (before, after)]
    table.add_row("requests for the backlog", *shares, f">= {LEAST_SHARE:.0%}")
    return table


def main() -> int:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as folder:
        before, after = (
            asyncio.run(measure(Path(folder), agents_first=first, due=DUE, seconds=SECONDS))
            for first in (False, True)
        )
    Console(width=110).print(report(before, after))
    return 0 if met(after) else 1


if __name__ == "__main__":
    sys.exit(main())
