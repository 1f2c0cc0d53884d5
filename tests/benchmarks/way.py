"""How fast the way to Dynamics is, and what it costs: replayed calls, and `run` on paced messages.

``PYTHONPATH=tests/support:. python -m tests.benchmarks.way`` measures this checkout;
``--against FOLDER`` another one as well, which has its own ``.venv``, in turns, so that both meet
the same machine. Dynamics is a stub that answers after 50 ms (``stub_dynamics``), Kinesis is
kinesis-mock with two streams of two shards, the state is in SQLite. Only the worker's own process
counts as its CPU. Pipelines that ship by one name may differ between checkouts: ``--pipeline FILE``
gives all the same. Ratios are to the other checkout's; figures are aims: to miss one is no failure.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import tempfile
import time

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from fleet.ground import inherited, local_client, settled
from fleet.services import free_port, kinesis_mock
from pipelines.identity import record_id
from stub_dynamics import Seen, StubDynamics, stub
from worker.sandbox import traffic
from worker.sandbox.amazon.moto_server import CREDENTIALS
from worker.sandbox.children import child


#: Of this checkout and others.
HERE: Final = Path(__file__).parents[2]

DELAY_MS: Final = 50.0
SHARDS: Final = 2

#: So long (s) a call takes, and so long pauses what comes after it.
CALL_S: Final = 10.0
AFTER_S: Final = 2.0

#: Messages due within so long (s) of each other go together.
TICK_S: Final = 0.05

#: A run is over when Dynamics heard nothing for so long (s), or after the limit.
QUIET_S: Final = 3.0
LIMIT_S: Final = 240.0

#: Where a process's user and system time stand in /proc/<pid>/stat after its command (proc(5)).
TICKS: Final = slice(11, 13)


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout with its own virtual environment.

    Attributes:
        name: How it is called in the table.
        folder: Where it is.
    """

    name: str
    folder: Path

    def command(self, *arguments: str) -> list[str]:
        """The command line of its ``connect-dynamics``, whatever PYTHONPATH this process has."""
        program = self.folder / ".venv/bin/connect-dynamics"
        return [str(self.folder / ".venv/bin/python"), "-E", str(program), *arguments]


@dataclass(frozen=True, slots=True)
class Put:
    """A message of a contact, and when it was put (``time.monotonic()``)."""

    contact_id: str
    at: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay of complete calls took.

    Attributes:
        rate: Requests per second, from the first to the last.
        cpu_ms: Of the process, per contact, start and ingest among it.
        requests: Per contact.
    """

    rate: float
    cpu_ms: float
    requests: float


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run took.

    Attributes:
        contacts: How many were told of.
        cpu_s: Of the process, per 1000 contacts, from the first message until all was written.
        first_s: From a contact's first message to the first request about it, each.
        last_s: From its last message to the last request about it, each.
        requests: Per contact.
        resident: Bytes, at the end.
        lost: Contacts without a row.
        doubled: Rows beyond one for each contact.
    """

    contacts: int
    cpu_s: float
    first_s: list[float]
    last_s: list[float]
    requests: float
    resident: int
    lost: int
    doubled: int


# --- messages ---


def calls(count: int) -> Iterator[traffic.History]:
    """Answered calls, complete."""
    return (traffic.history("voice_inbound", Random(seed)) for seed in range(count))


def paced(rate: float, seconds: float, start: datetime) -> list[traffic.SentMessage]:
    """Calls that begin evenly, so many that about ``rate`` messages come in a second.

    What comes after a call follows it soon: its record, changes of attributes. Nobody tells of
    recordings: that is another source's.
    """
    told: list[traffic.SentMessage] = []
    at_s = 0.0
    for seed in range(1_000_000):
        begin = start + timedelta(seconds=at_s)
        call = traffic.history("voice_inbound", Random(seed), begin, within_s=CALL_S)
        sent = [one for one in call.sent if one.stream != traffic.RECORDINGS]
        late = 0
        for one in sent:
            late += one.at_s > CALL_S
            after_s = CALL_S + AFTER_S * late if late else one.at_s
            told.append(one._replace(at_s=at_s + after_s))
        at_s += len(sent) / rate
        if at_s >= seconds:
            break
    return sorted(told, key=lambda one: one.at_s)


async def put_paced(
    kinesis: Any, streams: dict[str, str], told: Sequence[traffic.SentMessage]
) -> list[Put]:
    """Put each message at its time, counted from now; when each was put."""
    puts: list[Put] = []
    began = time.monotonic()
    for tick, due in groupby(told, key=lambda one: int(one.at_s / TICK_S)):
        await asyncio.sleep(max(0.0, began + (tick + 1) * TICK_S - time.monotonic()))
        together = list(due)
        at = time.monotonic()
        puts += [Put(one.contact_id, at) for one in together]
        await asyncio.gather(
            *(_put(kinesis, streams[name], together, name) for name in streams),
        )
    return puts


async def _put(kinesis: Any, stream: str, sent: list[traffic.SentMessage], name: str) -> None:
    records = [
        {"Data": one.body, "PartitionKey": one.contact_id} for one in sent if one.stream == name
    ]
    if records:
        await kinesis.put_records(StreamName=stream, Records=records)


# --- what came of it ---


def waits(
    puts: Sequence[Put], requests: Sequence[Seen], row: Callable[[str], str]
) -> tuple[list[float], list[float]]:
    """Seconds from each contact's first put to its first request, and from last to last.

    Args:
        puts: What was put.
        requests: What the stub saw.
        row: The key of a contact's row.
    """
    first_put: dict[str, float] = {}
    last_put: dict[str, float] = {}
    for put in puts:
        key = row(put.contact_id).lower()
        first_put.setdefault(key, put.at)
        last_put[key] = put.at
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for seen in requests:
        first.setdefault(seen.key, seen.at)
        last[seen.key] = seen.at
    return (
        [first[key] - at for key, at in first_put.items() if key in first],
        [last[key] - at for key, at in last_put.items() if key in last],
    )


def cpu_s(pid: int) -> float:
    """What a process has computed so far (s)."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    ticks = map(int, stat.rpartition(")")[2].split()[TICKS])
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """The memory (bytes) that a process has."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


# --- the two kinds of work ---


async def replayed(checkout: Checkout, archive: Path, count: int) -> Replayed:
    """Replay an archive of so many complete calls into an empty stub."""
    async with stub(delay_ms=DELAY_MS) as dynamics:
        arguments = ["replay", str(archive), "--dynamics", dynamics.url, "--report", "json"]
        environment = {**inherited(), **dynamics.settings, "CONNECT_DYNAMICS_LOG_LEVEL": "info"}
        spent_s = await asyncio.to_thread(_spent_s, checkout.command(*arguments), environment)
        seen = await dynamics.requests()
    writes = [one for one in seen if one.method != "GET"]
    return Replayed(
        (len(writes) - 1) / (writes[-1].at - writes[0].at),
        spent_s / count * 1000,
        len(writes) / count,
    )


def _spent_s(command: list[str], environment: dict[str, str]) -> float:
    """What a command computed (s) until it ended."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        _, process.returncode, usage = os.wait4(process.pid, 0)
        if process.returncode:
            log.seek(0)
            raise RuntimeError(log.read().decode()[-2000:])
    return usage.ru_utime + usage.ru_stime


@asynccontextmanager
async def streams_on(url: str) -> AsyncIterator[tuple[Any, dict[str, str]]]:
    """A client of a Kinesis, and two new streams: their names, by what ``traffic`` calls them."""
    client = local_client("kinesis", url)
    async with client as kinesis:
        names = {}
        for name in (traffic.EVENTS, traffic.RECORDS):
            names[name] = f"{name}-{time.monotonic_ns()}"
            await kinesis.create_stream(StreamName=names[name], ShardCount=SHARDS)
            await settled(kinesis, names[name])
        yield kinesis, names
        for stream in names.values():
            await kinesis.delete_stream(StreamName=stream)


async def ran(
    checkout: Checkout, kinesis_url: str, rate: float, seconds: float, pipeline: str = "phonecall"
) -> Ran:
    """Let a worker run on new streams while calls are told of."""
    async with (
        streams_on(kinesis_url) as (kinesis, streams),
        stub(delay_ms=DELAY_MS) as dynamics,
    ):
        with tempfile.TemporaryDirectory(prefix="way-") as folder:
            environment = run_environment(dynamics, kinesis_url, streams, Path(folder), pipeline)
            with tempfile.TemporaryFile() as log:
                async with child(checkout.command("run"), environment, stderr=log) as worker:
                    await _begun(kinesis, streams, dynamics)
                    before_s = cpu_s(worker.pid)
                    told = paced(rate, seconds, datetime.now(UTC))
                    puts = await put_paced(kinesis, streams, told)
                    await quiet(dynamics)
                    spent_s, memory = cpu_s(worker.pid) - before_s, resident(worker.pid)
        seen, rows = await dynamics.requests(), await dynamics.rows()
    contacts = {put.contact_id for put in puts}
    first_s, last_s = waits(puts, seen, row_of)
    return Ran(
        len(contacts),
        spent_s / len(contacts) * 1000,
        first_s,
        last_s,
        len(seen) / len(contacts),
        memory,
        len({f"phonecalls({row_of(one)})" for one in contacts} - rows.keys()),
        len(rows) - len(contacts),
    )


def run_environment(
    dynamics: StubDynamics,
    kinesis_url: str,
    streams: dict[str, str],
    folder: Path,
    pipeline: str = "phonecall",
) -> dict[str, str]:
    """What a worker needs to read the streams, with its state in the folder."""
    return {
        **inherited(),
        **CREDENTIALS,
        **dynamics.settings,
        "AWS_ENDPOINT_URL": kinesis_url,
        "CONNECT_DYNAMICS_CONTACT_EVENTS": streams[traffic.EVENTS],
        "CONNECT_DYNAMICS_CONTACT_RECORDS": streams[traffic.RECORDS],
        "CONNECT_DYNAMICS_CONTACT_EVENTS_START": "earliest",
        "CONNECT_DYNAMICS_CONTACT_RECORDS_START": "earliest",
        "CONNECT_DYNAMICS_STATE": f"sqlite:{folder / 'state.sqlite'}",
        "CONNECT_DYNAMICS_PIPELINES": pipeline,
        "CONNECT_DYNAMICS_METRICS": f"127.0.0.1:{free_port()}",
    }


def row_of(contact_id: str) -> str:
    """The key of a call's row, as the shipped pipeline has it."""
    return record_id(contact_id, "phonecall", "STEP2")


async def _begun(kinesis: Any, streams: dict[str, str], dynamics: StubDynamics) -> None:
    """Wait until the worker writes: calls that begin before it does are not its own."""
    async with asyncio.timeout(LIMIT_S):
        seed = 1_000_000
        while not await dynamics.count():
            call = traffic.history("voice_inbound", Random(seed), datetime.now(UTC), within_s=9.0)
            await put_paced(kinesis, streams, [call.sent[0]._replace(at_s=0.0)])
            await asyncio.sleep(1.0)
            seed += 1
    await asyncio.sleep(QUIET_S)
    await dynamics.forget()


async def quiet(dynamics: StubDynamics) -> None:
    """Wait until Dynamics hears nothing any more."""
    async with asyncio.timeout(LIMIT_S):
        before = -1
        while (now := await dynamics.count()) != before:
            before = now
            await asyncio.sleep(QUIET_S)


# --- the table ---


@dataclass(slots=True)
class Figures:
    """All turns of one checkout."""

    replays: list[Replayed] = field(default_factory=list)
    runs: dict[float, list[Ran]] = field(default_factory=dict)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which so many per cent are."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def rows(figures: Figures) -> Iterator[tuple[str, float, str]]:
    """Name, value (median of the turns) and format of each line."""
    if figures.replays:
        yield "replay: requests/s", median(one.rate for one in figures.replays), ".0f"
        yield "replay: CPU ms/contact", median(one.cpu_ms for one in figures.replays), ".2f"
        yield "replay: requests/contact", median(one.requests for one in figures.replays), ".2f"
    for rate, turns in figures.runs.items():
        name = f"run, {rate:g} messages/s:"
        yield f"{name} CPU s/1000 contacts", median(one.cpu_s for one in turns), ".1f"
        for what in ("first", "last"):
            for percent in (50, 99):
                each = [percentile(getattr(one, f"{what}_s"), percent) for one in turns]
                yield f"{name} {what} p{percent} s", median(each), ".2f"
        yield f"{name} requests/contact", median(one.requests for one in turns), ".2f"
        yield f"{name} resident MB", median(one.resident for one in turns) / 1e6, ".0f"
        yield f"{name} lost, worst", max(one.lost for one in turns), "d"
        yield f"{name} doubled, worst", max(one.doubled for one in turns), "d"


def table(found: dict[str, Figures]) -> Table:
    """All checkouts side by side, with the ratio of the first to each other."""
    first, *others = found
    shown = Table("figure", first, *(head for other in others for head in (other, "ratio")))
    lines = [list(rows(figures)) for figures in found.values()]
    for line in zip(*lines, strict=True):
        (name, value, form), *rest = line
        cells = [format(value, form)]
        for _, other, _ in rest:
            cells += [format(other, form), f"{value / other:.2f}" if other else ""]
        shown.add_row(name, *cells)
    return shown


async def measure(checkouts: Sequence[Checkout], told: argparse.Namespace) -> dict[str, Figures]:
    """Everything, in turns."""
    found = {checkout.name: Figures() for checkout in checkouts}
    with tempfile.TemporaryDirectory(prefix="way-") as folder:
        archive = Path(folder, "calls.ndjson")
        sent = (one for call in calls(told.calls) for one in call.sent)
        traffic.write_archive(archive, sent)
        for _ in range(told.turns if told.calls else 0):
            for checkout in checkouts:
                one = await replayed(checkout, archive, told.calls)
                print(checkout.name, one, flush=True)
                found[checkout.name].replays.append(one)
    rates = [float(rate) for rate in told.rates.split(",") if rate]
    async with kinesis_mock() as url:
        for rate in rates:
            for _ in range(told.turns):
                for checkout in checkouts:
                    run = await ran(checkout, url, rate, told.seconds, told.pipeline)
                    found[checkout.name].runs.setdefault(rate, []).append(run)
                    p50, p99 = percentile(run.first_s, 50), percentile(run.first_s, 99)
                    said = f"{run.cpu_s:.1f} s/1000, first {p50:.2f}/{p99:.2f} s, lost {run.lost}"
                    print(checkout.name, f"{rate:g}/s:", said, flush=True)
    return found


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="See the docstring of tests/benchmarks/way.py.")
    parser.add_argument("--against", type=Path, action="append", default=[])
    parser.add_argument(
        "--pipeline",
        default="phonecall",
        help="of a run; a file is the same for all, what ships by that name may differ",
    )
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rates", default="20,200", help="messages/s; empty: no run")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--calls", type=int, default=1000, help="0: no replay")
    told = parser.parse_args()
    others = [Checkout(folder.name, folder.resolve()) for folder in told.against]
    found = asyncio.run(measure([Checkout("here", HERE), *others], told))
    Console(width=140).print(table(found))


if __name__ == "__main__":
    main()
