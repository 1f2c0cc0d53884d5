"""How fast messages become state: bringing an archive into SQLite, against parsing it with orjson.

Both work on the same batches in turns, and both are measured by what the processors did, so a busy
or slow machine changes their ratio little. How many messages of a batch are about the same contact
decides what a message costs, so there are two days: a sparse one and a dense one.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import orjson

from worker.sandbox import traffic
from worker.sources.archive import BATCH_BYTES, BATCH_MESSAGES, Archive
from worker.sources.protocol import Message
from worker.stores.sqlite import SqliteStore
from worker.telemetry import logs


#: Of the checkout that is measured, which may be older than the room of the engine.
INGEST = import_module("worker.engine.ingest" if find_spec("worker.engine") else "worker.ingest")

#: Days by name: contacts of the day, how many of its messages are taken, and the ratio asked for.
DAYS = {"sparse": (10_000, 60_000, 0.20), "dense": (100_000, 120_000, 0.15)}

#: A round has about so many messages; a day's ratio is the median of its rounds'.
ROUND_MESSAGES = 20_000


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
    ingest: Watch = field(default_factory=Watch)


@dataclass(frozen=True, slots=True)
class Ratio:
    """What was measured of one day.

    Attributes:
        day: See ``DAYS``.
        messages: How many there were.
        batch: Most messages and bytes of a batch.
        synchronous: SQLite's ``PRAGMA synchronous`` of the connection that wrote; 2 is FULL.
        cpu: Ratio of parsing to ingest, by what the processors did.
        wall: The same by the clock, which waits for the disk too.
        ingest_us: What a message costs (µs of processor).
        asked: The least ``cpu`` that is asked for.
    """

    day: str
    messages: int
    batch: tuple[int, int]
    synchronous: int
    cpu: float
    wall: float
    ingest_us: float
    asked: float


def write_day(day: str, path: Path) -> None:
    """The first messages of a day as an archive."""
    contacts, messages, _ = DAYS[day]
    traffic.write_archive(path, islice(traffic.day(1, contacts), messages))


def measure(folder: Path, days: Sequence[str] = tuple(DAYS)) -> list[Ratio]:
    """The ratio of each day; archives and states are made in the folder."""
    found = []
    for day in days:
        archive = folder / f"{day}.ndjson"
        if not archive.exists():
            write_day(day, archive)
        found.append(asyncio.run(_measured(day, archive, folder / f"{day}.sqlite")))
    return found


async def _measured(day: str, archive: Path, state: Path) -> Ratio:
    store = SqliteStore(state)
    ingest = INGEST.Ingest(store, rank=1)
    rounds = [Round()]

    async def take(batch: Sequence[Message]) -> None:
        if rounds[-1].messages >= ROUND_MESSAGES:
            rounds.append(Round())
        this = rounds[-1]
        this.messages += len(batch)
        _parse(batch)  # so that neither of the two is the first to touch these bytes
        with this.parse:
            _parse(batch)
        with this.ingest:
            await ingest.handle(batch)

    await Archive([str(archive)]).run(take, asyncio.Event())
    [synchronous] = store._writer.connection.execute("PRAGMA synchronous").fetchone()
    await store.close()
    return Ratio(
        day,
        ingest.tally.messages,
        (BATCH_MESSAGES, BATCH_BYTES),
        synchronous,
        median(this.parse.cpu_s / this.ingest.cpu_s for this in rounds),
        median(this.parse.wall_s / this.ingest.wall_s for this in rounds),
        median(this.ingest.cpu_s / this.messages for this in rounds) * 1e6,
        DAYS[day][2],
    )


def _parse(batch: Sequence[Message]) -> None:
    for message in batch:
        orjson.loads(message.body)


def line(ratio: Ratio) -> str:
    """A ratio in words."""
    messages, size = ratio.batch
    return (
        f"{ratio.day}: {ratio.cpu:.3f} by CPU (asked: {ratio.asked:.2f}), {ratio.wall:.3f} by the"
        f" clock, {ratio.ingest_us:.1f} µs a message; {ratio.messages:,} messages in batches of"
        f" {messages:,} or {size >> 20} MiB, synchronous={ratio.synchronous}"
    )


def main() -> int:
    """Print the ratios; the exit status is 1 if one is less than asked for."""
    logs.configure("warning")
    with tempfile.TemporaryDirectory(prefix="connect-dynamics-ingest-") as folder:
        found = measure(Path(folder))
    for ratio in found:
        print(line(ratio))
    return int(any(ratio.cpu < ratio.asked for ratio in found))


if __name__ == "__main__":
    sys.exit(main())
