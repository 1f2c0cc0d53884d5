"""A real worker for hours at a steady rate: does anything of it grow?

``make aging HOURS=2`` runs it. The worker is ``connect-dynamics run`` with the pipelines of all
channels, leases in DynamoDB, and its state in SQLite (or ``--state dynamodb``); kinesis-mock, moto
and a sandbox over TLS stand around it. Each stream is resharded now and then, and tokens are
short-lived. All it looks at goes into a CSV file, of which ``--table`` prints the trends, also
while it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table as Printed

from aging import trend
from aging.looks import Watched, children, cpu_s, memory
from aging.trend import Row, Table, Trend
from fleet.ground import Ground, ground
from fleet.reshard import Reshard
from fleet.services import free_port, kinesis_mock, moto
from worker.clock import run_until
from worker.sandbox.amazon.moto_server import KINESIS_BATCH, SQS_BATCH, TICK_S
from worker.sandbox.children import child
from worker.sandbox.oracle.verdict import OF_CHANNELS
from worker.sandbox.traffic import RECORDINGS, SentMessage, day


HOURS: Final = 2.0
RATE: Final = 20.0  # messages a second
SHARDS: Final = 4  # of each stream

#: Messages about a contact, transfers included (``worker.sandbox.traffic.day``).
MESSAGES: Final = 8.53

#: Between reads of an idle shard (s): kinesis-mock is no faster.
POLL_S: Final = "1"

#: What Dynamics recommends; at four, which is the sandbox's default, a busy machine is too slow.
DOP_HINT: Final = 24

EVERY_S: Final = 30.0
RESHARD_EVERY_S: Final = 600.0
TOKEN_S: Final = 900

#: Until contacts begin as fast as they end, and caches of people are warm.
WARM_S: Final = 900.0

#: Longest time (s) until the worker is up.
START_LIMIT_S: Final = 60.0

MB: Final = 1e6

#: Up to which growth in an hour a column is flat. Memory: at 8400 contacts an hour 2 MB are 240
#: bytes for each, less than the shortest fact, so nothing of a contact is kept; and a worker of
#: 120 MB stays below 512 MB for a week. What is counted wavers: its
#: slope is known to about half of these.
BOUNDS: Final[Mapping[str, float]] = {
    "rss": 2 * MB,
    "private": 2 * MB,
    "fds": 3,
    "threads": 1,
    "tasks": 5,
    "objects": 8000,  # one a contact
    "series": 10,
    "wal": 1 * MB,
    "due": 20,
    "parked": 2,
    "lag_s": 1,
    "leases": 2,
}

#: What one contact adds to the state may differ between quarters by so much.
EVEN: Final = 0.10

COLUMNS: Final = (
    trend.TIME,
    *BOUNDS,
    *("messages", "contacts", "quarantined", "oldest_due_s", "state", "items", "page", "log"),
    *("cpu_s", "requests", "kinesis_rss", "moto_rss", "harness_rss", "kinesis_cpu_s"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """How it is run.

    Attributes:
        hours: How long.
        rate: Messages a second.
        state: ``sqlite`` or ``dynamodb``.
        every_s: Between two looks.
        out: The folder for the CSV file, logs and state.
    """

    hours: float
    rate: float
    state: str
    every_s: float
    out: Path


async def run(options: Options) -> Path:
    """Run a worker and look at it; the CSV file."""
    path = options.out / "looks.csv"
    begin = time.monotonic()
    async with (
        moto() as aws_url,
        kinesis_mock() as kinesis_url,
        ground(
            options.out,
            kinesis_url=kinesis_url,
            aws_url=aws_url,
            shards=SHARDS,
            pipelines=OF_CHANNELS,
            dop_hint=DOP_HINT,
        ) as under,
        _worker(under, options) as watched,
    ):
        under.dataverse.tokens.expires_in_s = TOKEN_S
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(options.hours * 3600, over.set)
        with path.open("w", encoding="ascii") as file:
            table = Table(file, COLUMNS)
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(_tell(under, options))
                group.create_task(_reshard(under, over))
                while not over.is_set():
                    table.add({trend.TIME: time.monotonic() - begin, **await _look(under, watched)})
                    await run_until(over, asyncio.sleep(options.every_s))
                telling.cancel()
    return path


@asynccontextmanager
async def _worker(under: Ground, options: Options) -> AsyncIterator[Watched]:
    """The process, once its metrics page answers."""
    told, log, port = options.out / "told.json", options.out / "worker.log", free_port()
    state = options.out / "state.sqlite" if options.state == "sqlite" else None
    environment = {
        **under.environment,
        "CONNECT_DYNAMICS_METRICS": f"127.0.0.1:{port}",
        "CONNECT_DYNAMICS_POLL_S": POLL_S,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    if state:
        environment["CONNECT_DYNAMICS_STATE"] = f"sqlite:{state}"
    command = [sys.executable, "-m", "aging.watched", str(told), "run"]
    with log.open("wb") as errors:
        async with child(command, environment, stderr=errors) as process:
            watched = Watched(process.pid, told, f"http://127.0.0.1:{port}/metrics", log, state)
            async with asyncio.timeout(START_LIMIT_S):
                while b"telemetry.listening" not in log.read_bytes():  # noqa: ASYNC110 - only its log tells
                    await asyncio.sleep(TICK_S)
            yield watched


async def _tell(under: Ground, options: Options) -> None:
    """Contacts at their true speed, until cancelled."""
    seconds = options.hours * 3600 + WARM_S
    contacts = int(seconds * options.rate / MESSAGES)
    traffic = day(1, contacts, start=datetime.now(UTC), span_s=seconds)
    begin = time.monotonic()
    async with asyncio.TaskGroup() as puts:  # a slow stand-in is not to slow the others down
        for tick, messages in groupby(traffic, key=lambda message: int(message.at_s / TICK_S)):
            await asyncio.sleep(max(0.0, begin + tick * TICK_S - time.monotonic()))
            puts.create_task(_put(under, list(messages)))


async def _put(under: Ground, messages: Sequence[SentMessage]) -> None:
    for name, stream in under.streams.items():
        for batch in _slices([m for m in messages if m.stream == name], KINESIS_BATCH):
            records = [{"Data": m.body, "PartitionKey": m.contact_id} for m in batch]
            await under.kinesis.put_records(StreamName=stream, Records=records)
    for batch in _slices([m for m in messages if m.stream == RECORDINGS], SQS_BATCH):
        entries = [{"Id": str(n), "MessageBody": m.body.decode()} for n, m in enumerate(batch)]
        await under.sqs.send_message_batch(QueueUrl=under.queue_url, Entries=entries)


def _slices(messages: Sequence[SentMessage], size: int) -> Iterator[Sequence[SentMessage]]:
    return (messages[at : at + size] for at in range(0, len(messages), size))


async def _reshard(under: Ground, over: asyncio.Event) -> None:
    """Split a shard of each stream, then merge the two, again and again."""
    resharding = [Reshard(under.kinesis, stream) for stream in under.streams.values()]
    while not over.is_set():
        await run_until(over, asyncio.sleep(RESHARD_EVERY_S))
        for one in resharding:
            shards = await one.open()
            if len(shards) > SHARDS:
                await one.merge(shards[0], shards[1])
            else:
                await one.split(shards[0])


async def _look(under: Ground, watched: Watched) -> dict[str, float]:
    leases = [len(await table.scan()) for table in under.leases.values()]
    return {
        **await watched.look(),
        **await _others(),
        "leases": sum(leases),
        "requests": under.dataverse.requests,
        "items": await _items(under),
    }


async def _items(under: Ground) -> int:
    """Items in the state's table."""
    counts = await under.store.counts(time.time())
    return counts.contacts + counts.quarantined


async def _others() -> dict[str, float]:
    """Memory of what stands around the worker, which is their own business."""
    found: dict[str, float] = {"harness_rss": memory(os.getpid())["rss"]}
    for pid, command in children(os.getpid()).items():
        if "fleet.moto" in command:
            found["moto_rss"] = memory(pid)["rss"]
        elif "main.js" in command:
            found |= {"kinesis_rss": memory(pid)["rss"], "kinesis_cpu_s": cpu_s(pid)}
    return found


# --- what came of it ---


def warm(rows: Sequence[Row], warm_s: float = WARM_S) -> Sequence[Row]:
    """The rows once it is warm; all if it never is."""
    return [row for row in rows if row[trend.TIME] >= warm_s] or rows


def trends(rows: Sequence[Row]) -> list[Trend]:
    """The trends of all that must stay flat."""
    return [
        trend.trend(rows, name, bound)
        for name, bound in BOUNDS.items()
        if sum(name in row for row in rows) > 2
    ]


def bytes_per_contact(rows: Sequence[Row]) -> list[float]:
    """What each contact added to the SQLite file, by quarters; nothing if there is none."""
    counted = [row for row in rows if {"state", "contacts"} <= set(row)]
    return trend.per_step(counted, "state", "contacts", 4) if len(counted) > 4 else []


def even(steps: Sequence[float]) -> bool:
    """Whether no later quarter adds more a contact than the first, but for ``EVEN``."""
    return all(step <= steps[0] * (1 + EVEN) for step in steps)


def report(rows: Sequence[Row]) -> Printed:
    """The table of trends."""
    minutes = (rows[-1][trend.TIME] - rows[0][trend.TIME]) / 60
    title = f"{minutes:.0f} minutes, {rows[-1].get('messages', 0):,.0f} messages"
    printed = Printed("", "first", "last", "greatest", "an hour", "flat up to", "", title=title)
    for one in trends(rows):
        unit = MB if one.bound >= MB else 1.0
        name = f"{one.name}, MB" if unit == MB else one.name
        numbers = (f"{value / unit:,.1f}" for value in (one.first, one.last, one.greatest))
        slope = f"{one.per_hour / unit:+,.2f} ± {one.error / unit:,.2f}"
        verdict = "flat" if one.flat else "GROWS"
        printed.add_row(name, *numbers, slope, f"{one.bound / unit:g}", verdict)
    if steps := bytes_per_contact(rows):
        told = ", ".join(f"{step:,.0f}" for step in steps)
        verdict = "flat" if even(steps) else "GROWS"
        printed.add_row("state, bytes a contact", "", "", "", told, f"+{EVEN:.0%}", verdict)
    return printed


def flat(rows: Sequence[Row]) -> bool:
    """Whether nothing grows."""
    return all(one.flat for one in trends(rows)) and even(bytes_per_contact(rows) or [0.0])


def main() -> int:
    """Run it, or print the table of a run; 1 if something grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=HOURS)
    parser.add_argument("--rate", type=float, default=RATE, help="messages a second")
    parser.add_argument("--state", choices=("sqlite", "dynamodb"), default="sqlite")
    parser.add_argument("--every", type=float, default=EVERY_S, help="seconds between two looks")
    parser.add_argument("--out", type=Path, help="a folder that is not there yet")
    parser.add_argument("--table", type=Path, help="print the trends of this CSV file")
    parser.add_argument("--warm", type=float, default=WARM_S, help="seconds that do not count")
    told = parser.parse_args()
    if not (path := told.table):
        out = told.out or Path(f"/tmp/connect-dynamics-aging-{int(time.time())}")
        out.mkdir(parents=True)
        print(f"looks go to {out / 'looks.csv'}", flush=True)
        path = asyncio.run(run(Options(told.hours, told.rate, told.state, told.every, out)))
    rows = warm(trend.read(path), told.warm)
    Console().print(report(rows))
    return 0 if flat(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
