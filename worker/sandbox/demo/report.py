"""Shows what a demonstration came to, in at most 100 columns."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipelines.entity import entity
from worker.sandbox.demo.outcome import Outcome, percentile
from worker.sandbox.oracle.expected_timeline import FROM, TO
from worker.sandbox.oracle.verdict import Expected
from worker.terminal import shown


#: Most records of a table and most problems that are shown.
RECORDS_SHOWN: Final = 36
TIMELINE_SHOWN: Final = 24
PROBLEMS_SHOWN: Final = 20

#: The call that is no question.
UPDATE: Final = "UpdateContactAttributes"

#: Columns of the tables and how wide they are.
COLUMNS: Final = {
    "activity": 9,
    "subject": 40,
    "in/out": 6,
    "start": 8,
    "sec": 3,
    "status": 9,
    "recording": 9,
}
TIMELINE_COLUMNS: Final = {
    "timeline": 9,
    "subject": 32,
    "from": 16,
    "to": 16,
    "reason": 9,
    "note": 4,
}

#: Why a page is not shown that the worker could have shown.
SLOW: Final = ("worker_late", "refused")

#: Why else a page is not shown, in few words.
NOT_SHOWN: Final = {
    "ended_first": "the contact had ended when the answer was heard of",
    "heard_late": "answered more than a minute before that was heard of",
    "record_late": "its record waits, as an agent's reply has none before it is sent",
    "value_missing": "a value of the page never came",
    "no_record": "the contact gets no record",
    "replayed": "the contact was replayed",
}

_STATES: Final = {0: "open", 1: "closed", 2: "cancelled"}
_FILES: Final = {"Your Recording": "yes", "Your Transcript": "text"}


def report(outcome: Outcome) -> Group:
    """Records, counts, latency, what was left aside, and the verdict."""
    told = [*_counts(outcome), *_verdict(outcome)]
    tables = records_table(outcome), timeline_table(outcome)
    return Group(*tables, *(Text(shown(line)) for line in told))


def records_table(outcome: Outcome) -> Table:
    """The first contacts' own records, by their start."""
    own = [one for one in outcome.expected if one.pipeline != "timeline"]
    rows = _rows(outcome, own[:RECORDS_SHOWN])
    title = f"Dynamics records: {len(rows)} of {len(own)}, times in UTC"
    return _table(title, COLUMNS, ([logical, *_cells(row)] for logical, row in rows))


def timeline_table(outcome: Outcome) -> Table:
    """The first contacts' activities on their customers' timelines, by their start."""
    made = [one for one in outcome.expected if one.pipeline == "timeline"]
    activities = [one for one in made if one.entity_set != "annotations"]
    rows = _rows(outcome, activities[:TIMELINE_SHOWN])
    title = f"Timeline activities: {len(rows)} of {len(activities)}"
    names = dict(_names(outcome))
    noted = {row.get("_objectid_value") for row in outcome.records.get("annotations", ())}
    told = ([logical, *_timeline_cells(logical, row, names, noted)] for logical, row in rows)
    return _table(title, TIMELINE_COLUMNS, told)


def _rows(outcome: Outcome, wanted: Iterable[Expected]) -> list[tuple[str, dict[str, Any]]]:
    keys = {one.key for one in wanted}
    rows = [
        (entity(entity_set).logical, row)
        for entity_set, found in outcome.records.items()
        for row in found
        if row.get("activityid") in keys
    ]
    return sorted(rows, key=lambda named: str(named[1].get("actualstart")))


def _table(title: str, columns: Mapping[str, int], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_style="bold")
    for name, width in columns.items():
        table.add_column(name, width=width, no_wrap=True)
    for cells in rows:
        table.add_row(*(escape(shown(cell)) for cell in cells))
    return table


def _names(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """The people that Dynamics knows, by their keys."""
    for entity_set in ("contacts", "systemusers"):
        for row in outcome.records.get(entity_set, ()):
            yield row[entity(entity_set).key], row.get("fullname", "")


def _timeline_cells(
    logical: str, row: dict[str, Any], names: Mapping[str, str], noted: Container[str | None]
) -> Iterator[str]:
    yield row.get("subject", "")
    parties = row.get(f"{logical}_activity_parties", ())
    for mask in (FROM, TO):
        ends = (party for party in parties if party["participationtypemask"] == mask)
        yield ", ".join(names.get(e.get("_partyid_value"), "") or e["addressused"] for e in ends)
    yield row.get("category", "")
    yield "yes" if row["activityid"] in noted else ""


def _cells(row: dict[str, Any]) -> Iterator[str]:
    yield row.get("subject", "")
    yield {True: "out", False: "in"}.get(row.get("directioncode", ""), "")
    yield row.get("actualstart", "")[11:19]
    yield _seconds(row.get("actualstart"), row.get("actualend"))
    yield _STATES[row["statecode"]]
    begins = row.get("description", "")
    yield next((told for text, told in _FILES.items() if begins.startswith(text)), "")


def _seconds(start: str | None, end: str | None) -> str:
    if not start or not end:
        return ""
    return str(round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()))


def _counts(outcome: Outcome) -> Iterator[str]:
    found = (f"{len(rows)} {name}" for name, rows in outcome.records.items() if rows)
    yield f"in Dynamics        {', '.join(found)}"
    ascending = outcome.latencies_s
    p50, p95, most = (f"{1000 * percentile(ascending, s):.0f} ms" for s in (0.5, 0.95, 1.0))
    yield f"event to Dynamics  p50 {p50}, p95 {p95}, max {most}; from read to acknowledged"
    questions = sum(count for call, count in outcome.asked.items() if call != UPDATE)
    attributes = sum(map(len, outcome.written_back))
    yield f"requests           {outcome.requests} for {len(outcome.expected)} records"
    found = (f"{number} {name}" for name, number in sorted(outcome.lookups.items()))
    yield f"lookups            {', '.join(found)}"
    yield f"calls to Connect   {questions} questions; {outcome.throttled} calls throttled"
    yield f"written back       {attributes} attributes of {len(outcome.written_back)} contacts;"
    yield f"                   begin to attribute {_times(outcome.written_s)}"
    yield from _pages(outcome)
    yield f"quarantined        {len(outcome.quarantined)}{_reasons(outcome)}"
    yield f"parked             {outcome.parked}"


def _pages(outcome: Outcome) -> Iterator[str]:
    """What agents were shown, how soon, and what they were not, with the reasons."""
    shown, missed = outcome.count("desktop.shown"), outcome.expired(pages=True)
    yield f"pages for agents   {shown} shown in time; answer to attribute {_times(outcome.shown_s)}"
    slow = sum(missed.pop(reason, 0) for reason in SLOW)
    yield f"                   {slow} expired because the worker was slow"
    for why, count in sorted(missed.items()):
        yield f"                   {count} not shown: {NOT_SHOWN[why]}"
    if logged := outcome.count("desktop.logged"):
        yield f'                   {logged} only logged (open_by = "log")'


def _times(ascending: Sequence[float]) -> str:
    p50, p95 = (f"{1000 * percentile(ascending, share):.0f} ms" for share in (0.5, 0.95))
    return f"p50 {p50}, p95 {p95}"


def _reasons(outcome: Outcome) -> str:
    return f" ({'; '.join(outcome.quarantined)})" if outcome.quarantined else ""


def _verdict(outcome: Outcome) -> Iterator[str]:
    problems = list(outcome.problems())
    missed = {line.partition(" ")[0] for line in outcome.differences}
    right = sum(f"{one.entity_set}({one.key})" not in missed for one in outcome.expected)
    yield f"verified           {right} of {len(outcome.expected)} records match"
    found = outcome.verified
    counted = f"{found['counts'].get('right', 0)} of {found['expected']} right"
    yield f"                   {counted}, as connect-dynamics verify finds"
    for problem in problems[:PROBLEMS_SHOWN]:
        yield f"  {problem}"
    if len(problems) > PROBLEMS_SHOWN:
        yield f"  and {len(problems) - PROBLEMS_SHOWN} more"
    yield f"{'FAILED' if problems else 'done'} in {outcome.seconds:.0f} s"
