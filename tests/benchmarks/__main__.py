"""``python -m tests.benchmarks``: everything that ``make bench`` measures, in one run.

Exit status 1: something demanded was missed, or a section broke. Figures that depend on the machine
are aims: to miss one is no failure.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
import traceback

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

import pytest
import structlog

from rich.console import Console
from rich.table import Table

from tests.benchmarks.figure import Figure
from tests.benchmarks.page import Part, page
from tests.benchmarks.sections import SECTIONS, Section
from tests.benchmarks.way import HERE
from worker.errors import ConfigError
from worker.sandbox.amazon.moto_server import CREDENTIALS
from worker.telemetry import logs


VERDICTS: Final = {None: "", True: "met", False: "missed"}


def table(figures: Sequence[Figure], title: str = "") -> Table:
    """Figures that compare the same things, in columns of these."""
    columns = [bar.of for bar in figures[0].bars] or ["measured"]
    judged = ["asked", ""] if any(figure.asked for figure in figures) else []
    shown = Table("", *columns, *judged, title=title or None, title_justify="left")
    for figure in figures:
        cells = [bar.said for bar in figure.bars] or [figure.value]
        verdict = [figure.asked, VERDICTS[figure.met]] if judged else []
        shown.add_row(figure.name, *cells, *verdict)
    return shown


def alike(figures: Iterable[Figure]) -> Iterator[list[Figure]]:
    """The figures in runs that share a group and compare the same things, as they come."""
    for _, run in groupby(figures, key=lambda one: (one.group, [bar.of for bar in one.bars])):
        yield list(run)


def measured(section: Section, against: Path | None) -> Iterator[Figure]:
    """A section's figures; one that says why, if it cannot be run or breaks."""
    try:
        yield from section.measure(against)
    except (ConfigError, pytest.skip.Exception, pytest.fail.Exception) as lack:
        yield Figure("not run", str(lack))
    except Exception:  # noqa: BLE001 - the other sections are worth their time
        traceback.print_exc()
        yield Figure("broke", "see what it printed", "to run", met=False)


def circumstances() -> str:
    """When and where this is."""
    git = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, check=False, text=True).stdout.strip()
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), Python"
        f" {platform.python_version()}, commit {commit or 'unknown'}"
    )


def main() -> int:
    """Measure and print; the exit status."""
    names = [section.name for section in SECTIONS]
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sections", default=",".join(names), help="some of the default")
    parser.add_argument("--against", type=Path, help="another checkout, which has a .venv")
    parser.add_argument("--report", type=Path, help="writes a page (HTML) too")
    told = parser.parse_args()
    chosen = told.sections.split(",")
    if unknown := set(chosen) - set(names):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    against = told.against.resolve() if told.against else None
    # A path through this checkout would lead another's processes to this one's code.
    os.environ.update(CREDENTIALS, PYTHONPATH=str(HERE / "tests" / "support"))
    logs.configure("error")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    console = Console(width=None if sys.stdout.isatty() else 160)
    where = circumstances()
    console.print(f"connect-dynamics, {where}")
    parts: list[Part] = []
    for section in SECTIONS:
        if section.name in chosen:
            began = time.monotonic()
            part = Part(section.title, section.about, [])
            parts.append(part)
            console.print(f"\n[bold]{section.title}[/bold] ({section.name})")
            for group in alike(measured(section, against)):
                part.groups.append(group)
                console.print(table(group, group[0].group))
            console.print(f"took {time.monotonic() - began:.0f} s")
            if told.report:
                told.report.write_text(page(where, parts), encoding="utf-8")
    return int(any(one.failed for part in parts for group in part.groups for one in group))


if __name__ == "__main__":
    sys.exit(main())
