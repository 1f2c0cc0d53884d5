"""Side by side: ``connect-dynamics run`` and two loops as people write them, on the same ground.

Each is a process of its own that reads the same two streams of kinesis-mock, a look a second, and
writes to the same stub of Dynamics, over TLS, which answers after 50 ms (``peers/`` says what the
two loops do). A run is calls told at a pace for half a minute, then the time that each needs to be
done, up to a limit: of who is not done by then, waits are at least what is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fleet.services import kinesis_mock
from tests.benchmarks import way
from tests.benchmarks.contenders import OURS, OURS_BEFORE, Contender
from tests.benchmarks.contest import SECONDS, Load, Run, run
from tests.benchmarks.figure import Bar, Figure


LOADS: Final = (
    Load("20 messages/s", 20),
    Load("200 messages/s", 200),
    Load("20 messages/s, 5 % of the writes without an answer", 20, 0.05),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table for each load.

    Attributes:
        name: What it is.
        form: How it is printed.
        number: It, of a run.
        wait: Whether a run that was cut short shows the least that it can be.
        most: What is asked of ours at most, by load; in times of another checkout's in ``times``.
    """

    name: str
    form: str
    number: Callable[[Run], float]
    wait: bool = False
    most: Mapping[str, float] = field(default_factory=dict)
    times: Mapping[str, float] = field(default_factory=dict)


SLOW, FAST, _ = (load.name for load in LOADS)

LINES: Final = (
    Line(
        "first write, p50", "{:.2f} s", lambda r: way.percentile(r.first_s, 50), True, {FAST: 0.9}
    ),
    Line(
        "first write, p99", "{:.2f} s", lambda r: way.percentile(r.first_s, 99), True, {FAST: 1.6}
    ),
    Line("last write, p50", "{:.2f} s", lambda r: way.percentile(r.last_s, 50), True),
    Line("last write, p99", "{:.2f} s", lambda r: way.percentile(r.last_s, 99), True),
    Line("messages were put late, at most", "{:.2f} s", lambda r: r.late_s),
    Line("requests per contact", "{:.2f}", lambda r: r.requests),
    Line(
        "CPU per 1000 contacts",
        "{:.1f} s",
        lambda r: r.cpu_s,
        times={SLOW: 0.55, FAST: 0.40},
    ),
    Line("resident memory", "{:.0f} MB", lambda r: r.resident / 1e6, False, {FAST: 135.0}),
)


def figures(load: Load, runs: Mapping[str, Run]) -> Iterator[Figure]:
    """What came of a load, ours first; a run under ``OURS_BEFORE`` is of another checkout."""
    ours, before = runs[OURS], runs.get(OURS_BEFORE)
    bars = [Bar(name, _kept_up(run)) for name, run in runs.items()]
    yield Figure("kept up", "", "yes", ours.kept_up, bars=tuple(bars), group=load.name)
    for line in LINES:
        bars = [Bar(name, _said(line, run), line.number(run)) for name, run in runs.items()]
        asked, kept = [], []
        if (most := line.most.get(load.name)) is not None:
            asked.append(f"<= {line.form.format(most)}")
            kept.append(line.number(ours) <= most)
        if before and (times := line.times.get(load.name)) is not None:
            ratio = line.number(ours) / line.number(before)
            asked.append(f"<= {times:.2f} times before, is {ratio:.2f}")
            kept.append(ratio <= times)
        met = all(kept) if kept else None
        yield Figure(line.name, "", ", ".join(asked), met, not line.times, tuple(bars), load.name)
    right = ours.over and not (ours.doubled or ours.lost or ours.wrong)
    bars = [Bar(name, _harm(run)) for name, run in runs.items()]
    yield Figure("doubled, lost, wrong", "", "0, 0, 0", right, bars=tuple(bars), group=load.name)


def _kept_up(run: Run) -> str:
    return "yes" if run.kept_up else f"no, {run.rate:.0f}/s"


def _said(line: Line, run: Run) -> str:
    at_least = "> " if line.wait and not run.over else ""
    return at_least + line.form.format(line.number(run))


def _harm(run: Run) -> str:
    harm = f"{run.doubled}, {run.lost}, {run.wrong}"
    return harm if run.over else f"{run.doubled}, not done in time"


async def compare(
    contenders: Sequence[Contender], load: Load, seconds: float = SECONDS
) -> dict[str, Run]:
    """Give a load to all of them, one after the other."""
    async with kinesis_mock() as url:
        return {one.name: await run(one, url, load, seconds) for one in contenders}
