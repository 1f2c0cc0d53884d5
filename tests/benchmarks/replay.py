"""What a replay costs: memory, whatever the archive's size, and requests to Dynamics."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import orjson

from tests.benchmarks.figure import Bar, Figure
from worker.commands.replay import Options, replay
from worker.definitions import find
from worker.engine.ingest import Ingest
from worker.sandbox import traffic
from worker.settings import load_settings
from worker.sources.archive import Archive
from worker.stores.sqlite import SqliteStore
from worker.telemetry import logs


#: Messages in the large and in the small archive: peak memory must not tell them apart.
LARGE = 200_000
SMALL = 20_000

#: Contacts a day's messages come from: five messages each, as ``traffic.day`` tells them.
MESSAGES_PER_CONTACT = 5

#: Answered calls replayed into an empty Dynamics.
CALLS = 500

#: What is asked for.
MOST_BYTES = 150_000_000
MOST_REQUESTS = 2.0


def write_day(path: Path, messages: int) -> None:
    """An archive of this many messages, interleaved as a day brings them."""
    day = traffic.day(1, max(1, messages // MESSAGES_PER_CONTACT))
    traffic.write_archive(path, islice(day, messages))


def write_calls(path: Path, calls: int) -> None:
    """An archive of this many answered calls, all of them complete."""
    told = (traffic.history("voice_inbound", Random(seed)) for seed in range(calls))
    traffic.write_archive(path, (sent for call in told for sent in call.sent))


# --- measured in a process of its own ---


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
    options = Options((str(archive),), (find("phonecall"),), dynamics="sandbox")
    report = await replay(options, load_settings())
    requests = report.requests - report.lookups
    return {"messages": report.events, "contacts": report.contacts, "requests": requests}


WORK = {"ingest": ingest_all, "replay": replay_all}


def child(work: str, archive: Path) -> dict[str, int]:
    """Do one of ``WORK`` in a process of its own: what it says, and ``peak`` memory (bytes)."""
    command = [sys.executable, "-m", "tests.benchmarks.replay", work, str(archive)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    said: dict[str, int] = orjson.loads(done.stdout)
    return said


def peak_bytes() -> int:
    """The most memory this process ever had (Linux)."""
    # Not getrusage: its maximum is inherited from the process that started this one (proc(5)).
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def serve(work: str, archive: Path) -> None:
    """What ``child`` starts: print what came of the work."""
    logs.configure("warning")
    said = asyncio.run(WORK[work](archive))
    sys.stdout.buffer.write(orjson.dumps(said | {"peak": peak_bytes()}))


# --- the table ---


def figures(
    folder: Path, large: int = LARGE, small: int = SMALL, calls: int = CALLS
) -> Iterator[Figure]:
    """Measure everything; archives and state go into the folder."""
    days = {size: folder / f"{size}.ndjson" for size in (small, large)}
    for size, path in days.items():
        write_day(path, size)
    complete = folder / "calls.ndjson"
    write_calls(complete, calls)
    taken = {f"{size:,} messages": child("ingest", path)["peak"] for size, path in days.items()}
    yield _memory("peak memory of ingest", taken)
    replayed = child("replay", complete)
    yield _memory("peak memory of a replay", {f"{calls:,} calls": replayed["peak"]})
    each = replayed["requests"] / replayed["contacts"]
    yield Figure(
        "requests per complete call, lookups aside",
        f"{each:.2f}",
        f"<= {MOST_REQUESTS:.0f}",
        each <= MOST_REQUESTS,
    )


def _memory(name: str, peaks: dict[str, int]) -> Figure:
    bars = tuple(Bar(of, f"{peak / 1e6:.0f} MB", peak) for of, peak in peaks.items())
    met = max(peaks.values()) < MOST_BYTES
    return Figure(name, "", f"< {MOST_BYTES / 1e6:.0f} MB", met, bars=bars)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
