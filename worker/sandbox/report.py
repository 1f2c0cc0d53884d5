"""Shows what a demonstration came to, in at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipelines.entity import entity
from worker.sandbox.outcome import Outcome, percentile


#: Most records and most problems that are shown.
RECORDS_SHOWN: Final = 36
PROBLEMS_SHOWN: Final = 20

#: Columns of the table and how wide they are.
COLUMNS: Final = {
    "activity": 9,
    "subject": 46,
    "in/out": 6,
    "start": 5,
    "min": 3,
    "status": 6,
    "recording": 9,
}

_STATES: Final = {0: "open", 1: "closed", 2: "cancelled"}
_FILES: Final = {"Your Recording": "yes", "Your Transcript": "text"}


def report(outcome: Outcome) -> Group:
    """Records, counts, latency, what was left aside, and the verdict."""
    told = [*_counts(outcome), *_verdict(outcome)]
    return Group(records_table(outcome), *(Text(line) for line in told))


def records_table(outcome: Outcome) -> Table:
    """The first contacts' records, by their start."""
    keys = {one.key for one in outcome.expected[:RECORDS_SHOWN]}
    rows = [
        (entity(entity_set).logical, row)
        for entity_set, found in outcome.records.items()
        for row in found
        if row.get("activityid") in keys
    ]
    rows.sort(key=lambda named: str(named[1].get("actualstart")))
    title = f"Dynamics records: {len(rows)} of {len(outcome.expected)}, times in UTC"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_style="bold")
    for name, width in COLUMNS.items():
        table.add_column(name, width=width, no_wrap=True)
    for logical, row in rows:
        table.add_row(logical, *_cells(row))
    return table


def _cells(row: dict[str, Any]) -> Iterator[str]:
    yield row.get("subject", "")
    yield {True: "out", False: "in"}.get(row.get("directioncode", ""), "")
    yield row.get("actualstart", "")[11:16]
    yield str(row.get("actualdurationminutes", ""))
    yield _STATES[row["statecode"]]
    begins = row.get("description", "")
    yield next((told for text, told in _FILES.items() if begins.startswith(text)), "")


def _counts(outcome: Outcome) -> Iterator[str]:
    found = (f"{len(rows)} {name}" for name, rows in outcome.records.items() if rows)
    yield f"in Dynamics        {', '.join(found)}"
    ascending = outcome.latencies_s
    p50, p95, most = (f"{1000 * percentile(ascending, s):.0f} ms" for s in (0.5, 0.95, 1.0))
    yield f"event to Dynamics  p50 {p50}, p95 {p95}, max {most}; from read to acknowledged"
    opened, expired = outcome.count("desktop.open"), outcome.count("push.expired")
    yield f"requests           {outcome.requests} for {len(outcome.expected)} records"
    yield f"opened for agents  {opened}; {expired} answers were told of over 60 s late"
    yield f"quarantined        {len(outcome.quarantined)}{_reasons(outcome)}"
    yield f"parked             {outcome.parked}"


def _reasons(outcome: Outcome) -> str:
    return f" ({'; '.join(outcome.quarantined)})" if outcome.quarantined else ""


def _verdict(outcome: Outcome) -> Iterator[str]:
    problems = list(outcome.problems())
    missed = {line.partition(" ")[0] for line in outcome.differences}
    right = sum(f"{one.entity_set}({one.key})" not in missed for one in outcome.expected)
    yield f"as it happened     {right} of {len(outcome.expected)} records expected are right"
    for problem in problems[:PROBLEMS_SHOWN]:
        yield f"  {problem}"
    if len(problems) > PROBLEMS_SHOWN:
        yield f"  and {len(problems) - PROBLEMS_SHOWN} more"
    yield f"{'FAILED' if problems else 'done'} in {outcome.seconds:.0f} s"
