"""The benchmark: how fast messages become state, and what a replay costs. ``make bench`` runs it.

Speeds are ratios to what parsing the same messages alone takes, measured in turns on the same
batches, so a busy or slow machine changes them little. Exit status 1: a figure asked for is missed.
"""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
import tempfile

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, process_time

import orjson

from rich.console import Console
from rich.table import Table

from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.fact import Fact
from pipelines.plan import Terms, plan
from tests.benchmarks.figure import Figure
from worker.commands.replay import Options, replay
from worker.definitions import find
from worker.engine.ingest import Ingest
from worker.sandbox import traffic
from worker.settings import load_settings
from worker.sources.archive import BATCH_MESSAGES, Archive
from worker.sources.protocol import Message
from worker.stores.sqlite import SqliteStore
from worker.telemetry import logs


#: Messages in the large and in the small archive: peak memory must not tell them apart.
LARGE = 200_000
SMALL = 20_000

#: Contacts a day's messages come from: five messages each, as ``traffic.day`` tells them.
MESSAGES_PER_CONTACT = 5

#: Batches in one round; the ratio printed is the median of the rounds'.
ROUND_BATCHES = 20

#: Answered calls replayed into an empty Dynamics.
CALLS = 500

#: What is asked for.
LEAST_RATIO = 0.10
AIMED_RATIO = 0.25
MOST_BYTES = 150_000_000
MOST_REQUESTS = 2.0


@dataclass(slots=True)
class Watch:
    """Adds up the time (s) spent inside ``with``: by the clock, and of the processors."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    def __enter__(self) -> None:
        self.wall_s -= perf_counter()
        self.cpu_s -= process_time()

    def __exit__(self, *_: object) -> None:
        self.wall_s += perf_counter()
        self.cpu_s += process_time()


@dataclass(slots=True)
class Round:
    """What the same messages took."""

    messages: int = 0
    parse: Watch = field(default_factory=Watch)
    decode: Watch = field(default_factory=Watch)
    ingest: Watch = field(default_factory=Watch)


# --- the messages ---


def write_day(path: Path, messages: int) -> None:
    """An archive of this many messages, interleaved as a day brings them."""
    day = traffic.day(1, max(1, messages // MESSAGES_PER_CONTACT))
    traffic.write_archive(path, islice(day, messages))


def write_calls(path: Path, calls: int) -> None:
    """An archive of this many answered calls, all of them complete."""
    traffic.write_archive(path, (sent for call in _calls(calls) for sent in call.sent))


def _calls(count: int) -> Iterator[traffic.History]:
    return (traffic.history("voice_inbound", Random(seed)) for seed in range(count))


def _batches(path: Path) -> Iterator[list[Message]]:
    """The archive's messages, in batches as ``Archive`` makes them."""
    with path.open("rb") as lines:
        while batch := [Message(line, path.name) for line in islice(lines, BATCH_MESSAGES)]:
            yield batch


# --- speed ---


async def speed(archive: Path, state: Path) -> list[Round]:
    """Parse, decode and ingest an archive batch by batch, each in its turn."""
    store = SqliteStore(state)
    ingest = Ingest(store, rank=1)
    rounds: list[Round] = []
    for number, batch in enumerate(_batches(archive)):
        if number % ROUND_BATCHES == 0:
            rounds.append(Round())
        this = rounds[-1]
        this.messages += len(batch)
        _parse(batch)  # so that none of the three is the first to touch these bytes
        with this.parse:
            _parse(batch)
        with this.decode:
            _decode(batch)
        with this.ingest:
            await ingest.handle(batch)
    await store.close()
    return rounds


def _parse(batch: Iterable[Message]) -> None:
    for message in batch:
        orjson.loads(message.body)


def _decode(batch: Iterable[Message]) -> None:
    for message in batch:
        decode(message.body)


def speeds(rounds: list[Round]) -> list[Figure]:
    """The rounds as ratios to parsing."""
    ratios = [this.parse.wall_s / this.ingest.wall_s for this in rounds]
    parse_us = median(this.parse.wall_s / this.messages for this in rounds) * 1e6
    decoded = median(this.parse.wall_s / this.decode.wall_s for this in rounds)
    cpu = median(this.parse.cpu_s / this.ingest.cpu_s for this in rounds)
    return [
        Figure("parse with orjson alone", f"1.00 ({parse_us:.1f} µs)"),
        Figure("decode", f"{decoded:.2f}"),
        Figure(
            f"decode + fold + SQLite, {sum(this.messages for this in rounds):,} messages",
            f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
            f">= {LEAST_RATIO:.2f}, aim {AIMED_RATIO:.2f}",
            median(ratios) >= LEAST_RATIO,
        ),
        Figure("the same without waiting for the disk (CPU)", f"{cpu:.3f}"),
    ]


def planning(calls: int) -> list[Figure]:
    """What planning costs, for complete calls and the shipped pipeline."""
    pipelines = [find("phonecall")]
    spent_s, read_s = [], []
    for data in _stored_calls(calls):
        began = perf_counter()
        contact = Contact.from_bytes("", data)
        for _ in contact.facts.values():
            pass  # reads it
        read = perf_counter()
        plan(contact, pipelines, float("inf"), Terms())
        spent_s.append(perf_counter() - read)
        read_s.append(read - began)
    return [
        Figure("plan + render, per complete contact", f"{median(spent_s) * 1e6:.0f} µs"),
        Figure("reading it from its stored bytes", f"{median(read_s) * 1e6:.0f} µs"),
    ]


def _stored_calls(calls: int) -> list[bytes]:
    stored = []
    for call in _calls(calls):
        contact = Contact(call.contacts[0].id)
        for sent in call.sent:
            for fact in decode(sent.body):
                if isinstance(fact, Fact):
                    contact.observe(fact)
        stored.append(contact.to_bytes())
    return stored


# --- what a replay costs, measured in a process of its own ---


async def ingest_all(archive: Path) -> dict[str, int]:
    """Bring an archive into SQLite, nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder, "state.sqlite"))
        ingest = Ingest(store, rank=1)
        await Archive([str(archive)]).run(ingest.handle, asyncio.Event())
        await store.close()
    return {"messages": ingest.tally.messages}


async def replay_all(archive: Path) -> dict[str, int]:
    """The whole of ``connect-dynamics replay`` into an empty sandbox."""
    options = Options((str(archive),), (find("phonecall"),))
    report = await replay(options, load_settings())
    requests = report.requests - report.lookups
    return {"messages": report.events, "contacts": report.contacts, "requests": requests}


WORK = {"ingest": ingest_all, "replay": replay_all}


def child(work: str, archive: Path) -> dict[str, int]:
    """Do one of ``WORK`` in a process of its own: what it says, and ``peak`` memory (bytes)."""
    command = [sys.executable, __file__, work, str(archive)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    said: dict[str, int] = orjson.loads(done.stdout)
    return said


def peak_bytes() -> int:
    """The most memory this process ever had (Linux)."""
    # Not getrusage: its maximum is inherited from the process that started this one (proc(5)).
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def memory(work: str, archive: Path) -> Figure:
    """Peak memory of some work on an archive."""
    said = child(work, archive)
    return Figure(
        f"peak memory, {work} of {said['messages']:,} messages",
        f"{said['peak'] / 1e6:.0f} MB",
        f"< {MOST_BYTES / 1e6:.0f} MB",
        said["peak"] < MOST_BYTES,
    )


def requests(archive: Path) -> Figure:
    """Requests per complete contact replayed into an empty Dynamics."""
    said = child("replay", archive)
    each = said["requests"] / said["contacts"]
    return Figure(
        f"requests per complete contact, {said['contacts']:,} contacts, lookups aside",
        f"{each:.2f}",
        f"<= {MOST_REQUESTS:.0f}",
        each <= MOST_REQUESTS,
    )


# --- all of it ---


def figures(folder: Path, large: int, small: int, calls: int) -> Iterator[Figure]:
    """Measure everything; archives and state go into the folder."""
    archives = {size: folder / f"{size}.ndjson" for size in (small, large)}
    for size, path in archives.items():
        write_day(path, size)
    complete = folder / "calls.ndjson"
    write_calls(complete, calls)
    yield from speeds(asyncio.run(speed(archives[large], folder / "state.sqlite")))
    yield from planning(calls)
    yield from (memory("ingest", path) for path in archives.values())
    yield memory("replay", complete)
    yield requests(complete)


def main() -> int:
    """Print the table; the exit status."""
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    table = Table("figure", "measured", "asked", "", title=f"connect-dynamics on {machine}")
    missed = False
    with tempfile.TemporaryDirectory(prefix="connect-dynamics-bench-") as folder:
        for figure in figures(Path(folder), LARGE, SMALL, CALLS):
            verdict = {None: "", True: "met", False: "missed"}[figure.met]
            table.add_row(figure.name, figure.value, figure.asked, verdict)
            missed = missed or figure.met is False
    Console().print(table)
    return int(missed)


def serve(work: str, archive: Path) -> None:
    """What ``child`` starts: print what came of the work."""
    logs.configure("warning")
    said = asyncio.run(WORK[work](archive))
    sys.stdout.buffer.write(orjson.dumps(said | {"peak": peak_bytes()}))


if __name__ == "__main__":
    if sys.argv[1:]:
        serve(sys.argv[1], Path(sys.argv[2]))
    else:
        sys.exit(main())
