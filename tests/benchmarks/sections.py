"""What ``make bench`` measures, section by section, in the order in which it is read.

A section's ``measure`` gets the folder of another checkout, with its own ``.venv``, or None, and
gives figures; sections that can measure that one too do so in turns with this one. What this
machine lacks is a ``ConfigError``, or a skip with the reason.
"""

from __future__ import annotations

import asyncio
import tempfile

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from typing import Final

from tests.benchmarks import (
    agents_first,
    apart,
    desktop,
    idle,
    ingest,
    replay,
    rounds,
    sharing,
    side_by_side,
    startup,
    way,
    write_units,
)
from tests.benchmarks.contenders import contenders
from tests.benchmarks.figure import BEFORE, NOW, Bar, Figure, compared


#: How often what is measured in turns is measured.
TURNS: Final = 3

#: Calls of a replay to the stub.
CALLS: Final = 1000


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the benchmark.

    Attributes:
        name: As ``SECTIONS`` names it.
        title: Its heading.
        about: What is measured, and how.
        measure: Does so.
    """

    name: str
    title: str
    about: str
    measure: Callable[[Path | None], Iterable[Figure]]


def _checkouts(against: Path | None) -> list[Path]:
    return [way.HERE, *([against] if against else [])]


def _ingest(against: Path | None) -> Iterator[Figure]:
    turns = apart.in_turns("ingest", _checkouts(against), TURNS)
    for number, day in enumerate(ingest.DAYS):
        days = [[turn[number] for turn in checkout] for checkout in turns]
        last = days[0][-1]
        group = (
            f"{day} day: {last['messages']:,} messages in batches of {last['batch'][0]:,} or"
            f" {last['batch'][1] >> 20} MiB, synchronous={last['synchronous']}"
        )
        for name, form, what in (
            ("ratio to parsing, by processor", "{:.3f}", "cpu"),
            ("ratio to parsing, by the clock", "{:.3f}", "wall"),
            ("processor time of a message", "{:.1f} µs", "ingest_us"),
        ):
            both = [median(turn[what] for turn in its) for its in days]
            least = last["asked"] if what == "cpu" else None
            yield compared(name, form, *both, least=least, group=group)


def _rounds(against: Path | None) -> Iterator[Figure]:
    turns = apart.in_turns("rounds", _checkouts(against), TURNS)
    medians = [
        {name: median(turn[name] for turn in checkout) for name in checkout[0]}
        for checkout in turns
    ]
    families: dict[str, list[str]] = {}
    for name in medians[0]:
        families.setdefault(name.partition(", ")[0], []).append(name)
    for family, names in families.items():
        unit, _, what = family.partition(" per ")
        form = "{:.3f} ms" if unit == "ms" else "{:.0f} µs"
        for checkout, figures in zip((NOW, BEFORE), medians, strict=False):
            bars = tuple(
                Bar(name.partition(", ")[2], form.format(figures[name]), figures[name])
                for name in names
            )
            limits = {rounds.asked(name) for name in names} - {inf}
            if checkout == NOW and limits:
                [most] = limits
                met = all(figures[name] <= rounds.asked(name) for name in names)
                asked = f"<= {form.format(most)}"
                yield Figure(what, "", asked, met, aim=True, bars=bars)
            else:
                yield Figure(what if checkout == NOW else f"{what}, before", bars=bars)


def _startup(against: Path | None) -> Iterator[Figure]:
    commands = [one / ".venv/bin/connect-dynamics" for one in _checkouts(against)]
    with tempfile.TemporaryDirectory(prefix="startup-") as folder:
        found = asyncio.run(startup.measure(Path(folder), *commands, times=TURNS))
    for name, form, what, most in (
        ("--help, processor time", "{:.2f} s", "help_cpu_s", startup.AIMED_HELP_CPU_S),
        ("start to listening", "{:.2f} s", "listening_s", None),
        ("start to first record, with leases", "{:.2f} s", "record_s", startup.AIMED_RECORD_S),
        ("processor time of that", "{:.2f} s", "record_cpu_s", None),
        ("resident memory, quiet", "{:.0f} MB", "quiet_mb", startup.AIMED_QUIET_MB),
    ):
        yield compared(name, form, *(getattr(one, what) for one in found), most=most, aim=True)


def _replay(_: Path | None) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        yield from replay.figures(Path(folder))


def _way(against: Path | None) -> Iterator[Figure]:
    checkouts = [way.Checkout("", one) for one in _checkouts(against)]
    turns: list[list[way.Replayed]] = [[] for _ in checkouts]
    with tempfile.TemporaryDirectory(prefix="way-") as folder:
        archive = Path(folder, "calls.ndjson")
        replay.write_calls(archive, CALLS)
        for _ in range(TURNS):
            for checkout, its in zip(checkouts, turns, strict=True):
                its.append(asyncio.run(way.replayed(checkout, archive, CALLS)))
    for name, form, what, least in (
        ("requests a second of one worker", "{:.0f}/s", "rate", 300.0),
        ("processor time per contact, start among it", "{:.2f} ms", "cpu_ms", None),
        ("requests per contact", "{:.2f}", "requests", None),
    ):
        both = [median(getattr(turn, what) for turn in its) for its in turns]
        yield compared(name, form, *both, least=least, aim=True)


def _units(_: Path | None) -> Iterator[Figure]:
    workers = {told: write_units.measure(told) for told in write_units.TELLINGS}
    lines: tuple[tuple[str, Callable[[write_units.Worker], float], float | None], ...] = (
        ("write units", lambda one: one.table.wcu, write_units.MOST_WRITE_UNITS),
        ("write units of the indexes", lambda one: one.table.index_wcu, None),
        ("read units", lambda one: one.table.rcu, None),
        ("calls", lambda one: sum(one.table.calls.values()), None),
        ("requests to Dynamics", lambda one: one.work.reports.sent.writes, None),
    )
    for name, number, most in lines:
        each = {told: number(one) / write_units.CALLS for told, one in workers.items()}
        bars = tuple(Bar(told, f"{value:.1f}", value) for told, value in each.items())
        asked = "" if most is None else f"<= {most:g} {bars[0].of}"
        yield Figure(
            name, "", asked, None if most is None else next(iter(each.values())) <= most, bars=bars
        )


def _idle(_: Path | None) -> Iterator[Figure]:
    yield from idle.figures(asyncio.run(idle.measure()))


def _side_by_side(against: Path | None) -> Iterator[Figure]:
    for load in side_by_side.LOADS:
        runs = asyncio.run(side_by_side.compare(contenders(against), load))
        yield from side_by_side.figures(load, runs)


def _agents(_: Path | None) -> Iterator[Figure]:
    yield from agents_first.figures(*agents_first.measured())


def _desktop(_: Path | None) -> Iterator[Figure]:
    yield from desktop.figures(asyncio.run(desktop.bench(desktop.CALLS)))


def _sharing(_: Path | None) -> Iterator[Figure]:
    yield from sharing.figures(*sharing.measured())


SECTIONS: Final = (
    Section(
        "side",
        "Side by side",
        "The worker, a Lambda-style loop (boto3, a thread per shard, an upsert per message, the"
        " batch again on an error) and async-kinesis 3.0.1 (httpx, an upsert per message, three"
        " tries), each on the same two streams of two shards, read once a second, and a Dynamics"
        " that answers after 50 ms. Peers keep their positions in memory, the worker its state in"
        " SQLite. First and last: from putting a contact's first or last message to the first or"
        " last request about it.",
        _side_by_side,
    ),
    Section(
        "ingest",
        "Messages into the state",
        "How fast an archive is brought into SQLite, as a ratio to parsing the same messages with"
        " orjson. How many messages of a batch are about one contact decides what each costs.",
        _ingest,
    ),
    Section(
        "rounds",
        "Planning a contact, by pipelines and facts",
        "A round is all that is done for a contact beside sending: reading it, looking who waits,"
        " planning twice, writing it. Processor time.",
        _rounds,
    ),
    Section(
        "way",
        "The way to Dynamics",
        f"{CALLS:,} complete calls replayed into an empty Dynamics that answers after 50 ms.",
        _way,
    ),
    Section(
        "replay",
        "A replay",
        "Memory, which must not grow with the archive, and requests.",
        _replay,
    ),
    Section(
        "start",
        "Start and memory",
        "The worker with all clients: two streams shared by leases, state in DynamoDB, its secret"
        " in Secrets Manager.",
        _startup,
    ),
    Section(
        "units",
        "DynamoDB",
        "What a voice contact of 7.7 messages costs in DynamoDB, computed as its guide does, by how"
        " many of the messages come at once.",
        _units,
    ),
    Section("idle", "Idle shards", "A worker that reads shards on which nothing happens.", _idle),
    Section(
        "agents",
        "Agents before a backlog",
        f"{agents_first.DUE:,} contacts are due while {agents_first.CALLS_PER_S:g} calls a second"
        " come; Dynamics throttles.",
        _agents,
    ),
    Section(
        "desktop",
        "From ring to open record",
        "In a real Chromium, with the worker: what an agent sees, and when.",
        _desktop,
    ),
    Section(
        "sharing",
        "Shards shared with others, beside the KCL",
        f"{sharing.SHARDS} mostly idle shards, {sharing.RECORDS} records one by one; both at their"
        " defaults, with leases in the same kind of table.",
        _sharing,
    ),
)
