"""A very large replay: does it end as fast as it begins, and in the same memory?

``make volume`` runs it. The contacts are complete: each one's contact record, which proves its
whole course, or with ``--events`` all that is sent about it. The archive is generated while it is
written. The real ``replay`` takes it into SQLite, so that all contacts are due at
once, and drains them into a Dynamics that accepts everything at once and keeps nothing. What it has
done so far stands in ``progress.ndjson``, line by line.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from collections.abc import AsyncIterator, Container, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from re import Match
from typing import BinaryIO, Final
from uuid import UUID, uuid5

import orjson
import pytest

from rich.console import Console
from rich.table import Table

from worker.commands import replay as command
from worker.commands.replay import Options
from worker.commands.target import Target, Way
from worker.definitions import find
from worker.dynamics.dry import DryRun
from worker.dynamics.gate import make_gate
from worker.dynamics.protocol import Answer, Request
from worker.files import MemoryFiles
from worker.sandbox.traffic import RECORDS, SentMessage, day, write_archive
from worker.settings import Settings
from worker.telemetry import logs


CONTACTS: Final = 1_000_000

#: Contacts of one invented hour, transfers not counted.
AN_HOUR: Final = 1000

_ID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: Requests and messages between two lines of progress.
REQUESTS: Final = 1000
MESSAGES: Final = 10_000

#: A later quarter may cost so much more a contact than the first.
MOST_GROWTH: Final = 1.15

#: What peak memory is to stay below, whatever the size (bytes).
MOST_BYTES: Final = 200_000_000

INGEST: Final = "ingest"
DRAIN: Final = "drain"


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of progress.

    Attributes:
        phase: ``ingest`` or ``drain``.
        count: Messages taken in, or requests sent.
        wall_s: Seconds since the replay began.
        cpu_s: Seconds computed.
        peak: The most memory there ever was (bytes).
        state: The SQLite file with its log (bytes).
    """

    phase: str
    count: int
    wall_s: float
    cpu_s: float
    peak: int
    state: int


def contacts(number: int, *, events: bool) -> Iterator[SentMessage]:
    """What is sent about so many contacts, or their records alone.

    It is one invented hour again and again, each time of other contacts: telling it anew would take
    longer than the replay's reading.
    """
    met: dict[str, int] = {}
    told = list(day(1, AN_HOUR, met=lambda leg: met.setdefault(leg.id, len(met))))
    kept = [message for message in told if events or message.stream == RECORDS]
    for again in range(-(-number // len(met))):
        left = number - again * len(met)
        rename = partial(_renamed, met, again)
        for message in kept:
            if met[message.contact_id] < left:
                contact_id, body = message.contact_id.encode(), _ID.sub(rename, message.body)
                renamed = _ID.sub(rename, contact_id).decode()
                yield message._replace(contact_id=renamed, body=body)


def _renamed(met: Container[str], again: int, found: Match[bytes]) -> bytes:
    """A contact's id of another time; any other id as it is."""
    name = found[0].decode()
    return str(uuid5(UUID(name), str(again))).encode() if name in met else found[0]


class _Progress:
    """Notes how far it is."""

    def __init__(self, file: BinaryIO, state: Path) -> None:
        self._file = file
        self._state = state
        self._begin = time.monotonic()
        self._noted = {INGEST: 0, DRAIN: 0}

    def reading(self, messages: int, read: int, total: int) -> None:
        """So many messages are taken in."""
        del read, total
        self.note(INGEST, messages, MESSAGES)

    def pushing(self, done: int, due: int) -> None:
        """What is drained is noted by requests."""

    def note(self, phase: str, count: int, every: int) -> None:
        """So many are done; a line is written now and then."""
        if count // every == self._noted[phase]:
            return
        self._noted[phase] = count // every
        sizes = (self._state, self._state.with_name(f"{self._state.name}-wal"))
        state = sum(path.stat().st_size for path in sizes if path.exists())
        wall_s, cpu_s = time.monotonic() - self._begin, time.process_time()
        mark = Mark(phase, count, round(wall_s, 3), round(cpu_s, 3), _peak_bytes(), state)
        self._file.write(orjson.dumps(mark) + b"\n")
        self._file.flush()


class _Null(DryRun):
    """Accepts everything, and counts."""

    def __init__(self, progress: _Progress) -> None:
        self._progress = progress
        self._requests = 0

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        self._requests += 1
        self._progress.note(DRAIN, self._requests, REQUESTS)
        return await super().send(request, timeout_s=timeout_s)

    async def user_id(self) -> str:
        return "00000000-0000-4000-8000-000000000009"


@asynccontextmanager
async def _null(dynamics: _Null, *_: object) -> AsyncIterator[Target]:
    yield Target([Way(dynamics, make_gate(), dynamics.user_id)], MemoryFiles())


async def replay(archive: Path, folder: Path) -> dict[str, int]:
    """Replay an archive; what came of it."""
    state = folder / "state.sqlite"
    options = Options(
        (str(archive),),
        (find("phonecall"), find("chat"), find("task"), find("email")),
        state=f"sqlite:{state}",
        dynamics="https://null.invalid",
    )
    with (folder / "progress.ndjson").open("wb") as file, pytest.MonkeyPatch.context() as patch:
        progress = _Progress(file, state)
        patch.setattr(command, "opened", partial(_null, _Null(progress)))
        report = await command.replay(
            options,
            Settings(connect_share=0),
            progress,
        )
    return {
        "messages": report.events,
        "contacts": report.contacts,
        "requests": report.requests,
        "parked": report.parked,
        "unfinished": report.unfinished,
        "state": state.stat().st_size,
        "peak": _peak_bytes(),
    }


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


# --- what came of it ---


def marks(path: Path) -> list[Mark]:
    """The lines of progress; a line that is not whole is left out."""
    lines = path.read_bytes().splitlines(keepends=True)
    return [Mark(**orjson.loads(line)) for line in lines if line.endswith(b"\n")]


def quarters(found: Sequence[Mark], phase: str) -> list[tuple[float, float]]:
    """Of each quarter of a phase: CPU and wall-clock time (ms) for one more of its count."""
    of_phase = [mark for mark in found if mark.phase == phase]
    if len(of_phase) <= 4:
        return []
    ends = [of_phase[round(n * (len(of_phase) - 1) / 4)] for n in range(5)]
    return [
        (
            1000 * (after.cpu_s - before.cpu_s) / (after.count - before.count),
            1000 * (after.wall_s - before.wall_s) / (after.count - before.count),
        )
        for before, after in pairwise(ends)
    ]


def steady(found: Sequence[Mark], phase: str) -> bool:
    """Whether no later quarter of a phase costs more than the first, but for ``MOST_GROWTH``."""
    spent = [cpu_ms for cpu_ms, _ in quarters(found, phase)]
    return all(cpu_ms <= spent[0] * MOST_GROWTH for cpu_ms in spent)


def report(found: Sequence[Mark], said: dict[str, int] | None) -> Table:
    """The table; ``said`` is None while it is not over."""
    last = found[-1]
    table = Table("", "measured", "asked", "")
    for phase, of in ((INGEST, "message"), (DRAIN, "request")):
        if spent := quarters(found, phase):
            told = ", ".join(f"{cpu_ms:.3f} ({wall_ms:.2f})" for cpu_ms, wall_ms in spent)
            verdict = "met" if steady(found, phase) else "missed"
            name = f"{phase}: CPU (wall) ms a {of}, by quarters"
            table.add_row(name, told, f"<= {MOST_GROWTH} of the first", verdict)
    table.add_row("seconds, CPU", f"{last.wall_s:,.0f}, {last.cpu_s:,.0f}")
    peak = said["peak"] if said else last.peak
    verdict = "met" if peak < MOST_BYTES else "missed"
    table.add_row("peak memory, MB", f"{peak / 1e6:,.0f}", f"< {MOST_BYTES / 1e6:,.0f}", verdict)
    if said is None:
        table.add_row("not over", f"{last.phase} of {last.count:,}")
        return table
    each = said["state"] / said["contacts"]
    table.add_row("state, MB", f"{said['state'] / 1e6:,.0f} ({each:,.0f} bytes a contact)")
    for name in ("contacts", "messages", "requests", "parked", "unfinished"):
        table.add_row(name, f"{said[name]:,}")
    return table


def _child(archive: Path, folder: Path) -> dict[str, int]:
    """Replay in a process of its own, whose memory is the replay's."""
    command_line = [sys.executable, "-m", "tests.benchmarks.volume", "--archive", str(archive)]
    done = subprocess.run(
        [*command_line, "--out", str(folder)], check=True, stdout=subprocess.PIPE, env=os.environ
    )
    said: dict[str, int] = orjson.loads(done.stdout)
    return said


def measure(folder: Path, number: int, *, events: bool) -> tuple[list[Mark], dict[str, int]]:
    """Write an archive of so many contacts into the folder, and replay it."""
    archive = folder / "archive.ndjson"
    write_archive(archive, contacts(number, events=events))
    said = _child(archive, folder)
    return marks(folder / "progress.ndjson"), said


def main() -> int:
    """Run it, and print the table; 1 if something is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=CONTACTS)
    parser.add_argument("--events", action="store_true", help="all messages, not the records alone")
    parser.add_argument("--out", type=Path, help="a folder that is not there yet; kept")
    parser.add_argument("--table", type=Path, help="print the table of this progress.ndjson")
    parser.add_argument("--archive", type=Path, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.archive:
        logs.configure("warning")
        sys.stdout.buffer.write(orjson.dumps(asyncio.run(replay(told.archive, told.out))))
        return 0
    if told.table:
        Console(width=120).print(report(marks(told.table), None))
        return 0
    folder = told.out or Path(tempfile.mkdtemp(prefix="connect-dynamics-volume-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        found, said = measure(folder, told.contacts, events=told.events)
    finally:
        if not told.out:
            shutil.rmtree(folder)
    Console(width=120).print(report(found, said))
    met = steady(found, INGEST) and steady(found, DRAIN) and said["peak"] < MOST_BYTES
    return int(not met or said["unfinished"] > 0)


if __name__ == "__main__":
    sys.exit(main())
